//! Builds reports as the monitor publishes them for a target in a given state.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::{Candidate, Diagnosis, Outcome, Verdict};
use probecause::domain::health::HealthState;
use probecause::domain::report::Report;
use probecause::model::cause::{CauseId, Certainty, Owner};
use probecause::model::observation::Observation;
use probecause::model::settings::Settings;
use probecause::model::target::Target;

/// A target with an interval and a timeout of 5 s.
pub(crate) fn target(name: &str) -> Target {
    let url = "https://orders.example/".parse().unwrap();
    let mut target = Target::with_defaults(name, url);
    target.interval = Duration::from_secs(5);
    target.timeout = Duration::from_secs(5);
    target
}

/// Settings that publish to an endpoint with a resolution of 10 s.
pub(crate) fn settings(location: &str, endpoint: &str, targets: Vec<Arc<Target>>) -> Settings {
    let mut settings = Settings {
        location: location.to_owned(),
        targets,
        ..Settings::default()
    };
    settings.cloudwatch.enabled = true;
    settings.cloudwatch.region = Some("eu-west-1".to_owned());
    settings.cloudwatch.endpoint_url = Some(endpoint.to_owned());
    settings.cloudwatch.resolution = Duration::from_secs(10);
    settings
}

/// The report of a probe that passed.
pub(crate) fn passed(target: &Arc<Target>, location: &str) -> Report {
    report(target, location, Diagnosis::passed(), HealthState::Up)
}

/// The report of the `number`th failed probe in a row; the target is down from the second on.
pub(crate) fn failed(target: &Arc<Target>, location: &str, number: u32, cause: &str) -> Report {
    let cause = CauseId::new(cause).unwrap();
    let verdict = Arc::new(Verdict {
        cause: cause.clone(),
        title: "The function had no capacity".to_owned(),
        owner: Owner::Service,
        hop: None,
        certainty: Certainty::Likely,
        candidates: vec![Candidate { cause, share: 1.0 }],
        next: vec!["Look at the function's concurrency.".to_owned()],
    });
    let diagnosis = Diagnosis {
        outcome: Outcome::Failed,
        verdict: Some(verdict),
        evidence: Vec::new(),
        error: None,
    };
    let health = if number < 2 {
        HealthState::Up
    } else {
        HealthState::Down
    };
    report(target, location, diagnosis, health)
}

/// Repeats a report at the present time.
pub(crate) trait Again {
    /// The same report with the present time.
    fn again(&self) -> Report;
}

impl Again for Report {
    fn again(&self) -> Report {
        Report {
            at: Timestamp::now(),
            ..self.clone()
        }
    }
}

fn report(
    target: &Arc<Target>,
    location: &str,
    diagnosis: Diagnosis,
    health: HealthState,
) -> Report {
    let now = Timestamp::now();
    Report {
        target: Arc::clone(target),
        location: location.into(),
        at: now,
        observation: Arc::new(Observation::begun(now, "https://orders.example/")),
        showing: diagnosis.verdict.clone(),
        floor: None,
        diagnosis: Arc::new(diagnosis),
        health,
        since: now,
        transition: None,
        incident: None,
        event: None,
        maintenance: false,
        prober_fault: false,
    }
}
