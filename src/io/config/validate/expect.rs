//! Reads `[target.expect]`: the conditions that a healthy response meets.

use crate::io::config::table::{Table, Value};
use crate::io::config::value::expect::{JsonValue, PatternText, StatusRange, TextTest, json_path};
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::check_header_name;
use crate::io::config::value::time::PositiveDuration;
use crate::model::target::{BodyMatch, Expectations};

/// The keys of `[target.expect]`.
pub(super) const KEYS: [&str; 5] = [
    "status",
    "headers",
    "body",
    "slower_than",
    "certificate_days",
];

/// Maximum value of `certificate_days`: ten years in days. Public authorities issue certificates
/// only for shorter times.
const MAX_CERTIFICATE_DAYS: u32 = 3650;

/// Reads the `expect` table of a target or of the defaults.
pub(super) fn read(table: &Table<'_>, expect: &mut Expectations) {
    if let Some(list) = table.find("status") {
        expect.status = list.read_items::<StatusRange>();
        if list.is_empty() {
            let message = "an empty list accepts no response; write [\"2xx\"] or [200]";
            list.place.error(message);
        }
    }
    for headers in table.find_all("headers") {
        for (name, value) in headers.entries() {
            let valid = value.place.check(check_header_name(name));
            if let (Some(()), Some(test)) = (valid, value.read::<TextTest>()) {
                let lower = name.to_ascii_lowercase();
                expect.headers.retain(|(other, _)| *other != lower);
                expect.headers.push((lower, test));
            }
        }
    }
    if let Some(value) = table.find("body") {
        expect.body = body(&value).unwrap_or_default();
    }
    table.set::<PositiveDuration>("slower_than", &mut expect.slower_than);
    table.set::<Bounded<0, MAX_CERTIFICATE_DAYS>>("certificate_days", &mut expect.certificate_days);
}

fn body(value: &Value<'_>) -> Option<Vec<BodyMatch>> {
    let table = value.table(&["json", "contains", "regex"])?;
    let mut tests = Vec::new();
    tests.extend(table.get::<String>("contains").map(BodyMatch::Contains));
    tests.extend(table.get::<PatternText>("regex").map(BodyMatch::Regex));
    let json = table.find("json");
    for (source, value) in json.iter().flat_map(Value::entries) {
        let path = value.place.check(json_path(source));
        if let (Some(path), Some(value)) = (path, value.read::<JsonValue>()) {
            tests.push(BodyMatch::Json { path, value });
        }
    }
    let has_json = json.is_some_and(|json| !json.is_empty());
    if !has_json && !table.has("contains") && !table.has("regex") {
        value
            .place
            .error("has no condition; add contains, regex or json");
    }
    Some(tests)
}
