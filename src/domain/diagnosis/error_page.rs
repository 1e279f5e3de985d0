//! Recognizes the error pages and texts that proxies write themselves.
//!
//! The forms are read from the source of each proxy. They count wherever they come from,
//! because a CDN relays the page of a proxy behind it and a transcript lacks headers. Line
//! ends and the whitespace around a page do not matter. Short texts that other programs write
//! too, such as `Bad Gateway`, are not recognized here; rules judge them.

use crate::domain::diagnosis::body_text;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::observation::Response;

/// The signature at the end of a page in nginx's form, in lower case, and its author.
const SIGNATURES: &[(&str, FrontDoor)] = &[
    ("nginx", FrontDoor::Nginx),
    ("openresty", FrontDoor::Nginx),
    ("tengine", FrontDoor::Nginx),
    ("angie", FrontDoor::Nginx),
    ("kong", FrontDoor::Kong),
    ("cloudflare", FrontDoor::Cloudflare),
    (
        "microsoft-azure-application-gateway",
        FrontDoor::AzureApplicationGateway,
    ),
];

/// The sentences of HAProxy's pages by status (`src/http.c`).
const HAPROXY: &[(u16, &str)] = &[
    (400, "Your browser sent an invalid request."),
    (
        401,
        "You need a valid user and password to access this content.",
    ),
    (403, "Request forbidden by administrative rules."),
    (404, "The resource could not be found."),
    (
        405,
        "A request was made of a resource using a request method not supported by that resource",
    ),
    (
        407,
        "You need a valid user and password to access this content.",
    ),
    (408, "Your browser didn't send a complete request in time."),
    (
        410,
        "The resource is no longer available and will not be available again.",
    ),
    (413, "The request entity exceeds the maximum allowed."),
    (421, "Request sent to a non-authoritative server."),
    (422, "The server cannot process the contained instructions."),
    (425, "Your browser sent early data."),
    (
        429,
        "You have sent too many requests in a given amount of time.",
    ),
    (500, "An internal server error occur"),
    (
        501,
        "The server does not support the functionality required to fulfill the request.",
    ),
    (
        502,
        "The server returned an invalid or incomplete response.",
    ),
    (503, "No server is available to handle this request."),
    (504, "The server didn't respond in time."),
];

/// Texts that only one program writes.
const TEXTS: &[(&str, FrontDoor)] = &[
    ("no healthy upstream", FrontDoor::Envoy),
    ("upstream request timeout", FrontDoor::Envoy),
    ("RBAC: access denied", FrontDoor::Envoy),
    ("no available server", FrontDoor::Traefik),
    ("default backend - 404", FrontDoor::GkeIngress),
    ("Function host is not running.", FrontDoor::AppService),
];

/// Beginnings of texts that only one program writes.
const BEGINNINGS: &[(&str, FrontDoor)] = &[
    (
        "upstream connect error or disconnect/reset before headers",
        FrontDoor::Envoy,
    ),
    ("{\"fault\":{\"faultstring\":", FrontDoor::Apigee),
    ("response 404 (backend NotFound)", FrontDoor::GkeIngress),
];

/// The mark that a shell prints after a text without a line end.
const NO_LINE_END: char = '%';

/// The program whose own error page or text the body is; `None` for any other body.
#[must_use]
pub(super) fn author(response: &Response) -> Option<FrontDoor> {
    if response.status < 400 || response.body.is_empty() {
        return None;
    }
    let text = body_text::text(&response.body);
    if text.starts_with('<') {
        return nginx_form(&text, response.status)
            .or_else(|| haproxy(&text, response.status))
            .or_else(|| apache(&text, response.status))
            .or_else(|| varnish(&text));
    }
    let whole = text.strip_suffix(NO_LINE_END).unwrap_or(&text);
    let by_text = TEXTS.iter().find(|(known, _)| *known == whole);
    let by_beginning = || BEGINNINGS.iter().find(|(start, _)| text.starts_with(start));
    by_text.or_else(by_beginning).map(|(_, door)| *door)
}

/// The author of a page in nginx's form: `<center><h1>502 Bad Gateway</h1></center>` and
/// `<hr><center>nginx</center>`.
fn nginx_form(page: &str, status: u16) -> Option<FrontDoor> {
    let heading = page.split_once("<center><h1>")?.1;
    let signature = heading.split_once("<hr><center>")?.1;
    let is_of_status = heading.starts_with(&format!("{status} "));
    let signature = signature.split_once("</center>")?.0.to_ascii_lowercase();
    let mut known = SIGNATURES.iter();
    let known = known.find(|(start, _)| signature.starts_with(start));
    known.filter(|_| is_of_status).map(|(_, door)| *door)
}

fn haproxy(page: &str, status: u16) -> Option<FrontDoor> {
    let content = page.strip_prefix("<html><body><h1>")?;
    let content = content.strip_prefix(&format!("{status} "))?;
    let sentence = content.split_once("</h1>\n")?.1;
    let mut known = HAPROXY.iter();
    let is_known = known.any(|(of, start)| *of == status && sentence.starts_with(start));
    is_known.then_some(FrontDoor::Haproxy)
}

fn apache(page: &str, status: u16) -> Option<FrontDoor> {
    let page = page.strip_prefix("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">")?;
    let title = page.split_once("<title>")?.1;
    let is_of_status = title.starts_with(&format!("{status} "));
    is_of_status.then_some(FrontDoor::Apache)
}

fn varnish(page: &str) -> Option<FrontDoor> {
    let is_varnish = page.contains("<h3>Guru Meditation:</h3>") && page.contains("XID: ");
    is_varnish.then_some(FrontDoor::Varnish)
}
