//! Lists the keys of every configuration table with fixed keys.
//!
//! The lists are used to detect unknown keys and to suggest the right table for a misplaced key.
//! `config/probecause.toml` documents the keys.

/// The keys of the top level of the main file.
pub(super) const MAIN: &[&str] = &[
    "location",
    "include",
    "rules_dir",
    "server",
    "scheduler",
    "shard",
    "resolver",
    "log",
    "cloudwatch",
    "evidence",
    "discovery",
    "defaults",
    "target",
    "maintenance",
];

/// The keys of the top level of an included file.
pub(super) const INCLUDED: &[&str] = &["target", "maintenance"];

/// The keys of `[[target]]`. All keys except the first three (`name`, `url` and `urls`) are also
/// valid in `[defaults]`.
pub(super) const TARGET: &[&str] = &[
    "name",
    "url",
    "urls",
    "labels",
    "interval",
    "timeout",
    "confirm_after",
    "request",
    "tls",
    "expect",
    "health",
    "auth",
    "aws",
    "alarm",
    "cloudwatch",
    "layer",
    "ask_for_cause",
];

/// The keys of `[[target.layer]]`.
pub(super) const LAYER: &[&str] = &["name", "connect_to"];

/// The keys of `[target.request]`.
pub(super) const REQUEST: &[&str] = &[
    "method",
    "headers",
    "body",
    "body_file",
    "max_redirects",
    "ip",
    "reuse_connection",
    "cookies",
    "connect_to",
    "host",
    "server_name",
    "http",
    "resolver",
    "proxy",
    "proxy_auth",
    "body_limit",
    "allow_addresses",
];

/// The keys of `[target.tls]`.
pub(super) const TLS: &[&str] = &["verify", "ca_file", "cert_file", "key_file"];

/// The keys of `[target.expect]`.
pub(super) const EXPECT: &[&str] = &[
    "status",
    "headers",
    "body",
    "slower_than",
    "certificate_days",
];

/// The keys of `[target.aws]`.
pub(super) const AWS: &[&str] = &[
    "region",
    "role_arn",
    "external_id",
    "api_id",
    "api_name",
    "stage",
    "route",
    "function",
    "qualifier",
    "integration",
    "integration_timeout",
    "function_timeout",
    "authorizer",
    "shared",
    "access_log_group",
    "execution_log_group",
    "control_path",
];

/// The keys of `[target.alarm]`.
pub(super) const ALARM: &[&str] = &[
    "enabled",
    "periods",
    "datapoints",
    "missing",
    "actions",
    "causes",
    "cause_actions",
    "owner_actions",
];

/// The keys of `[shard]`.
pub(super) const SHARD: &[&str] = &["total", "index", "replicas_per_target"];

/// The keys of `[evidence]`.
pub(super) const EVIDENCE: &[&str] = &[
    "enabled",
    "first_look",
    "settle",
    "max_daily_cost",
    "max_requests_per_second",
    "endpoint_url",
    "configuration",
    "changes",
];

/// The keys of `[discovery]`.
pub(super) const DISCOVERY: &[&str] = &["aws"];

/// The keys of `[[discovery.aws]]`.
pub(super) const DISCOVERY_AWS: &[&str] = &["region", "role_arn", "external_id", "interval"];

/// The keys of `[cloudwatch.destination.NAME]`.
pub(super) const DESTINATION: &[&str] = &[
    "region",
    "role_arn",
    "external_id",
    "endpoint_url",
    "alarm_actions",
    "actions_enabled",
];

/// The keys of `[[maintenance]]`.
pub(super) const MAINTENANCE: &[&str] = &[
    "name", "targets", "from", "until", "days", "at", "lasting", "timezone",
];

/// The keys of `[server]`.
pub(super) const SERVER: &[&str] = &["listen", "allow_reload", "web_config"];

/// The keys of `[scheduler]`.
pub(super) const SCHEDULER: &[&str] = &["max_in_flight", "shutdown_grace"];

/// The keys of `[resolver]`.
pub(super) const RESOLVER: &[&str] = &["servers", "timeout", "attempts"];

/// The keys of `[log]`.
pub(super) const LOG: &[&str] = &["format", "level"];

/// The keys of `[cloudwatch]`.
pub(super) const CLOUDWATCH: &[&str] = &[
    "enabled",
    "region",
    "endpoint_url",
    "namespace",
    "alarm_actions",
    "actions_enabled",
    "resolution",
    "backlog",
    "drift",
    "destination",
];

/// The keys of `[target.cloudwatch]`.
pub(super) const PUBLISHED: &[&str] = &["enabled", "metrics", "destination"];

/// The keys of `[target.health]`.
pub(super) const HEALTH: &[&str] = &["consecutive_failures", "consecutive_successes"];

/// The keys of `[target.expect.body]`.
pub(super) const BODY: &[&str] = &["json", "contains", "not_contains", "regex", "not_regex"];

/// The keys of `[target.auth]`.
pub(super) const AUTH: &[&str] = &["bearer", "basic", "sigv4"];

/// The keys of `[target.auth.basic]`.
pub(super) const BASIC: &[&str] = &["username", "password"];

/// The keys of `[target.auth.sigv4]`.
pub(super) const SIGV4: &[&str] = &["service", "region"];

/// Returns the keys of `[defaults]`: the keys of `[[target]]` except `name`, `url` and `urls`.
pub(super) fn defaults() -> &'static [&'static str] {
    TARGET.get(3..).unwrap_or_default()
}

/// The tables of `[[target]]`, by their path in the target, with their keys. An empty path means
/// the target itself. `[defaults]` can contain the same tables, except the one with the empty path.
/// Omits `[[target.layer]]` and tables with arbitrary keys.
pub(super) const OF_TARGET: &[(&str, &[&str])] = &[
    ("", TARGET),
    ("request", REQUEST),
    ("tls", TLS),
    ("expect", EXPECT),
    ("expect.body", BODY),
    ("health", HEALTH),
    ("auth", AUTH),
    ("auth.basic", BASIC),
    ("auth.sigv4", SIGV4),
    ("aws", AWS),
    ("alarm", ALARM),
    ("cloudwatch", PUBLISHED),
];

/// Returns the keys of the table `section`, such as `target.request` or `server`. An empty
/// `section` means the top level. Returns `None` for a table that is neither `maintenance` nor
/// listed in [`OF_TARGET`] or [`OF_DAEMON`].
pub(super) fn keys(section: &str) -> Option<&'static [&'static str]> {
    let (first, rest) = section.split_once('.').unwrap_or((section, ""));
    match first {
        "" => Some(MAIN),
        "maintenance" => Some(MAINTENANCE),
        "defaults" if rest.is_empty() => Some(defaults()),
        "target" | "defaults" => {
            let found = OF_TARGET.iter().find(|(table, _)| *table == rest);
            found.map(|(_, keys)| *keys)
        }
        _ => {
            let found = OF_DAEMON.iter().find(|(table, _)| *table == section);
            found.map(|(_, keys)| *keys)
        }
    }
}

/// The top-level tables that configure the daemon instead of targets, with their keys.
pub(super) const OF_DAEMON: &[(&str, &[&str])] = &[
    ("server", SERVER),
    ("scheduler", SCHEDULER),
    ("shard", SHARD),
    ("resolver", RESOLVER),
    ("log", LOG),
    ("cloudwatch", CLOUDWATCH),
    ("evidence", EVIDENCE),
];
