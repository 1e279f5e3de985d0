//! Parses `[[cause]]` tables, which describe causes that several rules share.
//!
//! This module parses only one file. `rulebook` checks that at least one rule names the cause, and
//! that no other table describes it.

use toml::de::DeTable;

use super::Parser;
use super::fields::position;
use crate::domain::diagnosis::cause::CauseDefinition;
use crate::domain::diagnosis::rule::STATUS;

/// The keys that a `[[cause]]` table may have.
const CAUSE_KEYS: &[&str] = &["id", "title", "next", "see"];

impl Parser<'_> {
    /// Parses the `[[cause]]` table that begins at the byte offset `at`.
    pub(super) fn cause_definition(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
    ) -> Option<CauseDefinition> {
        self.check_keys(table, CAUSE_KEYS);
        let id = self.cause(at, table, "id");
        let title = self.title(at, table);
        if title.as_ref().is_some_and(|title| title.contains(STATUS)) {
            self.problem(
                position(table, "title", at),
                format!(
                    "`title` contains `{STATUS}`, but a cause has no status; remove the placeholder"
                ),
            );
        }
        let next = table.contains_key("next").then(|| self.next(at, table));
        let see = table.get("see").and_then(|_| self.see(at, table));
        Some(CauseDefinition {
            id: id?,
            title: title?,
            next,
            see,
            file: self.file.into(),
            line: self.line(at),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::diagnosis::parser::parse;

    const GOOD: &str = r#"[[cause]]
id = "upstream-timeout"
title = "The upstream did not respond in time"
next = ["Look."]
see = "https://example.org/"

[[cause]]
id = "upstream-reset"
title = "The upstream closed the connection"
"#;

    fn check(from: &str, to: &str, expected: &[&str]) {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "nothing was replaced");
        let problems: Vec<String> = parse("c.toml", &text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_file_may_describe_only_causes() {
        let parsed = parse("c.toml", GOOD).unwrap();
        assert_eq!(parsed.rules, []);
        let [full, short] = parsed.causes.as_slice() else {
            panic!("{:?}", parsed.causes);
        };
        assert_eq!(full.id.as_str(), "upstream-timeout");
        assert_eq!(full.title, "The upstream did not respond in time");
        assert_eq!(full.next.as_deref(), Some(&["Look.".to_owned()][..]));
        assert_eq!(full.see.as_deref(), Some("https://example.org/"));
        assert_eq!((&*full.file, full.line), ("c.toml", 1));
        assert_eq!((&short.next, &short.see, short.line), (&None, &None, 7));
    }

    #[test]
    fn unknown_and_missing_keys_are_rejected() {
        check(
            "next",
            "owner = \"service\"\nnext",
            &["c.toml:4: unknown key `owner`; use one of id, title, next, see"],
        );
        check(
            "id = \"upstream-timeout\"\n",
            "",
            &["c.toml:1: `id` is missing; add it as text in quotes"],
        );
        check(
            "title = \"The upstream did not respond in time\"\n",
            "",
            &["c.toml:1: `title` is missing; add it as text in quotes"],
        );
    }

    #[test]
    fn invalid_values_are_rejected() {
        check(
            "\"upstream-timeout\"",
            "\"unexplained\"",
            &[
                "c.toml:2: `unexplained` is reserved for failures that no rule matches; use another id",
            ],
        );
        check(
            "in time",
            "to {status}",
            &[
                "c.toml:3: `title` contains `{status}`, but a cause has no status; remove the placeholder",
            ],
        );
        check(
            "in time",
            "in time.",
            &["c.toml:3: `title` ends with a period; remove the period"],
        );
        check(
            "[\"Look.\"]",
            "[]",
            &["c.toml:4: `next` must be a list of sentences in quotes that say what to do"],
        );
        check(
            "https://",
            "http://",
            &["c.toml:5: `see` must be a URL that starts with `https://`"],
        );
    }

    #[test]
    fn a_file_without_rules_and_causes_is_rejected() {
        let problems = parse("c.toml", "phase = \"expect\"\n").unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "c.toml:1: the file has no `[[rule]]` and no `[[cause]]` table; add at least one table"
            ]
        );
    }
}
