//! Reads the error pages of platforms as a browser shows them: without markup and without headers.
//!
//! The pages of Vercel, Cloudflare, Fastly, Varnish and Apache httpd contain a vendor-specific
//! error code or reason. The error code, the front door or the author of the page (`error_page`) is
//! added as a fact for the rules.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::body::known_text::of_cloudflare;
use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::pages::heading::Heading;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::Reader;

/// Maximum length in bytes of a line of a page.
const MAX_LINE: usize = 400;

/// Maximum length in bytes of a line that is searched for the sentences of `vendor_text`. Such a
/// sentence may be a field of a log line.
const MAX_LOGGED: usize = 2_000;

/// Maximum length in bytes of the line with the status on Vercel's page.
const MAX_HEADING: usize = 80;

/// Maximum distance in lines between the parts of one page.
const MAX_DISTANCE: usize = 12;

/// Matches the line with the status on Vercel's page, such as `504: GATEWAY_TIMEOUT`. Captures the
/// status.
static VERCEL_STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W*([45]\d\d): \W*(?:NOT_FOUND|GONE|FORBIDDEN|UNAUTHORIZED|BAD_REQUEST|BAD_GATEWAY|PAYMENT_REQUIRED|METHOD_NOT_ALLOWED|TOO_MANY_REQUESTS|[A-Z]+_TIMEOUT|[A-Z]+_TOO_LARGE|[A-Z_]+_ERROR|[A-Z_]+_UNAVAILABLE|[A-Z_]+_FAILED|[A-Z_]+_DETECTED|[A-Z_]+_DISABLED|[A-Z_]+_NOT_FOUND|[A-Z_]+_THROTTLED|[A-Z_]+_BLOCKED)\W*$",
    )
});

/// Matches the line with the error code on Vercel's page. Captures the code.
static VERCEL_CODE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\W*(?:Error )?Code: \W*([A-Z]+(?:_[A-Z]+)+)\W*$"));

/// Matches a failed request in Vercel's log. Captures the method, the path, the error code and the
/// status.
static VERCEL_LOG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?:\[([A-Z]+)\] (/\S*) )?reason=([A-Z]+(?:_[A-Z]+)+), status=([45]\d\d)\s*(?:,\s?\w+=.*)?$",
    )
});

/// Matches an error code of Vercel and the id of the request, which directly follows the code in a
/// message. Captures the code.
static VERCEL_MESSAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?:\\[nr]|\b)([A-Z]+(?:_[A-Z]+)+)(?:\\[nr]|\s){1,6}[a-z]{3}\d::[A-Za-z0-9:-]{4,}")
});

/// Matches the heading of Cloudflare's page, with or without the id of the request. Captures the
/// error code.
static CLOUDFLARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\W*(?:.{0,60}\s)?Error (?:code:? )?(1\d\d\d|5[0-3]\d)\b(.{0,200}Ray ID.*|\W*)$")
});

/// The line that follows the heading on Cloudflare's pages since 2022.
const CLOUDFLARE_LINK: &str = "Visit cloudflare.com for more information.";

/// The titles of Cloudflare's pages, each with the error code.
const CLOUDFLARE_TITLES: [(&str, u16); 7] = [
    ("Web server is returning an unknown error", 520),
    ("Web server is down", 521),
    ("Connection timed out", 522),
    ("Origin is unreachable", 523),
    ("A timeout occurred", 524),
    ("SSL handshake failed", 525),
    ("Invalid SSL certificate", 526),
];

/// Explanations on Cloudflare's pages, each with the error code.
const CLOUDFLARE_REASONS: [(&str, u16); 6] = [
    (
        "is unable to establish an SSL connection to the origin server",
        525,
    ),
    ("The web server is not returning a connection.", 521),
    ("but the origin web server timed out before responding", 524),
    (
        "The origin web server does not have a valid SSL certificate",
        526,
    ),
    (
        "Cloudflare is currently unable to resolve your requested domain",
        1016,
    ),
    ("and Cloudflare is currently unable to resolve it", 1033),
];

/// Matches a sentence that names Cloudflare and an error code from 1000 to 1999. Captures the code.
static CLOUDFLARE_SENTENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\bcloudflare\b.{0,60}\berror:?\s(?:code:?\s)?(1\d\d\d)\b"));

/// Matches the heading of a page of Varnish or Fastly. Captures the status and the reason.
static VARNISH: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\W*Error ([45]\d\d) ([A-Za-z][a-z A-Z]{3,60}?)\W*$"));

/// Matches the line of Apache's page that states why the proxied request failed. Captures the
/// reason.
static APACHE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\W*Reason: \W*((?:Error reading from remote server|DNS lookup failure for|Error during SSL Handshake with remote server).{0,200})$",
    )
});

impl Reader {
    /// Reads a line of an error page, or a line with a sentence that `vendor_text` recognizes.
    /// Returns whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn page_text(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        if line.len() <= MAX_LOGGED && self.vendor_text(line, number) {
            return true;
        }
        if line.len() > MAX_LINE {
            return false;
        }
        // The regular expressions are tried only on lines that contain a word of these pages,
        // because most lines contain none.
        let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
        (has(&["reason=", "Code: ", ": "]) && self.vercel_text(line, number))
            || (has(&["Error ", "Ray ID", "loud", "origin", "returning"])
                && self.cloudflare_text(line, number))
            || (has(&["Error ", "Details: ", "Varnish"]) && self.varnish_text(line, number))
            || (has(&["Reason: "]) && self.apache_text(line, number))
    }

    fn vercel_text(&mut self, line: &str, number: usize) -> bool {
        if line.contains("reason=")
            && let Some(found) = captures(&VERCEL_LOG, line)
        {
            let Ok(status) = found[4].parse() else {
                return false;
            };
            let mut exchange = Exchange::stated(status, number);
            exchange.request.method = found.get(1).map(|method| method.as_str().to_owned());
            exchange.facts = vec![text_fact("platform_error", &found[3])];
            self.complete(exchange);
            return true;
        }
        // A line that ends with a comma is an entry of an enumeration, not a heading.
        if line.len() < MAX_HEADING
            && !line.trim_end().ends_with(',')
            && let Some(found) = captures(&VERCEL_STATUS, line)
        {
            let Ok(status) = found[1].parse() else {
                return false;
            };
            let exchange = Exchange {
                is_weak: true,
                ..Exchange::stated(status, number)
            };
            self.next(exchange);
            self.message_line = number;
            return true;
        }
        let is_below = number <= self.message_line + MAX_DISTANCE;
        let current = &mut self.current;
        let has_status = current.source == Source::Message && current.response.is_some();
        if !has_status || !is_below {
            return false;
        }
        let Some(found) = captures(&VERCEL_CODE, line) else {
            return false;
        };
        current.is_weak = false;
        current.facts = vec![text_fact("platform_error", &found[1])];
        true
    }

    fn cloudflare_text(&mut self, line: &str, number: usize) -> bool {
        if let Some(found) = captures(&CLOUDFLARE, line) {
            let Ok(code) = found[1].parse() else {
                return false;
            };
            let Some(status) = of_cloudflare(code) else {
                return false;
            };
            self.heading = Some(Heading {
                line: number,
                status,
                text: line.trim().to_owned(),
                code: Some(code),
            });
            if !line.contains("Ray ID") && !is_title(code, line) {
                return true;
            }
        }
        let is_heading = self.heading.as_ref().is_some_and(|it| it.line == number);
        if !line.contains("Ray ID") && line.trim() != CLOUDFLARE_LINK && !is_heading {
            return self.cloudflare_reason(line, number);
        }
        let Some((heading, code)) = self.heading_above(number, |heading| heading.code) else {
            return false;
        };
        let mut exchange = inferred(heading.status, heading.line);
        exchange.facts = cloudflare_facts(code);
        self.vendor_facts.push(exchange.facts.clone());
        self.complete(exchange);
        true
    }

    /// Reads a line that explains an error of Cloudflare, as part of a page whose heading is
    /// missing.
    fn cloudflare_reason(&mut self, line: &str, number: usize) -> bool {
        let mut reasons = CLOUDFLARE_REASONS.iter();
        let Some((_, code)) = reasons.find(|(reason, _)| line.contains(reason)) else {
            return false;
        };
        let facts = cloudflare_facts(*code);
        if self.vendor_facts.contains(&facts) || self.current.is_answered() {
            return false;
        }
        let mut exchange = inferred(of_cloudflare(*code).unwrap_or(*code), number);
        exchange.facts.clone_from(&facts);
        self.vendor_facts.push(facts);
        self.complete(exchange);
        true
    }

    fn varnish_text(&mut self, line: &str, number: usize) -> bool {
        if let Some(found) = captures(&VARNISH, line) {
            let Ok(status) = found[1].parse() else {
                return false;
            };
            self.heading = Some(Heading {
                line: number,
                status,
                text: found[2].to_owned(),
                code: None,
            });
            return true;
        }
        let is_fastly = line.contains("Details: cache-");
        if !is_fastly && line.trim() != "Varnish cache server" {
            return false;
        }
        let above = self.heading_above(number, |heading| heading.code.is_none().then_some(0));
        let Some((heading, _)) = above else {
            return false;
        };
        let mut exchange = inferred(heading.status, heading.line);
        if let Some(response) = &mut exchange.response {
            if !is_fastly {
                response.raw_body(&format!(
                    "<title>{} {}</title>",
                    heading.status, heading.text
                ));
            }
            response.reason = Some(heading.text);
        }
        exchange.facts = if is_fastly {
            vec![text_fact("front_door", "fastly")]
        } else {
            vec![
                text_fact("front_door", "varnish"),
                text_fact("error_page", "varnish"),
            ]
        };
        self.complete(exchange);
        true
    }

    fn apache_text(&mut self, line: &str, number: usize) -> bool {
        let Some(found) = captures(&APACHE, line) else {
            return false;
        };
        let mut exchange = inferred(502, number);
        if let Some(response) = &mut exchange.response {
            response.raw_body(&found[1]);
        }
        exchange.facts = vec![text_fact("error_page", "apache")];
        self.complete(exchange);
        true
    }

    /// Removes the last heading, and returns it with the value that `part` returns for it. Returns
    /// `None` if there is no heading, if `part` returns `None`, or if the heading is too far above
    /// line `number`.
    fn heading_above<T>(
        &mut self,
        number: usize,
        part: impl Fn(&Heading) -> Option<T>,
    ) -> Option<(Heading, T)> {
        let heading = self.heading.take()?;
        let value = part(&heading)?;
        (number <= heading.line + MAX_DISTANCE).then_some((heading, value))
    }

    /// If a line contains an error code of Vercel, or an error code of Cloudflare that fits the
    /// status of the response, adds the code as a fact. Does nothing unless the current response
    /// was read from a message and has no facts.
    pub(in crate::domain::transcript::reader) fn note_platform_error(&mut self, line: &str) {
        let current = &mut self.current;
        if current.source != Source::Message || !current.facts.is_empty() {
            return;
        }
        let Some(response) = &current.response else {
            return;
        };
        if line.contains("::")
            && let Some(found) = captures(&VERCEL_MESSAGE, line)
        {
            current.facts = vec![text_fact("platform_error", &found[1])];
            return;
        }
        if !line.contains("loudflare") {
            return;
        }
        let code = captures(&CLOUDFLARE_SENTENCE, line).and_then(|found| found[1].parse().ok());
        let is_of_status = |code: &u16| of_cloudflare(*code) == Some(response.status);
        if let Some(code) = code.filter(is_of_status) {
            current.facts = cloudflare_facts(code);
        }
    }
}

/// Returns whether a line contains the title of Cloudflare's page for an error code.
fn is_title(code: u16, line: &str) -> bool {
    let mut titles = CLOUDFLARE_TITLES.iter();
    titles.any(|(title, known)| *known == code && line.contains(title))
}

fn captures<'a>(
    expression: &LazyLock<Option<Regex>>,
    line: &'a str,
) -> Option<regex::Captures<'a>> {
    expression.as_ref()?.captures(line)
}

/// Returns an exchange whose status is inferred from a page or a sentence. The exchange is weak: it
/// is kept only if the text contains no other exchange.
pub(super) fn inferred(status: u16, line: usize) -> Exchange {
    let mut exchange = Exchange::stated(status, line);
    exchange.is_weak = true;
    if let Some(response) = &mut exchange.response {
        response.is_inferred = true;
    }
    exchange
}

pub(in crate::domain::transcript::reader) fn text_fact(
    name: &str,
    value: &str,
) -> (String, FactValue) {
    (name.to_owned(), FactValue::Text(value.to_owned()))
}

/// Returns the facts for the error `code` of Cloudflare, as stated on a page or in a sentence.
fn cloudflare_facts(code: u16) -> Vec<(String, FactValue)> {
    let number = FactValue::Number(f64::from(code));
    vec![
        ("cloudflare.error".to_owned(), number),
        text_fact("cloudflare.stated", "page"),
    ]
}
