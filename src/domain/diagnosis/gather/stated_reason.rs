//! Recognizes messages in which gateways, servers, registries and APIs state why they rejected a
//! request. The fact `stated_reason` names the reason as one word.
//!
//! An application may quote such a message, for example from the response of another service. Each
//! message is therefore recognized only in the part of the body where the program that generates
//! the message puts it.

use serde_json::Value;

use crate::domain::diagnosis::fact::Facts;

/// Where the author of a text writes it.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The text is the whole body.
    Body,
    /// The text starts the value of a member of a JSON object, or the whole body. The object has no
    /// other members than the listed ones; the first one has the text.
    Object(&'static [&'static str]),
    /// The text is the first one that the body or the HTML page shows.
    Page,
    /// The body is an HTML page with the text.
    Markup,
    /// The text starts the whole body, an element or the value of a member of [`MEMBERS`]. If there
    /// is a second text, it follows in the same value.
    Value,
}

/// Members of JSON bodies that describe the error of the response.
const MEMBERS: [&str; 22] = [
    "message",
    "Message",
    "msg",
    "error",
    "errors",
    "error_msg",
    "error_message",
    "errorMessage",
    "error_description",
    "detail",
    "details",
    "description",
    "reason",
    "code",
    "type",
    "title",
    "status",
    "fault",
    "faultstring",
    "errorCode",
    "error_code",
    "statusMessage",
];

const PLAIN_HTTP: &str = "plain-http";
const LIMIT: &str = "rate-limit";
const CREDENTIALS: &str = "credentials-missing";
const NO_ROUTE: &str = "no-route";

/// Texts of bodies, each with its place and the value of the fact `stated_reason`. If a body
/// contains several of these texts, the first entry counts. The values come from these programs and
/// services:
///
/// - `rate-limit`: Docker Hub, GitHub, Google, OpenAI, Anthropic, Let's Encrypt, Shopify and Azure
///   API Management
/// - `credentials-missing`: Tyk, Apache APISIX, Azure API Management and OAuth 2.0 (RFC 6750)
/// - `no-route`: Apache APISIX and Gravitee
/// - `plain-http`: Go's HTTP server (`net/http/server.go`)
/// - `offline`: Azure Functions
/// - `app-stopped` and `site-missing`: Azure App Service
/// - `blocked`: Akamai
const TEXTS: [(&[&str], Place, &str); 28] = [
    (
        &["Client sent an HTTP request to an HTTPS server."],
        Place::Body,
        PLAIN_HTTP,
    ),
    (&["API rate limit exceeded"], Place::Value, LIMIT),
    (
        &["You have exceeded a ", "secondary rate limit"],
        Place::Value,
        LIMIT,
    ),
    (&["toomanyrequests: "], Place::Value, LIMIT),
    (
        &["You have reached your ", "pull rate limit"],
        Place::Value,
        LIMIT,
    ),
    (&["You are being rate limited"], Place::Value, LIMIT),
    (&["userRateLimitExceeded"], Place::Value, LIMIT),
    (&["Quota exceeded for quota metric"], Place::Value, LIMIT),
    (&["Rate limit reached for "], Place::Value, LIMIT),
    (&["rate_limit_error"], Place::Value, LIMIT),
    (&["You exceeded your current quota"], Place::Value, LIMIT),
    (&["We had to rate limit your IP"], Place::Value, LIMIT),
    (
        &["urn:ietf:params:acme:error:rateLimited"],
        Place::Value,
        LIMIT,
    ),
    (
        &["Exceeded ", " calls per second for api client"],
        Place::Value,
        LIMIT,
    ),
    (
        &["Rate limit is exceeded. Try again in "],
        Place::Value,
        LIMIT,
    ),
    (
        &["Attempted access with ", "no auth header found"],
        Place::Value,
        CREDENTIALS,
    ),
    (&["Authorization field missing"], Place::Value, CREDENTIALS),
    (&["Missing API key"], Place::Value, CREDENTIALS),
    (&["Missing JWT token in request"], Place::Value, CREDENTIALS),
    (
        &["Access denied due to ", " subscription key"],
        Place::Value,
        CREDENTIALS,
    ),
    (
        &["WWW-Authenticate: Bearer", "error=\"invalid_token\""],
        Place::Value,
        CREDENTIALS,
    ),
    (
        &["404 Route Not Found"],
        Place::Object(&["error_msg"]),
        NO_ROUTE,
    ),
    (
        &["No context-path matches the request URI"],
        Place::Object(&["message", "http_status_code"]),
        NO_ROUTE,
    ),
    (
        &["This Azure Functions app is down for maintenance"],
        Place::Page,
        "offline",
    ),
    (
        &["Error 403 - This web app is stopped."],
        Place::Page,
        "app-stopped",
    ),
    (&["404 Web Site not found"], Place::Page, "site-missing"),
    (&["//errors.edgesuite.net/"], Place::Markup, "blocked"),
    (&["//errors.edgesuite.net/"], Place::Value, "blocked"),
];

impl Facts {
    /// Adds the reason that the body states. The fact `body.text` must already be set.
    pub(super) fn add_stated_reason(&mut self) {
        let Some(text) = self.text("body.text") else {
            return;
        };
        let mut texts = TEXTS.iter();
        let known = texts.find(|(parts, place, _)| place.has(text, parts));
        if let Some((_, _, reason)) = known {
            self.set_text("stated_reason", reason);
        }
    }
}

impl Place {
    /// Returns whether a body contains the parts of a text, in order, at this place.
    fn has(self, body: &str, parts: &[&str]) -> bool {
        let Some(first) = parts.first().filter(|first| body.contains(**first)) else {
            return false;
        };
        match self {
            Self::Body => body.trim_end_matches('%') == *first,
            Self::Object(members) => body.starts_with(first) || is_in_object(body, first, members),
            Self::Page => is_first_shown(body, first),
            Self::Markup => body.starts_with('<'),
            Self::Value => starts_value(body, parts),
        }
    }
}

/// Returns whether the first of the members starts with a text, and the object has no other members
/// than these.
fn is_in_object(body: &str, text: &str, members: &[&str]) -> bool {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let Some(object) = value.as_ref().and_then(Value::as_object) else {
        return false;
    };
    let stated = members.first().and_then(|name| object.get(*name)?.as_str());
    stated.is_some_and(|stated| stated.starts_with(text))
        && object.keys().all(|name| members.contains(&name.as_str()))
}

/// Returns whether a text is the first one that a body shows: the title, scripts and styles of a
/// page are not shown.
fn is_first_shown(body: &str, text: &str) -> bool {
    let Some((mut before, _)) = body.split_once(text) else {
        return false;
    };
    for end in ["</head>", "</title>", "</style>", "</script>", "<title>"] {
        if let Some((_, rest)) = before.rsplit_once(end) {
            before = rest;
        }
    }
    let mut is_tag = false;
    let shown = before.trim_start_matches('"').chars().filter(|letter| {
        let is_shown = !is_tag && !matches!(letter, '<' | '>');
        is_tag = *letter == '<' || is_tag && *letter != '>';
        is_shown
    });
    shown.into_iter().all(char::is_whitespace)
}

/// Returns whether the first part of a text starts a body, an element or the value of a member of
/// [`MEMBERS`], and the other parts follow.
fn starts_value(body: &str, parts: &[&str]) -> bool {
    let Some((first, others)) = parts.split_first() else {
        return false;
    };
    body.match_indices(first).any(|(at, _)| {
        let mut rest = &body[at + first.len()..];
        let has_others = others.iter().all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        });
        has_others && is_start(body[..at].trim_end())
    })
}

/// Returns whether a value starts after a text: the text is empty, or ends with a tag or with the
/// name of a member of [`MEMBERS`].
fn is_start(before: &str) -> bool {
    let Some(before) = before.strip_suffix('"') else {
        return before.is_empty() || before.ends_with('>');
    };
    // A list of values follows the name, too.
    let before = before.trim_end().trim_end_matches(['[', ' ', '\n']);
    let Some(name) = before.strip_suffix(':') else {
        return before.is_empty();
    };
    let name = name.trim_end().strip_suffix('"');
    let name = name.and_then(|name| name.rsplit('"').next());
    name.is_some_and(|name| MEMBERS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::Response;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let mut facts = Facts::default();
        facts.add_body(&Response::of(403, &[], body));
        facts.add_stated_reason();
        assert_eq!(facts.text("stated_reason"), expected, "{body}");
    }

    #[test]
    fn the_reason_in_a_body_is_found() {
        for (body, expected) in [
            (
                "{\"message\":\"API rate limit exceeded for 192.0.2.1.\"}",
                Some("rate-limit"),
            ),
            (
                "{\"error\": {\"type\": \"rate_limit_error\"}}",
                Some("rate-limit"),
            ),
            (
                "Client sent an HTTP request to an HTTPS server.\n",
                Some("plain-http"),
            ),
            ("{\"error_msg\":\"404 Route Not Found\"}", Some("no-route")),
            (
                "<title>Web App</title><h1 id=\"a\">Error 403 - This web app is stopped.</h1>",
                Some("app-stopped"),
            ),
            ("{\"message\":\"Forbidden\"}", None),
        ] {
            check(body, expected);
        }
    }

    #[test]
    fn a_quoted_reason_does_not_count() {
        for body in [
            "{\"error\":\"Client sent an HTTP request to an HTTPS server.\"}",
            "The target said: Client sent an HTTP request to an HTTPS server.",
            "{\"error\":\"GitHub: API rate limit exceeded\"}",
            "{\"error\":\"no\",\"partner\":\"API rate limit exceeded\"}",
            "{\"error_msg\":\"404 Route Not Found\",\"bus\":7}",
            "<p>Ticket 7: <i>Error 403 - This web app is stopped.</i></p>",
            "{\"hint\":\"see //errors.edgesuite.net/\"}",
        ] {
            check(body, None);
        }
    }
}
