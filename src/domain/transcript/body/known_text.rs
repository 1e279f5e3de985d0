//! Lists text bodies and error codes that proxies and platforms use for one status only.

/// Complete bodies, each with the status of the response. Envoy, Traefik, ingress-nginx, API
/// Gateway, Azure Functions and Vercel write these bodies.
const TEXTS: &[(&str, u16)] = &[
    ("no healthy upstream", 503),
    ("upstream request timeout", 504),
    ("RBAC: access denied", 403),
    ("no available server", 503),
    ("default backend - 404", 404),
    ("404 page not found", 404),
    ("Function host is not running.", 503),
    ("fault filter abort", 503),
    ("HTTP content length exceeded 10485760 bytes.", 413),
    ("Jwt is missing", 401),
    ("Jwt is expired", 401),
    ("Jwt verification fails", 401),
    ("The deployment could not be found on Vercel.", 404),
];

/// Prefixes of bodies that have only one line, each with the status of the response. Envoy and GKE
/// Ingress write these bodies.
const BEGINNINGS: &[(&str, u16)] = &[
    (
        "upstream connect error or disconnect/reset before headers",
        503,
    ),
    ("response 404 (backend NotFound)", 404),
];

/// Cloudflare's error codes with four digits, each with the status of the response, from
/// Cloudflare's list of 1xxx errors.
const CLOUDFLARE: &[(u16, u16)] = &[
    (1006, 403),
    (1007, 403),
    (1008, 403),
    (1009, 403),
    (1010, 403),
    (1012, 403),
    (1015, 429),
    (1016, 530),
    (1020, 403),
    (1033, 530),
];

/// Returns the status of a response whose body consists of this line; `None` if the line is not a
/// known body.
pub(in crate::domain::transcript) fn of_line(line: &str) -> Option<u16> {
    let line = line.trim();
    let line = line.strip_suffix('%').unwrap_or(line);
    let by_text = TEXTS.iter().find(|(text, _)| *text == line);
    let by_start = || BEGINNINGS.iter().find(|(start, _)| line.starts_with(start));
    let known = by_text.or_else(by_start).map(|(_, status)| *status);
    known.or_else(|| {
        let code = line.strip_prefix("error code: ")?.parse().ok()?;
        of_cloudflare(code)
    })
}

/// Members of the JSON bodies that Envoy is configured to write. A body with other members is from
/// an application, which may quote Envoy's text.
const MEMBERS: [&str; 12] = [
    "code",
    "detail",
    "details",
    "error",
    "message",
    "path",
    "reason",
    "requestId",
    "request_id",
    "status",
    "statusCode",
    "timestamp",
];

/// Returns whether the JSON text of an object has only members of [`MEMBERS`].
fn has_known_members(body: &str) -> bool {
    let mut names = body.match_indices("\":").map(|(at, _)| {
        let name = body[..at].rsplit('"').next();
        name.unwrap_or_default()
    });
    names.all(|name| MEMBERS.contains(&name))
}

/// Returns the string that starts with a text of [`BEGINNINGS`] and is part of a JSON body; `None`
/// if the body is no JSON object, has members that Envoy does not write, or contains no such
/// complete string. Envoy writes this string as the whole body, unless Envoy's configuration
/// demands JSON.
pub(in crate::domain::transcript) fn envoy_text(body: &str) -> Option<String> {
    if !body.starts_with('{') {
        return None;
    }
    if !has_known_members(body) {
        return None;
    }
    let start = BEGINNINGS.iter().find_map(|(start, _)| {
        let at = body.find(start)?;
        body[..at].ends_with('"').then_some(at)
    });
    let text = &body[start?..];
    let is_end = |(at, _): &(usize, &str)| !text[..*at].ends_with('\\');
    let (end, _) = text.match_indices('"').find(is_end)?;
    Some(text[..end].replace("\\\"", "\""))
}

/// Returns the status of the response for an error code of Cloudflare; `None` for unknown codes. A
/// code from 500 to 530 is itself the status.
pub(in crate::domain::transcript) fn of_cloudflare(code: u16) -> Option<u16> {
    if (500..=530).contains(&code) {
        return Some(code);
    }
    let known = CLOUDFLARE.iter().find(|(known, _)| *known == code);
    known.map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_members_of_an_application_quotes_envoy() {
        let text = "upstream connect error or disconnect/reset before headers";
        let own = format!("{{\"code\":503,\"message\":\"{text}\"}}");
        assert_eq!(envoy_text(&own).as_deref(), Some(text));
        let quoted = format!("{{\"error\":\"no payment\",\"partner\":\"{text}\"}}");
        assert_eq!(envoy_text(&quoted), None);
    }

    #[test]
    fn texts_of_proxies_have_one_status() {
        for (line, expected) in [
            ("no healthy upstream", Some(503)),
            ("no healthy upstream%", Some(503)),
            ("error code: 1033", Some(530)),
            ("error code: 521", Some(521)),
            ("error code: 7", None),
            ("no healthy upstream for me", None),
        ] {
            assert_eq!(of_line(line), expected, "{line}");
        }
    }
}
