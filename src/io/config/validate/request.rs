//! Reads `[target.request]`: the request that a probe sends.
//!
//! Headers are checked here, so that an invalid header never makes a probe fail. A header whose
//! value is a credential must not be written in plain text.

use std::sync::Arc;

use super::secret;
use crate::io::config::named_file::read_file;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::address::Address;
use crate::io::config::value::number::{BodyLimit, Bounded};
use crate::io::config::value::secret::{HeaderText as WrittenHeader, HeaderValue, SECRET_FORM};
use crate::io::config::value::text::{HttpMethod, HttpUrl, IpVersionWord, check_header_name};
use crate::model::target::{HeaderText, RequestSettings};

/// The keys of `[target.request]`.
pub(super) const KEYS: [&str; 10] = [
    "method",
    "headers",
    "body",
    "body_file",
    "max_redirects",
    "ip",
    "reuse_connection",
    "proxy",
    "body_limit",
    "allow_addresses",
];

/// Maximum number of redirects that a probe follows, as in browsers.
const MAX_REDIRECTS: u32 = 20;

/// Maximum size of a request body in bytes. The bodies of all targets are in memory, and a larger
/// file is probably the wrong one.
const MAX_BODY: u64 = 1024 * 1024;

/// Lowercase names of headers that only the HTTP library may set.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

/// Lowercase names of headers whose value is always a credential.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "x-api-key"];

/// Reads the `request` table of a target or of the defaults.
pub(super) fn read(table: &Table<'_>, request: &mut RequestSettings) {
    table.set::<HttpMethod>("method", &mut request.method);
    headers(table, request);
    body(table, request);
    table.set::<Bounded<0, MAX_REDIRECTS>>("max_redirects", &mut request.max_redirects);
    table.set::<IpVersionWord>("ip", &mut request.ip);
    table.set::<bool>("reuse_connection", &mut request.reuse_connection);
    table.set::<HttpUrl>("proxy", &mut request.proxy);
    table.set::<BodyLimit>("body_limit", &mut request.body_limit);
    if let Some(list) = table.find("allow_addresses") {
        request.allow_addresses = list.read_items::<Address>();
    }
}

/// Reads the headers of the defaults, then the headers of the target. A header of the target
/// replaces a default header of the same name.
fn headers(table: &Table<'_>, request: &mut RequestSettings) {
    for headers in table.find_all("headers") {
        for (name, value) in headers.entries() {
            if let Some(text) = header(name, &value) {
                let same = |other: &str| other.eq_ignore_ascii_case(name);
                request.headers.retain(|(other, _)| !same(other));
                request.headers.push((name.to_owned(), text));
            }
        }
    }
}

fn header(name: &str, value: &Value<'_>) -> Option<HeaderText> {
    let written = value.read::<WrittenHeader>()?;
    value.place.check(check_header_name(name))?;
    let lower = name.to_ascii_lowercase();
    if FRAMING.contains(&lower.as_str()) {
        let message = "this header is set by the HTTP library; remove it";
        value.place.error(message);
        return None;
    }
    let text = match written {
        HeaderValue::Plain(_) if CREDENTIALS.contains(&lower.as_str()) => {
            Err(SECRET_FORM.to_owned())
        }
        HeaderValue::Plain(text) if http::HeaderValue::from_str(&text).is_err() => Err(
            "contains a character that is not allowed in a header, such as a line break; remove \
             it"
            .to_owned(),
        ),
        HeaderValue::Plain(text) => Ok(HeaderText::Plain(text)),
        HeaderValue::Secret(source) => {
            secret::for_header(&source, &value.place).map(HeaderText::Secret)
        }
    };
    value.place.check(text)
}

/// Reads the request body from `body` or `body_file`. Each of these keys of a target replaces both
/// keys of the defaults.
fn body(table: &Table<'_>, request: &mut RequestSettings) {
    let table = table.without_defaults_if_own(&["body", "body_file"]);
    let Some(file) = table.find("body_file") else {
        if let Some(text) = table.get::<String>("body") {
            request.body = text.into_bytes().into();
        }
        return;
    };
    if table.has("body") {
        file.place
            .error("cannot be combined with `body`; remove one of them");
    } else if let Some(name) = file.read::<String>() {
        let bytes = read_file(&file.place.relative(&name), MAX_BODY);
        if let Some(bytes) = file.place.check(bytes) {
            request.body = Arc::from(bytes);
        }
    }
}
