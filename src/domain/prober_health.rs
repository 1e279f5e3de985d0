//! Detects a problem of the prober itself: many unrelated targets fail in the same phase.
//!
//! A lost uplink, a broken resolver or a wrong clock makes nearly all probes fail in the same
//! phase, before any server responds. Such failures must not be attributed to the targets.
//! Detection is conservative: at least five, and at least nine tenths, of the recently probed
//! targets must fail, on at least three unrelated sites. The computation is pure and bounded.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use url::{Host, Url};

use crate::model::observation::{Observation, Phase};
use crate::model::target::{Target, TargetName};

/// The health of the prober, computed from the newest results of many targets.
#[derive(Clone, Debug, Default)]
pub struct ProberHealth {
    /// Number of configured targets.
    targets: usize,
    /// The newest results, at most one per target, oldest first.
    newest: VecDeque<TargetResult>,
    /// The phase in which failures are currently attributed to the prober; `None` while the prober
    /// has no problem.
    failing_phase: Option<Phase>,
    /// Whether the problem was detected before a restart and too few targets have been probed since
    /// then to decide whether it still exists.
    unconfirmed: bool,
}

/// A change of the prober's health, with the counts that it is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProberTransition {
    /// The prober has a problem. Failures in [`ProbeCounts::phase`] are now attributed to the
    /// prober.
    Started(ProbeCounts),
    /// The problem ended. Failures are attributed to the targets again.
    Ended(ProbeCounts),
}

/// The basis of a change of the prober's health: the phase in which probes failed, and the numbers
/// of targets and sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeCounts {
    /// The phase in which probes failed.
    pub phase: Phase,
    /// Number of targets whose newest probe failed in this phase.
    pub failing: usize,
    /// Number of unrelated sites of the failing targets.
    pub sites: usize,
    /// Number of targets whose results were considered.
    pub of: usize,
}

#[derive(Clone, Debug)]
struct TargetResult {
    target: TargetName,
    site: Arc<str>,
    /// The phase in which the probe failed; `None` if the probe did not fail in one of [`PHASES`].
    phase: Option<Phase>,
    expires: Timestamp,
}

/// The phases of a probe before the server can send an HTTP response. Only failures in these phases
/// can be attributed to the prober.
const PHASES: [Phase; 3] = [Phase::Resolve, Phase::Connect, Phase::Tls];

/// Minimum number of targets that must fail before failures are attributed to the prober. Fewer
/// failures may be a coincidence.
const MIN_FAILING: usize = 5;

/// Minimum number of unrelated sites on which targets must fail before failures are attributed to
/// the prober. Fewer sites may share a network or a provider.
const MIN_SITES: usize = 3;

/// Minimum and maximum number of results that are considered. Between these bounds, a tenth of the
/// targets are considered, so that a problem is detected within about a tenth of the probe
/// interval, before the first failure is confirmed. The minimum excludes coincidences; the maximum
/// bounds the work per result.
const WINDOW: (usize, usize) = (20, 200);

impl ProberHealth {
    /// Resumes a problem of the prober that was detected before a restart. The problem lasts at
    /// least until enough targets have been probed again.
    #[must_use]
    pub fn resumed(phase: Phase) -> Self {
        Self {
            failing_phase: Some(phase),
            unconfirmed: true,
            ..Self::default()
        }
    }

    /// Applies a configuration: counts its targets and drops the results of removed targets.
    pub fn configure<'a>(&mut self, targets: impl Iterator<Item = &'a Arc<Target>> + Clone) {
        self.targets = targets.clone().count();
        let known: std::collections::HashSet<&TargetName> =
            targets.map(|target| &target.name).collect();
        self.newest.retain(|result| known.contains(&result.target));
    }

    /// Returns whether the probe failed in the phase in which the prober currently has a problem.
    #[must_use]
    pub fn explains(&self, observation: &Observation) -> bool {
        let fault = observation.fault.as_ref();
        fault.is_some_and(|fault| self.failing_phase == Some(fault.phase))
    }

    /// Adds the result of one probe of a target. Returns the change of the prober's health, if any.
    pub fn observe(
        &mut self,
        target: &Target,
        observation: &Observation,
        now: Timestamp,
    ) -> Option<ProberTransition> {
        let failed_in = observation.fault.as_ref().map(|fault| fault.phase);
        // A result expires when the next probe must have ended: two intervals and one timeout later
        // at the latest.
        let valid_for = SignedDuration::try_from(target.interval * 2 + target.timeout);
        self.newest.retain(|result| result.target != target.name);
        self.newest.push_back(TargetResult {
            target: target.name.clone(),
            site: site(&target.url).into(),
            phase: failed_in.filter(|phase| PHASES.contains(phase)),
            expires: now + valid_for.unwrap_or(SignedDuration::ZERO),
        });
        self.newest.retain(|result| result.expires > now);
        let (least, most) = WINDOW;
        let enough = (self.targets / 10).clamp(least, most);
        while self.newest.len() > enough {
            self.newest.pop_front();
        }
        if self.unconfirmed && self.newest.len() < enough.min(self.targets) {
            return None;
        }
        self.unconfirmed = false;
        self.transition()
    }

    fn transition(&mut self) -> Option<ProberTransition> {
        if let Some(phase) = self.failing_phase {
            let counts = self.counts(phase);
            // The problem ends if fewer than half of the recently probed targets fail in the phase,
            // or if the number of failing targets or of their sites is below its minimum.
            let few = counts.failing < MIN_FAILING || counts.sites < MIN_SITES;
            return (few || counts.failing * 2 < counts.of).then(|| {
                self.failing_phase = None;
                ProberTransition::Ended(counts)
            });
        }
        let counts = PHASES
            .iter()
            .map(|phase| self.counts(*phase))
            .max_by_key(|counts| counts.failing)?;
        let suspect = counts.failing >= MIN_FAILING
            && counts.sites >= MIN_SITES
            && counts.failing * 10 >= counts.of * 9;
        suspect.then(|| {
            self.failing_phase = Some(counts.phase);
            ProberTransition::Started(counts)
        })
    }

    fn counts(&self, phase: Phase) -> ProbeCounts {
        let failing = self
            .newest
            .iter()
            .filter(|result| result.phase == Some(phase));
        let mut sites: Vec<&str> = failing.clone().map(|result| &*result.site).collect();
        sites.sort_unstable();
        sites.dedup();
        ProbeCounts {
            phase,
            failing: failing.count(),
            sites: sites.len(),
            of: self.newest.len(),
        }
    }
}

impl std::fmt::Display for ProbeCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} recently probed targets fail in phase {}, on {} unrelated sites",
            self.failing,
            self.of,
            self.phase.as_str(),
            self.sites
        )
    }
}

/// Returns the site of a URL; hosts of one site may fail together. The site is the registered
/// domain, approximated by the last two labels, or three below a short second-level domain such as
/// `co.uk`. All hosts of one AWS service and region are one site. Each IP address is its own site.
/// The site of a URL without a host is empty.
fn site(url: &Url) -> String {
    let host = match url.host() {
        Some(Host::Domain(domain)) => domain.to_ascii_lowercase(),
        Some(address) => return address.to_string(),
        None => return String::new(),
    };
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let shared = ["amazonaws.com", "on.aws", "cloudfront.net"];
    if let Some(suffix) = shared.iter().find(|suffix| host.ends_with(**suffix)) {
        // The first label names one API, function, load balancer or distribution, so it is not part
        // of the site.
        let rest = labels.get(1..).unwrap_or_default().join(".");
        return if rest.is_empty() {
            (*suffix).to_owned()
        } else {
            rest
        };
    }
    let short = labels.len() >= 3 && labels[labels.len() - 2].len() <= 3;
    let two_letters = labels.last().is_some_and(|last| last.len() == 2);
    let kept = if short && two_letters { 3 } else { 2 };
    labels[labels.len().saturating_sub(kept)..].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Fault, FaultKind};

    struct World {
        health: ProberHealth,
        targets: Vec<Arc<Target>>,
        second: i64,
    }

    impl World {
        fn of(hosts: &[String]) -> Self {
            let target = |host: &String| {
                let url = format!("https://{host}/").parse().unwrap();
                Arc::new(Target::with_defaults(host, url))
            };
            let targets: Vec<_> = hosts.iter().map(target).collect();
            let mut health = ProberHealth::default();
            health.configure(targets.iter());
            Self {
                health,
                targets,
                second: 0,
            }
        }

        /// Probes every target once, a second apart, and returns the changes of the prober's
        /// health. `fails` returns the phase in which a target fails, if any.
        fn round(&mut self, fails: impl Fn(usize) -> Option<Phase>) -> Vec<String> {
            let mut changes = Vec::new();
            for (index, target) in self.targets.iter().enumerate() {
                let now = Timestamp::from_second(self.second).unwrap();
                self.second += 1;
                let mut observation = Observation::begun(now, target.url.as_str());
                observation.fault = fails(index).map(|phase| Fault {
                    phase,
                    kind: FaultKind::Timeout,
                    detail: String::new(),
                });
                changes.extend(match self.health.observe(target, &observation, now) {
                    Some(ProberTransition::Started(counts)) => Some(format!("started: {counts}")),
                    Some(ProberTransition::Ended(counts)) => Some(format!("ended: {counts}")),
                    None => None,
                });
            }
            changes
        }
    }

    fn unrelated(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("api.site{n}.example")).collect()
    }

    const CONNECT: Option<Phase> = Some(Phase::Connect);

    #[test]
    fn many_unrelated_targets_failing_in_one_phase_are_a_problem_of_the_prober() {
        let mut world = World::of(&unrelated(12));
        assert!(world.round(|_| None).is_empty());
        assert_eq!(
            world.round(|_| CONNECT),
            [
                "started: 11 of 12 recently probed targets fail in phase connect, on 11 unrelated sites"
            ]
        );
        assert!(world.round(|_| CONNECT).is_empty());
        assert_eq!(
            world.round(|_| None),
            ["ended: 5 of 12 recently probed targets fail in phase connect, on 5 unrelated sites"]
        );
        assert_eq!(world.health.failing_phase, None);
    }

    #[test]
    fn the_problem_ends_if_a_reload_leaves_too_few_targets() {
        let mut world = World::of(&unrelated(9));
        world.round(|_| CONNECT);
        assert_eq!(world.health.failing_phase, CONNECT);
        world.targets.truncate(3);
        world.health.configure(world.targets.iter());
        let changes = world.round(|_| CONNECT);
        assert_eq!(
            changes,
            ["ended: 3 of 3 recently probed targets fail in phase connect, on 3 unrelated sites"]
        );
    }

    #[test]
    fn a_problem_lasts_over_a_restart_until_enough_targets_are_probed() {
        let resumed = |fails: fn(usize) -> Option<Phase>| {
            let mut world = World::of(&unrelated(12));
            world.health = ProberHealth::resumed(Phase::Connect);
            world.health.configure(world.targets.iter());
            world.round(fails)
        };
        assert!(resumed(|_| CONNECT).is_empty());
        assert_eq!(
            resumed(|index| CONNECT.filter(|_| index < 2)),
            ["ended: 2 of 12 recently probed targets fail in phase connect, on 2 unrelated sites"]
        );
    }

    #[test]
    fn five_unrelated_failures_suffice_after_a_start() {
        let mut world = World::of(&unrelated(9));
        let changes = world.round(|_| Some(Phase::Resolve));
        assert_eq!(
            changes,
            ["started: 5 of 5 recently probed targets fail in phase resolve, on 5 unrelated sites"]
        );
    }

    #[test]
    fn too_few_targets_one_domain_or_one_region_are_not_attributed_to_the_prober() {
        assert!(World::of(&unrelated(4)).round(|_| CONNECT).is_empty());
        let one_host: Vec<_> = (0..30).map(|n| format!("s{n}.shop.example")).collect();
        assert!(World::of(&one_host).round(|_| CONNECT).is_empty());
        let region = |n| format!("a{n}.execute-api.eu-west-1.amazonaws.com");
        let one_region: Vec<_> = (0..30).map(region).collect();
        assert!(World::of(&one_region).round(|_| CONNECT).is_empty());
        let mut mixed = one_region[..20].to_vec();
        mixed.extend(unrelated(10));
        let changes = World::of(&mixed).round(|index| CONNECT.filter(|_| index < 20));
        assert!(
            changes.is_empty(),
            "the probes of other sites succeed: {changes:?}"
        );
    }

    #[test]
    fn failures_in_different_or_later_phases_are_attributed_to_the_targets() {
        let mut world = World::of(&unrelated(20));
        let turns = [Phase::Resolve, Phase::Connect, Phase::Tls];
        assert!(world.round(|index| Some(turns[index % 3])).is_empty());
        assert!(world.round(|_| Some(Phase::Processing)).is_empty());
    }

    #[test]
    fn failures_of_four_in_five_targets_are_attributed_to_the_targets() {
        let mut world = World::of(&unrelated(200));
        for _ in 0..5 {
            assert!(
                world
                    .round(|index| CONNECT.filter(|_| index % 5 != 0))
                    .is_empty()
            );
        }
    }

    #[test]
    fn the_site_of_a_host_is_its_registered_domain_or_aws_region() {
        let check = |url: &str, expected: &str| {
            assert_eq!(site(&url.parse().unwrap()), expected, "{url}");
        };
        check("https://a.b.example.com/", "example.com");
        check("https://www.shop.co.uk/", "shop.co.uk");
        check(
            "https://x.execute-api.eu-west-1.amazonaws.com/",
            "execute-api.eu-west-1.amazonaws.com",
        );
        check("https://d1.cloudfront.net/", "cloudfront.net");
        check("https://192.0.2.7/", "192.0.2.7");
        check("http://localhost:8080/", "localhost");
    }
}
