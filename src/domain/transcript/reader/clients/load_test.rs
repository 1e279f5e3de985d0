//! Reads the summaries of load generators. hey, oha and vegeta list the statuses. wrk and ab only
//! count the responses with an error status.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::exchange::Exchange;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::Reader;

/// Maximum length in bytes of a line that is examined.
const MAX_LINE: usize = 400;

/// Matches a line of hey and oha with a status and its number of responses. Captures the status.
static DISTRIBUTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\s*\[([1-5]\d\d)\]\s+\d+ responses?\s*$"));

/// Matches a pair in the line of vegeta: a status and its number of responses. Captures the status.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b([1-5]\d\d):\d+"));

/// Matches the line in which wrk or ab counts responses with an error status, if the count is not
/// zero.
static NON_2XX: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\W*Non-2xx (?:or 3xx )?responses:\s+\**[1-9]"));

impl Reader {
    /// Reads a line with the statuses of many responses. Each status of at least 400 becomes one
    /// exchange. If the line only counts the errors, they become one exchange together. Returns
    /// whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn load_test(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        if line.len() > MAX_LINE {
            return false;
        }
        if line.contains("Non-2xx ") && NON_2XX.as_ref().is_some_and(|it| it.is_match(line)) {
            // The line does not state the statuses.
            self.complete(Exchange {
                is_weak: true,
                is_status_unknown: true,
                ..Exchange::stated(500, number)
            });
            return true;
        }
        let statuses = statuses(line);
        for status in statuses.iter().copied().filter(|status| *status >= 400) {
            self.complete(Exchange::stated(status, number));
        }
        !statuses.is_empty()
    }
}

fn statuses(line: &str) -> Vec<u16> {
    let found = if line.contains(" response") {
        DISTRIBUTION.as_ref().and_then(|it| it.captures(line))
    } else {
        None
    };
    if let Some(found) = found {
        return found[1].parse().into_iter().collect();
    }
    let Some((_, pairs)) = line.split_once("[code:count]") else {
        return Vec::new();
    };
    let pairs = PAIR.iter().flat_map(|it| it.captures_iter(pairs));
    pairs.filter_map(|pair| pair[1].parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statuses_of_load_generators_are_found() {
        for (line, expected) in [
            ("  [503]\t188 responses", vec![503]),
            ("  [200] 1 responses", vec![200]),
            (
                "Status Codes  [code:count]                      0:4  200:12  503:188",
                vec![200, 503],
            ),
            ("[503] 188 pages", vec![]),
            ("[2503] 188 responses", vec![]),
        ] {
            assert_eq!(statuses(line), expected, "{line}");
        }
    }
}
