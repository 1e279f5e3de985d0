//! Recognizes the headers of application frameworks and application servers.
//!
//! Gateways, proxies and CDNs never add such a header, so the application generated or relayed a
//! response with such a header. A response without such a header may still be from the application.

use crate::model::observation::Response;

/// Headers that application frameworks set.
const FRAMEWORK_HEADERS: &[&str] = &[
    "x-application-context",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-debug-token",
    "x-django-request-id",
    "x-drupal-cache",
    "x-drupal-dynamic-cache",
    "x-generator",
    "x-powered-cms",
    "x-runtime",
];

/// Prefixes of `x-powered-by` values, in lowercase, that a web server or proxy sets, not the
/// application.
const POWERED_BY_SERVER: &[&str] = &["asp.net", "arr/", "vercel"];

/// Substrings of `server` header values, in lowercase, that name an application server.
const APPLICATION_SERVERS: &[&str] = &[
    "aiohttp",
    "apache-coyote",
    "basehttp",
    "cherrypy",
    "daphne",
    "glassfish",
    "gunicorn",
    "hypercorn",
    "jetty",
    "kestrel",
    "puma",
    "simplehttp",
    "tomcat",
    "tornadoserver",
    "undertow",
    "uvicorn",
    "waitress",
    "webrick",
    "weblogic",
    "werkzeug",
    "wildfly",
    "wsgiserver",
];

/// Returns whether a response has a header of an application framework or application server.
pub(super) fn is_present(response: &Response) -> bool {
    let of_framework = |name: &&str| response.header(name).is_some();
    let powered = response.header("x-powered-by").map(str::to_ascii_lowercase);
    let server = response.header("server").map(str::to_ascii_lowercase);
    FRAMEWORK_HEADERS.iter().any(of_framework)
        || powered.is_some_and(|by| !POWERED_BY_SERVER.iter().any(|start| by.starts_with(start)))
        || server.is_some_and(|server| APPLICATION_SERVERS.iter().any(|part| server.contains(part)))
}
