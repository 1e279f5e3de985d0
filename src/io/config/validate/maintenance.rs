//! Reads `[[maintenance]]`: windows that open once, and windows that open every week in the local
//! time of a time zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::text::WindowName;
use crate::io::config::value::time::{DayName, PointInTime, TimeOfDay, WindowLength, ZoneName};
use crate::model::settings::{MaintenanceTime, MaintenanceWindow};
use crate::model::target::Target;

/// Reads one `[[maintenance]]` table. Warns about a pattern that matches no target. Reports errors.
/// Returns `None` if `item` is not a table, or if its name or schedule is missing or invalid.
pub(super) fn read(item: &Value<'_>, targets: &[&Target]) -> Option<MaintenanceWindow> {
    let table = item.table(schema::MAINTENANCE)?;
    let name = table.required::<WindowName>("name", "name = \"deployment\"");
    let patterns = table.items("targets");
    let patterns = patterns.iter().filter_map(|item| pattern(item, targets));
    let patterns = patterns.collect();
    let once = table.has("from") || table.has("until");
    let weekly = ["days", "at", "lasting"].iter().any(|key| table.has(key));
    let when = match (once, weekly) {
        (true, false) => read_once(&table),
        (false, true) => read_weekly(&table),
        _ => {
            table.place().error(
                "needs exactly one schedule: write `from` and `until` (once), or `days`, `at` and \
                 `lasting` (weekly)",
            );
            None
        }
    };
    Some(MaintenanceWindow {
        name: name?,
        targets: patterns,
        when: when?,
    })
}

fn pattern(item: &Value<'_>, targets: &[&Target]) -> Option<String> {
    let pattern = item.read::<String>()?;
    let glob = WildMatch::new(&pattern);
    if !targets
        .iter()
        .any(|target| glob.matches(target.name.as_str()))
    {
        item.place.warn(format!(
            "no target matches {pattern:?}; correct the pattern or remove it"
        ));
    }
    Some(pattern)
}

fn read_once(table: &Table<'_>) -> Option<MaintenanceTime> {
    if let Some(zone) = table.find("timezone") {
        zone.place.error(
            "applies only to `days`, `at` and `lasting`; remove `timezone` and write the UTC offset \
             in `from` and `until`",
        );
    }
    let from = table.required::<PointInTime>("from", "from = 2026-05-01T22:00:00Z");
    let until = table.required::<PointInTime>("until", "until = 2026-05-01T23:00:00Z");
    let (from, until) = (from?, until?);
    if until <= from {
        let message = "is not later than `from`; write a later time";
        table.place_of("until").error(message);
        return None;
    }
    Some(MaintenanceTime::Once { from, until })
}

fn read_weekly(table: &Table<'_>) -> Option<MaintenanceTime> {
    let mut days: Vec<Weekday> = Vec::new();
    let list = table.find("days");
    for day in list.iter().flat_map(Value::read_items::<DayName>) {
        if !days.contains(&day) {
            days.push(day);
        }
    }
    if list.is_none_or(|list| list.is_empty()) {
        let message = "is missing or empty; write a list, such as `days = [\"mon\", \"thu\"]`";
        table.place_of("days").error(message);
    }
    let at = table.required::<TimeOfDay>("at", "at = \"22:00\"");
    let lasting = table.required::<WindowLength>("lasting", "lasting = \"2h\"");
    let zone = table.get::<ZoneName>("timezone").unwrap_or(TimeZone::UTC);
    Some(MaintenanceTime::Weekly {
        days,
        at: at?,
        lasting: lasting?,
        zone,
    })
}
