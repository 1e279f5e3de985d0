//! Which part of the configured targets this daemon takes.

use crate::domain::shard::{self, IndexError};
use crate::model::settings::Settings;

/// The settings with this daemon's share of the targets.
///
/// # Errors
/// Which shard this is cannot be told, with the mend.
pub(super) fn of_this_daemon(settings: Settings) -> Result<Settings, IndexError> {
    if settings.shards.total <= 1 {
        return Ok(settings);
    }
    let index = shard::index(&settings.shards, |name| std::env::var(name).ok())?;
    let share = shard::share(settings, index);
    let total = share.shards.total;
    let (held, all) = (
        share.targets.len(),
        share.targets.len() + share.elsewhere.len(),
    );
    tracing::info!("shard {index} of {total} holds {held} of {all} targets");
    Ok(share)
}
