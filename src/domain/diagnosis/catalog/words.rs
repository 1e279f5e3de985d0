//! Defines the long lists of valid fact values; `catalog` contains the short lists.

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
    "squid",
    "akamai",
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
    "azure-front-door",
    "google-cloud",
    "heroku",
    "squid",
    "akamai",
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
    "overflow",
    "no-route",
    "rate-limited",
];

/// The values of the fact `stream.error`: the error codes of HTTP/2 (RFC 9113, section 7).
pub(super) const STREAM_ERRORS: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
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

/// The values of the fact `stated_reason`.
pub(super) const STATED_REASONS: &[&str] = &[
    "rate-limit",
    "credentials-missing",
    "no-route",
    "plain-http",
    "offline",
    "blocked",
    "app-stopped",
    "site-missing",
];
