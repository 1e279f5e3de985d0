//! The lookups in progress: which AWS calls are due, and what their results mean for each.
//!
//! Pure; the current time is an argument. One call serves as many lookups as possible. What
//! the evidence means for a diagnosis is decided in `domain`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::window::ours_in;
use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate, LogSource, MetricWindow};
use crate::io::evidence::call::{AwsCall, LookupId, MetricBatch};
use crate::io::evidence::log_finding::log_finding;
use crate::io::evidence::logs::LogQuery;
use crate::io::evidence::lookup::{FetchState, Lookup};
use crate::io::evidence::metrics::SeriesValues;
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::{Series, WindowAggregator};
use crate::model::settings::Settings;

/// Every lookup that is not done.
#[derive(Debug)]
pub(super) struct PendingLookups {
    lookups: BTreeMap<LookupId, Lookup>,
    /// When a log is first searched, counted from the end of the request.
    first_log_search: Duration,
}

/// The most lookups at a time. The monitor requests at most two per target, so this covers
/// about a thousand targets that fail together, at a few kilobytes each.
const MAX_LOOKUPS: usize = 2048;

/// How far a log search extends beyond the request on both sides. Events carry times of
/// AWS's clock, which may differ from ours, and an access log line is written at the end.
const LOG_MARGIN: Duration = Duration::from_secs(120);

impl PendingLookups {
    pub(super) const fn new(first_log_search: Duration) -> Self {
        Self {
            lookups: BTreeMap::new(),
            first_log_search,
        }
    }

    /// Adds a request. Returns its only update if there is nothing to look up, or as `Err`
    /// if too many lookups are pending.
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

    /// Drops the lookups of requests for which `keep` is false, without an update.
    pub(super) fn retain(&mut self, keep: impl Fn(&EvidenceRequest) -> bool) {
        self.lookups.retain(|_, lookup| keep(&lookup.request));
    }

    /// Ends every lookup. Returns a last update for each, with what was found.
    pub(super) fn close(&mut self) -> Vec<EvidenceUpdate> {
        let last_update = |lookup: Lookup| EvidenceUpdate {
            last: true,
            ..lookup.update()
        };
        let lookups = std::mem::take(&mut self.lookups);
        lookups.into_values().map(last_update).collect()
    }

    /// Whether a lookup that a call serves is still pending.
    pub(super) fn needs(&self, call: &AwsCall) -> bool {
        let mut lookups = call.lookups().iter();
        lookups.any(|id| self.lookups.contains_key(id))
    }

    /// When the next call is due; `None` while none is scheduled.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        self.lookups.values().filter_map(Lookup::next_call).min()
    }

    /// The calls that are due. Their parts are in flight until a result is reported.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<AwsCall> {
        let mut calls = self.due_log_searches(now);
        let mut due: BTreeMap<AwsScope, Vec<&mut Lookup>> = BTreeMap::new();
        for lookup in self.lookups.values_mut() {
            if lookup.may_read_metrics(now) {
                due.entry(lookup.scope.clone()).or_default().push(lookup);
            }
        }
        for (scope, mut lookups) in due {
            // A read that may run early shares a call but does not cause one.
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
            let Some(request_id) = &lookup.request.request_id else {
                continue;
            };
            for log in lookup.logs.iter_mut().filter(|log| log.state.is_due(now)) {
                log.state = log.state.started();
                calls.push(AwsCall::SearchLog {
                    scope: lookup.scope.clone(),
                    source: log.source,
                    query: LogQuery {
                        group: log.group.clone(),
                        id: request_id.clone(),
                        from: lookup.request.began - LOG_MARGIN,
                        to: lookup.request.ended + LOG_MARGIN,
                    },
                    lookup: id.clone(),
                });
            }
        }
        calls
    }

    /// Applies the result of a metrics call that started at `read_at`. Returns the updates
    /// that follow.
    pub(super) fn metrics_were_read(
        &mut self,
        ids: &[LookupId],
        values: &SeriesValues,
        read_at: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        let points = |series: &Series| values.get(series);
        for id in ids {
            if let Some(lookup) = self.lookups.get_mut(id) {
                let (from, to) = lookup.window;
                let window = WindowAggregator {
                    points: &points,
                    from,
                    to,
                };
                lookup.evidence.window = Some(MetricWindow {
                    from,
                    to,
                    settled: lookup.is_settled(read_at),
                    ours: ours_in(&lookup.request.ours, from, to),
                    lambda: window.lambda(&lookup.series),
                    api: window.api(&lookup.series),
                });
                lookup.metrics_were_read(read_at);
            }
        }
        self.updates(ids, true)
    }

    /// Applies the result of a log search that started at `searched_at`: the lines that
    /// contain the request id. Returns the updates that follow.
    pub(super) fn log_was_searched(
        &mut self,
        id: &LookupId,
        source: LogSource,
        lines: &[String],
        searched_at: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        let mut found = false;
        if let Some(lookup) = self.lookups.get_mut(id)
            && let Some(request_id) = &lookup.request.request_id
        {
            let finding = log_finding(source, lines, request_id);
            found = finding.is_some();
            lookup.log_was_searched(source, finding, searched_at);
        }
        self.updates(std::slice::from_ref(id), found)
    }

    /// Reschedules a call that failed or was not made for `retry_at`; `None` gives it up.
    /// Returns the updates that follow, and how many parts of lookups were given up.
    pub(super) fn postpone(
        &mut self,
        call: &AwsCall,
        retry_at: Option<Timestamp>,
    ) -> (Vec<EvidenceUpdate>, u64) {
        let mut given_up = 0;
        for id in call.lookups() {
            let Some(lookup) = self.lookups.get_mut(id) else {
                continue;
            };
            let state = match call {
                AwsCall::ReadMetrics { .. } => Some(&mut lookup.metrics),
                AwsCall::SearchLog { source, .. } => {
                    let log = lookup.logs.iter_mut().find(|log| log.source == *source);
                    log.map(|log| &mut log.state)
                }
            };
            if let Some(state) = state {
                *state = retry_at.map_or(FetchState::Done, |at| state.postponed(at));
                given_up += u64::from(*state == FetchState::Done);
            }
        }
        (self.updates(call.lookups(), false), given_up)
    }

    /// Updates for those of these lookups that have `news` or are done; done ones are
    /// removed.
    fn updates(&mut self, ids: &[LookupId], news: bool) -> Vec<EvidenceUpdate> {
        let mut updates = Vec::new();
        for id in ids {
            let Some(lookup) = self.lookups.get(id) else {
                continue;
            };
            let done = lookup.is_done();
            if news || done {
                updates.push(lookup.update());
            }
            if done {
                self.lookups.remove(id);
            }
        }
        updates
    }
}

/// The last update for a request that is not looked up.
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
