//! Recognizes the error pages and texts that proxies write themselves.
//!
//! The pages of open-source proxies are known from their source code. Headers are not checked,
//! because a CDN relays the pages of proxies behind it and a transcript may lack headers. Line
//! endings and surrounding whitespace are ignored. Short texts that other programs also write, such
//! as `Bad Gateway`, are left to the rules.

use crate::domain::diagnosis::application_header;
use crate::domain::diagnosis::body_text;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::model::observation::Response;

/// Prefixes of the signature at the end of a page in nginx's format, in lowercase, each with the
/// front door that writes the page. Forks and distributions of nginx count as nginx.
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

/// The status of each HAProxy error page, and the text with which the sentence on this page begins
/// (HAProxy's `src/http.c`).
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

/// Complete bodies that only one front door writes, each with that front door.
const TEXTS: &[(&str, FrontDoor)] = &[
    ("no healthy upstream", FrontDoor::Envoy),
    ("upstream request timeout", FrontDoor::Envoy),
    ("RBAC: access denied", FrontDoor::Envoy),
    ("no available server", FrontDoor::Traefik),
    ("default backend - 404", FrontDoor::GkeIngress),
    ("Function host is not running.", FrontDoor::AppService),
];

/// Prefixes of bodies that only one front door writes, each with that front door.
const BEGINNINGS: &[(&str, FrontDoor)] = &[
    (
        "upstream connect error or disconnect/reset before headers",
        FrontDoor::Envoy,
    ),
    ("{\"fault\":{\"faultstring\":", FrontDoor::Apigee),
    ("response 404 (backend NotFound)", FrontDoor::GkeIngress),
];

/// Parts of pages that only one front door writes, each with that front door.
const PARTS: &[(&str, FrontDoor)] = &[
    (
        "Our services aren't available right now</h2>",
        FrontDoor::AzureFrontDoor,
    ),
    (
        " used Cloudflare to restrict access</title>",
        FrontDoor::Cloudflare,
    ),
    (
        "<title>Attention Required! | Cloudflare</title>",
        FrontDoor::Cloudflare,
    ),
    // A sentence on a page of httpd, which identifies the page even if the document type is
    // missing.
    (
        "The proxy server could not handle the request",
        FrontDoor::Apache,
    ),
    (
        "An error occurred while processing your request.<p>\nReference",
        FrontDoor::Akamai,
    ),
    ("//www.herokucdn.com/error-pages/", FrontDoor::Heroku),
    ("<body id=ERR_", FrontDoor::Squid),
    ("<body id=\"ERR_", FrontDoor::Squid),
];

/// Parts of the error page that Google's front end writes for load balancers and services of Google
/// Cloud. The page contains both parts.
const GOOGLE_CLOUD: [&str; 2] = ["<body text=#000000 bgcolor=#ffffff>", "<h1>Error: "];

/// Part of the error page that Google's front end writes for services of Google itself: the end of
/// the title, with the closing tag.
const GOOGLE_TITLE: &str = ")!!1</title>";

/// The beginnings of httpd's error pages: first that of most releases, then that of recent releases
/// (captured from 2.4.71).
const APACHE: [&str; 2] = [
    "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">",
    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \
     \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n",
];

/// The character that zsh prints after output without a final line break. The character is ignored
/// at the end of a body, because a transcript may contain it.
const NO_LINE_END: char = '%';

/// Returns the front door that wrote the error page or text in the body; `None` if the page or text
/// is not recognized, or if the status is below 400. A text does not count if a header shows that an
/// application sent it, except for that of App Service, which runs in an application server.
#[must_use]
pub(super) fn author(response: &Response) -> Option<FrontDoor> {
    if response.status < 400 || response.body.is_empty() {
        return None;
    }
    let text = body_text::text(&response.body);
    if is_cloudfront(&text) {
        return Some(FrontDoor::CloudFront);
    }
    if text.starts_with('<') {
        return nginx_form(&text, response.status)
            .or_else(|| haproxy(&text, response.status))
            .or_else(|| apache(&text, response.status))
            .or_else(|| varnish(&text))
            .or_else(|| google(&text, response.status))
            .or_else(|| by_part(&text));
    }
    let whole = text.strip_suffix(NO_LINE_END).unwrap_or(&text);
    let by_text = TEXTS.iter().find(|(known, _)| *known == whole);
    let by_beginning = || BEGINNINGS.iter().find(|(start, _)| text.starts_with(start));
    let is_possible = |door: &FrontDoor| {
        *door == FrontDoor::AppService || !application_header::is_present(response)
    };
    let door = by_text.or_else(by_beginning).map(|(_, door)| *door);
    door.filter(is_possible)
}

/// Returns whether the text is an error page of CloudFront. The page is not necessarily from the
/// distribution in front of the application: the application may relay the page of another
/// distribution that it depends on.
#[must_use]
pub(super) fn is_cloudfront(text: &str) -> bool {
    let is_whole = text.contains("Generated by cloudfront (CloudFront)");
    // The signature is at the end of the page, so a truncated page may lack it.
    let is_part = || {
        text.contains("ERROR: The request could not be satisfied")
            && text.contains("We can't connect to the server for this app or website at this time")
    };
    text.contains("The request could not be satisfied") && (is_whole || is_part())
}

/// Returns the front door that wrote a page in nginx's format, which contains, for example,
/// `<center><h1>502 Bad Gateway</h1></center>` and `<hr><center>nginx</center>`. `None` if the page
/// has another format, states another status, or has an unknown signature.
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
    let mut starts = APACHE.iter();
    let page = starts.find_map(|start| page.strip_prefix(start))?;
    let title = page.split_once("<title>")?.1;
    let is_of_status = title.starts_with(&format!("{status} "));
    is_of_status.then_some(FrontDoor::Apache)
}

/// Returns Varnish if the text is a page of Varnish or of Fastly; otherwise `None`. A page of
/// Fastly has the same last line, and an error number (`Error 54113`) instead of the transaction id
/// (`XID`).
fn varnish(page: &str) -> Option<FrontDoor> {
    let is_varnish = page.contains("<h3>Guru Meditation:</h3>") && page.contains("XID: ");
    let is_fastly = page.contains("<h3>Error ") && page.contains("<p>Varnish cache server</p>");
    (is_varnish || is_fastly).then_some(FrontDoor::Varnish)
}

/// Returns Google Cloud if the text is a page of Google's front end that states `status`; otherwise
/// `None`.
fn google(page: &str, status: u16) -> Option<FrontDoor> {
    let title = page.split_once("<title>")?.1;
    let is_of_cloud = title.starts_with(&format!("{status} "))
        && GOOGLE_CLOUD.iter().all(|part| title.contains(part));
    let is_of_google =
        title.starts_with(&format!("Error {status} (")) && title.contains(GOOGLE_TITLE);
    (is_of_cloud || is_of_google).then_some(FrontDoor::GoogleCloud)
}

/// Returns the front door of the first part in [`PARTS`] that the page contains; `None` if the page
/// contains none of these parts.
fn by_part(page: &str) -> Option<FrontDoor> {
    let mut parts = PARTS.iter();
    let known = parts.find(|(part, _)| page.contains(*part));
    known.map(|(_, door)| *door)
}
