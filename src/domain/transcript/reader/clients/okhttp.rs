//! Reads the lines that OkHttp and Retrofit log about a request and its response.
//!
//! The first line of a response is `<-- 503 Service Unavailable https://x.example/ (30163ms)`, or
//! `<--- HTTP 503 https://x.example/ (30163ms)` in old versions of Retrofit. Headers and body
//! follow.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::command;
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::status::{self, StatusLine};
use crate::domain::transcript::time::clocks::Clock;
use crate::domain::transcript::time::with_unit;
use crate::model::observation::HttpVersion;

/// Matches the first line of a request. Captures the method and the URL.
static REQUEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\s*---?> (?:HTTP )?([A-Z]{3,7}) (https?://\S+)"));

/// Matches the first line of a response. Captures the status, the reason, the URL and the duration.
static RESPONSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^\s*(?:<---? )?(?:HTTP )?([1-5]\d\d)(?: ([A-Za-z][A-Za-z' -]{0,60}?))? (https?://\S+) \((\d+ ?ms)[,)]",
    )
});

impl Reader {
    /// Reads the first line of a request or of a response. Returns whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn okhttp_line(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        if !line.contains("://") {
            return false;
        }
        if let Some(found) = REQUEST.as_ref().and_then(|it| it.captures(line)) {
            self.start_request();
            let request = &mut self.current.request;
            request.method = Some(found[1].to_owned());
            request.url = command::url_of(&found[2]);
            self.current.begin(number);
            self.in_request = true;
            return true;
        }
        let Some(found) = RESPONSE.as_ref().and_then(|it| it.captures(line)) else {
            return false;
        };
        let Some(code) = status::code(&found[1]) else {
            return false;
        };
        self.in_request = false;
        self.start_response(false);
        let current = &mut self.current;
        if let Some(url) = command::url_of(&found[3]) {
            current.progress.uses_tls = url.scheme() == "https";
            current.request.url = Some(url);
        }
        if let Some(time) = with_unit(&found[4]) {
            current.times.set(Clock::Client, time);
        }
        let line = StatusLine {
            version: HttpVersion::Http11,
            status: code,
            reason: found
                .get(2)
                .and_then(|reason| status::reason(reason.as_str())),
        };
        current.status(line, false, number);
        current.is_indented = true;
        true
    }

    /// Ends the response at the last line that OkHttp logs about it. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn okhttp_end(&mut self, line: &str) -> bool {
        let is_inside = matches!(self.current.section, Section::Headers | Section::Body);
        let line = line.trim_start();
        let is_end = is_inside && line.starts_with("<--") && line.contains(" END HTTP");
        if is_end {
            self.current.end_of_body();
        }
        is_end
    }
}
