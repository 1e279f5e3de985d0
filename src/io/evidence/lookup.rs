//! One question on its way: what is to be looked at, when next, and what is known so far.
//!
//! Pure; `now` is an argument. Metrics are looked at twice while they arrive and once
//! when they have settled; a log until its line is found or the search has gone on long
//! enough. A part that is over stays over.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::window::{settled_at, window_for};
use crate::domain::diagnosis::aws::{
    AwsEvidence, EvidenceRequest, EvidenceUpdate, LogFinding, LogSource, LogTemplate,
};
use crate::io::evidence::logs::is_searchable;
use crate::io::evidence::place::Place;
use crate::io::evidence::series::{self, Series};
use crate::model::settings::Settings;

/// A question that was taken.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) question: EvidenceRequest,
    pub(super) place: Place,
    /// First minute of the window, inclusive, and its end, exclusive.
    pub(super) window: (Timestamp, Timestamp),
    /// What is to be read; empty: no metrics.
    pub(super) series: Vec<Series>,
    pub(super) metrics: Part,
    /// The log groups to search, at most two.
    pub(super) logs: Vec<LogPart>,
    first_log_look: Duration,
    /// Looks at the metrics before the last, in order.
    early: [Timestamp; 2],
    /// The last look.
    last: Timestamp,
    /// From when on absence counts; `None`: never.
    settled: Option<Timestamp>,
    pub(super) evidence: AwsEvidence,
}

/// How far one part of a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Not before this moment, after so many failures in a row.
    Waiting(Timestamp, u32),
    /// Under way.
    Asking(u32),
    /// Nothing more will be asked.
    Over,
}

/// The search of one log group.
#[derive(Debug)]
pub(super) struct LogPart {
    pub(super) source: LogSource,
    pub(super) group: String,
    pub(super) part: Part,
}

/// When a log is searched, in times of the first look, from the end of the request:
/// after a quarter of an hour at the usual 15 s nobody waits any more.
const LOG_LOOKS: [u32; 7] = [1, 2, 4, 8, 16, 32, 60];

/// Last looks wait for the next full such step of the clock, in seconds, so that targets
/// that failed together share a call.
const STEP: i64 = 10;

/// Failures in a row after which a part is given up; with the pauses of `trouble` that
/// is some five minutes.
const MAX_FAILURES: u32 = 6;

impl Case {
    /// Takes a question; without anything to ask, every part is over from the start.
    pub(super) fn new(question: EvidenceRequest, settings: &Settings) -> Self {
        let aws = &question.target.aws;
        let wanted = &settings.evidence;
        let settled = settled_at(question.ended, aws.function_timeout, wanted.settle);
        let early = [1, 2].map(|times| question.ended + wanted.first_look * times);
        let series = series::of(aws);
        let metrics = if series.is_empty() {
            Part::Over
        } else {
            Part::Waiting(early[0], 0)
        };
        let groups = [
            (LogSource::AccessLog, &aws.access_log_group),
            (LogSource::ExecutionLog, &aws.execution_log_group),
        ];
        let searchable = question.request_id.as_deref().is_some_and(is_searchable);
        let logs = groups
            .into_iter()
            .filter_map(|(source, group)| {
                Some(LogPart {
                    source,
                    group: group.clone().filter(|_| searchable)?,
                    part: Part::Waiting(question.ended + wanted.first_log_look, 0),
                })
            })
            .collect();
        Self {
            place: Place::of(&question.target, settings),
            window: window_for(question.began, question.ended),
            last: shared(settled.unwrap_or(question.ended + wanted.settle)),
            series,
            metrics,
            logs,
            first_log_look: wanted.first_log_look,
            early,
            settled,
            evidence: AwsEvidence::default(),
            question,
        }
    }

    /// Whether nothing more will be asked.
    pub(super) fn is_over(&self) -> bool {
        self.metrics == Part::Over && self.logs.iter().all(|log| log.part == Part::Over)
    }

    /// When something is next to be asked.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let parts = self.logs.iter().map(|log| log.part);
        let waiting = parts.chain([self.metrics]).filter_map(|part| match part {
            Part::Waiting(due, _) => Some(due),
            Part::Asking(_) | Part::Over => None,
        });
        waiting.min()
    }

    /// What is known.
    pub(super) fn answer(&self) -> EvidenceUpdate {
        EvidenceUpdate {
            target: self.question.target.name.clone(),
            began: self.question.began,
            evidence: Arc::new(self.evidence.clone()),
            last: self.is_over(),
        }
    }

    /// Whether absence counts in metrics that were asked for at this moment.
    pub(super) fn is_settled(&self, asked: Timestamp) -> bool {
        self.settled.is_some_and(|settled| asked >= settled)
    }

    /// Whether this look at the metrics may as well be a little early: one before the
    /// last, since only presence counts in it.
    pub(super) fn may_hurry(&self, now: Timestamp) -> bool {
        now < self.last && self.early.iter().any(|look| *look >= now)
    }

    /// The metrics were read by a call made at this moment: the next look, or none.
    pub(super) fn metrics_looked(&mut self, asked: Timestamp) {
        let looks = self.early.into_iter().filter(|look| *look < self.last);
        let next = looks.chain([self.last]).find(|look| {
            // A look that was hurried is not due again.
            *look
                > asked
                    + if *look < self.last {
                        HURRY
                    } else {
                        Duration::ZERO
                    }
        });
        self.metrics = next.map_or(Part::Over, |next| Part::Waiting(next, 0));
    }

    /// A log was searched at this moment.
    pub(super) fn log_looked(
        &mut self,
        source: LogSource,
        finding: Option<LogFinding>,
        asked: Timestamp,
    ) {
        let ended = self.question.ended;
        let found = finding.is_some();
        if let Some(log) = self.logs.iter_mut().find(|log| log.source == source) {
            let next = LOG_LOOKS
                .map(|times| ended + self.first_log_look * times)
                .into_iter()
                .find(|look| *look > asked);
            log.part = match next {
                Some(next) if !found => Part::Waiting(next, 0),
                _ => Part::Over,
            };
        }
        let known = |finding: &LogFinding| finding.template != LogTemplate::Unknown;
        // Either log may say more than the other; one that says nothing hides nothing.
        if let Some(finding) = finding
            && !self.evidence.log.as_ref().is_some_and(known)
        {
            self.evidence.log = Some(finding);
        }
    }
}

fn shared(look: Timestamp) -> Timestamp {
    let step = look.as_second().div_euclid(STEP) + 1;
    Timestamp::from_second(step * STEP).unwrap_or(look)
}

/// How much earlier a look may come to share a call with another.
pub(super) const HURRY: Duration = Duration::from_secs(20);

impl Part {
    /// A call failed: again at this moment, unless that was often enough.
    pub(super) const fn postponed(self, until: Timestamp) -> Self {
        match self {
            Self::Asking(failures) | Self::Waiting(_, failures) if failures + 1 < MAX_FAILURES => {
                Self::Waiting(until, failures + 1)
            }
            _ => Self::Over,
        }
    }

    /// The part as it is while a call is under way.
    pub(super) const fn asking(self) -> Self {
        match self {
            Self::Waiting(_, failures) => Self::Asking(failures),
            other => other,
        }
    }

    /// Whether it is to be asked by then.
    pub(super) fn is_due(self, by: Timestamp) -> bool {
        matches!(self, Self::Waiting(due, _) if due <= by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::Target;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn case(change: impl FnOnce(&mut Target)) -> Case {
        let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
        change(&mut target);
        let question = EvidenceRequest {
            target: Arc::new(target),
            request_id: Some("K2ZEDjwtIAMEcig=".to_owned()),
            began: at(970),
            ended: at(1000),
            ours: vec![at(970)],
        };
        Case::new(question, &Settings::default())
    }

    /// When the metrics are looked at, in seconds after the request, and whether absence
    /// counts in each look.
    #[track_caller]
    fn check_looks(case: &mut Case, expected: &[(i64, bool)]) {
        let mut looks = Vec::new();
        while let Part::Waiting(due, _) = case.metrics {
            looks.push((due.as_second() - 1000, case.is_settled(due)));
            case.metrics_looked(due);
        }
        assert_eq!(looks, expected);
        assert!(case.is_over());
    }

    #[test]
    fn metrics_are_looked_at_until_they_are_settled() {
        let mut case = case(|target| {
            target.aws.function = Some("orders".to_owned());
            target.aws.function_timeout = Some(Duration::from_secs(30));
        });
        check_looks(&mut case, &[(120, false), (240, false), (640, true)]);
    }

    #[test]
    fn absence_never_counts_where_the_functions_timeout_is_unknown() {
        let mut case = case(|target| target.aws.function = Some("orders".to_owned()));
        check_looks(&mut case, &[(120, false), (240, false), (610, false)]);
    }

    #[test]
    fn a_log_is_searched_at_growing_distances_for_a_quarter_of_an_hour() {
        let mut case = case(|target| target.aws.access_log_group = Some("access".to_owned()));
        let mut looks = Vec::new();
        while let Part::Waiting(due, _) = case.logs[0].part {
            looks.push(due.as_second() - 1000);
            case.log_looked(LogSource::AccessLog, None, due);
        }
        assert_eq!(looks, [15, 30, 60, 120, 240, 480, 900]);
        assert!(case.is_over());
        assert_eq!(case.answer().evidence, Arc::new(AwsEvidence::default()));
    }

    #[test]
    fn nothing_declared_is_nothing_to_ask() {
        assert!(case(|_| ()).is_over());
    }

    #[test]
    fn a_part_that_fails_again_and_again_is_given_up() {
        let mut part = Part::Waiting(at(0), 0);
        let mut times = 0;
        while part != Part::Over {
            part = part.asking().postponed(at(times));
            times += 1;
        }
        assert_eq!(times, 6);
    }
}
