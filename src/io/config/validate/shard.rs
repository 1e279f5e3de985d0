//! Reads `[shard]`: the settings that determine which of the targets this daemon probes.
//!
//! An automatic index is not determined here, because a configuration may be checked on a machine
//! other than that of the daemon.

use crate::io::config::table::Table;
use crate::io::config::value::number::{Bounded, IndexValue, ShardIndexValue};
use crate::model::settings::{ShardIndex, ShardSettings};

/// Maximum number of shards. A daemon handles ten thousand targets, so a larger number is probably
/// a typing error. A larger number would also slow down loading, which ranks all shards for each
/// target.
const MAX_SHARDS: u32 = 1000;

/// Reads the `shard` table of the main file.
pub(super) fn read(table: &Table<'_>, settings: &mut ShardSettings) {
    table.set::<Bounded<1, MAX_SHARDS>>("total", &mut settings.total);
    let total = settings.total;
    let key = "replicas_per_target";
    table.set::<Bounded<1, MAX_SHARDS>>(key, &mut settings.replicas_per_target);
    let replicas = settings.replicas_per_target;
    if replicas > total {
        table.place_of(key).error(format!(
            "{replicas} is larger than `shard.total` ({total}); write at most {total}"
        ));
    }
    if total > 1 && !table.has("index") {
        table.place_of("total").error(format!(
            "{total} daemons share the targets, but `index` is missing; add an index from 0 to \
             {}, or \"auto\" in a StatefulSet",
            total - 1
        ));
    }
    match table.get::<ShardIndexValue>("index") {
        Some(IndexValue::Auto) => settings.index = ShardIndex::Auto,
        Some(IndexValue::Number(number)) => match u32::try_from(number) {
            Ok(index) if index < total => settings.index = ShardIndex::At(index),
            _ => table.place_of("index").error(format!(
                "{number} is out of range, because `total` is {total}; write an index from 0 to \
                 {}, or raise `total`",
                total - 1
            )),
        },
        None => {}
    }
}
