//! Manages the lookups in progress: determines the AWS calls that are due, and applies their
//! outputs to the lookups.
//!
//! This module does no I/O. The current time is an argument. One call reads data for as many
//! lookups as possible. `domain` decides what the evidence means for a diagnosis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use crate::io::evidence::call::{AwsCall, CallOutput, LookupId, MetricBatch, Query};
use crate::io::evidence::configuration::{ConfigurationQuery, Reading};
use crate::io::evidence::lookup::{FetchState, Lookup};
use crate::io::evidence::readings::Readings;
use crate::io::evidence::scope::AwsScope;
use crate::model::settings::Settings;

/// The lookups that are not done, by id.
#[derive(Debug)]
pub(super) struct PendingLookups {
    lookups: BTreeMap<LookupId, Lookup>,
    /// The time from the end of a probe to the first search of a log.
    first_log_search: Duration,
    /// The newest configurations of the targets. The next lookup of a target compares its
    /// configuration with them.
    readings: Readings,
}

/// Maximum number of lookups in progress. A lookup uses a few kilobytes. The monitor requests at
/// most two lookups per target, so the limit allows for a thousand failing targets.
const MAX_LOOKUPS: usize = 2048;

impl PendingLookups {
    pub(super) fn new(first_log_search: Duration) -> Self {
        Self {
            lookups: BTreeMap::new(),
            first_log_search,
            readings: Readings::default(),
        }
    }

    /// Adds a lookup for a request, unless the lookup is already pending. If there is nothing to
    /// look up, returns an update with `last` set, otherwise `None`.
    ///
    /// # Errors
    /// Returns an update without evidence and with `last` set if too many lookups are pending.
    pub(super) fn add(
        &mut self,
        request: EvidenceRequest,
        settings: &Settings,
    ) -> Result<Option<EvidenceUpdate>, EvidenceUpdate> {
        let id = (request.target.name.clone(), request.began);
        if self.lookups.contains_key(&id) {
            return Ok(None);
        }
        let lookup = Lookup::new(request, settings, self.first_log_search);
        if lookup.is_done() {
            return Ok(Some(lookup.update()));
        }
        if self.lookups.len() >= MAX_LOOKUPS {
            return Err(empty_update(&lookup.request));
        }
        self.lookups.insert(id, lookup);
        Ok(None)
    }

    /// Drops the lookups of requests for which `keep` returns false, without an update.
    pub(super) fn retain(&mut self, keep: impl Fn(&EvidenceRequest) -> bool) {
        self.lookups.retain(|_, lookup| keep(&lookup.request));
    }

    /// Ends all lookups. Returns an update for each, with `last` set and the evidence found so far.
    pub(super) fn close(&mut self) -> Vec<EvidenceUpdate> {
        let last_update = |lookup: Lookup| EvidenceUpdate {
            last: true,
            ..lookup.update()
        };
        let lookups = std::mem::take(&mut self.lookups);
        lookups.into_values().map(last_update).collect()
    }

    /// Ends the reads of configurations. Called when the settings disable them. Returns the last
    /// updates of the lookups that are done as a result.
    pub(super) fn stop_configurations(&mut self) -> Vec<EvidenceUpdate> {
        for lookup in self.lookups.values_mut() {
            lookup.configuration = FetchState::Done;
        }
        let ids: Vec<LookupId> = self.lookups.keys().cloned().collect();
        self.updates(&ids, false)
    }

    /// Returns whether a lookup that needs the output of the call is still pending.
    pub(super) fn needs(&self, call: &AwsCall) -> bool {
        let mut lookups = call.lookups.iter();
        lookups.any(|id| self.lookups.contains_key(id))
    }

    /// Returns the time of the next call, or `None` if no call is scheduled.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        self.lookups.values().filter_map(Lookup::next_call).min()
    }

    /// Returns the calls that are due at `now`. Sets the state of the parts of lookups that need
    /// these calls to `InFlight`.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<AwsCall> {
        let mut calls = self.due_log_searches(now);
        calls.extend(self.due_configurations(now));
        let mut due: BTreeMap<AwsScope, Vec<&mut Lookup>> = BTreeMap::new();
        for lookup in self.lookups.values_mut() {
            if lookup.may_read_metrics(now) {
                due.entry(lookup.scope.clone()).or_default().push(lookup);
            }
        }
        for (scope, mut lookups) in due {
            // A read that may run early can share a call but does not start a call of its own.
            if !lookups.iter().any(|lookup| lookup.metrics.is_due(now)) {
                continue;
            }
            lookups.sort_by_key(|lookup| lookup.window.0);
            let mut batch = MetricBatch::default();
            for lookup in lookups {
                if !batch.has_room_for(lookup) {
                    calls.extend(std::mem::take(&mut batch).into_call(&scope));
                }
                batch.add(lookup);
            }
            calls.extend(batch.into_call(&scope));
        }
        calls
    }

    fn due_log_searches(&mut self, now: Timestamp) -> Vec<AwsCall> {
        let mut calls = Vec::new();
        for (id, lookup) in &mut self.lookups {
            for log in lookup.logs.iter_mut().filter(|log| log.state.is_due(now)) {
                log.state = log.state.started();
                calls.push(AwsCall {
                    scope: lookup.scope.clone(),
                    query: Query::Log(log.source, log.query.clone()),
                    lookups: vec![id.clone()],
                });
            }
        }
        calls
    }

    fn due_configurations(&mut self, now: Timestamp) -> Vec<AwsCall> {
        let mut calls = Vec::new();
        for (id, lookup) in &mut self.lookups {
            if lookup.configuration.is_due(now) {
                lookup.configuration = lookup.configuration.started();
                calls.push(AwsCall {
                    scope: lookup.scope.clone(),
                    query: Query::Configuration(ConfigurationQuery {
                        target: Arc::clone(&lookup.request.target),
                        after: lookup.request.ended,
                    }),
                    lookups: vec![id.clone()],
                });
            }
        }
        calls
    }

    /// Applies the output of a call that started at `started` to the lookups with these ids.
    /// Returns the updates to send.
    pub(super) fn apply(
        &mut self,
        ids: &[LookupId],
        output: &CallOutput,
        started: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        let mut found = !matches!(output, CallOutput::Log(_, None));
        for id in ids {
            let Some(lookup) = self.lookups.get_mut(id) else {
                continue;
            };
            match output {
                CallOutput::Metrics(values) => lookup.apply_metrics(values, started),
                CallOutput::Log(source, finding) => {
                    lookup.apply_log(*source, finding.as_ref(), started);
                }
                CallOutput::Configuration(reading) => {
                    found = apply_reading(lookup, &mut self.readings, reading);
                }
            }
        }
        self.updates(ids, found)
    }

    /// Schedules another attempt at `retry_at` for a call that failed or was not permitted.
    /// Abandons the call if `retry_at` is `None` or too many attempts failed. Returns the updates
    /// to send, and the number of abandoned parts of lookups.
    pub(super) fn postpone(
        &mut self,
        call: &AwsCall,
        retry_at: Option<Timestamp>,
    ) -> (Vec<EvidenceUpdate>, u64) {
        let mut abandoned = 0;
        for id in &call.lookups {
            let Some(lookup) = self.lookups.get_mut(id) else {
                continue;
            };
            let state = match &call.query {
                Query::Metrics { .. } => Some(&mut lookup.metrics),
                Query::Log(source, _) => {
                    let log = lookup.logs.iter_mut().find(|log| log.source == *source);
                    log.map(|log| &mut log.state)
                }
                Query::Configuration(_) => {
                    lookup.postpone_configuration(retry_at);
                    abandoned += u64::from(lookup.configuration == FetchState::Done);
                    None
                }
            };
            if let Some(state) = state {
                *state = retry_at.map_or(FetchState::Done, |at| state.postponed(at));
                abandoned += u64::from(*state == FetchState::Done);
            }
        }
        (self.updates(&call.lookups, false), abandoned)
    }

    /// Returns the updates to send after a call for these lookups, and removes lookups that are
    /// done. If `found` is true, the call found evidence, and every lookup has an update.
    /// Otherwise, only the lookups that are done have an update.
    fn updates(&mut self, ids: &[LookupId], found: bool) -> Vec<EvidenceUpdate> {
        let mut updates = Vec::new();
        for id in ids {
            let Some(lookup) = self.lookups.get(id) else {
                continue;
            };
            let done = lookup.is_done();
            if found || done {
                updates.push(lookup.update());
            }
            if done {
                self.lookups.remove(id);
            }
        }
        updates
    }
}

/// Applies a configuration to the lookup for which it was read, and keeps it for the next lookup of
/// the target. Returns whether the configuration contains evidence.
fn apply_reading(lookup: &mut Lookup, readings: &mut Readings, reading: &Reading) -> bool {
    let before = readings.before(&lookup.request);
    let (configuration, finished) = (&reading.configuration, reading.finished);
    readings.add(&lookup.request.target, finished, configuration);
    lookup.apply_configuration(configuration, before.as_deref(), reading.retry_at)
}

/// Returns a last update without evidence, for a request that is not looked up.
pub(super) fn empty_update(request: &EvidenceRequest) -> EvidenceUpdate {
    EvidenceUpdate {
        target: request.target.name.clone(),
        began: request.began,
        evidence: Arc::default(),
        last: true,
    }
}

#[cfg(test)]
mod tests;
