//! Lists the rule files that are built into the program.
//!
//! No other module lists these files or their order. `parser` parses the files, and `rulebook`
//! holds the rules.

/// Creates a list that pairs each file name with the text of the file.
macro_rules! files {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../../../config/rules/", $name)))),+]
    };
}

/// The name and text of each built-in rule file. Matching rules of equal weight are ranked in this
/// order.
pub(super) const FILES: &[(&str, &str)] = files![
    "causes.toml",
    "http-api.toml",
    "connection.toml",
    "tls.toml",
    "answer.toml",
    "http2.toml",
    "rest-api.toml",
    "function-url.toml",
    "alb.toml",
    "cloudfront.toml",
    "aws-error-type.toml",
    "aws-service.toml",
    "proxy-status.toml",
    "cloudflare.toml",
    "cloudfront-page.toml",
    "aws-waf.toml",
    "envoy.toml",
    "nginx.toml",
    "proxy-log.toml",
    "apache.toml",
    "haproxy.toml",
    "traefik.toml",
    "varnish.toml",
    "kong.toml",
    "vercel.toml",
    "azure.toml",
    "apigee.toml",
    "gke.toml",
    "google-cloud.toml",
    "heroku.toml",
    "ngrok.toml",
    "squid.toml",
    "mitmproxy.toml",
    "s3.toml",
    "gateway-messages.toml",
    "without-body.toml",
    "generic.toml",
    "prober.toml",
    "aws-log.toml",
    "aws-metrics.toml",
    "aws-configuration.toml",
    "layers.toml",
    "fallback.toml",
];
