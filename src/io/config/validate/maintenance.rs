//! Maintenance windows: once, or each week in somebody's local time.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use wildmatch::WildMatch;

use super::text::{name, positive_duration};
use crate::io::config::document::Site;
use crate::io::config::file::{DurationText, MaintenanceTable, MomentText};
use crate::io::config::problem::Problems;
use crate::model::settings::{MaintenanceTime, MaintenanceWindow};
use crate::model::target::Target;

/// The name is shown on the page beside the target's.
const MAX_NAME: usize = 128;

/// A longer weekly window would run into itself.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// In the order in which jiff counts them from Monday; three letters are enough.
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The window, if it makes sense. A glob that covers no target is worth a warning.
pub(super) fn read(
    table: &MaintenanceTable,
    site: &Site<'_>,
    targets: &[&Target],
    problems: &mut Problems,
) -> Option<MaintenanceWindow> {
    let title = match &table.name {
        None => Err("has no name; add name = \"deployment\" or so".to_owned()),
        Some(text) => name(text, MAX_NAME).map(|()| text.clone()),
    };
    let title = take(title, &site.key("name"), problems);
    let globs = table.targets.clone().unwrap_or_default();
    for (index, glob) in globs.iter().enumerate() {
        let compiled = WildMatch::new(glob);
        if !targets
            .iter()
            .any(|target| compiled.matches(target.name.as_str()))
        {
            problems.warn(site.key("targets").index(index).problem(format!(
                "no target matches {glob:?}; mend the pattern or remove it"
            )));
        }
    }
    let once = table.from.is_some() || table.until.is_some();
    let weekly = table.days.is_some() || table.at.is_some() || table.lasting.is_some();
    let when = match (once, weekly) {
        (true, false) => read_once(table, site, problems),
        (false, true) => read_weekly(table, site, problems),
        _ => {
            problems.error(site.problem(
                "needs one time; write from and until (once), or days, at and lasting (each week)",
            ));
            None
        }
    };
    Some(MaintenanceWindow {
        name: title?,
        targets: globs,
        when: when?,
    })
}

fn read_once(
    table: &MaintenanceTable,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<MaintenanceTime> {
    if table.timezone.is_some() {
        problems.error(site.key("timezone").problem(
            "goes with days, at and lasting; remove it and write the offset into from and until",
        ));
    }
    let from = take(moment(table.from.as_ref()), &site.key("from"), problems);
    let until = take(moment(table.until.as_ref()), &site.key("until"), problems);
    let (from, until) = (from?, until?);
    if until <= from {
        problems.error(
            site.key("until")
                .problem("is not after from; write a later time"),
        );
        return None;
    }
    Some(MaintenanceTime::Once { from, until })
}

fn read_weekly(
    table: &MaintenanceTable,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<MaintenanceTime> {
    let days = weekdays(table.days.as_deref(), &site.key("days"), problems);
    let at = take(time_of_day(table.at.as_ref()), &site.key("at"), problems);
    let lasting = take(
        length(table.lasting.as_ref()),
        &site.key("lasting"),
        problems,
    );
    let zone = take(
        zone(table.timezone.as_deref()),
        &site.key("timezone"),
        problems,
    );
    Some(MaintenanceTime::Weekly {
        days: days?,
        at: at?,
        lasting: lasting?,
        zone: zone?,
    })
}

fn take<T>(result: Result<T, String>, site: &Site<'_>, problems: &mut Problems) -> Option<T> {
    result
        .map_err(|message| problems.error(site.problem(message)))
        .ok()
}

fn moment(text: Option<&MomentText>) -> Result<Timestamp, String> {
    let Some(MomentText(text)) = text else {
        return Err("is missing; write 2026-05-01T22:00:00Z or so".to_owned());
    };
    text.parse().map_err(|_| {
        format!("{text:?} is not a moment; write it with its offset, such as 2026-05-01T22:00:00Z")
    })
}

fn time_of_day(text: Option<&MomentText>) -> Result<Time, String> {
    let Some(MomentText(text)) = text else {
        return Err("is missing; write \"22:00\" or so".to_owned());
    };
    // A date in front is accepted by the parser and would silently be dropped.
    let time = text
        .parse()
        .ok()
        .filter(|_| !text.contains(['-', 'T', 't', ' ']));
    time.ok_or_else(|| format!("{text:?} is not a time of day; write \"22:00\""))
}

fn length(text: Option<&DurationText>) -> Result<Duration, String> {
    let Some(text) = text else {
        return Err("is missing; write \"2h\" or so".to_owned());
    };
    let lasting = positive_duration(text)?;
    if lasting > A_WEEK {
        return Err(format!(
            "{:?} is more than a week; write \"7days\" or less",
            text.0
        ));
    }
    Ok(lasting)
}

fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    let Some(name) = name else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::get(name)
        .map_err(|_| format!("{name:?} is not a time zone; write \"Europe/Berlin\" or \"UTC\""))
}

fn weekdays(
    words: Option<&[String]>,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<Vec<Weekday>> {
    let words = words.unwrap_or_default();
    if words.is_empty() {
        problems.error(site.problem("no day is named; write [\"mon\", \"thu\"] or so"));
        return None;
    }
    let mut days = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let lower = word.to_lowercase();
        let fits = |day: &str| day == lower || day.get(..3) == Some(lower.as_str());
        match DAYS.iter().find(|(day, _)| fits(day)) {
            Some((_, day)) if days.contains(day) => {}
            Some((_, day)) => days.push(*day),
            None => problems.error(site.index(index).problem(format!(
                "{word:?} is not a day of the week; write \"mon\" or \"monday\""
            ))),
        }
    }
    Some(days)
}
