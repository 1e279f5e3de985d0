//! Recognizes texts in which gateways, servers, registries and APIs state why they rejected a
//! request. The fact `stated_reason` names the reason as one word.

use crate::domain::diagnosis::fact::Facts;

/// Parts of bodies, each with the value of the fact `stated_reason`. If a body contains several of
/// these parts, the first entry counts. The values come from these programs and services:
///
/// - `rate-limit`: Docker Hub, GitHub, Google, OpenAI, Anthropic, Let's Encrypt, Shopify and Azure
///   API Management
/// - `credentials-missing`: Tyk, Apache APISIX, Azure API Management and OAuth 2.0 (RFC 6750)
/// - `no-route`: Apache APISIX and Gravitee
/// - `plain-http`: Go's HTTP server (`net/http/server.go`)
/// - `offline`: Azure Functions
/// - `blocked`: Akamai
const TEXTS: [(&str, &str); 25] = [
    (
        "Client sent an HTTP request to an HTTPS server.",
        "plain-http",
    ),
    ("API rate limit exceeded", "rate-limit"),
    ("secondary rate limit", "rate-limit"),
    ("toomanyrequests: ", "rate-limit"),
    (" pull rate limit", "rate-limit"),
    ("You are being rate limited", "rate-limit"),
    ("userRateLimitExceeded", "rate-limit"),
    ("Quota exceeded for quota metric", "rate-limit"),
    ("Rate limit reached for ", "rate-limit"),
    ("\"rate_limit_error\"", "rate-limit"),
    ("You exceeded your current quota", "rate-limit"),
    ("We had to rate limit your IP", "rate-limit"),
    ("urn:ietf:params:acme:error:rateLimited", "rate-limit"),
    (" calls per second for api client", "rate-limit"),
    ("Rate limit is exceeded. Try again in ", "rate-limit"),
    ("no auth header found", "credentials-missing"),
    ("Authorization field missing", "credentials-missing"),
    ("Missing API key", "credentials-missing"),
    ("Missing JWT token in request", "credentials-missing"),
    (" subscription key", "credentials-missing"),
    ("error=\"invalid_token\"", "credentials-missing"),
    ("\"404 Route Not Found\"", "no-route"),
    ("No context-path matches the request URI", "no-route"),
    (
        "This Azure Functions app is down for maintenance",
        "offline",
    ),
    ("//errors.edgesuite.net/", "blocked"),
];

impl Facts {
    /// Adds the reason that the body states. The fact `body.text` must already be set.
    pub(super) fn add_stated_reason(&mut self) {
        let Some(text) = self.text("body.text") else {
            return;
        };
        let known = TEXTS.iter().find(|(part, _)| text.contains(part));
        if let Some((_, reason)) = known {
            self.set_text("stated_reason", reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::Response;

    #[test]
    fn the_reason_in_a_body_is_found() {
        for (body, expected) in [
            (
                "{\"message\":\"API rate limit exceeded for 192.0.2.1.\"}",
                Some("rate-limit"),
            ),
            (
                "Client sent an HTTP request to an HTTPS server.\n",
                Some("plain-http"),
            ),
            ("{\"error_msg\":\"404 Route Not Found\"}", Some("no-route")),
            ("{\"message\":\"Forbidden\"}", None),
        ] {
            let mut facts = Facts::default();
            facts.add_body(&Response::of(403, &[], body));
            facts.add_stated_reason();
            assert_eq!(facts.text("stated_reason"), expected, "{body}");
        }
    }
}
