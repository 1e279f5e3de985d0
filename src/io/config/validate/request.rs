//! What a probe sends.
//!
//! Headers are checked here to the letter, so that the probe never fails on one. A known
//! credential header written in plain is refused: the configuration is no place for it.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue as HttpValue, Method};
use url::Url;

use super::disk::read_file;
use super::secret;
use super::text::{choice, count, set, size, web_url};
use crate::io::config::document::Site;
use crate::io::config::file::{HeaderValue, RequestTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::target::{HeaderText, IpVersion, RequestSettings};

/// As many as browsers follow.
const MAX_REDIRECTS: u32 = 20;

/// A body is held in memory by each target: enough for any JSON, too little for a slip.
const MAX_BODY: u64 = 1024 * 1024;

/// Kept bodies of all probes in flight share the memory.
const MAX_BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Headers that frame the message; the HTTP library writes them.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

/// Headers whose value is a credential by definition.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "x-api-key"];

/// Reads the table into `request`.
pub(super) fn read(
    table: &Layer<'_, RequestTable>,
    request: &mut RequestSettings,
    problems: &mut Problems,
) {
    let verb = table.pick("method", |t| t.method.as_ref());
    set(&mut request.method, verb, |text| method(text), problems);
    headers(table, request, problems);
    body(table, request, problems);
    let redirects = table.pick("max_redirects", |t| t.max_redirects.as_ref());
    set(
        &mut request.max_redirects,
        redirects,
        |n| count(*n, 0, MAX_REDIRECTS),
        problems,
    );
    const VERSIONS: [(&str, IpVersion); 3] = [
        ("any", IpVersion::Any),
        ("4", IpVersion::V4),
        ("6", IpVersion::V6),
    ];
    let ip = table.pick("ip", |t| t.ip.as_ref());
    set(
        &mut request.ip,
        ip,
        |text| choice(text, &VERSIONS),
        problems,
    );
    let reuse = table.pick("reuse_connection", |t| t.reuse_connection.as_ref());
    set(&mut request.reuse_connection, reuse, |on| Ok(*on), problems);
    let through = table.pick("proxy", |t| t.proxy.as_ref());
    set(
        &mut request.proxy,
        through,
        |text| proxy(text).map(Some),
        problems,
    );
    let limit = table.pick("body_limit", |t| t.body_limit.as_ref());
    set(
        &mut request.body_limit,
        limit,
        |text| {
            let bytes = size(text)?;
            if bytes > MAX_BODY_LIMIT {
                return Err(format!(
                    "{:?} is more than a probe may keep; write \"16MB\" or less",
                    text.0
                ));
            }
            Ok(bytes)
        },
        problems,
    );
    if let Some(found) = table.pick("allow_addresses", |t| t.allow_addresses.as_ref()) {
        for (index, text) in found.value.iter().enumerate() {
            match text.parse::<IpAddr>() {
                Ok(address) => request.allow_addresses.push(address),
                Err(_) => problems.error(found.site.index(index).problem(format!(
                    "{text:?} is not an IP address; write \"169.254.1.1\" or \"fe80::1\""
                ))),
            }
        }
    }
}

fn method(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) if upper == "CONNECT" => Err(
            "CONNECT opens a tunnel and is not a probe; use `proxy` or another method".to_owned(),
        ),
        Ok(_) if upper != text => Err(format!("methods are in upper case; write {upper:?}")),
        Ok(_) => Ok(upper),
        Err(_) => Err(format!(
            "{text:?} is not an HTTP method; write \"GET\" or \"POST\""
        )),
    }
}

/// Default headers first; a target's own of the same name takes their place.
fn headers(
    table: &Layer<'_, RequestTable>,
    request: &mut RequestSettings,
    problems: &mut Problems,
) {
    for found in table.both("headers", |t| t.headers.as_ref()) {
        for (name, value) in found.value {
            let site = found.site.key(name);
            if let Some(text) = header(name, value, &site, problems) {
                request
                    .headers
                    .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                request.headers.push((name.clone(), text));
            }
        }
    }
}

fn header(
    name: &str,
    value: &HeaderValue,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<HeaderText> {
    let lower = name.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        problems.error(site.problem("not a header name; use letters, digits and hyphens"));
        return None;
    }
    if FRAMING.contains(&lower.as_str()) {
        problems.error(site.problem("this header is set by the HTTP library; remove it"));
        return None;
    }
    match value {
        HeaderValue::Plain(_) if CREDENTIALS.contains(&lower.as_str()) => {
            problems.error(site.problem(
                "a secret never stands in the configuration; write { file = \"PATH\" }, \
                 { env = \"NAME\" } or { credential = \"NAME\" }",
            ));
            None
        }
        HeaderValue::Plain(text) if HttpValue::from_str(text).is_err() => {
            problems.error(site.problem(
                "has a character that no header may carry, such as a line break; remove it",
            ));
            None
        }
        HeaderValue::Plain(text) => Some(HeaderText::Plain(text.clone())),
        HeaderValue::Secret(source) => match secret::for_header(source, site) {
            Ok(secret) => Some(HeaderText::Secret(secret)),
            Err(message) => {
                problems.error(site.problem(message));
                None
            }
        },
    }
}

/// `body` and `body_file` are two ways to say one thing: a target's own hides either default.
fn body(table: &Layer<'_, RequestTable>, request: &mut RequestSettings, problems: &mut Problems) {
    let table = table.shadowed_if(|own| own.body.is_some() || own.body_file.is_some());
    let inline = table.pick("body", |t| t.body.as_ref());
    let file = table.pick("body_file", |t| t.body_file.as_ref());
    if let (Some(_), Some(file)) = (&inline, &file) {
        problems.error(
            file.site
                .problem("there is a `body` as well; keep one of the two"),
        );
    }
    if let Some(found) = inline {
        request.body = found.value.as_bytes().into();
    } else if let Some(found) = file {
        match read_file(&found.site.relative(found.value), MAX_BODY) {
            Ok(bytes) => request.body = Arc::from(bytes),
            Err(message) => problems.error(found.site.problem(message)),
        }
    }
}

fn proxy(text: &str) -> Result<Url, String> {
    web_url(text).map_err(|message| format!("as a proxy: {message}"))
}
