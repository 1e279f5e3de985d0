//! The rule files that are built into the program.
//!
//! Rules are data: this is the one place that knows which files there are, and in which
//! order they are read. It neither reads nor judges them (`reader`, `rulebook`).

/// Name and text of each file, in reading order, which is also the order of ties.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "http-api.toml",
        include_str!("../../../config/rules/http-api.toml"),
    ),
    (
        "connection.toml",
        include_str!("../../../config/rules/connection.toml"),
    ),
    ("tls.toml", include_str!("../../../config/rules/tls.toml")),
    (
        "answer.toml",
        include_str!("../../../config/rules/answer.toml"),
    ),
    (
        "rest-api.toml",
        include_str!("../../../config/rules/rest-api.toml"),
    ),
    (
        "function-url.toml",
        include_str!("../../../config/rules/function-url.toml"),
    ),
    ("alb.toml", include_str!("../../../config/rules/alb.toml")),
    (
        "cloudfront.toml",
        include_str!("../../../config/rules/cloudfront.toml"),
    ),
    (
        "prober.toml",
        include_str!("../../../config/rules/prober.toml"),
    ),
    (
        "aws-log.toml",
        include_str!("../../../config/rules/aws-log.toml"),
    ),
    (
        "aws-metrics.toml",
        include_str!("../../../config/rules/aws-metrics.toml"),
    ),
    (
        "fallback.toml",
        include_str!("../../../config/rules/fallback.toml"),
    ),
];
