//! Defines the longer lists of valid fact values.

/// The values of the fact `fault`: one for each `FaultKind`.
pub(super) const FAULTS: &[&str] = &[
    "name-not-found",
    "resolver-failure",
    "connection-refused",
    "unreachable",
    "connection-reset",
    "connection-closed",
    "timeout",
    "certificate-expired",
    "certificate-not-yet-valid",
    "certificate-name-mismatch",
    "certificate-untrusted",
    "tls-handshake",
    "truncated",
    "too-many-redirects",
    "bad-redirect",
    "protocol",
    "decode",
    "address-refused",
    "proxy",
    "credentials",
    "local",
    "tls-version",
    "client-certificate-required",
    "plain-http",
    "certificate-revoked",
    "no-address",
    "resolver-unreachable",
];

/// The values of the fact `front_door`: one for each `FrontDoor`.
pub(super) const FRONT_DOORS: &[&str] = &[
    "http-api",
    "rest-api",
    "function-url",
    "alb",
    "cloudfront",
    "cloudflare",
    "envoy",
    "nginx",
    "apache",
    "haproxy",
    "traefik",
    "varnish",
    "fastly",
    "kong",
    "vercel",
    "azure-front-door",
    "azure-application-gateway",
    "app-service",
    "apigee",
    "s3",
    "gke-ingress",
    "ngrok",
    "caddy",
    "linkerd",
    "heroku",
    "render",
    "railway",
    "netlify",
    "google-cloud",
    "unknown",
];

/// The values of the fact `error_page`: the front doors whose error pages are recognized.
pub(super) const ERROR_PAGES: &[&str] = &[
    "nginx",
    "apache",
    "haproxy",
    "varnish",
    "envoy",
    "kong",
    "cloudflare",
    "azure-application-gateway",
    "app-service",
    "gke-ingress",
    "traefik",
    "apigee",
    "cloudfront",
];

/// The values of the fact `proxy_log.error`.
pub(super) const PROXY_LOG_ERRORS: &[&str] = &[
    "refused",
    "unreachable",
    "timeout",
    "reset",
    "unhealthy",
    "name-not-found",
    "tls-failed",
    "malformed",
];

/// The values of the fact `plateau`: one for each `Plateau`.
pub(super) const PLATEAUS: &[&str] = &[
    "integration",
    "function",
    "cloudfront",
    "client",
    "learned",
    "none",
];
