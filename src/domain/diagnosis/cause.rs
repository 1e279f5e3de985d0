//! Defines how a cause is described independently of one response.
//!
//! Several rules may name the same cause, and the title of each rule is about the responses that
//! the rule recognizes, such as the responses of one vendor. Lists and explanations of causes need
//! texts that fit all these rules. A `[[cause]]` table in a rule file contains such texts. `parser`
//! parses the tables, and `rulebook` combines them with the rules.

use std::sync::Arc;

use crate::domain::diagnosis::Verdict;
use crate::model::cause::{CauseId, Hop, Owner};

/// A `[[cause]]` table of a rule file: the texts of a cause that several rules share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseDefinition {
    /// The cause that the table describes.
    pub id: CauseId,
    /// The title: one sentence without a period, at most 80 characters, without placeholders.
    pub title: String,
    /// The next steps, the most useful first; if `None`, the cause has the next steps of the rule
    /// with the same id, or else of the first rule that names the cause.
    pub next: Option<Vec<String>>,
    /// The URL of a page about the cause; if `None`, the cause has the page of the rule with the
    /// same id, or else of the first rule that names the cause.
    pub see: Option<String>,
    /// The name of the rule file, as passed to the parser.
    pub file: Arc<str>,
    /// The first line of the table, counted from 1.
    pub line: usize,
}

/// A cause with the texts that are shown in lists and explanations of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause<'a> {
    /// The id of the cause.
    pub id: &'a CauseId,
    /// The title of the `[[cause]]` table or, without a table, of the rule that represents the
    /// cause.
    pub title: &'a str,
    /// The team that has to act.
    pub owner: Owner,
    /// The hop on the path of a request, such as the gateway, at which requests fail; `None` if the
    /// cause does not identify a hop.
    pub hop: Option<Hop>,
    /// The next steps, the most useful first.
    pub next: &'a [String],
    /// The URL of a page about the cause.
    pub see: &'a str,
}

impl CauseDefinition {
    /// Replaces the title and next steps of a verdict that names the cause but is not about a
    /// single response. If this table has no next steps, those of the verdict stay.
    pub(super) fn describe(&self, verdict: &mut Verdict) {
        verdict.title.clone_from(&self.title);
        if let Some(next) = &self.next {
            verdict.next.clone_from(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::diagnosis::rule::Rule;
    use crate::domain::diagnosis::rulebook::Rulebook;

    /// Words in titles that name a vendor or a product.
    const VENDOR_WORDS: &[&str] = &[
        "akamai",
        "alb",
        "amazon",
        "apache",
        "apigee",
        "appsync",
        "aws",
        "azure",
        "caddy",
        "cloudflare",
        "cloudfront",
        "cognito",
        "envoy",
        "fastly",
        "gke",
        "google",
        "haproxy",
        "heroku",
        "httpd",
        "iis",
        "imperva",
        "istio",
        "kong",
        "lambda",
        "linkerd",
        "mediatailor",
        "microsoft",
        "netlify",
        "nginx",
        "ngrok",
        "openresty",
        "railway",
        "render",
        "s3",
        "squid",
        "traefik",
        "varnish",
        "vercel",
        "worker",
    ];

    /// Returns the vendor words in `text`, except those that are part of the id of `cause`: the
    /// texts of `lambda-throttled` may name Lambda.
    fn foreign_words<'a>(cause: &CauseId, text: &'a str) -> Vec<&'a str> {
        let id = cause.as_str();
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| {
                let word = word.to_ascii_lowercase();
                VENDOR_WORDS.contains(&word.as_str()) && !id.contains(&word)
            })
            .collect()
    }

    /// Returns the rules in `book`, grouped by the cause that they name.
    fn by_cause(book: &Rulebook) -> BTreeMap<&CauseId, Vec<&Rule>> {
        let mut all: BTreeMap<&CauseId, Vec<&Rule>> = BTreeMap::new();
        for rule in book.rules() {
            all.entry(&rule.cause).or_default().push(rule);
        }
        all
    }

    #[test]
    fn every_cause_whose_rules_have_different_titles_is_described() {
        let book = Rulebook::embedded().unwrap();
        for (cause, rules) in by_cause(&book) {
            let is_shared = rules.iter().any(|rule| rule.title != rules[0].title);
            let is_described = book.definition(cause).is_some();
            assert!(
                is_described || !is_shared,
                "{cause}: its rules have different titles; add a `[[cause]]` table to `causes.toml`"
            );
        }
    }

    #[test]
    fn the_texts_of_a_described_cause_name_no_vendor_that_its_id_does_not_name() {
        let book = Rulebook::embedded().unwrap();
        let mut described = 0;
        for cause in book.causes() {
            let Some(definition) = book.definition(cause.id) else {
                continue;
            };
            assert_eq!(cause.title, definition.title);
            let next = definition.next.iter().flatten().map(String::as_str);
            for text in [cause.title].into_iter().chain(next) {
                let found = foreign_words(cause.id, text);
                assert!(found.is_empty(), "{}: {text:?} names {found:?}", cause.id);
            }
            described += 1;
        }
        assert!(described > 30, "{described} causes are described");
    }

    #[test]
    fn a_vendor_word_is_found_unless_the_id_contains_it() {
        let cause = |id| CauseId::new(id).unwrap();
        let text = "Lambda behind nginx failed";
        assert_eq!(
            foreign_words(&cause("upstream-reset"), text),
            ["Lambda", "nginx"]
        );
        assert_eq!(
            foreign_words(&cause("lambda-function-error"), text),
            ["nginx"]
        );
    }
}
