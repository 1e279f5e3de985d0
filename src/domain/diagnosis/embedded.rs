//! The rule files that are built into the program.
//!
//! This is the only list of these files and of their order. `parser` parses them and
//! `rulebook` holds the result.

/// The name and text of each file, in order; ties between rules keep this order.
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
