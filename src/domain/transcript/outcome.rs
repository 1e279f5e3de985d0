//! Finds what a text says about a failure after it: that the failure is over, because a later line
//! shows a success or the author says so, or that its message is misleading.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use url::Url;

use crate::domain::transcript::pattern::{MAX_LINE, pattern, pattern_set};

/// Maximum length in bytes of a text that is searched for outcomes.
const MAX_TEXT: usize = 256 * 1024;

/// Maximum number of lines from a failure to the interruption of the program that reports it.
const MAX_DISTANCE: usize = 4;

/// Expressions that match the last lines of a program that reached its goal after all.
const DONE: [&str; 18] = [
    r"^Already up to date\.|^Receiving objects: 100%|^Resolving deltas: 100%|^\s*\* \[new branch\]",
    r"\bSuccessfully (?:installed|built|tagged|downloaded|pulled|pushed|fetched|uploaded|deployed|synced|completed|cloned)\b",
    r"\bsuccessfully (?:initialized|installed|completed|uploaded|downloaded|deployed|finished|rolled out)\b",
    r"\b(?:finished|completed|done|succeeded) successfully\b|\bcompleted without errors\b",
    r"^(?:#\d+ [\d.]+ )?Status: (?:Downloaded newer image|Image is up to date)|^#\d+ DONE \d",
    r"^Complete!\s*$|^Setting up \S+ \(|^Fetched [\d.,]+ \w?B in|^Reading package lists\.\.\. Done",
    r"^added \d+ packages|^up to date, audited|\bfound 0 vulnerabilities\b|^\u{2728}? ?Done in \d",
    r"^Apply complete!|^Terraform has been successfully|^No changes\. ",
    r"^\S+/\S+ (?:created|configured|unchanged|serverside-applied)\s*$|^deployment \S+ successfully rolled out",
    r"(?i)^(?:\S+ )?\W*(?:info\W+)?\W*(?:import|export|backup|upload|download|sync|synchronization|deployment|deploy|job|build|migration|restore|transfer|pipeline|release) (?:has )?(?:finished|completed|succeeded|done)\b",
    r"^BUILD SUCCESS|^Build succeeded|^\s*BUILD SUCCESSFUL",
    r"(?i)\b(?:readiness|liveness|startup) probe succeeded\b|\bReady:\s+True\b|^\S+\s+1/1\s+Running\b",
    r"(?i)\bhealth check\b.{0,80}\b(?:is now passing|passed|succeeded|is healthy)\b|\bbecame (?:reachable|healthy|ready)\b|\bis UP, reason\b",
    r"(?i)\b(?:retry|attempt) (?:\S+ )?(?:\(?\d+\)? )?(?:of \d+ )?(?:succeeded|was successful)\b|\bsucceeded (?:after|on) (?:\w+ )?(?:retry|attempt|retries|\d+)",
    r"(?i)\b(?:reconnected|connection (?:was )?(?:re-?established|restored)|recovered)\b",
    r"(?i)\bcomputed and stored\b|\bdoes not exist yet\b|\b(?:using|served?|serving) (?:\w+ )?(?:fallback|cached|stale)\b",
    r"^upload: \S+ to s3://|^download: s3://\S+ to |^\s*Finished `?\w+`? profile|\[\d+/\d+\] saved$|' saved \[\d+",
    r"^Installed:?\s|^Pull complete|^Pushed$|^Login Succeeded\s*$",
];

/// The compiled expressions of [`DONE`].
static SUCCESS: LazyLock<RegexSet> = LazyLock::new(|| pattern_set(DONE, false));

/// Matches a line that reports a failure.
static FAILURE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:errors?|err!|fail(?:ed|ure|s|ing)?|fatal|exception|panic|giving up|gave up|aborted|refused|timed out|unhealthy|traceback|crashloopbackoff|denied)\b",
    )
});

/// Matches words that make a line with a word of failure harmless, such as `0 errors`.
static HARMLESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\b(?:0|no|without) (?:errors?|failures?|failed)\b"));

/// Matches the statement of an author that a failure is over.
static OVER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?ix)\b(?:that|this|it|which|the\s(?:error|problem|issue|line|message))\s(?:line\s|one\s|error\s|problem\s|issue\s|message\s)?(?:is|was|has\sbeen)\s(?:now\s|already\s|finally\s|since\s)?(?:solved|fixed|resolved|gone)\b
        |\b(?:now\s(?:it|everything|all)|it\snow|everything\s(?:now)?)\s?(?:works|is\s(?:ok|okay|fine))\b|\bworks\s(?:fine\s|again\s)?now\b
        |\b(?:all\srequests|the\sresponse|every\srequest|requests)\s(?:now\s)?(?:returns?|is|are|succeeds?|gets?)\s(?:a\s)?200\b|\b(?:no\slonger|does\snot|doesn't)\s(?:happens?|occurs?|appears?)\s(?:any\s?more|again)\b",
    )
});

/// Matches the statement of an author that the message does not show the cause, or that the cause is
/// the author's own action.
static DOUBTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?ix)\bnever\s?mind\b|\b(?:on\spurpose|deliberately|intentionally|by\sdesign)\b|^\W*(?:root\scause|found\sit)\b\s?\d?\W*[:\-\x{2013}]
        |\bit\swas\s(?:our|my|the)\sown\b|\bthe\s(?:real|actual)\s(?:cause|reason|problem|error)\b|\b(?:misleading|red\sherring)\b
        |\bhas\snothing\sto\sdo\swith\b",
    )
});

/// Matches words that show that a failure persists.
static PERSISTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:still|again|but|until|unless|however|not|n't|sometimes|every time|if)\b")
});

/// Captures the URL or the path and the status of a request that succeeded.
static RESPONDED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)(?:\b(?:GET|POST|PUT|PATCH|DELETE|HEAD)\s+(?P<path>(?:https?:/)?/\S+).{0,60}?[\s"=](?P<status>20\d)\b(?:[^.\d]|$)
        |\b(?P<first>20\d)\s(?:OK|Created|Accepted|No\sContent)\s+(?P<url>https?://\S+))"#,
    )
});

/// Matches an entry of an access log about a failed request.
static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD)\s\S+\sHTTP/[\d.]+"?[^"]{0,60}\s[45]\d\d\b"#)
});

/// What a text says about a failure after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The text says nothing.
    Open,
    /// The failure is over: the program reached its goal.
    Over,
    /// The author says that the failure is over, or that the message does not show the cause.
    Doubted,
}

/// The lines of a text that say something about the failures before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    /// The number of the last line with a success of a program after which no failure follows; zero
    /// if there is none.
    success: usize,
    /// The numbers of the lines on which the author says that the failure is over.
    over: Vec<usize>,
    /// The numbers of the lines on which the author doubts the message.
    doubted: Vec<usize>,
    /// The numbers of the lines on which the program was interrupted by its user.
    interrupted: Vec<usize>,
    /// The path of each request that succeeded, with the number of the line.
    responded: Vec<(usize, String)>,
    /// The numbers of the entries of an access log about failed requests. Each entry is about
    /// another request, so a later success does not end the failure.
    entries: Vec<usize>,
}

impl Outcomes {
    /// Searches the lines of a text.
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self::default();
        if text.len() > MAX_TEXT {
            return found;
        }
        for (index, line) in text.split('\n').enumerate() {
            if line.len() <= MAX_LINE {
                found.line(line.trim_end(), index + 1);
            }
        }
        found
    }

    fn line(&mut self, line: &str, number: usize) {
        if SUCCESS.is_match(line) {
            self.success = number;
        } else if matches(&FAILURE, line) && !matches(&HARMLESS, line) && !matches(&OVER, line) {
            self.success = 0;
        }
        if matches(&OVER, line) && !is_contested(line) {
            self.over.push(number);
        }
        if matches(&DOUBTED, line) {
            self.doubted.push(number);
        }
        if line == "^C" || line.starts_with("KeyboardInterrupt") {
            self.interrupted.push(number);
        }
        if matches(&ENTRY, line) {
            self.entries.push(number);
        }
        if let Some(found) = RESPONDED.as_ref().and_then(|it| it.captures(line)) {
            let target = found.name("path").or_else(|| found.name("url"));
            let target = target.map_or("", |it| it.as_str().trim_end_matches(['"', ',', '\'']));
            self.responded.push((number, path_of(target).to_owned()));
        }
    }

    /// Returns what the text says about a failure on line `number` after that line. `url` is the
    /// URL of the request, `text` the message or the body.
    pub(super) fn after(&self, number: usize, url: Option<&Url>, text: &str) -> Outcome {
        let is_below = |lines: &[usize]| lines.iter().any(|line| *line > number);
        let is_interrupted = (self.interrupted.iter())
            .any(|line| line.abs_diff(number) <= MAX_DISTANCE && *line > number);
        let is_repeated = self.responded.iter().any(|(line, path)| {
            let is_same = url.map_or_else(|| names(text, path), |url| url.path() == path);
            *line > number && !self.entries.contains(&number) && path.len() > 1 && is_same
        });
        if self.success > number || is_interrupted || is_repeated {
            Outcome::Over
        } else if is_below(&self.over) || is_below(&self.doubted) {
            Outcome::Doubted
        } else {
            Outcome::Open
        }
    }
}

/// Returns whether a text names a path as a whole word.
fn names(text: &str, path: &str) -> bool {
    text.split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\''))
        .any(|word| path_of(word) == path)
}

/// Returns whether the rest of the sentence that says that a failure is over asks for it, or says that
/// the failure persists.
fn is_contested(line: &str) -> bool {
    let found = OVER.as_ref().and_then(|over| over.find(line));
    let rest = found.map_or("", |found| &line[found.end()..]);
    let end = rest.find(['.', '!', '?']).unwrap_or(rest.len());
    rest[end..].starts_with('?') || matches(&PERSISTS, &rest[..end])
}

/// Returns the path of a URL without its query.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split('?').next().unwrap_or_default()
}

fn matches(expression: &LazyLock<Option<Regex>>, line: &str) -> bool {
    expression.as_ref().is_some_and(|it| it.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(SUCCESS.len(), DONE.len());
        for expression in [&FAILURE, &HARMLESS, &OVER, &DOUBTED, &PERSISTS, &RESPONDED] {
            assert!(expression.is_some());
        }
    }

    #[test]
    fn the_outcome_is_found_below_the_failure() {
        let url = Url::parse("https://x.example/a.json").ok();
        for (below, expected) in [
            ("Already up to date.", Outcome::Over),
            ("Successfully installed a-1.0", Outcome::Over),
            (
                "Successfully built a\nERROR: could not connect",
                Outcome::Open,
            ),
            ("INFO 200 OK https://x.example/a.json", Outcome::Over),
            ("INFO 200 OK https://x.example/b.json", Outcome::Open),
            ("GET /a.json 200 12ms", Outcome::Over),
            ("GET /health 200 12ms", Outcome::Open),
            (
                "but that is solved. Why is the page blank?",
                Outcome::Doubted,
            ),
            ("Does it work if that is fixed?", Outcome::Open),
            ("It does not happen on my machine.", Outcome::Open),
            ("That is fixed now.", Outcome::Doubted),
            ("It is fixed now, but I still see it", Outcome::Open),
            ("Never mind: my script closed the socket.", Outcome::Doubted),
            ("EDIT: I tried the other region, too.", Outcome::Open),
            ("Solution: renew the certificate.", Outcome::Open),
            ("KeyboardInterrupt", Outcome::Over),
            ("Please help.", Outcome::Open),
        ] {
            let text = format!("Error: socket hang up\n{below}");
            let found = Outcomes::of(&text).after(1, url.as_ref(), "");
            assert_eq!(found, expected, "{below}");
        }
    }
}
