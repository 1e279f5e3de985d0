//! The metric values of one target, kept between scrapes.
//!
//! Only values are kept, not reports, so that bodies and certificate chains do not stay in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use crate::domain::diagnosis::{Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::report::{MissedReason, Report};
use crate::model::cause::{CauseId, Certainty};
use crate::model::observation::Phases;
use crate::model::target::Target;

/// Upper bounds of the buckets of the processing histogram in seconds, without the implicit `+Inf`.
/// Each bound is given as a number and as the value of the label `le`. A gateway that responds
/// without its backend does so within 0.25 s, so 0.25 s is a bound. The last bound separates slow
/// responses from the timeouts of gateways after 29 s or 30 s.
pub(super) const PROCESSING_BUCKETS: [(f64, &str); 9] = [
    (0.05, "0.05"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (1.0, "1"),
    (2.5, "2.5"),
    (5.0, "5"),
    (10.0, "10"),
    (28.0, "28"),
];

/// The metric values of one target.
#[derive(Debug)]
pub(super) struct TargetSeries {
    labels: Box<str>,
    /// The probed URL. If a reload changes the URL, the values are discarded, because the values of
    /// different URLs are not comparable.
    pub(super) url: Url,
    pub(super) interval: Duration,
    pub(super) health: HealthState,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) failures: BTreeMap<CauseId, u64>,
    pub(super) replaced_connections: u64,
    missed: [u64; MissedReason::ALL.len()],
    pub(super) processing: ProcessingHistogram,
    pub(super) showing: Option<(CauseId, Certainty)>,
    pub(super) incident_opened: Option<Timestamp>,
    /// For each claim, the total time for which an incident with this claim was open.
    pub(super) down: BTreeMap<Claim, Duration>,
    /// The claim of the open incident, and the time up to which `down` includes it; `None` if no
    /// incident is open.
    standing: Option<(Claim, Timestamp)>,
    pub(super) latest: Option<LatestProbe>,
}

/// The claim of an incident: its cause, the certainty of the cause, and the owner of the cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) cause: CauseId,
    pub(super) certainty: Certainty,
    pub(super) owner: &'static str,
}

/// The values of a target's latest probe.
#[derive(Debug)]
pub(super) struct LatestProbe {
    pub(super) at: Timestamp,
    pub(super) success: bool,
    pub(super) duration: Duration,
    pub(super) phases: Phases,
    /// The HTTP status; zero without a response, as in `blackbox_exporter`.
    pub(super) status: u16,
    /// The HTTP version; zero without a response.
    pub(super) version: f64,
    pub(super) ssl: bool,
    pub(super) redirects: u32,
    /// The Content-Length in bytes; −1 if the response does not have the header, zero without
    /// a response.
    pub(super) content_length: i128,
    expiry: Option<Timestamp>,
    path_expiry: Option<Timestamp>,
    pub(super) tls_version: Option<String>,
    pub(super) floor: Option<f64>,
    pub(super) maintenance: bool,
}

/// The histogram of processing times. `counts` contains the count of each bucket, without the
/// counts of lower buckets. A time above the last bound is included only in `count` and `sum`.
#[derive(Debug, Default)]
pub(super) struct ProcessingHistogram {
    pub(super) counts: [u64; PROCESSING_BUCKETS.len()],
    pub(super) count: u64,
    pub(super) sum: Duration,
}

impl TargetSeries {
    /// Creates the values of a target that has not been probed.
    pub(super) fn new(labels: Box<str>, target: &Target) -> Self {
        Self {
            labels,
            url: target.url.clone(),
            interval: target.interval,
            health: HealthState::Unknown,
            succeeded: 0,
            failed: 0,
            failures: BTreeMap::new(),
            replaced_connections: 0,
            missed: [0; MissedReason::ALL.len()],
            processing: ProcessingHistogram::default(),
            showing: None,
            incident_opened: None,
            down: BTreeMap::new(),
            standing: None,
            latest: None,
        }
    }

    /// Returns the same values with new labels and a new interval.
    pub(super) fn with_configuration(self, labels: Box<str>, interval: Duration) -> Self {
        Self {
            labels,
            interval,
            ..self
        }
    }

    /// Returns the target's rendered labels.
    pub(super) const fn labels(&self) -> &str {
        &self.labels
    }

    /// Returns each reason with the number of probe slots that were missed for this reason.
    pub(super) fn missed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let reasons = MissedReason::ALL.into_iter().map(MissedReason::as_str);
        reasons.zip(self.missed)
    }

    /// Counts a missed probe slot.
    pub(super) fn miss(&mut self, reason: MissedReason) {
        let reasons = MissedReason::ALL.into_iter().zip(&mut self.missed);
        for (known, count) in reasons {
            *count += u64::from(known == reason);
        }
    }

    /// Sets the probable cause to export; `None` clears it.
    pub(super) fn show(&mut self, verdict: Option<&Verdict>) {
        self.showing = verdict.map(|verdict| (verdict.cause.clone(), verdict.certainty));
    }

    /// Counts the time since the last event for the claim of the open incident, and records the
    /// claim from `at` on; `None` if no incident is open. A new claim is exported with 0 at once,
    /// because `increase()` does not count the first value of a series.
    pub(super) fn stand(&mut self, claim: Option<&Verdict>, at: Timestamp) {
        if let Some((claim, since)) = self.standing.take() {
            let passed = Duration::try_from(at.duration_since(since)).unwrap_or_default();
            *self.down.entry(claim).or_default() += passed;
        }
        self.standing = claim.map(|verdict| {
            let claim = Claim {
                cause: verdict.cause.clone(),
                certainty: verdict.certainty,
                owner: verdict.owner.as_str(),
            };
            self.down.entry(claim.clone()).or_default();
            (claim, at)
        });
    }

    /// Records the values of a report.
    pub(super) fn observe(&mut self, report: &Report) {
        if report.diagnosis.outcome == Outcome::Failed {
            self.failed += 1;
            let cause = report.diagnosis.cause().cloned();
            let cause = cause.unwrap_or_else(CauseId::unexplained);
            *self.failures.entry(cause).or_default() += 1;
        } else {
            self.succeeded += 1;
        }
        self.replaced_connections += u64::from(report.observation.replaced_connections);
        if let Some(time) = report.observation.phases.processing {
            self.processing.observe(time);
        }
        self.health = report.health;
        self.show(report.showing.as_deref());
        self.incident_opened = report.incident.as_ref().map(|incident| incident.opened);
        // A fault of the prober itself has an incident of its own, which is not the target's.
        let open = report.incident.as_deref();
        let open = open.filter(|it| it.resolved.is_none() && !report.prober_fault);
        self.stand(open.map(|incident| &*incident.verdict), report.at);
        self.latest = Some(LatestProbe::of(report));
    }
}

impl LatestProbe {
    /// Returns the earliest expiry in the presented certificate chain, as a Unix timestamp in
    /// seconds; `None` without a certificate.
    pub(super) fn expiry_seconds(&self) -> Option<i64> {
        self.expiry.map(Timestamp::as_second)
    }

    /// Returns the expiry of the verified certificate path, as a Unix timestamp in seconds; `None`
    /// if no path was verified.
    pub(super) fn path_expiry_seconds(&self) -> Option<i64> {
        self.path_expiry.map(Timestamp::as_second)
    }

    fn of(report: &Report) -> Self {
        let seen = &report.observation;
        let response = seen.response.as_ref();
        let tls_version = seen.tls.as_ref().and_then(|tls| tls.version.as_deref());
        Self {
            at: report.at,
            success: report.diagnosis.outcome != Outcome::Failed,
            duration: seen.duration,
            phases: seen.phases,
            status: response.map_or(0, |response| response.status),
            version: response.map_or(0.0, |response| response.version.as_number()),
            ssl: tls_version.is_some(),
            redirects: seen.redirects,
            content_length: response
                .map_or(0, |response| response.content_length.map_or(-1, i128::from)),
            expiry: seen.earliest_expiry(),
            path_expiry: seen.tls.as_ref().and_then(|tls| tls.path_expiry),
            // blackbox_exporter writes `TLS 1.3` and not `TLSv1.3`.
            tls_version: tls_version.map(|version| version.replace("TLSv", "TLS ")),
            floor: report.floor,
            maintenance: report.maintenance,
        }
    }
}

impl ProcessingHistogram {
    fn observe(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let fits = PROCESSING_BUCKETS
            .iter()
            .position(|(bound, _)| seconds <= *bound);
        if let Some(bucket) = fits.and_then(|place| self.counts.get_mut(place)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::Owner;

    #[test]
    fn the_time_of_an_incident_is_split_by_its_claims() {
        let target = Target::with_defaults("a", "https://a.example/".parse().unwrap());
        let mut series = TargetSeries::new("".into(), &target);
        let at = |second| Timestamp::from_second(second).unwrap();
        let claim = |cause: &str, certainty| Verdict {
            cause: CauseId::new(cause).unwrap(),
            title: String::new(),
            owner: Owner::Service,
            hop: None,
            certainty,
            candidates: Vec::new(),
            next: Vec::new(),
        };
        let throttled = claim("lambda-throttled", Certainty::Likely);
        let proven = claim("lambda-throttled", Certainty::Proven);
        let refused = claim("connection-refused", Certainty::Likely);
        series.stand(None, at(0));
        series.stand(Some(&throttled), at(10));
        let times: Vec<_> = series.down.values().copied().collect();
        assert_eq!(times, [Duration::ZERO], "the series begins at 0");
        series.stand(Some(&throttled), at(70));
        series.stand(Some(&proven), at(100));
        series.stand(Some(&refused), at(160));
        series.stand(None, at(190));
        // Until the next incident, nothing is counted.
        series.stand(None, at(1000));
        series.stand(Some(&refused), at(2000));
        series.stand(None, at(2005));
        // A clock that was set back counts nothing.
        series.stand(Some(&refused), at(3000));
        series.stand(None, at(2900));
        let counted: Vec<_> = series
            .down
            .iter()
            .map(|(claim, time)| {
                let cause = claim.cause.as_str();
                (cause, claim.certainty, claim.owner, time.as_secs())
            })
            .collect();
        assert_eq!(
            counted,
            [
                ("connection-refused", Certainty::Likely, "service", 35),
                ("lambda-throttled", Certainty::Likely, "service", 90),
                ("lambda-throttled", Certainty::Proven, "service", 60),
            ]
        );
    }
}
