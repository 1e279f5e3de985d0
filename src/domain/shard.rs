//! Assigns targets to shards. The shards are the daemons that share a location's targets.
//!
//! The assignment uses rendezvous hashing (Thaler and Ravishankar, 1998): every shard has a weight
//! for every target, and the shards with the highest weights probe the target. The shards do not
//! need to communicate. A new shard takes over its share of the targets, and no other target moves.

use crate::model::hash::{fnv1a, mix};
use crate::model::settings::{Settings, ShardIndex, ShardSettings};
use crate::model::target::TargetName;

/// The error of [`index`] if the index of this shard cannot be determined. The message says what is
/// wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct IndexError(String);

/// Returns the indexes of the shards that probe a target, by descending weight. The first running
/// shard among them manages the target's alarms.
#[must_use]
pub fn assigned_shards(shards: &ShardSettings, target: &TargetName) -> Vec<u32> {
    let name = fnv1a(target.as_str());
    let mut all: Vec<u32> = (0..shards.total).collect();
    // Equal weights are very unlikely. For equal weights, the lower index comes first, so that all
    // shards agree.
    all.sort_by_key(|index| (std::cmp::Reverse(weight(name, *index)), *index));
    all.truncate(shards.replicas_per_target as usize);
    all
}

/// Returns the settings of the shard with this index. Targets that only other shards probe are
/// moved to `elsewhere`, so that their alarms are not treated as alarms of removed targets.
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
        all.partition(|target| assigned_shards(&shards, &target.name).contains(&index));
    Settings {
        shards,
        targets,
        elsewhere,
        ..settings
    }
}

/// Returns the shard index of this process: the configured index, or the ordinal of its pod in a
/// StatefulSet. `variable` looks up an environment variable.
///
/// # Errors
/// [`IndexError`] if the index is automatic and the name of the pod is unknown or has no ordinal,
/// or if the ordinal is not below the number of shards.
pub fn index(
    shards: &ShardSettings,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<u32, IndexError> {
    if let ShardIndex::At(index) = shards.index {
        return Ok(index);
    }
    let mut names = POD_NAME_VARIABLES.iter();
    let Some((name, value)) = names.find_map(|name| Some((name, variable(name)?))) else {
        return Err(IndexError(
            "`shard.index` is \"auto\", but neither `POD_NAME` nor `HOSTNAME` is set; set \
             `shard.index` to the index of this daemon"
                .to_owned(),
        ));
    };
    let ordinal = value.rsplit_once('-').and_then(|(_, end)| end.parse().ok());
    match ordinal {
        Some(ordinal) if ordinal < shards.total => Ok(ordinal),
        Some(_) => Err(IndexError(format!(
            "`{name}` is {value:?}, but there are only shards 0 to {}; raise `shard.total` or run \
             at most {} daemons",
            shards.total.saturating_sub(1),
            shards.total
        ))),
        None => Err(IndexError(format!(
            "`shard.index` is \"auto\", but `{name}` is {value:?}, which does not end in a hyphen \
             and a number (example: \"probecause-0\"); run the daemon in a StatefulSet or set \
             `shard.index`"
        ))),
    }
}

/// Environment variables that contain the name of a StatefulSet's pod, in order of precedence. The
/// pod's specification sets `POD_NAME`. `HOSTNAME` is the name of the pod by default (Kubernetes
/// documentation, "`StatefulSets`", stable network ID).
const POD_NAME_VARIABLES: [&str; 2] = ["POD_NAME", "HOSTNAME"];

fn weight(name: u64, index: u32) -> u64 {
    // The index is mixed before it is combined with the hash of the name, and the result is mixed
    // again, because shard indexes and names are often sequential.
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

    /// Returns the number of targets assigned to each shard, of ten thousand targets.
    fn loads(shards: &ShardSettings) -> BTreeMap<u32, usize> {
        let mut loads = BTreeMap::new();
        for shard in names().flat_map(|name| assigned_shards(shards, &name)) {
            *loads.entry(shard).or_default() += 1;
        }
        loads
    }

    #[test]
    fn each_target_has_the_configured_number_of_different_shards() {
        for total in 1..=20 {
            for replicas in [1, 2, 3, total] {
                let shards = shards(total, replicas.min(total));
                for name in names() {
                    let mut assigned = assigned_shards(&shards, &name);
                    assert!(assigned.iter().all(|index| *index < total));
                    assigned.sort_unstable();
                    assigned.dedup();
                    let expected = shards.replicas_per_target as usize;
                    assert_eq!(assigned.len(), expected, "{name:?} of {total}");
                }
            }
        }
    }

    #[test]
    fn targets_are_spread_evenly_over_shards() {
        for total in 1..=20 {
            let loads = loads(&shards(total, 1));
            let fair = 10_000.0 / f64::from(total);
            for (index, load) in &loads {
                let off = (f64::from(u32::try_from(*load).unwrap()) - fair).abs();
                // The limit is five standard deviations of a uniform assignment.
                assert!(
                    off < 5.0 * fair.sqrt(),
                    "shard {index} of {total} has {load} targets"
                );
            }
            println!("targets per shard, {total} shards: {:?}", loads.values());
        }
    }

    #[test]
    fn a_new_shard_takes_its_share_and_no_other_target_moves() {
        for total in 1..20_u32 {
            let (before, after) = (shards(total, 1), shards(total + 1, 1));
            let mut moved = 0_u32;
            for name in names() {
                let (old, new) = (
                    assigned_shards(&before, &name),
                    assigned_shards(&after, &name),
                );
                if old != new {
                    assert_eq!(new, [total], "{name:?} moved between old shards");
                    moved += 1;
                }
            }
            let fair = 10_000.0 / f64::from(total + 1);
            println!(
                "{total} to {} shards: {moved} of 10000 targets move",
                total + 1
            );
            assert!((f64::from(moved) - fair).abs() < 5.0 * fair.sqrt());
        }
    }

    #[test]
    fn adding_a_replica_keeps_the_first_shard() {
        for name in names().step_by(11) {
            let (one, two) = (
                assigned_shards(&shards(5, 1), &name),
                assigned_shards(&shards(5, 2), &name),
            );
            assert_eq!(one[0], two[0]);
        }
    }

    #[test]
    fn the_shards_of_a_target_are_the_same_in_all_releases() {
        let assigned = |name: &str| assigned_shards(&shards(4, 2), &TargetName::new(name));
        assert_eq!(
            [assigned("orders"), assigned("payments"), assigned("search")],
            [[2, 1], [0, 3], [0, 3]].map(Vec::from)
        );
    }

    #[test]
    fn a_shard_probes_its_share_and_lists_the_other_targets() {
        let url: url::Url = "https://orders.example/".parse().unwrap();
        let target = |name: TargetName| Arc::new(Target::with_defaults(name.as_str(), url.clone()));
        let mut whole = Settings {
            targets: names().take(100).map(target).collect(),
            ..Settings::default()
        };
        assert_eq!(
            share(whole.clone(), 0),
            whole,
            "a single shard probes all targets"
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
    fn an_automatic_index_is_the_ordinal_of_the_pod() {
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
                (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
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
            Err("only shards 0 to 2"),
        );
        check(
            ShardIndex::Auto,
            &[("HOSTNAME", "laptop")],
            Err("`HOSTNAME` is \"laptop\""),
        );
        check(
            ShardIndex::Auto,
            &[],
            Err("neither `POD_NAME` nor `HOSTNAME` is set"),
        );
    }
}
