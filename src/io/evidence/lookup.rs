//! One evidence request in progress: what to read, when, and what was found so far.
//!
//! Pure; the current time is an argument. Metrics are read twice while datapoints arrive and
//! once when the window has settled. A log is searched until the request's line is found or
//! a quarter of an hour has passed. A part that is done stays done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::window::{count_own_requests, settled_at, window_for};
use crate::domain::diagnosis::aws::{
    AwsEvidence, EvidenceRequest, EvidenceUpdate, LogFinding, LogSource, LogTemplate, MetricWindow,
};
use crate::io::evidence::logs::{LogQuery, is_searchable};
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::{MetricSeries, SeriesValues, WindowAggregator, declared_series};
use crate::model::settings::Settings;

/// An accepted evidence request and the progress of its calls.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) request: EvidenceRequest,
    pub(super) scope: AwsScope,
    /// The first minute of the window, inclusive, and the end of the window, exclusive.
    pub(super) window: (Timestamp, Timestamp),
    /// The metric series to read; may be empty.
    pub(super) series: Vec<MetricSeries>,
    pub(super) metrics: FetchState,
    /// The log groups to search, at most two.
    pub(super) logs: Vec<LogSearch>,
    /// Time from the end of the request to the first search of a log.
    first_log_search: Duration,
    /// Times of the metric reads before the final one, ascending. In these reads a present
    /// datapoint counts and a missing one does not.
    early_reads: [Timestamp; 2],
    final_read: Timestamp,
    /// The time from which a missing datapoint means that there is none; `None` if that never
    /// holds.
    settled_at: Option<Timestamp>,
    pub(super) evidence: AwsEvidence,
}

/// The progress of one part of a lookup: the metrics, or one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchState {
    /// A call is scheduled for `at`, after this many consecutive failures.
    Scheduled { at: Timestamp, failures: u32 },
    /// A call is queued or running.
    InFlight { failures: u32 },
    /// The part needs no further call.
    Done,
}

/// The search of one log group, with its progress and result.
#[derive(Debug)]
pub(super) struct LogSearch {
    pub(super) source: LogSource,
    pub(super) query: LogQuery,
    pub(super) state: FetchState,
}

/// Times of the log searches after the end of the request, as multiples of the time to the first
/// search. With the usual 15 s the last is after a quarter of an hour, when the line is no longer
/// useful.
const LOG_SEARCHES: [u32; 7] = [1, 2, 4, 8, 16, 32, 60];

/// Time by which a log search extends beyond the request on both sides. Events carry times of AWS's
/// clock, which may differ from this host's, and an access log line is written at the end.
const LOG_MARGIN: Duration = Duration::from_secs(120);

/// The time of a final read is rounded up to a multiple of this many seconds, so that targets that
/// failed together share a call.
const FINAL_READ_STEP: i64 = 10;

/// Maximum number of consecutive failures of a part, after which it is given up. With the delays of
/// `backoff` that is after about five minutes.
const MAX_FAILURES: u32 = 6;

/// Maximum time by which a metric read may precede its scheduled time to share a call with another.
pub(super) const MAX_LEAD: Duration = Duration::from_secs(20);

impl Lookup {
    /// Plans the lookup of a request. If there is nothing to read, the lookup is done from the
    /// start.
    pub(super) fn new(
        request: EvidenceRequest,
        settings: &Settings,
        first_log_search: Duration,
    ) -> Self {
        let aws = &request.target.aws;
        let settle = settings.evidence.settle;
        let settled_at = settled_at(request.ended, aws.function_timeout, settle);
        let early_reads = [1, 2].map(|times| request.ended + settings.evidence.first_look * times);
        let scheduled = |at| FetchState::Scheduled { at, failures: 0 };
        let series = declared_series(aws);
        let metrics = if series.is_empty() {
            FetchState::Done
        } else {
            scheduled(early_reads[0])
        };
        let groups = [
            (LogSource::AccessLog, &aws.access_log_group),
            (LogSource::ExecutionLog, &aws.execution_log_group),
        ];
        let id = request.request_id.as_ref().filter(|id| is_searchable(id));
        let logs = groups.into_iter().filter_map(|(source, group)| {
            Some(LogSearch {
                source,
                query: LogQuery {
                    group: group.clone()?,
                    id: id?.clone(),
                    from: request.began - LOG_MARGIN,
                    to: request.ended + LOG_MARGIN,
                },
                state: scheduled(request.ended + first_log_search),
            })
        });
        Self {
            scope: AwsScope::of(&request.target, settings),
            window: window_for(request.began, request.ended),
            final_read: rounded_up(settled_at.unwrap_or(request.ended + settle)),
            series,
            metrics,
            logs: logs.collect(),
            first_log_search,
            early_reads,
            settled_at,
            evidence: AwsEvidence::default(),
            request,
        }
    }

    /// Whether every part of the lookup is done.
    pub(super) fn is_done(&self) -> bool {
        self.states().all(|state| state == FetchState::Done)
    }

    /// The time of the next call; `None` while none is scheduled.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        let times = self.states().filter_map(|state| match state {
            FetchState::Scheduled { at, .. } => Some(at),
            FetchState::InFlight { .. } | FetchState::Done => None,
        });
        times.min()
    }

    fn states(&self) -> impl Iterator<Item = FetchState> {
        let logs = self.logs.iter().map(|log| log.state);
        logs.chain([self.metrics])
    }

    /// Returns the evidence found so far, as an update for the monitor.
    pub(super) fn update(&self) -> EvidenceUpdate {
        EvidenceUpdate {
            target: self.request.target.name.clone(),
            began: self.request.began,
            evidence: Arc::new(self.evidence.clone()),
            last: self.is_done(),
        }
    }

    /// Whether the metrics are due at `now`, or may be read early to share another lookup's call.
    /// The final read is never early, because it must not run before the window has settled.
    pub(super) fn may_read_metrics(&self, now: Timestamp) -> bool {
        let early = now < self.final_read && self.early_reads.iter().any(|read| *read >= now);
        self.metrics.is_due(now) || (early && self.metrics.is_due(now + MAX_LEAD))
    }

    /// Applies the values of a metric read that started at `read_at`, and schedules the next read
    /// if one is left.
    pub(super) fn apply_metrics(&mut self, values: &SeriesValues, read_at: Timestamp) {
        let (from, to) = self.window;
        let window = WindowAggregator { values, from, to };
        self.evidence.window = Some(MetricWindow {
            from,
            to,
            settled: self.settled_at.is_some_and(|settled| read_at >= settled),
            own_requests: count_own_requests(&self.request.own_requests, from, to),
            lambda: window.lambda(&self.series),
            api: window.api(&self.series),
        });
        // A read that ran early is not repeated at its scheduled time.
        let early = |read: &Timestamp| *read < self.final_read && *read > read_at + MAX_LEAD;
        let last = Some(self.final_read).filter(|read| *read > read_at);
        let next = self.early_reads.into_iter().find(early).or(last);
        self.metrics = FetchState::scheduled_or_done(next);
    }

    /// Applies the result of a log search that started at `searched_at`, and schedules the next
    /// search unless the line was found.
    pub(super) fn apply_log(
        &mut self,
        source: LogSource,
        finding: Option<&LogFinding>,
        searched_at: Timestamp,
    ) {
        let ended = self.request.ended;
        if let Some(log) = self.logs.iter_mut().find(|log| log.source == source) {
            let times = LOG_SEARCHES.map(|times| ended + self.first_log_search * times);
            let mut later = times.into_iter().filter(|_| finding.is_none());
            log.state = FetchState::scheduled_or_done(later.find(|time| *time > searched_at));
        }
        // Both logs may contain a line of the request. An unknown line does not replace a known
        // one.
        let known = |finding: &LogFinding| finding.template != LogTemplate::Unknown;
        if finding.is_some() && !self.evidence.log.as_ref().is_some_and(known) {
            self.evidence.log = finding.cloned();
        }
    }
}

fn rounded_up(time: Timestamp) -> Timestamp {
    let step = time.as_second().div_euclid(FINAL_READ_STEP) + 1;
    Timestamp::from_second(step * FINAL_READ_STEP).unwrap_or(time)
}

impl FetchState {
    fn scheduled_or_done(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Done, |at| Self::Scheduled { at, failures: 0 })
    }

    /// Returns the state after a failed or postponed call: scheduled for `at`, or done if it failed
    /// too often.
    pub(super) const fn postponed(self, at: Timestamp) -> Self {
        match self {
            Self::InFlight { failures } | Self::Scheduled { failures, .. }
                if failures + 1 < MAX_FAILURES =>
            {
                Self::Scheduled {
                    at,
                    failures: failures + 1,
                }
            }
            _ => Self::Done,
        }
    }

    /// Returns the state while a call is queued or running.
    pub(super) const fn started(self) -> Self {
        match self {
            Self::Scheduled { failures, .. } => Self::InFlight { failures },
            other => other,
        }
    }

    /// Whether the part has a call that is scheduled for `time` or earlier.
    pub(super) fn is_due(self, time: Timestamp) -> bool {
        matches!(self, Self::Scheduled { at, .. } if at <= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::Target;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lookup(change: impl FnOnce(&mut Target)) -> Lookup {
        let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
        change(&mut target);
        let request = EvidenceRequest {
            target: Arc::new(target),
            request_id: Some("K2ZEDjwtIAMEcig=".to_owned()),
            began: at(970),
            ended: at(1000),
            own_requests: vec![at(970)],
        };
        Lookup::new(request, &Settings::default(), Duration::from_secs(15))
    }

    /// Compares the metric reads, as seconds after the request and whether the window has
    /// settled by then.
    #[track_caller]
    fn check_reads(lookup: &mut Lookup, expected: &[(i64, bool)]) {
        let mut reads = Vec::new();
        while let FetchState::Scheduled { at, .. } = lookup.metrics {
            lookup.apply_metrics(&SeriesValues::new(), at);
            let window = lookup.evidence.window.as_ref().unwrap();
            reads.push((at.as_second() - 1000, window.settled));
        }
        assert_eq!(reads, expected);
        assert!(lookup.is_done());
    }

    #[test]
    fn metrics_are_read_until_the_window_has_settled() {
        let mut lookup = lookup(|target| {
            target.aws.function = Some("orders".to_owned());
            target.aws.function_timeout = Some(Duration::from_secs(30));
        });
        check_reads(&mut lookup, &[(120, false), (240, false), (640, true)]);
    }

    #[test]
    fn a_window_never_settles_if_the_functions_timeout_is_unknown() {
        let mut lookup = lookup(|target| target.aws.function = Some("orders".to_owned()));
        check_reads(&mut lookup, &[(120, false), (240, false), (610, false)]);
    }

    #[test]
    fn a_log_is_searched_at_growing_intervals_for_a_quarter_of_an_hour() {
        let mut lookup = lookup(|target| target.aws.access_log_group = Some("access".to_owned()));
        let mut searches = Vec::new();
        while let FetchState::Scheduled { at, .. } = lookup.logs[0].state {
            searches.push(at.as_second() - 1000);
            lookup.apply_log(LogSource::AccessLog, None, at);
        }
        assert_eq!(searches, [15, 30, 60, 120, 240, 480, 900]);
        assert!(lookup.is_done());
        assert_eq!(lookup.update().evidence, Arc::new(AwsEvidence::default()));
    }

    #[test]
    fn a_target_without_declarations_has_nothing_to_look_up() {
        assert!(lookup(|_| ()).is_done());
    }

    #[test]
    fn a_part_is_given_up_after_six_consecutive_failures() {
        let mut state = FetchState::scheduled_or_done(Some(at(0)));
        let mut failures = 0;
        while state != FetchState::Done {
            state = state.started().postponed(at(failures));
            failures += 1;
        }
        assert_eq!(failures, 6);
    }
}
