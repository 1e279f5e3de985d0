//! Selects the targets that this daemon probes if the targets are distributed over several daemons.

use crate::domain::shard::{self, IndexError};
use crate::model::settings::Settings;

/// Returns the settings with only the targets of this daemon's shard. Without shards, returns the
/// settings unchanged.
///
/// # Errors
/// Returns an error if the index of this daemon's shard cannot be determined. The message says what
/// is wrong and what to do.
pub(super) fn restrict(settings: Settings) -> Result<Settings, IndexError> {
    if settings.shards.total <= 1 {
        return Ok(settings);
    }
    let index = shard::index(&settings.shards, |name| std::env::var(name).ok())?;
    let settings = shard::share(settings, index);
    let shards = settings.shards.total;
    let targets = settings.targets.len();
    let configured = targets + settings.elsewhere.len();
    tracing::info!(index, shards, targets, configured, "shard assigned");
    Ok(settings)
}
