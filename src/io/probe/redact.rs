//! Redacts the observation of a probe: replaces the secrets that the probe has sent.
//!
//! If an endpoint echoes a request, the web page, logs and alarms would otherwise show its secrets.
//! Only the exact bytes of a secret are found, not the secret in another encoding.

use std::borrow::Cow;

use http::HeaderMap;
use memchr::memmem;

use crate::model::observation::Observation;
use crate::model::target::{Auth, Target};

/// The secrets that a probe has sent, as bytes.
#[derive(Default)]
pub(super) struct SentSecrets(Vec<Vec<u8>>);

/// Minimum length in bytes of a secret that is redacted. A shorter secret may occur by chance in a
/// response whose text is well known, and replacing it there would reveal the secret.
const MIN_LENGTH: usize = 6;

/// The text that replaces a secret.
const REPLACEMENT: &str = "[secret]";

impl SentSecrets {
    /// Records the values of a request's secret headers, and the password of basic authentication.
    pub(super) fn record(&mut self, target: &Target, headers: &HeaderMap) {
        for value in headers.values().filter(|value| value.is_sensitive()) {
            let value = value.as_bytes();
            // In `Bearer …` and `Basic …`, only the second word is secret.
            let scheme = [&b"Bearer "[..], b"Basic "];
            let secret = scheme.iter().find_map(|scheme| value.strip_prefix(*scheme));
            self.add(secret.unwrap_or(value));
        }
        if let Some(Auth::Basic { password, .. }) = &target.auth {
            self.add(password.expose().as_bytes());
        }
    }

    fn add(&mut self, secret: &[u8]) {
        if secret.len() >= MIN_LENGTH && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// Replaces the recorded secrets in the final URL, the fault and the response.
    pub(super) fn redact(&self, seen: &mut Observation) {
        for secret in &self.0 {
            redact_text(&mut seen.final_url, secret);
            if let Some(fault) = &mut seen.fault {
                redact_text(&mut fault.detail, secret);
            }
            let Some(response) = &mut seen.response else {
                continue;
            };
            if let Some(reason) = &mut response.reason {
                redact_text(reason, secret);
            }
            for (_, value) in &mut response.headers {
                redact_text(value, secret);
            }
            if let Cow::Owned(body) = redacted(&response.body, secret) {
                response.body = body;
            }
        }
    }
}

fn redact_text(text: &mut String, secret: &[u8]) {
    if let Cow::Owned(bytes) = redacted(text.as_bytes(), secret) {
        *text = String::from_utf8_lossy(&bytes).into_owned();
    }
}

fn redacted<'a>(text: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let mut matches = memmem::find_iter(text, secret).peekable();
    if matches.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let mut rest = 0;
    let mut out = Vec::with_capacity(text.len());
    for start in matches {
        out.extend_from_slice(&text[rest..start]);
        out.extend_from_slice(REPLACEMENT.as_bytes());
        rest = start + secret.len();
    }
    out.extend_from_slice(&text[rest..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::observation::{HttpVersion, Response};

    #[test]
    fn a_secret_is_redacted_from_every_part_of_the_response() {
        let url = "https://a.example/".parse().unwrap();
        let target = Target::with_defaults("a", url);
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer t0p-s3cret"), ("x-key", "12345")] {
            let mut value: http::HeaderValue = value.parse().unwrap();
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert("x-open", "for-everybody".parse().unwrap());
        let mut sent = SentSecrets::default();
        sent.record(&target, &headers);
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://b/t0p-s3cret?x");
        seen.response = Some(Response {
            status: 500,
            reason: None,
            version: HttpVersion::Http11,
            headers: vec![("server".to_owned(), "a t0p-s3cret b".to_owned())],
            body: b"t0p-s3crett0p-s3cret, for-everybody 12345 \xff".to_vec(),
            body_truncated: false,
            body_bytes: 40,
            content_length: None,
        });
        sent.redact(&mut seen);
        let response = seen.response.unwrap();
        assert_eq!(seen.final_url, "https://b/[secret]?x");
        assert_eq!(response.headers[0].1, "a [secret] b");
        let expected = b"[secret][secret], for-everybody 12345 \xff";
        assert_eq!(response.body, expected);
        assert_eq!(response.body_bytes, 40, "the received size is kept");
    }
}
