//! Whether this vantage point itself is in trouble: many unrelated targets failing alike.
//!
//! A lost uplink, a broken resolver or a wrong clock fails every probe in the same phase
//! before any server has a say. Blaming a thousand targets would be a thousand wrong
//! names. Pure, bounded, and cautious: one success in ten, or fewer than three unrelated
//! sites, and the targets are believed.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use url::{Host, Url};

use crate::model::observation::{Observation, Phase};
use crate::model::target::{Target, TargetName};

/// What the newest results of different targets say about the place they were made from.
#[derive(Clone, Debug, Default)]
pub struct ProberHealth {
    /// Targets that are configured.
    targets: usize,
    /// The newest result of each target, oldest first.
    newest: VecDeque<Seen>,
    trouble: Option<Phase>,
    /// The trouble is of before a restart: too few results are in to say that it is over.
    unseen: bool,
}

/// What a result changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProberTransition {
    /// From now on failures in this phase are the prober's own.
    Started(ProbeCounts),
    /// Targets are believed again.
    Ended(ProbeCounts),
}

/// The results that a change rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeCounts {
    /// The phase.
    pub phase: Phase,
    /// Targets that fail in it.
    pub failing: usize,
    /// Unrelated sites of these.
    pub sites: usize,
    /// Targets looked at.
    pub of: usize,
}

#[derive(Clone, Debug)]
struct Seen {
    target: TargetName,
    site: Arc<str>,
    phase: Option<Phase>,
    stale: Timestamp,
}

/// The phases before any server has a say in HTTP.
const PHASES: [Phase; 3] = [Phase::Resolve, Phase::Connect, Phase::Tls];

/// Fewer failing targets are a coincidence that happens.
const MIN_FAILING: usize = 5;

/// Fewer unrelated sites may have a network or a provider in common.
const MIN_SITES: usize = 3;

/// Results looked at: a tenth of the targets, so that a prober with many notices within a
/// tenth of its interval, before a first failure is confirmed; at least 20, so that chance
/// does not fill it; at most 200, which bounds the work for each result.
const LOOKED_AT: (usize, usize) = (20, 200);

impl ProberHealth {
    /// Goes on with trouble of before a restart: it is over when the targets have been
    /// looked at and say so.
    #[must_use]
    pub fn resumed(phase: Phase) -> Self {
        Self {
            trouble: Some(phase),
            unseen: true,
            ..Self::default()
        }
    }

    /// Takes over a configuration: results of targets that are gone are forgotten.
    pub fn configure<'a>(&mut self, targets: impl Iterator<Item = &'a Arc<Target>> + Clone) {
        self.targets = targets.clone().count();
        let known: std::collections::HashSet<&TargetName> =
            targets.map(|target| &target.name).collect();
        self.newest.retain(|seen| known.contains(&seen.target));
    }

    /// Whether the prober's own trouble explains why this probe failed.
    #[must_use]
    pub fn explains(&self, observation: &Observation) -> bool {
        let fault = observation.fault.as_ref();
        fault.is_some_and(|fault| self.trouble == Some(fault.phase))
    }

    /// Takes one result.
    pub fn observe(
        &mut self,
        target: &Target,
        observation: &Observation,
        now: Timestamp,
    ) -> Option<ProberTransition> {
        let fault = observation.fault.as_ref().map(|fault| fault.phase);
        // Until well after its next slot: two intervals and the time a probe may take.
        let fresh = SignedDuration::try_from(target.interval * 2 + target.timeout);
        self.newest.retain(|seen| seen.target != target.name);
        self.newest.push_back(Seen {
            target: target.name.clone(),
            site: site(&target.url).into(),
            phase: fault.filter(|phase| PHASES.contains(phase)),
            stale: now + fresh.unwrap_or(SignedDuration::ZERO),
        });
        self.newest.retain(|seen| seen.stale > now);
        let (least, most) = LOOKED_AT;
        let enough = (self.targets / 10).clamp(least, most);
        while self.newest.len() > enough {
            self.newest.pop_front();
        }
        if self.unseen && self.newest.len() < enough.min(self.targets) {
            return None;
        }
        self.unseen = false;
        self.judge()
    }

    fn judge(&mut self) -> Option<ProberTransition> {
        if let Some(phase) = self.trouble {
            let census = self.census(phase);
            // Half of what was just probed gets through, or too few are left to tell:
            // whatever still fails is its own.
            let few = census.failing < MIN_FAILING || census.sites < MIN_SITES;
            return (few || census.failing * 2 < census.of).then(|| {
                self.trouble = None;
                ProberTransition::Ended(census)
            });
        }
        let census = PHASES
            .iter()
            .map(|phase| self.census(*phase))
            .max_by_key(|census| census.failing)?;
        let suspect = census.failing >= MIN_FAILING
            && census.sites >= MIN_SITES
            && census.failing * 10 >= census.of * 9;
        suspect.then(|| {
            self.trouble = Some(census.phase);
            ProberTransition::Started(census)
        })
    }

    fn census(&self, phase: Phase) -> ProbeCounts {
        let failing = self.newest.iter().filter(|seen| seen.phase == Some(phase));
        let mut sites: Vec<&str> = failing.clone().map(|seen| &*seen.site).collect();
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
            "{} of {} targets probed last fail in {}, on {} unrelated sites",
            self.failing,
            self.of,
            self.phase.as_str(),
            self.sites
        )
    }
}

/// What a target's host has in common with others: its registered domain, approximated
/// by two labels, three below a short second-level domain such as `co.uk`. Hosts of one
/// AWS region and service share more than a name: they are one site. An address is its
/// own site.
fn site(url: &Url) -> String {
    let host = match url.host() {
        Some(Host::Domain(domain)) => domain.to_ascii_lowercase(),
        Some(address) => return address.to_string(),
        None => return String::new(),
    };
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let shared = ["amazonaws.com", "on.aws", "cloudfront.net"];
    if let Some(suffix) = shared.iter().find(|suffix| host.ends_with(**suffix)) {
        // Without the first label, which is the API's, function's or balancer's own.
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
        vantage: ProberHealth,
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
            let mut vantage = ProberHealth::default();
            vantage.configure(targets.iter());
            Self {
                vantage,
                targets,
                second: 0,
            }
        }

        /// Probes every target once, a second apart; `fails` says which and where.
        fn round(&mut self, fails: impl Fn(usize) -> Option<Phase>) -> Vec<String> {
            let mut changes = Vec::new();
            for (index, target) in self.targets.iter().enumerate() {
                let now = Timestamp::from_second(self.second).unwrap();
                self.second += 1;
                let mut seen = Observation::begun(now, target.url.as_str());
                seen.fault = fails(index).map(|phase| Fault {
                    phase,
                    kind: FaultKind::Timeout,
                    detail: String::new(),
                });
                changes.extend(match self.vantage.observe(target, &seen, now) {
                    Some(ProberTransition::Started(census)) => Some(format!("begun: {census}")),
                    Some(ProberTransition::Ended(census)) => Some(format!("over: {census}")),
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
    fn many_unrelated_targets_failing_alike_are_the_probers_own_trouble() {
        let mut world = World::of(&unrelated(12));
        assert!(world.round(|_| None).is_empty());
        assert_eq!(
            world.round(|_| CONNECT),
            ["begun: 11 of 12 targets probed last fail in connect, on 11 unrelated sites"]
        );
        assert!(world.round(|_| CONNECT).is_empty());
        assert_eq!(
            world.round(|_| None),
            ["over: 5 of 12 targets probed last fail in connect, on 5 unrelated sites"]
        );
        assert_eq!(world.vantage.trouble, None);
    }

    #[test]
    fn what_is_left_after_a_reload_is_believed_again() {
        let mut world = World::of(&unrelated(9));
        world.round(|_| CONNECT);
        assert_eq!(world.vantage.trouble, CONNECT);
        world.targets.truncate(3);
        world.vantage.configure(world.targets.iter());
        let changes = world.round(|_| CONNECT);
        assert_eq!(
            changes,
            ["over: 3 of 3 targets probed last fail in connect, on 3 unrelated sites"]
        );
    }

    #[test]
    fn trouble_of_before_a_restart_goes_on_until_the_targets_were_looked_at() {
        let resumed = |fails: fn(usize) -> Option<Phase>| {
            let mut world = World::of(&unrelated(12));
            world.vantage = ProberHealth::resumed(Phase::Connect);
            world.vantage.configure(world.targets.iter());
            world.round(fails)
        };
        assert!(resumed(|_| CONNECT).is_empty());
        assert_eq!(
            resumed(|index| CONNECT.filter(|_| index < 2)),
            ["over: 2 of 12 targets probed last fail in connect, on 2 unrelated sites"]
        );
    }

    #[test]
    fn at_start_five_unrelated_failures_suffice() {
        let mut world = World::of(&unrelated(9));
        let changes = world.round(|_| Some(Phase::Resolve));
        assert_eq!(
            changes,
            ["begun: 5 of 5 targets probed last fail in resolve, on 5 unrelated sites"]
        );
    }

    #[test]
    fn too_few_targets_one_host_or_one_region_are_no_sign_of_the_prober() {
        assert!(World::of(&unrelated(4)).round(|_| CONNECT).is_empty());
        let one_host: Vec<_> = (0..30).map(|n| format!("s{n}.shop.example")).collect();
        assert!(World::of(&one_host).round(|_| CONNECT).is_empty());
        let region = |n| format!("a{n}.execute-api.eu-west-1.amazonaws.com");
        let one_region: Vec<_> = (0..30).map(region).collect();
        assert!(World::of(&one_region).round(|_| CONNECT).is_empty());
        let mut mixed = one_region[..20].to_vec();
        mixed.extend(unrelated(10));
        let changes = World::of(&mixed).round(|index| CONNECT.filter(|_| index < 20));
        assert!(changes.is_empty(), "other sites are fine: {changes:?}");
    }

    #[test]
    fn failures_that_differ_or_have_an_answer_are_the_targets_own() {
        let mut world = World::of(&unrelated(20));
        let turns = [Phase::Resolve, Phase::Connect, Phase::Tls];
        assert!(world.round(|index| Some(turns[index % 3])).is_empty());
        assert!(world.round(|_| Some(Phase::Processing)).is_empty());
    }

    #[test]
    fn some_dead_targets_among_many_are_believed() {
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
    fn a_site_is_what_hosts_may_have_in_common() {
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
