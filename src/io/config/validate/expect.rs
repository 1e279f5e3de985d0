//! Reads `[target.expect]`: the conditions that a healthy response must meet.

use crate::io::config::habits;
use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::expect::{JsonTests, PatternText, StatusRange, TextTest, json_path};
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::check_header_name;
use crate::io::config::value::time::PositiveDuration;
use crate::model::target::{BodyMatch, Expectations};

/// Maximum value of `certificate_days` in days (ten years). Public certificate authorities issue
/// only certificates with a shorter lifetime.
const MAX_CERTIFICATE_DAYS: u32 = 3650;

/// Reads the `expect` table of a target or of `[defaults]`.
pub(super) fn read(table: &Table<'_>, expect: &mut Expectations) {
    if let Some(list) = table.find("status") {
        expect.status = list.read_items::<StatusRange>();
        if list.is_empty() {
            let message =
                "an empty list accepts no response; write, for example, `[\"2xx\"]` or `[200]`";
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
    let errors = value.place.problems().error_count();
    let table = value.table(schema::BODY)?;
    let has_unknown_key = value.place.problems().error_count() > errors;
    let mut tests = Vec::new();
    let texts = |key| {
        one_or_more(&table, key)
            .into_iter()
            .filter_map(|item| item.read::<String>())
    };
    let patterns = |key| {
        let items = one_or_more(&table, key).into_iter();
        items.filter_map(|item| {
            warn_about_slashes(&item);
            item.read::<PatternText>()
        })
    };
    tests.extend(texts("contains").map(BodyMatch::Contains));
    tests.extend(texts("not_contains").map(BodyMatch::Lacks));
    tests.extend(patterns("regex").map(BodyMatch::Regex));
    tests.extend(patterns("not_regex").map(BodyMatch::NoMatch));
    let json = table.find("json");
    for (source, value) in json.iter().flat_map(Value::entries) {
        let path = value.place.check(json_path(source));
        if let (Some(path), Some(tests_of_path)) = (path, value.read::<JsonTests>()) {
            tests.extend(tests_of_path.into_iter().map(|test| BodyMatch::Json {
                path: path.clone(),
                test,
            }));
        }
    }
    let has_test = |key: &&str| table.find(key).is_some_and(|value| !value.is_empty());
    if !schema::BODY.iter().any(has_test) && !has_unknown_key {
        value.place.error(
            "has no condition; add `contains`, `not_contains`, `regex`, `not_regex` or `json`",
        );
    }
    Some(tests)
}

/// Returns the items of the list at `key`, or a single value as the only item. The result is empty
/// if the key is absent.
fn one_or_more<'a>(table: &Table<'a>, key: &str) -> Vec<Value<'a>> {
    match table.find(key) {
        Some(value) if value.is_list() => value.items(),
        value => value.into_iter().collect(),
    }
}

/// Warns about a pattern such as `/pattern/`, which is valid but matches the slashes literally.
fn warn_about_slashes(pattern: &Value<'_>) {
    let text = pattern.text().unwrap_or_default();
    let bare = text
        .strip_prefix('/')
        .and_then(|text| text.strip_suffix('/'));
    if let Some(bare) = bare.filter(|bare| !bare.is_empty() && !bare.contains('/')) {
        pattern.place.warn(format!(
            "the slashes are part of the pattern; write {} if they should be delimiters",
            habits::quoted(bare)
        ));
    }
}
