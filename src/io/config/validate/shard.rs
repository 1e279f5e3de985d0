//! `[shard]`: which part of the targets this daemon holds.
//!
//! Whether an automatic index can be found is not judged here: a configuration is checked
//! on other machines than those that it is written for.

use super::text::{count, set};
use crate::io::config::file::{IndexItem, ShardTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::{ShardIndex, ShardSettings};

/// Every daemon weighs each target for each shard when it reads its configuration; and one
/// daemon watches ten thousand targets, so that more than these are a slip.
const MAX_SHARDS: u32 = 1000;

pub(super) fn read(
    table: &Layer<'_, ShardTable>,
    settings: &mut ShardSettings,
    problems: &mut Problems,
) {
    let total = table.pick("total", |t| t.total.as_ref());
    set(
        &mut settings.total,
        total.clone(),
        |value| count(*value, 1, MAX_SHARDS),
        problems,
    );
    let all = settings.total;
    set(
        &mut settings.replicas_per_target,
        table.pick("replicas_per_target", |t| t.replicas_per_target.as_ref()),
        |value| {
            count(*value, 1, MAX_SHARDS)?;
            count(*value, 1, all).map_err(|_| {
                format!("{value} daemons cannot probe a target, there are {all} (`shard.total`)")
            })
        },
        problems,
    );
    let index = table.pick("index", |t| t.index.as_ref());
    if index.is_none()
        && settings.total > 1
        && let Some(total) = total
    {
        problems.error(total.site.problem(format!(
            "{all} daemons share the targets, and which of them this is is not said; write \
             `index = 0` to {} beside it, or \"auto\" in a StatefulSet",
            all - 1
        )));
    }
    set(
        &mut settings.index,
        index,
        |item| shard_index(item, all),
        problems,
    );
}

fn shard_index(item: &IndexItem, total: u32) -> Result<ShardIndex, String> {
    match item {
        IndexItem::Text(text) if text == "auto" => Ok(ShardIndex::Auto),
        IndexItem::Text(text) => Err(format!("{text:?} is no index; write 0 or \"auto\"")),
        IndexItem::Number(number) => match u32::try_from(*number) {
            Ok(index) if index < total => Ok(ShardIndex::At(index)),
            _ => Err(format!(
                "there is no shard {number} of {total}; write 0 to {}, or raise `total`",
                total - 1
            )),
        },
    }
}
