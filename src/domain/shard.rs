//! Which daemons of a location hold which targets.
//!
//! By rendezvous hashing (Thaler and Ravishankar, 1998): every shard has a weight for every
//! target, and the heaviest hold it. Nobody has to be asked, a new shard takes its share
//! from all others alike, and what it does not take stays where it was. Pure.

use crate::model::hash::{fnv1a, mix};
use crate::model::settings::{Settings, ShardIndex, ShardSettings};
use crate::model::target::TargetName;

/// Which shard this is cannot be told; says what was looked at, and the mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct IndexError(String);

/// The shards that hold a target, the first of them first: the one that manages its
/// alarms as long as it is there.
#[must_use]
pub fn holders(shards: &ShardSettings, target: &TargetName) -> Vec<u32> {
    let name = fnv1a(target.as_str());
    let mut all: Vec<u32> = (0..shards.total).collect();
    // Equal weights are next to impossible; the lower index wins then, everywhere.
    all.sort_by_key(|index| (std::cmp::Reverse(weight(name, *index)), *index));
    all.truncate(shards.replicas_per_target as usize);
    all
}

/// The settings as one shard sees them: it probes what it holds, and knows of the rest
/// that it is configured, so that no alarm of it is taken for a removed target's.
#[must_use]
pub fn share(settings: Settings, index: u32) -> Settings {
    if settings.shards.total <= 1 {
        return settings;
    }
    let shards = ShardSettings {
        own: Some(index),
        ..settings.shards
    };
    let all = settings.targets.into_iter();
    let (targets, elsewhere) =
        all.partition(|target| holders(&shards, &target.name).contains(&index));
    Settings {
        shards,
        targets,
        elsewhere,
        ..settings
    }
}

/// The index of this process: as configured, or its ordinal among its like. `variable`
/// looks up an environment variable.
///
/// # Errors
/// Where the ordinal is to be found and is not, or where there is no such shard; with the
/// mend.
pub fn index(
    shards: &ShardSettings,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<u32, IndexError> {
    found_index(shards, variable).map_err(IndexError)
}

fn found_index(
    shards: &ShardSettings,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<u32, String> {
    match shards.index {
        ShardIndex::At(index) => Ok(index),
        ShardIndex::Auto => {
            let found = ORDINAL_OF
                .iter()
                .find_map(|name| Some((name, variable(name)?)));
            let (name, value) = found.ok_or(
                "`shard.index` is \"auto\", and neither POD_NAME nor HOSTNAME is set; \
                 write the index of this daemon",
            )?;
            let ordinal = value.rsplit_once('-').and_then(|(_, end)| end.parse().ok());
            let ordinal: u32 = ordinal.ok_or_else(|| {
                format!(
                    "`shard.index` is \"auto\", and {name} is {value:?}, which does not end in a \
                     number such as \"probecause-0\"; run it in a StatefulSet, or write the index"
                )
            })?;
            if ordinal < shards.total {
                return Ok(ordinal);
            }
            Err(format!(
                "{name} is {value:?}, and there are shards 0 to {} only; raise `shard.total`, or \
                 run no more than {} of these",
                shards.total.saturating_sub(1),
                shards.total
            ))
        }
    }
}

/// Where a StatefulSet's pod finds its name: what the pod's specification passes on, else
/// the host name, which is the pod's unless somebody set another (Kubernetes
/// documentation, "`StatefulSets`", stable network id).
const ORDINAL_OF: [&str; 2] = ["POD_NAME", "HOSTNAME"];

fn weight(name: u64, index: u32) -> u64 {
    // Mixed before and after: shards and names both count up in practice.
    mix(name ^ mix(u64::from(index) + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::model::target::Target;

    fn shards(total: u32, replicas_per_target: u32) -> ShardSettings {
        ShardSettings {
            total,
            replicas_per_target,
            ..ShardSettings::default()
        }
    }

    fn names() -> impl Iterator<Item = TargetName> {
        (0..10_000).map(|number| TargetName::new(&format!("orders-{number}")))
    }

    /// How many of ten thousand targets each shard holds.
    fn loads(shards: &ShardSettings) -> BTreeMap<u32, usize> {
        let mut loads = BTreeMap::new();
        for holder in names().flat_map(|name| holders(shards, &name)) {
            *loads.entry(holder).or_default() += 1;
        }
        loads
    }

    #[test]
    fn each_target_has_as_many_different_holders_as_asked_for() {
        for total in 1..=20 {
            for replicas in [1, 2, 3, total] {
                let shards = shards(total, replicas.min(total));
                for name in names() {
                    let mut held = holders(&shards, &name);
                    assert!(held.iter().all(|index| *index < total));
                    held.sort_unstable();
                    held.dedup();
                    let expected = shards.replicas_per_target as usize;
                    assert_eq!(held.len(), expected, "{name:?} of {total}");
                }
            }
        }
    }

    #[test]
    fn shards_hold_alike() {
        for total in 1..=20 {
            let loads = loads(&shards(total, 1));
            let fair = 10_000.0 / f64::from(total);
            for (index, load) in &loads {
                let off = (f64::from(u32::try_from(*load).unwrap()) - fair).abs();
                // Five standard deviations of a fair draw.
                assert!(off < 5.0 * fair.sqrt(), "{index} of {total} holds {load}");
            }
            println!("{total} shards hold {:?}", loads.values());
        }
    }

    #[test]
    fn a_new_shard_takes_its_share_and_moves_nothing_else() {
        for total in 1..20_u32 {
            let (before, after) = (shards(total, 1), shards(total + 1, 1));
            let mut moved = 0_u32;
            for name in names() {
                let (old, new) = (holders(&before, &name), holders(&after, &name));
                if old != new {
                    assert_eq!(new, [total], "{name:?} moved between old shards");
                    moved += 1;
                }
            }
            let fair = 10_000.0 / f64::from(total + 1);
            println!("from {total} to {} shards {moved} of 10000 move", total + 1);
            assert!((f64::from(moved) - fair).abs() < 5.0 * fair.sqrt());
        }
    }

    #[test]
    fn a_second_holder_moves_no_first_one() {
        for name in names().step_by(11) {
            let (one, two) = (holders(&shards(5, 1), &name), holders(&shards(5, 2), &name));
            assert_eq!(one[0], two[0]);
        }
    }

    #[test]
    fn who_holds_what_stays_so_over_releases() {
        let held = |name: &str| holders(&shards(4, 2), &TargetName::new(name));
        assert_eq!(
            [held("orders"), held("payments"), held("search")],
            [[2, 1], [0, 3], [0, 3]].map(Vec::from)
        );
    }

    #[test]
    fn a_shard_probes_its_share_and_knows_of_the_rest() {
        let url: url::Url = "https://orders.example/".parse().unwrap();
        let target = |name: TargetName| Arc::new(Target::with_defaults(name.as_str(), url.clone()));
        let mut whole = Settings {
            targets: names().take(100).map(target).collect(),
            ..Settings::default()
        };
        assert_eq!(
            share(whole.clone(), 0),
            whole,
            "one daemon holds everything"
        );
        whole.shards.total = 3;
        let parts: Vec<_> = (0..3).map(|index| share(whole.clone(), index)).collect();
        let probed = parts.iter().map(|part| part.targets.len()).sum::<usize>();
        assert_eq!(probed, 100);
        for (index, part) in (0..).zip(&parts) {
            assert_eq!(part.shards.own, Some(index));
            assert_eq!(part.targets.len() + part.elsewhere.len(), 100);
        }
    }

    #[test]
    fn the_index_is_the_pods_ordinal_where_it_is_automatic() {
        let check = |index, variables: &[(&str, &str)], expected: Result<u32, &str>| {
            let shards = ShardSettings {
                index,
                ..shards(3, 1)
            };
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = super::index(&shards, variable).map_err(|error| error.to_string());
            match (&found, expected) {
                (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                _ => assert_eq!(found, expected.map_err(str::to_owned)),
            }
        };
        check(ShardIndex::At(2), &[], Ok(2));
        let pod = ("POD_NAME", "probecause-1");
        check(ShardIndex::Auto, &[("HOSTNAME", "web-0"), pod], Ok(1));
        check(ShardIndex::Auto, &[("HOSTNAME", "probecause-2")], Ok(2));
        check(
            ShardIndex::Auto,
            &[("HOSTNAME", "probecause-3")],
            Err("shards 0 to 2 only"),
        );
        check(
            ShardIndex::Auto,
            &[("HOSTNAME", "laptop")],
            Err("HOSTNAME is \"laptop\""),
        );
        check(
            ShardIndex::Auto,
            &[],
            Err("neither POD_NAME nor HOSTNAME is set"),
        );
    }
}
