//! Reads the lines in which nginx logs that it refused a request itself, without an upstream.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::Exchange;
use crate::domain::transcript::pattern::pattern;

/// Captures the method and the path of the request.
static REQUEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#", request: "([A-Z]+) ([^\s?"]+)"#));

/// Captures the host of the request.
static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#", host: "([^"]+)""#));

/// A message of nginx about a request that it refused.
struct Refusal {
    /// The texts that the line contains, in this order.
    parts: [&'static str; 2],
    status: u16,
    /// The name and the value of the fact that follows from the message.
    fact: (&'static str, &'static str),
}

const PAGE: (&str, &str) = ("error_page", "nginx");
const LIMIT: (&str, &str) = ("proxy_log.error", "rate-limited");

const fn refusal(
    parts: [&'static str; 2],
    status: u16,
    fact: (&'static str, &'static str),
) -> Refusal {
    Refusal {
        parts,
        status,
        fact,
    }
}

/// The messages, from `ngx_http_core_module.c`, `ngx_http_limit_req_module.c`,
/// `ngx_http_limit_conn_module.c`, `ngx_http_access_module.c`, `ngx_http_autoindex_module.c`,
/// `ngx_http_auth_basic_module.c` and `ngx_http_request.c`. The statuses of the two limits are
/// those of nginx's default configuration.
const REFUSALS: [Refusal; 9] = [
    refusal(["client intended to send too large ", "body"], 413, PAGE),
    refusal(["limiting requests, excess: ", " by zone "], 503, LIMIT),
    refusal(["limiting connections by zone ", ""], 503, LIMIT),
    refusal(["access forbidden by rule", ""], 403, PAGE),
    refusal(["directory index of ", " is forbidden"], 403, PAGE),
    refusal(
        ["no user/password was provided for basic ", "auth"],
        401,
        PAGE,
    ),
    refusal([" was not found in \"", "\", client: "], 401, PAGE),
    refusal([": password mismatch", ""], 401, PAGE),
    refusal(["client sent too long ", "URI"], 414, PAGE),
];

/// Returns the exchange of the refused request that a line of nginx's error log reports; `None` for
/// other lines. A line about a delayed request or about a limit in dry-run mode does not report a
/// refused request.
pub(super) fn read(line: &str) -> Option<Exchange> {
    let is_refused = !line.contains("delaying request") && !line.contains("dry run");
    let mut refusals = REFUSALS.iter().filter(|_| is_refused);
    let found = refusals.find(|one| {
        let rest = line.split_once(one.parts[0]);
        rest.is_some_and(|(_, rest)| rest.contains(one.parts[1]))
    })?;
    let mut exchange = Exchange::stated(found.status, 0);
    if let Some(response) = &mut exchange.response {
        response.is_inferred = found.fact == LIMIT;
    }
    let (name, value) = found.fact;
    exchange.facts = vec![(name.to_owned(), FactValue::Text(value.to_owned()))];
    let request = REQUEST.as_ref().and_then(|it| it.captures(line));
    let host = HOST.as_ref().and_then(|it| it.captures(line));
    if let Some(request) = request {
        exchange.request.method = Some(request[1].to_owned());
        exchange.request.url =
            host.and_then(|host| command::url_of(&format!("http://{}{}", &host[1], &request[2])));
    }
    Some(exchange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_nginx_refused_are_read() {
        for (message, expected) in [
            (
                "client intended to send too large body: 2787366861 bytes",
                Some(413),
            ),
            (
                "client intended to send too large chunked body: 9+9 bytes",
                Some(413),
            ),
            ("limiting requests, excess: 5.1 by zone \"one\"", Some(503)),
            ("access forbidden by rule", Some(403)),
            ("delaying request, excess: 0.1, by zone \"one\"", None),
            (
                "limiting requests, dry run, excess: 5.1 by zone \"one\"",
                None,
            ),
            ("open() \"/a\" failed (2: No such file or directory)", None),
        ] {
            let line = format!(
                "2025/11/11 03:12:44 [error] 6#6: *2 {message}, client: 192.0.2.1, server: a, request: \"POST /b HTTP/1.1\", host: \"a.example\""
            );
            let found = read(&line).and_then(|it| it.response).map(|it| it.status);
            assert_eq!(found, expected, "{message}");
        }
    }
}
