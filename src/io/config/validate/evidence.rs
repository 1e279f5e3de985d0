//! Reads `[evidence]`: when and how often the daemon queries AWS about failed requests, and the
//! maximum cost.

use crate::io::config::table::Table;
use crate::io::config::value::number::{Bounded, DollarsPerDay};
use crate::io::config::value::time::EvidenceWait;
use crate::io::config::value::url::EndpointUrl;
use crate::model::settings::EvidenceSettings;

/// Maximum value of `max_requests_per_second`, the number of AWS calls per second that read
/// evidence. CloudWatch's quota is 50 calls of GetMetricData per second in a region. Other tools in
/// the account share this quota.
const MAX_REQUESTS_PER_SECOND: u32 = 50;

/// Reads the `evidence` table of the main file.
pub(super) fn read(table: &Table<'_>, settings: &mut EvidenceSettings) {
    table.set::<bool>("enabled", &mut settings.enabled);
    table.set::<EvidenceWait>("first_look", &mut settings.first_look);
    table.set::<EvidenceWait>("settle", &mut settings.settle);
    if table.has("settle") && settings.settle < settings.first_look {
        table.place_of("settle").error(format!(
            "is shorter than `first_look` ({0}); write \"{0}\" or more",
            humantime::format_duration(settings.first_look)
        ));
    }
    table.set::<DollarsPerDay>("max_daily_cost", &mut settings.max_daily_cost);
    table.set::<Bounded<1, MAX_REQUESTS_PER_SECOND>>(
        "max_requests_per_second",
        &mut settings.max_requests_per_second,
    );
    table.set::<EndpointUrl>("endpoint_url", &mut settings.endpoint_url);
    table.set::<bool>("configuration", &mut settings.configuration);
    table.set::<bool>("changes", &mut settings.changes);
    for (key, on) in [
        ("configuration", settings.configuration),
        ("changes", settings.changes),
    ] {
        if on && !settings.enabled {
            table.place_of(key).warn(
                "has no effect, because `evidence.enabled` is false; write `enabled = true`, or \
                 remove the key",
            );
        }
    }
}
