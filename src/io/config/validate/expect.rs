//! What a healthy answer looks like: patterns and paths compiled, ranges put in order.

use regex::Regex;

use super::text::{count, positive_duration, set};
use crate::io::config::file::{BodyTable, ExpectTable, StatusItem, TextTest};
use crate::io::config::layer::{Found, Layer};
use crate::io::config::problem::Problems;
use crate::model::target::{BodyMatch, Expectations, JsonPath, Pattern, TextMatch};

/// Ten years: no authority issues certificates for longer.
const MAX_CERTIFICATE_DAYS: u32 = 3650;

/// Reads the table into `expect`.
pub(super) fn read(
    table: &Layer<'_, ExpectTable>,
    expect: &mut Expectations,
    problems: &mut Problems,
) {
    if let Some(found) = table.pick("status", |t| t.status.as_ref()) {
        expect.status = statuses(&found, problems);
    }
    for found in table.both("headers", |t| t.headers.as_ref()) {
        for (name, test) in found.value {
            let lower = name.to_ascii_lowercase();
            if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                let message = "not a header name; use letters, digits and hyphens";
                problems.error(found.site.key(name).problem(message));
            }
            match text_match(test) {
                Ok(test) => {
                    expect.headers.retain(|(other, _)| *other != lower);
                    expect.headers.push((lower, test));
                }
                Err(message) => problems.error(found.site.key(name).problem(message)),
            }
        }
    }
    if let Some(found) = table.pick("body", |t| t.body.as_ref()) {
        expect.body = body(&found, problems);
    }
    let slower = table.pick("slower_than", |t| t.slower_than.as_ref());
    set(
        &mut expect.slower_than,
        slower,
        |text| positive_duration(text).map(Some),
        problems,
    );
    let days = table.pick("certificate_days", |t| t.certificate_days.as_ref());
    let range = |days: &i64| count(*days, 0, MAX_CERTIFICATE_DAYS).map(Some);
    set(&mut expect.certificate_days, days, range, problems);
}

fn statuses(found: &Found<'_, Vec<StatusItem>>, problems: &mut Problems) -> Vec<(u16, u16)> {
    if found.value.is_empty() {
        problems.error(
            found
                .site
                .problem("no status would be fine; write [\"2xx\"] or [200]"),
        );
    }
    let mut ranges = Vec::new();
    for (index, item) in found.value.iter().enumerate() {
        match status_range(item) {
            Some(range) => ranges.push(range),
            None => problems.error(
                found
                    .site
                    .index(index)
                    .problem("not a status from 100 to 599; write 200, \"2xx\" or \"200-204\""),
            ),
        }
    }
    ranges
}

fn status_range(item: &StatusItem) -> Option<(u16, u16)> {
    let text = match item {
        StatusItem::Code(code) => code.to_string(),
        StatusItem::Text(text) => text.clone(),
    };
    let code = |text: &str| {
        text.trim()
            .parse()
            .ok()
            .filter(|code| (100..=599).contains(code))
    };
    if let Some(class) = text.strip_suffix("xx") {
        let first = class
            .parse::<u16>()
            .ok()
            .filter(|class| (1..=5).contains(class))?
            * 100;
        return Some((first, first + 99));
    }
    if let Some((from, to)) = text.split_once('-') {
        let range = (code(from)?, code(to)?);
        return (range.0 <= range.1).then_some(range);
    }
    code(&text).map(|code| (code, code))
}

fn text_match(test: &TextTest) -> Result<TextMatch, String> {
    Ok(match test {
        TextTest::Equals(text) => TextMatch::Equals(text.clone()),
        TextTest::Contains(part) => TextMatch::Contains(part.clone()),
        TextTest::Regex(source) => TextMatch::Regex(pattern(source)?),
    })
}

fn body(found: &Found<'_, BodyTable>, problems: &mut Problems) -> Vec<BodyMatch> {
    let mut tests = Vec::new();
    if let Some(part) = &found.value.contains {
        tests.push(BodyMatch::Contains(part.clone()));
    }
    if let Some(source) = &found.value.regex {
        match pattern(source) {
            Ok(pattern) => tests.push(BodyMatch::Regex(pattern)),
            Err(message) => problems.error(found.site.key("regex").problem(message)),
        }
    }
    for (source, value) in found.value.json.iter().flatten() {
        match json_path(source).and_then(|path| Ok((path, json_value(value)?))) {
            Ok((path, value)) => tests.push(BodyMatch::Json { path, value }),
            Err(message) => {
                problems.error(found.site.key("json").key(source).problem(message));
            }
        }
    }
    let table = found.value;
    let no_json = table.json.as_ref().is_none_or(|json| json.is_empty());
    if table.contains.is_none() && table.regex.is_none() && no_json {
        problems.error(
            found
                .site
                .problem("tests nothing; add contains, regex or json"),
        );
    }
    tests
}

fn pattern(source: &str) -> Result<Pattern, String> {
    Regex::new(source).map(Pattern).map_err(|error| {
        // The library draws the pattern over several lines; the reason is on the last.
        let drawn = error.to_string();
        let reason = drawn.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("not a regular expression ({reason}); mend it, or use contains for plain text")
    })
}

fn json_path(source: &str) -> Result<JsonPath, String> {
    let whole = if source.starts_with('$') {
        source.to_owned()
    } else {
        format!("$.{source}")
    };
    let path = serde_json_path::JsonPath::parse(&whole).map_err(|error| {
        format!("not a JSON path ({error}); write \"status\" or \"$.checks[0].state\"")
    })?;
    let source = source.strip_prefix("$.").unwrap_or(source).to_owned();
    Ok(JsonPath { source, path })
}

fn json_value(value: &toml::Value) -> Result<serde_json::Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)
            .ok_or_else(|| format!("{number} does not exist in JSON; write a finite number"))?
            .into(),
        toml::Value::Array(items) => items
            .iter()
            .map(json_value)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        toml::Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| Ok((key.clone(), json_value(value)?)));
            serde_json::Value::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}
