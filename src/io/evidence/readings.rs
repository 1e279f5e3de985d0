//! Keeps the last configurations that were read for each target.
//!
//! If a configuration is the same before and after a request, it is assumed to be the same during
//! the request. The configuration that was read after one failure serves as the configuration
//! before the next failure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::configuration::Configuration;
use crate::domain::diagnosis::aws::EvidenceRequest;
use crate::model::target::Target;

/// The newest readings of all targets.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// The readings, in the order in which they were added.
    all: VecDeque<TargetReading>,
}

#[derive(Debug)]
struct TargetReading {
    target: Arc<Target>,
    finished: Timestamp,
    configuration: Arc<Configuration>,
}

/// Maximum age of a reading at the start of a probe. The longer the time between two readings, the
/// more likely it is that the configuration was changed and restored in between.
const MAX_AGE: Duration = Duration::from_secs(15 * 60);

/// Maximum number of readings. A reading usually contains one route and takes a few kilobytes.
const MAX_READINGS: usize = 1024;

/// Maximum number of routes and paths in all readings together. A reading contains all routes of an
/// API if it is not known which one serves the target's requests. A route takes less than a
/// kilobyte.
const MAX_ROUTES: usize = 20_000;

impl Readings {
    /// Adds a reading that finished at `finished`. Drops readings that are too old. If a limit is
    /// exceeded, drops the oldest readings.
    pub(super) fn add(
        &mut self,
        target: &Arc<Target>,
        finished: Timestamp,
        configuration: &Arc<Configuration>,
    ) {
        // A running probe began less than `MAX_AGE` ago, and may need a reading that was up to
        // `MAX_AGE` old at that time.
        self.all
            .retain(|reading| reading.finished + MAX_AGE * 2 >= finished);
        if self.all.len() >= MAX_READINGS {
            self.all.pop_front();
        }
        self.all.push_back(TargetReading {
            target: Arc::clone(target),
            finished,
            configuration: Arc::clone(configuration),
        });
        while self.all.iter().map(TargetReading::routes).sum::<usize>() > MAX_ROUTES {
            self.all.pop_front();
        }
    }

    /// Returns the newest configuration whose read finished before the probe of the request began,
    /// but at most [`MAX_AGE`] before; `None` if there is none. Ignores configurations that were
    /// read when the target had a different URL, method or AWS declaration.
    pub(super) fn before(&self, request: &EvidenceRequest) -> Option<Arc<Configuration>> {
        let (target, began) = (&request.target, request.began);
        let is_before = |reading: &&TargetReading| {
            reading.finished <= began && reading.finished + MAX_AGE >= began
        };
        let readings = self.all.iter().filter(is_before);
        readings
            .filter(|reading| is_same(&reading.target, target))
            .max_by_key(|reading| reading.finished)
            .map(|reading| Arc::clone(&reading.configuration))
    }
}

impl TargetReading {
    /// Returns the number of routes and paths in the reading.
    fn routes(&self) -> usize {
        let api = self.configuration.api.as_ref();
        api.map_or(0, |api| api.routes.len() + api.paths.len())
    }
}

/// Returns whether the configurations of both targets are read and compared in the same way.
fn is_same(one: &Target, other: &Target) -> bool {
    one.name == other.name
        && one.url == other.url
        && one.aws == other.aws
        && one.request.method == other.request.method
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::configuration::{Api, ApiKind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn target(name: &str) -> Arc<Target> {
        let url = "https://x.example/".parse().unwrap();
        Arc::new(Target::with_defaults(name, url))
    }

    /// Returns a configuration that this number identifies.
    fn configuration(number: u64) -> Arc<Configuration> {
        Arc::new(Configuration {
            account_concurrency: Some(number),
            ..Configuration::default()
        })
    }

    /// Returns the number of the configuration before a probe that began at this second.
    fn before(readings: &Readings, target: &Arc<Target>, began: i64) -> Option<u64> {
        let request = EvidenceRequest {
            target: Arc::clone(target),
            request_id: None,
            began: at(began),
            ended: at(began + 1),
            own_requests: Vec::new(),
        };
        readings.before(&request)?.account_concurrency
    }

    #[test]
    fn the_newest_reading_that_finished_before_the_probe_is_found() {
        let (mut readings, orders) = (Readings::default(), target("orders"));
        for (number, finished) in [(1, 100), (2, 160), (3, 220)] {
            readings.add(&orders, at(finished), &configuration(number));
        }
        for (began, expected) in [
            (99, None),
            (100, Some(1)),
            (159, Some(1)),
            (200, Some(2)),
            (220 + 900, Some(3)),
            // Too old.
            (220 + 901, None),
        ] {
            assert_eq!(before(&readings, &orders, began), expected, "{began}");
        }
        assert_eq!(before(&readings, &target("carts"), 200), None);
        let mut changed = Target::clone(&orders);
        changed.aws.function = Some("orders".to_owned());
        assert_eq!(before(&readings, &Arc::new(changed), 200), None);
    }

    #[test]
    fn the_oldest_readings_are_dropped_if_all_have_too_many_routes() {
        let (mut readings, orders) = (Readings::default(), target("orders"));
        let api = Api {
            kind: ApiKind::Rest,
            id: "a1".to_owned(),
            stage: "prod".to_owned(),
            account: None,
            deployed: false,
            endpoint_disabled: None,
            answers_preflight: false,
            responses_customized: None,
            access_log_group: None,
            paths: vec![String::new(); MAX_ROUTES / 2],
            routes: Vec::new(),
        };
        let large = Arc::new(Configuration {
            api: Some(api),
            ..Configuration::default()
        });
        for (finished, expected) in [(100, 1), (101, 2), (102, 2)] {
            readings.add(&orders, at(finished), &large);
            assert_eq!(readings.all.len(), expected);
        }
        assert_eq!(readings.all[0].finished, at(101));
    }

    #[test]
    fn old_readings_and_those_beyond_the_limit_are_dropped() {
        let (mut readings, orders) = (Readings::default(), target("orders"));
        for _ in 0..=MAX_READINGS {
            readings.add(&orders, at(100), &configuration(1));
        }
        assert_eq!(readings.all.len(), MAX_READINGS);
        readings.add(&orders, at(100 + 1801), &configuration(2));
        assert_eq!(readings.all.len(), 1);
    }
}
