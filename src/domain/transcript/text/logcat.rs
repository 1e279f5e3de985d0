//! Removes the prefix that Android's logcat and Android Studio add to each line.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::pattern::pattern;

/// Regular expressions for the formats of the prefix: the columns of Android Studio, the older
/// format of Android Studio, and the formats `threadtime` and `brief` of logcat.
static PREFIX: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+-\d+ +\S{1,60} +\S{1,120} +[VDIWEFA](?:  |$)",
        r"^(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+-\d+/\S{1,120} [VDIWEFA]/[^:]{1,60}: ?",
        r"^(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+ +\d+ [VDIWEFA] [^:]{1,60}: ?",
        r"^[VDIWEFA]/[A-Za-z0-9_.-]{1,40} *(?:\( *\d+\))?: ?",
    ]
    .iter()
    .filter_map(|expression| pattern(expression))
    .collect()
});

/// Splits a line into the prefix of logcat, which may be empty, and the rest.
pub(super) fn split(line: &str) -> (&str, &str) {
    let may_be =
        line.starts_with(|first: char| first.is_ascii_digit() || first.is_ascii_uppercase());
    let found = PREFIX
        .iter()
        .filter(|_| may_be)
        .find_map(|prefix| prefix.find(line));
    line.split_at(found.map_or(0, |found| found.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_logcat_is_removed() {
        for prefix in [
            "2025-11-11 03:12:44.416 14292-14365 OkHttp                  com.example.app                        D  ",
            "2025-11-11 03:12:44.416 14292-14365/com.example.app D/OkHttp: ",
            "11-11 03:12:44.416 14292 14365 D OkHttp  : ",
            "D/OkHttp  (14292): ",
            "D/OkHttp: ",
        ] {
            let line = format!("{prefix}<html>");
            assert_eq!(split(&line), (prefix, "<html>"));
        }
        for line in ["2025-11-11 03:12:44 x", "A/B testing: on", "HTTP/1.1 503 x"] {
            assert_eq!(split(line).0, "", "{line}");
        }
    }
}
