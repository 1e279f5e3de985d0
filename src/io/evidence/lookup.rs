//! Plans the AWS reads of one evidence request and collects their results.
//!
//! This module does no I/O. The current time is an argument. Metrics are read up to twice while
//! datapoints may still arrive, and a last time when the window should have settled. A window has
//! settled when no more datapoints arrive. A log is searched until it contains a line about the
//! probe's request, or a quarter of an hour has passed since the probe. The configuration is read
//! at once. If it names an access log that is not declared, this log is searched as well.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::configuration::Configuration;
use crate::domain::configuration::evidence::evidence;
use crate::domain::configuration::plan::Plan;
use crate::domain::diagnosis::aws::window::{count_in_window, settled_at, window_for};
use crate::domain::diagnosis::aws::{
    AwsEvidence, EvidenceRequest, EvidenceUpdate, LogFinding, LogSource, LogTemplate, MetricWindow,
};
use crate::io::evidence::logs::{LogQuery, is_searchable};
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::{MetricSeries, SeriesValues, WindowAggregator, declared_series};
use crate::model::settings::Settings;

/// An accepted evidence request, the progress of its AWS calls, and the evidence found so far.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) request: EvidenceRequest,
    pub(super) scope: AwsScope,
    /// The time window of the metrics: start (inclusive) and end (exclusive).
    pub(super) window: (Timestamp, Timestamp),
    /// The metric series to read. Empty if the target declares neither a function nor an API.
    pub(super) series: Vec<MetricSeries>,
    pub(super) metrics: FetchState,
    /// The searches of log groups, at most two.
    pub(super) logs: Vec<LogSearch>,
    pub(super) configuration: FetchState,
    /// The time from the end of the probe to the first search of a log.
    first_log_search: Duration,
    /// The scheduled times of the metric reads before the final read, ascending. In these reads, a
    /// missing datapoint has no meaning, because it may still arrive.
    early_reads: [Timestamp; 2],
    /// The scheduled time of the final metric read.
    final_read: Timestamp,
    /// The time after which no more datapoints are expected. `None` if that time is unknown.
    settled_at: Option<Timestamp>,
    /// The time from the end of the function within which all datapoints are expected to arrive.
    settle: Duration,
    pub(super) evidence: AwsEvidence,
}

/// The progress of one part of a lookup. The parts are the metrics, each log, and the
/// configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchState {
    /// A call is scheduled for `at`, after `failures` consecutive failed or postponed calls.
    Scheduled { at: Timestamp, failures: u32 },
    /// A call is queued or running.
    InFlight { failures: u32 },
    /// The part is complete or abandoned: no further call is made.
    Done,
}

/// The search of one log group, with its progress and result.
#[derive(Debug)]
pub(super) struct LogSearch {
    pub(super) source: LogSource,
    pub(super) query: LogQuery,
    pub(super) state: FetchState,
}

/// The delays from the end of the probe to the log searches, as multiples of the delay of the first
/// search. If the first search is after 15 s, the last search is after 15 minutes. A later
/// search would not help with the incident.
const LOG_SEARCHES: [u32; 7] = [1, 2, 4, 8, 16, 32, 60];

/// The time that a log search covers before the start and after the end of a probe. Log events are
/// timestamped by AWS's clock, which may differ from the clock of this host.
const LOG_MARGIN: Duration = Duration::from_secs(120);

/// The time of the final metric read is rounded up to the next multiple of this number of seconds,
/// so that targets that fail at the same time share a call.
const FINAL_READ_STEP: i64 = 10;

/// Number of consecutive failed or postponed calls after which a part of a lookup is abandoned.
/// With the delays of `backoff`, this usually takes less than three minutes.
const MAX_FAILURES: u32 = 6;

/// Maximum time from the end of the probe to another read of the configuration. A later read shows
/// little about the request, and must not delay the end of the lookup.
const MAX_READ_DELAY: Duration = Duration::from_secs(60);

/// Maximum time by which a metric read may run before its scheduled time, in order to share a call.
pub(super) const MAX_LEAD: Duration = Duration::from_secs(20);

impl Lookup {
    /// Plans the lookup for a request. The new lookup is already done if there is nothing to read.
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
        let reads_configuration =
            settings.evidence.configuration && !Plan::of(&request.target).is_empty();
        let groups = [
            (LogSource::AccessLog, &aws.access_log_group),
            (LogSource::ExecutionLog, &aws.execution_log_group),
        ];
        let logs = groups.into_iter().filter_map(|(source, group)| {
            LogSearch::new(&request, source, group.clone()?, first_log_search)
        });
        Self {
            scope: AwsScope::of(&request.target, settings),
            window: window_for(request.began, request.ended),
            final_read: rounded_up(settled_at.unwrap_or(request.ended + settle)),
            series,
            metrics,
            logs: logs.collect(),
            configuration: if reads_configuration {
                scheduled(request.ended)
            } else {
                FetchState::Done
            },
            first_log_search,
            early_reads,
            settled_at,
            settle,
            evidence: AwsEvidence::default(),
            request,
        }
    }

    /// Returns whether every part of the lookup is done.
    pub(super) fn is_done(&self) -> bool {
        self.states().all(|state| state == FetchState::Done)
    }

    /// Returns the time of the next call, or `None` if no call is scheduled.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        let times = self.states().filter_map(|state| match state {
            FetchState::Scheduled { at, .. } => Some(at),
            FetchState::InFlight { .. } | FetchState::Done => None,
        });
        times.min()
    }

    fn states(&self) -> impl Iterator<Item = FetchState> {
        let logs = self.logs.iter().map(|log| log.state);
        logs.chain([self.metrics, self.configuration])
    }

    /// Returns an update for the monitor with the evidence found so far.
    pub(super) fn update(&self) -> EvidenceUpdate {
        EvidenceUpdate {
            target: self.request.target.name.clone(),
            began: self.request.began,
            evidence: Arc::new(self.evidence.clone()),
            last: self.is_done(),
        }
    }

    /// Returns whether a metric read is due at `now`, or may run early to share a call with another
    /// lookup. The final read never runs early, because the window must have settled.
    pub(super) fn may_read_metrics(&self, now: Timestamp) -> bool {
        let early = now < self.final_read && self.early_reads.iter().any(|read| *read >= now);
        self.metrics.is_due(now) || (early && self.metrics.is_due(now + MAX_LEAD))
    }

    /// Applies the values of a metric read that started at `read_at`, and schedules the next read,
    /// if any.
    pub(super) fn apply_metrics(&mut self, values: &SeriesValues, read_at: Timestamp) {
        let (from, to) = self.window;
        let window = WindowAggregator { values, from, to };
        self.evidence.window = Some(MetricWindow {
            from,
            to,
            settled: self.settled_at.is_some_and(|settled| read_at >= settled),
            own_requests: count_in_window(&self.request.own_requests, from, to),
            lambda: window.lambda(&self.series),
            api: window.api(&self.series),
        });
        // A read that ran early is not repeated at its scheduled time.
        let early = |read: &Timestamp| *read < self.final_read && *read > read_at + MAX_LEAD;
        let last = Some(self.final_read).filter(|read| *read > read_at);
        let next = self.early_reads.into_iter().find(early).or(last);
        self.metrics = FetchState::scheduled_or_done(next);
    }

    /// Applies the configuration that was read after the request. `before` is the configuration that
    /// was read before the request. Reads the configuration again at `retry_at`, if a part could not
    /// be read but may be readable then. Returns whether the configuration shows anything new. What
    /// an earlier read showed is not withdrawn.
    pub(super) fn apply_configuration(
        &mut self,
        now: &Configuration,
        before: Option<&Configuration>,
        retry_at: Option<Timestamp>,
    ) -> bool {
        self.postpone_configuration(retry_at);
        let Some(found) = evidence(&self.request.target, now, before) else {
            return false;
        };
        let earlier = self.evidence.configuration.as_ref();
        if earlier.is_some_and(|earlier| !found.may_replace(earlier)) {
            return false;
        }
        let declared = &self.request.target.aws;
        if declared.function_timeout.is_none() {
            self.settled_at = settled_at(
                self.request.ended,
                found.declared.function_timeout,
                self.settle,
            );
            let settled = self.settled_at.unwrap_or(self.request.ended + self.settle);
            self.final_read = rounded_up(settled);
        }
        let source = LogSource::AccessLog;
        if let Some(group) = found.declared.access_log_group.clone()
            && !self.logs.iter().any(|log| log.source == source)
        {
            let search = LogSearch::new(&self.request, source, group, self.first_log_search);
            self.logs.extend(search);
        }
        self.evidence.configuration = Some(found);
        true
    }

    /// Schedules another read of the configuration at `retry_at`. Ends the reads if `retry_at` is
    /// `None` or too late, or if too many reads failed.
    pub(super) fn postpone_configuration(&mut self, retry_at: Option<Timestamp>) {
        let latest = self.request.ended + MAX_READ_DELAY;
        let retry_at = retry_at.filter(|at| *at <= latest);
        let state = self.configuration;
        self.configuration = retry_at.map_or(FetchState::Done, |at| state.postponed(at));
    }

    /// Applies the result of a log search that started at `searched_at`. Schedules the next search,
    /// if any, unless a line was found.
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
        // Both logs may contain lines of the request. A finding with a known template is not
        // replaced by a finding from the other log.
        let known = |finding: &LogFinding| finding.template != LogTemplate::Unknown;
        if finding.is_some() && !self.evidence.log.as_ref().is_some_and(known) {
            self.evidence.log = finding.cloned();
        }
    }
}

impl LogSearch {
    /// Plans the search of a log group for the lines of the request. Returns `None` if the request
    /// has no id that can be searched for.
    fn new(
        request: &EvidenceRequest,
        source: LogSource,
        group: String,
        first_log_search: Duration,
    ) -> Option<Self> {
        let id = request.request_id.as_ref().filter(|id| is_searchable(id))?;
        Some(Self {
            source,
            query: LogQuery {
                group,
                id: id.clone(),
                from: request.began - LOG_MARGIN,
                to: request.ended + LOG_MARGIN,
            },
            state: FetchState::Scheduled {
                at: request.ended + first_log_search,
                failures: 0,
            },
        })
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

    /// Returns the state after a failed or postponed call: scheduled for `at`, or done after too
    /// many failures.
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

    /// Returns the state after a scheduled call was queued: in flight. Returns any other
    /// state unchanged.
    pub(super) const fn started(self) -> Self {
        match self {
            Self::Scheduled { failures, .. } => Self::InFlight { failures },
            other => other,
        }
    }

    /// Returns whether a call is scheduled for `time` or earlier.
    pub(super) fn is_due(self, time: Timestamp) -> bool {
        matches!(self, Self::Scheduled { at, .. } if at <= time)
    }
}

#[cfg(test)]
mod tests;
