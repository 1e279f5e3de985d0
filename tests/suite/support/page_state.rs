//! A fixed state for the tests of the status page, the API and the Prometheus endpoint.
//!
//! It contains every kind of series and every part of a page: targets that are up, down,
//! degraded, not probed yet or failing for the first time, candidates, open and resolved
//! incidents, missed slots, and names that try to break out of HTML, labels and URLs.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use probecause::domain::diagnosis::fact::FactValue;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::diagnosis::{Candidate, Diagnosis, Evidence, Outcome, Verdict};
use probecause::domain::health::HealthState;
use probecause::domain::incident::{FailureKind, Incidents, ProbeOutcome, ResponseMark};
use probecause::domain::report::{CauseInfo, Missed, MissedReason, Report};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::sink::page::StatusBoard;
use probecause::io::sink::prometheus::PrometheusSink;
use probecause::model::cause::{CauseId, Certainty, Owner};
use probecause::model::observation::{
    Certificate, HttpVersion, Observation, Phase, Response, TlsFacts,
};
use probecause::model::settings::Settings;
use probecause::model::target::Target;

/// A target name that must be displayed unchanged and must never run as script.
pub(crate) const HOSTILE: &str = "<script>document.title='pwned'</script>\"'&\\../?#";

/// The time at which the state is rendered.
pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// The configuration that belongs to the state.
pub(crate) fn settings() -> Settings {
    let url = |path: &str| format!("https://api.example.com/{path}").parse().unwrap();
    let mut targets = Vec::new();
    for name in [
        "catalogue",
        "checkout",
        "fresh",
        "orders",
        "search",
        "stock",
        HOSTILE,
    ] {
        let mut target = Target::with_defaults(name, url("path?token=s3cret"));
        if name == "orders" {
            target.labels = BTreeMap::from([("team".to_owned(), "shop \"A\"\n".to_owned())]);
        }
        targets.push(Arc::new(target));
    }
    Settings {
        location: "eu-west-1".to_owned(),
        targets,
        ..Settings::default()
    }
}

/// The causes that the rules of the state define.
fn causes() -> Vec<CauseInfo> {
    let info = |cause: &str, owner, title: &str| CauseInfo {
        cause: CauseId::new(cause).unwrap(),
        owner,
        hop: None,
        title: title.to_owned(),
        next: vec!["Look at the function's concurrency.".to_owned()],
        see: "https://docs.aws.amazon.com/lambda/".to_owned(),
    };
    vec![
        info(
            "lambda-throttled",
            Owner::Platform,
            "Lambda throttled the call",
        ),
        info("unexplained", Owner::Service, "Nothing \"known\" fits"),
    ]
}

/// The Prometheus sink and the status page, filled with the state.
pub(crate) fn sinks() -> (PrometheusSink, StatusBoard) {
    let prometheus = PrometheusSink::new(DaemonMetrics::new().unwrap());
    let board = StatusBoard::default();
    let causes = causes().into();
    prometheus.set_causes(&causes);
    board.set_causes(&causes);
    prometheus.configure(&settings());
    board.configure(&settings());
    for report in reports() {
        prometheus.publish(&report);
        board.publish(&report);
    }
    for reason in MissedReason::ALL {
        let target = Arc::clone(&settings().targets[3]);
        let missed = Missed { target, reason };
        prometheus.missed(&missed);
        board.missed(&missed);
    }
    (prometheus, board)
}

/// All reports of the state, oldest first for each target.
pub(crate) fn reports() -> Vec<Report> {
    let mut history = ReportHistory::default();
    for minute in (1..=70).rev() {
        history.probe("catalogue", minute, HealthState::Up, None);
        let down_since = |from| {
            if minute <= from {
                HealthState::Down
            } else {
                HealthState::Up
            }
        };
        let throttled = verdict(
            "lambda-throttled",
            Certainty::Likely,
            &[
                ("lambda-throttled", 0.94),
                ("integration-unreachable", 0.06),
            ],
        );
        history.probe(
            "orders",
            minute,
            down_since(24),
            (minute <= 24).then_some(throttled),
        );
        let failed = verdict(
            "lambda-function-error",
            Certainty::Possible,
            &[
                ("lambda-function-error", 0.41),
                ("lambda-malformed-response", 0.38),
                ("lambda-permission-denied", 0.21),
            ],
        );
        // It failed earlier, recovered, and fails again.
        let failing = minute <= 7 || (30..=40).contains(&minute);
        let health = if failing {
            HealthState::Down
        } else {
            HealthState::Up
        };
        history.probe("checkout", minute, health, failing.then_some(failed));
        let slow = verdict("too-slow", Certainty::Proven, &[("too-slow", 1.0)]);
        let slowness = if minute <= 12 {
            HealthState::Degraded
        } else {
            HealthState::Up
        };
        history.probe("search", minute, slowness, (minute <= 12).then_some(slow));
    }
    let unexplained = verdict("unexplained", Certainty::Possible, &[("unexplained", 1.0)]);
    history.probe("stock", 1, HealthState::Unknown, Some(unexplained.clone()));
    history.probe(HOSTILE, 2, HealthState::Down, Some(unexplained));
    history.reports
}

#[derive(Default)]
struct ReportHistory {
    incidents: BTreeMap<String, Incidents>,
    since: BTreeMap<String, (HealthState, Timestamp)>,
    reports: Vec<Report>,
}

/// The embedded rules, parsed once because parsing dominates the run time of these tests.
static RULES: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::embedded().unwrap());

impl ReportHistory {
    fn probe(
        &mut self,
        name: &str,
        minutes_ago: i64,
        health: HealthState,
        verdict: Option<Verdict>,
    ) {
        let at = now() - SignedDuration::from_mins(minutes_ago);
        let target = settings()
            .targets
            .into_iter()
            .find(|target| target.name.as_str() == name);
        let target = target.unwrap();
        let diagnosis = diagnosis(verdict);
        let incidents = self.incidents.entry(name.to_owned()).or_default();
        let outcome = ProbeOutcome {
            target: &target.name,
            began: at,
            kind: FailureKind::default(),
            mark: ResponseMark::default(),
            request_id: None,
            diagnosis: &diagnosis,
            health,
            suppressed: false,
        };
        let event = incidents.apply(outcome, &RULES, at);
        let since = self.since.entry(name.to_owned()).or_insert((health, at));
        if since.0 != health {
            *since = (health, at);
        }
        self.reports.push(Report {
            location: "eu-west-1".into(),
            at,
            observation: Arc::new(observation(name, &diagnosis, at)),
            health,
            since: since.1,
            transition: None,
            showing: diagnosis.verdict.clone(),
            floor: Some(0.034),
            incident: incidents.open().cloned(),
            event,
            maintenance: name == "search",
            prober_fault: false,
            target,
            diagnosis: Arc::new(diagnosis),
        });
    }
}

fn verdict(cause: &str, certainty: Certainty, candidates: &[(&str, f64)]) -> Verdict {
    let candidate = |&(cause, share): &(&str, f64)| Candidate {
        cause: CauseId::new(cause).unwrap(),
        share,
    };
    let title = match cause {
        "lambda-throttled" => "Lambda throttled the call before the function ran",
        "lambda-function-error" => "The function raised an error <b>it did not catch</b>",
        "too-slow" => "The answer was right but slower than expected",
        _ => "Nothing in the rule book fits this failure",
    };
    Verdict {
        cause: CauseId::new(cause).unwrap(),
        title: title.to_owned(),
        owner: Owner::Service,
        hop: None,
        certainty,
        candidates: candidates.iter().map(candidate).collect(),
        next: vec![
            "Compare the function's concurrent executions with its reserved concurrency."
                .to_owned(),
            "Look for a deployment that began shortly before the first failed probe.".to_owned(),
        ],
    }
}

fn diagnosis(verdict: Option<Verdict>) -> Diagnosis {
    let Some(verdict) = verdict else {
        return Diagnosis::passed();
    };
    let fact = |fact: &str, value| Evidence {
        fact: fact.to_owned(),
        value,
    };
    Diagnosis {
        outcome: if verdict.cause.as_str() == "too-slow" {
            Outcome::Degraded
        } else {
            Outcome::Failed
        },
        evidence: vec![
            fact("status", FactValue::Number(503.0)),
            fact("front_door", FactValue::Text("http-api".to_owned())),
            fact(
                "body.message",
                FactValue::Text("<img src=x onerror=alert(1)>".to_owned()),
            ),
            fact("excess", FactValue::Number(0.012_345)),
        ],
        error: Some("expected status 200, got 503".to_owned()),
        verdict: Some(Arc::new(verdict)),
    }
}

fn observation(name: &str, diagnosis: &Diagnosis, at: Timestamp) -> Observation {
    let mut observation = Observation::begun(at, "https://api.example.com/path");
    let processing = match name {
        "checkout" => 386,
        "search" => 2850,
        _ => 41,
    };
    let times = [
        (Phase::Resolve, 3),
        (Phase::Connect, 14),
        (Phase::Tls, 31),
        (Phase::Processing, processing),
    ];
    for (phase, millis) in times {
        observation.phases.add(phase, Duration::from_millis(millis));
    }
    observation
        .phases
        .add(Phase::Transfer, Duration::from_micros(800));
    observation.duration = Duration::from_millis(50 + processing);
    observation.remote = Some(([192, 0, 2, 7], 443).into());
    observation.tls = Some(TlsFacts {
        version: Some("TLSv1.3".to_owned()),
        chain: vec![Certificate {
            subject: "CN=api.example.com".to_owned(),
            issuer: "CN=Example".to_owned(),
            serial: String::new(),
            names: vec!["api.example.com".to_owned()],
            not_before: "2025-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2027-01-01T00:00:00Z".parse().unwrap(),
        }],
        path_expiry: Some("2027-01-01T00:00:00Z".parse().unwrap()),
    });
    observation.response = Some(Response {
        status: if diagnosis.outcome == Outcome::Failed {
            503
        } else {
            200
        },
        reason: None,
        version: HttpVersion::Http2,
        headers: vec![
            ("apigw-requestid".to_owned(), "abc123=".to_owned()),
            ("set-cookie".to_owned(), "session=s3cret".to_owned()),
        ],
        body: b"{\"message\":\"s3cret\"}".to_vec(),
        body_truncated: false,
        body_bytes: 20,
        content_length: Some(20),
    });
    observation
}
