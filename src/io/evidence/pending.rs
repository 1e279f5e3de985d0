//! Every open question: which calls are due, and what their answers mean for each.
//!
//! Pure; `now` is an argument. One call serves as many questions as fall together: the
//! metrics of all targets of a place, each series once. It decides nothing about causes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::window::ours_in;
use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate, LogSource, MetricWindow};
use crate::io::evidence::case::{Case, HURRY, Part};
use crate::io::evidence::logs::Search;
use crate::io::evidence::metrics::{MAX_SERIES, Values};
use crate::io::evidence::place::Place;
use crate::io::evidence::reading;
use crate::io::evidence::series::{Fold, Series};
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// A question's name: the target, and when its request began.
pub(super) type CaseId = (TargetName, Timestamp);

/// One call to make.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Job {
    /// Read metrics.
    Metrics {
        place: Place,
        series: Vec<Series>,
        from: Timestamp,
        to: Timestamp,
        cases: Vec<CaseId>,
    },
    /// Search a log.
    Log {
        place: Place,
        source: LogSource,
        search: Search,
        case: CaseId,
    },
}

/// Every open question.
#[derive(Debug, Default)]
pub(super) struct Docket {
    cases: BTreeMap<CaseId, Case>,
}

/// Questions open at once; the monitor keeps to two a target, so this is some thousand
/// targets that fail together, at a few kilobytes each.
const MAX_CASES: usize = 2048;

/// Seconds that one call may span: 500 series of an hour stay within one page.
const MAX_SPAN: i64 = 3600;

/// Events of a request carry times of AWS's clock around it: ours may be a little off,
/// and an access line is written when all is over.
const LOG_MARGIN: Duration = Duration::from_secs(120);

impl Docket {
    /// Takes a question. What comes back is the only answer to one that there is nothing
    /// to ask about, or no place for (`Err`).
    pub(super) fn admit(
        &mut self,
        question: EvidenceRequest,
        settings: &Settings,
    ) -> Result<Option<EvidenceUpdate>, EvidenceUpdate> {
        let id = (question.target.name.clone(), question.began);
        if self.cases.contains_key(&id) {
            return Ok(None);
        }
        let case = Case::new(question, settings);
        if case.is_over() {
            return Ok(Some(case.answer()));
        }
        if self.cases.len() >= MAX_CASES {
            return Err(nothing(&case.question));
        }
        self.cases.insert(id, case);
        Ok(None)
    }

    /// Forgets the questions of targets for which `keep` is false.
    pub(super) fn retain(&mut self, keep: impl Fn(&EvidenceRequest) -> bool) {
        self.cases.retain(|_, case| keep(&case.question));
    }

    /// Ends every question with what is known of it.
    pub(super) fn close(&mut self) -> Vec<EvidenceUpdate> {
        let cases = std::mem::take(&mut self.cases);
        let answer = |case: Case| EvidenceUpdate {
            last: true,
            ..case.answer()
        };
        cases.into_values().map(answer).collect()
    }

    /// Whether anybody still waits for what a call would bring.
    pub(super) fn wants(&self, job: &Job) -> bool {
        match job {
            Job::Metrics { cases, .. } => cases.iter().any(|id| self.cases.contains_key(id)),
            Job::Log { case, .. } => self.cases.contains_key(case),
        }
    }

    /// When something is next to be asked.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.cases.values().filter_map(Case::due).min()
    }

    /// The calls that are due; their parts wait for an outcome from now on.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Job> {
        let mut jobs = self.due_logs(now);
        let mut due: BTreeMap<Place, Vec<&mut Case>> = BTreeMap::new();
        for case in self.cases.values_mut() {
            let hurried = case.may_hurry(now) && case.metrics.is_due(now + HURRY);
            if case.metrics.is_due(now) || hurried {
                due.entry(case.place.clone()).or_default().push(case);
            }
        }
        for (place, mut cases) in due {
            // A call is made for what is due; what may hurry only shares it.
            if !cases.iter().any(|case| case.metrics.is_due(now)) {
                continue;
            }
            cases.sort_by_key(|case| case.window.0);
            let mut batch = Batch::default();
            for case in cases {
                if !batch.has_room_for(case) {
                    jobs.extend(std::mem::take(&mut batch).job(&place));
                }
                batch.add(case);
            }
            jobs.extend(batch.job(&place));
        }
        jobs
    }

    fn due_logs(&mut self, now: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (id, case) in &mut self.cases {
            let Some(request) = &case.question.request_id else {
                continue;
            };
            for log in case.logs.iter_mut().filter(|log| log.part.is_due(now)) {
                log.part = log.part.asking();
                jobs.push(Job::Log {
                    place: case.place.clone(),
                    source: log.source,
                    search: Search {
                        group: log.group.clone(),
                        id: request.clone(),
                        from: case.question.began - LOG_MARGIN,
                        to: case.question.ended + LOG_MARGIN,
                    },
                    case: id.clone(),
                });
            }
        }
        jobs
    }

    /// Metrics were read by a call made at `asked`: what that says to each question.
    pub(super) fn metrics_read(
        &mut self,
        cases: &[CaseId],
        values: &Values,
        asked: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        for id in cases {
            if let Some(case) = self.cases.get_mut(id) {
                let (from, to) = case.window;
                let read = |series: &Series| values.get(series);
                let fold = Fold {
                    read: &read,
                    from,
                    to,
                };
                case.evidence.window = Some(MetricWindow {
                    from,
                    to,
                    settled: case.is_settled(asked),
                    ours: ours_in(&case.question.ours, from, to),
                    lambda: fold.lambda(&case.series),
                    api: fold.api(&case.series),
                });
                case.metrics_looked(asked);
            }
        }
        self.answers(cases, true)
    }

    /// A log was searched by a call made at `asked`, and these lines hold the id.
    pub(super) fn log_read(
        &mut self,
        id: &CaseId,
        source: LogSource,
        lines: &[String],
        asked: Timestamp,
    ) -> Vec<EvidenceUpdate> {
        let mut found = false;
        if let Some(case) = self.cases.get_mut(id)
            && let Some(request) = &case.question.request_id
        {
            let finding = reading::finding(source, lines, request);
            found = finding.is_some();
            case.log_looked(source, finding, asked);
        }
        self.answers(std::slice::from_ref(id), found)
    }

    /// A call failed, or was not made: again at `until`, or never (`None`). Gives the
    /// answers that follow, and how many parts of questions were given up.
    pub(super) fn failed(
        &mut self,
        job: &Job,
        until: Option<Timestamp>,
    ) -> (Vec<EvidenceUpdate>, u64) {
        let mut given_up = 0;
        let mut next = |part: &mut Part| {
            *part = until.map_or(Part::Over, |until| part.postponed(until));
            given_up += u64::from(*part == Part::Over);
        };
        let cases = match job {
            Job::Metrics { cases, .. } => &cases[..],
            Job::Log { case, .. } => std::slice::from_ref(case),
        };
        for id in cases {
            let Some(case) = self.cases.get_mut(id) else {
                continue;
            };
            match job {
                Job::Metrics { .. } => next(&mut case.metrics),
                Job::Log { source, .. } => {
                    let mut logs = case.logs.iter_mut();
                    if let Some(log) = logs.find(|log| log.source == *source) {
                        next(&mut log.part);
                    }
                }
            }
        }
        (self.answers(cases, false), given_up)
    }

    /// What is known of these questions, if there is news or nothing more will come.
    fn answers(&mut self, cases: &[CaseId], news: bool) -> Vec<EvidenceUpdate> {
        let mut answers = Vec::new();
        for id in cases {
            let Some(case) = self.cases.get(id) else {
                continue;
            };
            let over = case.is_over();
            if news || over {
                answers.push(case.answer());
            }
            if over {
                self.cases.remove(id);
            }
        }
        answers
    }
}

/// The only answer to a question that is not asked.
pub(super) fn nothing(question: &EvidenceRequest) -> EvidenceUpdate {
    EvidenceUpdate {
        target: question.target.name.clone(),
        began: question.began,
        evidence: Arc::default(),
        last: true,
    }
}

/// The metrics of several questions that one call can read.
#[derive(Default)]
struct Batch {
    series: BTreeSet<Series>,
    cases: Vec<CaseId>,
    range: Option<(Timestamp, Timestamp)>,
}

impl Batch {
    fn has_room_for(&self, case: &Case) -> bool {
        let Some((from, to)) = self.range else {
            return true;
        };
        let new = case
            .series
            .iter()
            .filter(|series| !self.series.contains(series));
        let span = case.window.1.max(to).as_second() - case.window.0.min(from).as_second();
        self.series.len() + new.count() <= MAX_SERIES && span <= MAX_SPAN
    }

    fn add(&mut self, case: &mut Case) {
        case.metrics = case.metrics.asking();
        self.series.extend(case.series.iter().cloned());
        let name = case.question.target.name.clone();
        self.cases.push((name, case.question.began));
        let (from, to) = self.range.unwrap_or(case.window);
        self.range = Some((from.min(case.window.0), to.max(case.window.1)));
    }

    fn job(self, place: &Place) -> Option<Job> {
        let (from, to) = self.range?;
        Some(Job::Metrics {
            place: place.clone(),
            series: self.series.into_iter().collect(),
            from,
            to,
            cases: self.cases,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::evidence::series::Points;
    use crate::model::target::{AwsDeclarations, Target};

    const ID: &str = "K2ZEDjwtIAMEcig=";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A question about a target's request that ended at this second.
    fn question(
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
            ours: vec![at(ended - 600), at(ended - 1)],
        }
    }

    fn function(name: &str) -> impl FnOnce(&mut AwsDeclarations) + use<> {
        let name = name.to_owned();
        |aws| aws.function = Some(name)
    }

    fn docket(questions: Vec<EvidenceRequest>) -> Docket {
        let mut docket = Docket::default();
        for question in questions {
            assert_eq!(docket.admit(question, &Settings::default()), Ok(None));
        }
        docket
    }

    /// The calls due at a second, each as its number of series and of questions.
    #[track_caller]
    fn check_calls(docket: &mut Docket, second: i64, expected: &[(usize, usize)]) -> Vec<Job> {
        let jobs = docket.take_due(at(second));
        let sizes: Vec<(usize, usize)> = jobs
            .iter()
            .map(|job| match job {
                Job::Metrics { series, cases, .. } => (series.len(), cases.len()),
                Job::Log { .. } => (0, 1),
            })
            .collect();
        assert_eq!(sizes, expected);
        jobs
    }

    #[test]
    fn targets_that_share_a_function_share_its_series() {
        let mut docket = docket(vec![
            question("a", 1000, function("orders")),
            question("b", 1000, function("orders")),
            question("c", 1000, function("carts")),
        ]);
        check_calls(&mut docket, 1119, &[]);
        check_calls(&mut docket, 1120, &[(10, 3)]);
        check_calls(&mut docket, 1120, &[]);
    }

    #[test]
    fn a_look_may_come_early_to_share_a_call_but_makes_none() {
        let questions = || {
            vec![
                question("a", 1000, function("orders")),
                question("b", 1015, function("orders")),
                question("c", 1060, function("orders")),
            ]
        };
        check_calls(&mut docket(questions()), 1119, &[]);
        check_calls(&mut docket(questions()), 1120, &[(5, 2)]);
    }

    #[test]
    fn regions_are_asked_apart_and_a_call_is_bounded_in_series_and_time() {
        let mut many = vec![question("region", 1000, |aws| {
            function("orders")(aws);
            aws.region = Some("eu-west-1".to_owned());
        })];
        many.extend((0..101).map(|n| question(&format!("t{n}"), 1000, function(&format!("f{n}")))));
        check_calls(&mut docket(many), 1120, &[(500, 100), (5, 1), (5, 1)]);
        let apart = vec![
            question("a", 1000, function("orders")),
            question("b", 9000, function("orders")),
        ];
        check_calls(&mut docket(apart), 9120, &[(5, 1), (5, 1)]);
    }

    #[test]
    fn only_a_settled_look_says_so_and_is_the_last() {
        let mut docket = docket(vec![question("a", 1000, function("orders"))]);
        for (second, settled) in [(1120, false), (1240, false), (1640, true)] {
            let jobs = check_calls(&mut docket, second, &[(5, 1)]);
            let Job::Metrics { series, cases, .. } = &jobs[0] else {
                panic!("{jobs:?}");
            };
            let values = series
                .iter()
                .map(|series| (series.clone(), Points::new()))
                .collect();
            let answers = docket.metrics_read(cases, &values, at(second));
            let [answer] = &answers[..] else {
                panic!("{answers:?}");
            };
            let window = answer.evidence.window.as_ref().unwrap();
            assert_eq!((window.settled, answer.last), (settled, settled));
            assert_eq!(window.ours, 1, "the other of our requests is long past");
        }
        assert_eq!(docket.due(), None);
    }

    #[test]
    fn a_line_that_is_found_is_told_at_once_and_one_that_is_not_is_no_news() {
        let mut docket = docket(vec![question("a", 1000, |aws| {
            function("orders")(aws);
            aws.access_log_group = Some("access".to_owned());
        })]);
        let jobs = check_calls(&mut docket, 1015, &[(0, 1)]);
        let Job::Log { case, search, .. } = &jobs[0] else {
            panic!("{jobs:?}");
        };
        assert!(search.from < at(1000) && search.to > at(1000));
        let source = LogSource::AccessLog;
        assert_eq!(docket.log_read(case, source, &[], at(1015)), []);
        check_calls(&mut docket, 1030, &[(0, 1)]);
        let line = format!(r#"{{"requestId":"{ID}","status":"500"}}"#);
        let answers = docket.log_read(case, source, &[line], at(1030));
        assert!(answers.len() == 1 && answers[0].evidence.log.is_some() && !answers[0].last);
        // Found: not searched again.
        check_calls(&mut docket, 1119, &[]);
    }

    #[test]
    fn what_is_given_up_is_answered_with_what_is_known() {
        let mut docket = docket(vec![question("a", 1000, function("orders"))]);
        let jobs = check_calls(&mut docket, 1120, &[(5, 1)]);
        assert_eq!(docket.failed(&jobs[0], Some(at(1125))), (vec![], 0));
        let jobs = check_calls(&mut docket, 1125, &[(5, 1)]);
        let (answers, given_up) = docket.failed(&jobs[0], None);
        assert!(answers.len() == 1 && answers[0].last && given_up == 1);
        assert!(!docket.wants(&jobs[0]));
    }

    #[test]
    fn a_question_without_a_place_is_answered_with_nothing() {
        let all = (0..i64::try_from(MAX_CASES).unwrap())
            .map(|n| question("a", 1000 + n, function("orders")));
        let mut docket = docket(all.collect());
        let one_more = question("b", 1000, function("orders"));
        let refused = docket.admit(one_more.clone(), &Settings::default());
        assert_eq!(refused, Err(nothing(&one_more)));
    }
}
