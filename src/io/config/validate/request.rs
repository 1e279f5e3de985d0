//! Reads `[target.request]`: the request that a probe sends.
//!
//! Headers are checked here, so that an invalid header never makes a probe fail. A header whose
//! value is a credential must not be written in plain text.

use std::sync::Arc;

use super::secret;
use crate::io::config::named_file::read_file;
use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::address::{Address, ConnectTo, NameServer};
use crate::io::config::value::number::{BodyLimit, Bounded};
use crate::io::config::value::secret::{
    HeaderText as WrittenHeader, HeaderValue, SECRET_FORM, SecretText,
};
use crate::io::config::value::text::{
    HttpMethod, HttpWord, IpVersionWord, UserName, check_header_name,
};
use crate::io::config::value::url::{HostText, ProxyUrl, ServerNameText};
use crate::model::target::{HeaderText, ProxyAuth, RequestSettings, Target};

/// Maximum value of `max_redirects`, the number of redirects to follow. Chrome and Firefox have the
/// same limit.
const MAX_REDIRECTS: u32 = 20;

/// Maximum size of a `body_file` in bytes. The request bodies of all targets are kept in memory,
/// and the path of a larger file is probably wrong.
const MAX_BODY: u64 = 1024 * 1024;

/// Maximum length in bytes of the user name and of the password for a proxy: the limit of the SOCKS
/// protocol (RFC 1929).
const MAX_SOCKS_TEXT: usize = 255;

/// Lowercase names of headers that only the HTTP library may set.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

/// Lowercase names of headers whose value is always a credential.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "x-api-key"];

/// Reads the `request` table of a target or of `[defaults]`.
pub(super) fn read(table: &Table<'_>, request: &mut RequestSettings) {
    table.set::<HttpMethod>("method", &mut request.method);
    headers(table, request);
    body(table, request);
    table.set::<Bounded<0, MAX_REDIRECTS>>("max_redirects", &mut request.max_redirects);
    table.set::<IpVersionWord>("ip", &mut request.ip);
    table.set::<bool>("reuse_connection", &mut request.reuse_connection);
    table.set::<bool>("cookies", &mut request.cookies);
    table.set::<HttpWord>("http", &mut request.http);
    table.set::<ConnectTo>("connect_to", &mut request.connect_to);
    table.set::<ServerNameText>("server_name", &mut request.server_name);
    if let Some(servers) = table.find("resolver") {
        request.resolver = servers.read_items::<NameServer>();
    }
    proxy(table, request);
    host(table, request);
    table.set::<BodyLimit>("body_limit", &mut request.body_limit);
    if let Some(list) = table.find("allow_addresses") {
        request.allow_addresses = list.read_items::<Address>();
    }
}

/// Reports a `connect_to` that has no effect, because the target has an http URL and an HTTP proxy.
pub(super) fn check_connect_to(table: &Table<'_>, target: &Target) {
    if target.request.ignores_connect_to(target.url.scheme()) {
        let request = table.table("request", schema::REQUEST);
        request.place_of("connect_to").error(
            "has no effect on an http URL through an HTTP proxy; use an https URL or a SOCKS \
             proxy, or remove `connect_to`",
        );
    }
}

/// Reads the headers of `[defaults]`, then the headers of the target. A header of the target
/// replaces a default header with the same name.
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
    let valid = value.place.check(check_header_name(name));
    let written = value.read::<WrittenHeader>()?;
    valid?;
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

/// Reads `host`: the value of the `Host` header, or of the authority in HTTP/2.
fn host(table: &Table<'_>, request: &mut RequestSettings) {
    let is_host = |(name, _): &(String, HeaderText)| name.eq_ignore_ascii_case("host");
    let Some(host) = table.get::<HostText>("host") else {
        return;
    };
    if request.headers.iter().any(is_host) {
        let message = "is also set by the header `Host` in `headers`; remove that header";
        table.place_of("host").error(message);
    }
    request
        .headers
        .push(("Host".to_owned(), HeaderText::Plain(host)));
}

/// Reads `proxy`, and the credentials for the proxy from `proxy_auth`.
fn proxy(table: &Table<'_>, request: &mut RequestSettings) {
    table.set::<ProxyUrl>("proxy", &mut request.proxy);
    let Some(auth) = table.find("proxy_auth") else {
        return;
    };
    let Some(auth_table) = auth.table(schema::BASIC) else {
        return;
    };
    let username = auth_table.required::<UserName>("username", "username = \"probe\"");
    let source = auth_table.required::<SecretText>("password", "password = { file = \"PATH\" }");
    let place = auth_table.place_of("password");
    let password = source.and_then(|source| place.check(secret::read(&source, &place)));
    if let (Some(username), Some(password)) = (username, password) {
        let longest = username.len().max(password.expose().len());
        if longest > MAX_SOCKS_TEXT {
            auth.place.error(
                "the user name or the password is longer than 255 bytes; use shorter credentials",
            );
        }
        request.proxy_auth = Some(ProxyAuth { username, password });
    }
    if !table.has("proxy") {
        auth.place
            .error("has no effect without `proxy`; add `proxy` or remove `proxy_auth`");
    }
}

/// Reads the request body from `body` or `body_file`. If a target contains one of these keys, both
/// keys of `[defaults]` are ignored.
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
    }
    if let Some(name) = file.read::<String>() {
        let bytes = read_file(&file.place.relative(&name), MAX_BODY);
        if let Some(bytes) = file.place.check(bytes) {
            request.body = Arc::from(bytes);
        }
    }
}
