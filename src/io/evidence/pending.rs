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
use crate::io::evidence::lookup::{FetchState, Lookup};
use crate::io::evidence::scope::AwsScope;
use crate::model::settings::Settings;

/// The lookups that are not done, by id.
#[derive(Debug)]
pub(super) struct PendingLookups {
    lookups: BTreeMap<LookupId, Lookup>,
    /// The time from the end of a probe to the first search of a log.
    first_log_search: Duration,
}

/// Maximum number of lookups in progress. A lookup uses a few kilobytes. The monitor requests at
/// most two lookups per target, so the limit allows for a thousand failing targets.
const MAX_LOOKUPS: usize = 2048;

impl PendingLookups {
    pub(super) const fn new(first_log_search: Duration) -> Self {
        Self {
            lookups: BTreeMap::new(),
            first_log_search,
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

    /// Applies the output of a call that started at `started` to the lookups with these ids.
    /// Returns the updates to send.
    pub(super) fn apply(
        &mut self,
        ids: &[LookupId],
        output: &CallOutput,
        started: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        for id in ids {
            let Some(lookup) = self.lookups.get_mut(id) else {
                continue;
            };
            match output {
                CallOutput::Metrics(values) => lookup.apply_metrics(values, started),
                CallOutput::Log(source, finding) => {
                    lookup.apply_log(*source, finding.as_ref(), started);
                }
            }
        }
        self.updates(ids, !matches!(output, CallOutput::Log(_, None)))
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

/// Returns an update without evidence and with `last` set, for a request that is not looked up.
pub(super) fn empty_update(request: &EvidenceRequest) -> EvidenceUpdate {
    EvidenceUpdate {
        target: request.target.name.clone(),
        began: request.began,
        evidence: Arc::default(),
        last: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::evidence::log_finding::log_finding;
    use crate::io::evidence::series::Points;
    use crate::model::target::{AwsDeclarations, Target};

    const ID: &str = "K2ZEDjwtIAMEcig=";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Creates an evidence request about a probe that ended at second `ended`.
    fn request(
        name: &str,
        ended: i64,
        declare: impl FnOnce(&mut AwsDeclarations),
    ) -> EvidenceRequest {
        let mut target = Target::with_defaults(name, "https://x.example/".parse().unwrap());
        target.aws.function_timeout = Some(Duration::from_secs(30));
        declare(&mut target.aws);
        EvidenceRequest {
            target: Arc::new(target),
            request_id: Some(ID.to_owned()),
            began: at(ended) - Duration::from_millis(200),
            ended: at(ended),
            own_requests: vec![at(ended - 600), at(ended - 1)],
        }
    }

    fn function(name: &str) -> impl FnOnce(&mut AwsDeclarations) + use<> {
        let name = name.to_owned();
        |aws| aws.function = Some(name)
    }

    fn pending(requests: Vec<EvidenceRequest>) -> PendingLookups {
        let mut pending = PendingLookups::new(Duration::from_secs(15));
        for request in requests {
            assert_eq!(pending.add(request, &Settings::default()), Ok(None));
        }
        pending
    }

    /// Takes the calls that are due at `second`, and checks the number of series and the number of
    /// lookups of each call.
    #[track_caller]
    fn check_calls(
        pending: &mut PendingLookups,
        second: i64,
        expected: &[(usize, usize)],
    ) -> Vec<AwsCall> {
        let calls = pending.take_due(at(second));
        let series = |call: &AwsCall| match &call.query {
            Query::Metrics { series, .. } => series.len(),
            Query::Log(..) => 0,
        };
        let sizes: Vec<_> = calls
            .iter()
            .map(|call| (series(call), call.lookups.len()))
            .collect();
        assert_eq!(sizes, expected);
        calls
    }

    #[test]
    fn targets_that_share_a_function_share_its_series() {
        let mut pending = pending(vec![
            request("a", 1000, function("orders")),
            request("b", 1000, function("orders")),
            request("c", 1000, function("carts")),
        ]);
        check_calls(&mut pending, 1119, &[]);
        check_calls(&mut pending, 1120, &[(10, 3)]);
        check_calls(&mut pending, 1120, &[]);
    }

    #[test]
    fn a_read_may_run_early_to_share_a_call_but_causes_none() {
        let requests = || {
            vec![
                request("a", 1000, function("orders")),
                request("b", 1015, function("orders")),
                request("c", 1060, function("orders")),
            ]
        };
        check_calls(&mut pending(requests()), 1119, &[]);
        check_calls(&mut pending(requests()), 1120, &[(5, 2)]);
    }

    #[test]
    fn regions_do_not_share_calls_and_a_call_is_limited_in_series_and_range() {
        let mut many = vec![request("region", 1000, |aws| {
            function("orders")(aws);
            aws.region = Some("eu-west-1".to_owned());
        })];
        many.extend((0..101).map(|n| request(&format!("t{n}"), 1000, function(&format!("f{n}")))));
        check_calls(&mut pending(many), 1120, &[(500, 100), (5, 1), (5, 1)]);
        let apart = vec![
            request("a", 1000, function("orders")),
            request("b", 9000, function("orders")),
        ];
        check_calls(&mut pending(apart), 9120, &[(5, 1), (5, 1)]);
    }

    #[test]
    fn only_the_final_read_is_settled_and_gives_the_last_update() {
        let mut pending = pending(vec![request("a", 1000, function("orders"))]);
        for (second, settled) in [(1120, false), (1240, false), (1640, true)] {
            let calls = check_calls(&mut pending, second, &[(5, 1)]);
            let Query::Metrics { series, .. } = &calls[0].query else {
                panic!("{calls:?}");
            };
            let values = series.iter().map(|series| (series.clone(), Points::new()));
            let output = CallOutput::Metrics(values.collect());
            let updates = pending.apply(&calls[0].lookups, &output, at(second));
            let [update] = &updates[..] else {
                panic!("{updates:?}");
            };
            let window = update.evidence.window.as_ref().unwrap();
            assert_eq!((window.settled, update.last), (settled, settled));
            assert_eq!(
                window.own_requests, 1,
                "the other request was before the window"
            );
        }
        assert_eq!(pending.next_call(), None);
    }

    #[test]
    fn a_found_line_gives_an_update_at_once_and_a_search_without_result_none() {
        let mut pending = pending(vec![request("a", 1000, |aws| {
            function("orders")(aws);
            aws.access_log_group = Some("access".to_owned());
        })]);
        let calls = check_calls(&mut pending, 1015, &[(0, 1)]);
        let AwsCall { query, lookups, .. } = &calls[0];
        let Query::Log(source, query) = query else {
            panic!("{calls:?}");
        };
        assert!(query.from < at(1000) && query.to > at(1000));
        let output = |lines: &[String]| CallOutput::Log(*source, log_finding(*source, lines, ID));
        assert_eq!(pending.apply(lookups, &output(&[]), at(1015)), []);
        check_calls(&mut pending, 1030, &[(0, 1)]);
        let line = format!(r#"{{"requestId":"{ID}","status":"500"}}"#);
        let updates = pending.apply(lookups, &output(&[line]), at(1030));
        assert!(updates.len() == 1 && updates[0].evidence.log.is_some() && !updates[0].last);
        // The line was found, so the log is not searched again.
        check_calls(&mut pending, 1119, &[]);
    }

    #[test]
    fn a_lookup_that_is_abandoned_gets_a_last_update() {
        let mut pending = pending(vec![request("a", 1000, function("orders"))]);
        let calls = check_calls(&mut pending, 1120, &[(5, 1)]);
        assert_eq!(pending.postpone(&calls[0], Some(at(1125))), (vec![], 0));
        let calls = check_calls(&mut pending, 1125, &[(5, 1)]);
        let (updates, abandoned) = pending.postpone(&calls[0], None);
        assert!(updates.len() == 1 && updates[0].last && abandoned == 1);
        assert!(!pending.needs(&calls[0]));
    }

    #[test]
    fn a_request_beyond_the_limit_gets_an_empty_update() {
        let all = (0..i64::try_from(MAX_LOOKUPS).unwrap())
            .map(|n| request("a", 1000 + n, function("orders")));
        let mut pending = pending(all.collect());
        let one_more = request("b", 1000, function("orders"));
        let refused = pending.add(one_more.clone(), &Settings::default());
        assert_eq!(refused, Err(empty_update(&one_more)));
    }
}
