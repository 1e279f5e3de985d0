//! What a target says back of the credentials it was sent: taken out before anybody reads it.
//!
//! An endpoint that repeats its request, be it hostile or only talkative, would else carry a
//! token to pages, logs and alarms. Knows a secret by its very bytes: one that comes back
//! encoded otherwise is not known again.

use std::borrow::Cow;

use http::HeaderMap;
use memchr::memmem;

use crate::model::observation::Observation;
use crate::model::target::{Auth, Target};

/// The secrets that this probe has sent.
#[derive(Default)]
pub(super) struct Sent(Vec<Vec<u8>>);

/// Shorter ones are left: they occur by chance, and taking them out would show them.
const SHORTEST: usize = 6;

/// What stands where a secret was.
const MARK: &str = "[secret]";

impl Sent {
    /// Remembers the secrets among a request's headers, and the password behind them.
    pub(super) fn note(&mut self, target: &Target, headers: &HeaderMap) {
        for value in headers.values().filter(|value| value.is_sensitive()) {
            let value = value.as_bytes();
            // Of `Bearer …` and `Basic …` the second word is the secret.
            let scheme = [&b"Bearer "[..], b"Basic "];
            let secret = scheme.iter().find_map(|scheme| value.strip_prefix(*scheme));
            self.add(secret.unwrap_or(value));
        }
        if let Some(Auth::Basic { password, .. }) = &target.auth {
            self.add(password.expose().as_bytes());
        }
    }

    fn add(&mut self, secret: &[u8]) {
        if secret.len() >= SHORTEST && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// Takes them out of everything that the target had a say in.
    pub(super) fn take_out(&self, seen: &mut Observation) {
        for secret in &self.0 {
            hide_in(&mut seen.final_url, secret);
            if let Some(fault) = &mut seen.fault {
                hide_in(&mut fault.detail, secret);
            }
            let Some(response) = &mut seen.response else {
                continue;
            };
            for (_, value) in &mut response.headers {
                hide_in(value, secret);
            }
            if let Cow::Owned(body) = hidden(&response.body, secret) {
                response.body = body;
            }
        }
    }
}

fn hide_in(text: &mut String, secret: &[u8]) {
    if let Cow::Owned(hidden) = hidden(text.as_bytes(), secret) {
        *text = String::from_utf8_lossy(&hidden).into_owned();
    }
}

fn hidden<'a>(text: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let mut places = memmem::find_iter(text, secret).peekable();
    if places.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let mut rest = 0;
    let mut out = Vec::with_capacity(text.len());
    for place in places {
        out.extend_from_slice(&text[rest..place]);
        out.extend_from_slice(MARK.as_bytes());
        rest = place + secret.len();
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
    fn a_secret_is_taken_out_wherever_the_target_put_it() {
        let url = "https://a.example/".parse().unwrap();
        let target = Target::with_defaults("a", url);
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer t0p-s3cret"), ("x-key", "12345")] {
            let mut value: http::HeaderValue = value.parse().unwrap();
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert("x-open", "for-everybody".parse().unwrap());
        let mut sent = Sent::default();
        sent.note(&target, &headers);
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://b/t0p-s3cret?x");
        seen.response = Some(Response {
            status: 500,
            version: HttpVersion::Http11,
            headers: vec![("server".to_owned(), "a t0p-s3cret b".to_owned())],
            body: b"t0p-s3crett0p-s3cret, for-everybody 12345 \xff".to_vec(),
            body_truncated: false,
            body_bytes: 40,
            content_length: None,
        });
        sent.take_out(&mut seen);
        let response = seen.response.unwrap();
        assert_eq!(seen.final_url, "https://b/[secret]?x");
        assert_eq!(response.headers[0].1, "a [secret] b");
        let expected = b"[secret][secret], for-everybody 12345 \xff";
        assert_eq!(response.body, expected);
        assert_eq!(response.body_bytes, 40, "what came on the wire stays true");
    }
}
