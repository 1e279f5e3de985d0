//! Lists the keys of other tools for the top level of a file, for the tables of the daemon and for
//! the alarm of a target.

use super::{Habit, table, text};

/// The keys that users of other tools write at the top level of a file, with advice on what to
/// write instead.
pub(in crate::io::config::habits) const OF_ROOT: &[Habit] = &[
    text(
        "targets endpoints monitors endpoint monitor checks check urls sites services \
         hosts websites instances inputs probes probe heartbeatmonitors scrapeconfigs \
         staticconfigs synthetics jobs apis",
        "write one table [[target]] with `name` and `url` for each endpoint",
    ),
    table(
        "default global globals common modules module agent",
        "write its keys in [defaults] or in tables such as [defaults.request]",
    ),
    text(
        "outputs processors aggregators exporters remotewrite",
        "remove the key; metrics are served at /metrics, and also published to CloudWatch if \
         [cloudwatch] has `enabled = true`",
    ),
    text(
        "globaltags tags labels",
        "write `labels = { NAME = \"VALUE\" }` in [defaults]",
    ),
    text(
        "port listen listenaddress weblistenaddress bind web http",
        "use `listen` in [server], such as `listen = \"127.0.0.1:9853\"`",
    ),
    text(
        "includes import imports files configfiles",
        "use `include` at the top of the file, such as `include = [\"targets.d/*.toml\"]`",
    ),
    text(
        "rules rulefiles rulesfile rulesdirectory",
        "use `rules_dir` at the top of the file, such as `rules_dir = \"rules.d\"`",
    ),
    text(
        "loglevel verbose debug verbosity",
        "use `level` in [log], such as `level = \"debug\"`",
    ),
    text(
        "logformat logjson",
        "write `format = \"json\"` or `format = \"human\"` in [log]",
    ),
    text(
        "dns nameserver nameservers dnsservers dnsserver",
        "use `servers` in [resolver], such as `servers = [\"1.1.1.1\"]`",
    ),
    text(
        "concurrency workers parallelism maxconcurrency maxconcurrent \
         disablemonitoringlock",
        "use `max_in_flight` in [scheduler], such as `max_in_flight = 1000`",
    ),
    text(
        "aws region namespace awsregion",
        "write the settings for metrics and alarms in [cloudwatch], such as \
         `region = \"eu-west-1\"`, and the region of the AWS resources behind the targets in \
         [defaults.aws]",
    ),
    text(
        "maintenances maintenancewindow maintenancewindows silence silences downtime",
        "write a table [[maintenance]] with `name`, and with `from` and `until` for a one-time \
         window, or with `days`, `at` and `lasting` for a weekly window",
    ),
    text(
        "storage database state statedir datadir",
        "pass the directory as an option: `probecause run --config FILE --state DIR`",
    ),
    text(
        "site instance node zone datacenter externallabels",
        "write `location = \"NAME\"` at the top of the file",
    ),
];

/// The keys that users of other tools write for the alarm of a target, with advice on what to write
/// instead.
const ALARM: &[Habit] = &[text(
    "for duration window period evaluationwindow evaluationperiods holdfor pending",
    "write `periods`, the number of evaluated periods, and `datapoints`, how many of them must be \
     breaching for the alarm to fire; a period is the interval rounded up to whole minutes (to \
     10, 20 or 30 s if the interval is at most 30 s and [cloudwatch] has `resolution = \"10s\"`); \
     for 5 minutes with an interval of 60 s, write `periods = 5` and `datapoints = 5`",
)];

/// For each table of the daemon, and for the alarm tables: the keys that users of other tools write
/// there, with advice on what to write instead.
pub(in crate::io::config::habits) const OF_DAEMON: &[(&str, &[Habit])] = &[
    ("target.alarm", ALARM),
    ("defaults.alarm", ALARM),
    (
        "server",
        &[
            text(
                "port address bind host listenaddress listenaddr addr",
                "use `listen`, the address and the port, such as `listen = \"127.0.0.1:9853\"`",
            ),
            text(
                "tls cert key certfile keyfile tlscertfile tlskeyfile users basicauth \
                 basicauthusers tlsserverconfig username password auth webconfigfile \
                 certificatefile privatekeyfile security",
                "use `web_config`, such as `web_config = \"web.yml\"`, and configure TLS and \
                 users in that file, in the format of Prometheus exporters",
            ),
            text(
                "reload enablelifecycle weblifecycle",
                "write `allow_reload = true` or `allow_reload = false`",
            ),
        ],
    ),
    (
        "log",
        &[
            text(
                "verbosity loglevel debug verbose",
                "use `level`, such as `level = \"debug\"`",
            ),
            text(
                "json style encoding output",
                "write `format = \"json\"` or `format = \"human\"`",
            ),
        ],
    ),
    (
        "resolver",
        &[
            text(
                "nameservers nameserver server dns address addresses hosts",
                "use `servers`, such as `servers = [\"1.1.1.1\", \"[::1]:5353\"]`",
            ),
            text("retries tries", "use `attempts`, such as `attempts = 2`"),
        ],
    ),
    (
        "scheduler",
        &[
            text(
                "concurrency workers maxconcurrency maxconcurrent limit",
                "use `max_in_flight`, such as `max_in_flight = 1000`",
            ),
            text(
                "gracetimeout shutdowntimeout graceperiod terminationgraceperiodseconds",
                "use `shutdown_grace`, such as `shutdown_grace = \"5s\"`",
            ),
        ],
    ),
    (
        "maintenance",
        &[
            text(
                "start startdate starttime startsat begin since",
                "use `from`, such as `from = 2026-05-01T22:00:00Z`, for a one-time window, or \
                 `at`, such as `at = \"22:00\"`, for a weekly window",
            ),
            text(
                "end enddate endtime endsat to",
                "use `until`, such as `until = 2026-05-01T23:00:00Z`, for a one-time window, or \
                 `lasting`, such as `lasting = \"2h\"`, for a weekly window",
            ),
            text(
                "duration length durationminutes for",
                "use `lasting`, such as `lasting = \"2h\"`",
            ),
            text(
                "every weekdays weekday day daysofweek recurring repeat",
                "use `days`, such as `days = [\"mon\", \"thu\"]`",
            ),
            text(
                "tz zone timezoneoption location",
                "use `timezone`, such as `timezone = \"Europe/Berlin\"`",
            ),
            text(
                "cron schedule time",
                "use `days`, `at` and `lasting`, such as `days = [\"mon\", \"thu\"]`, \
                 `at = \"22:00\"` and `lasting = \"2h\"`",
            ),
            text(
                "target monitors matchers endpoints services match",
                "use `targets`, such as `targets = [\"orders*\"]`",
            ),
            text(
                "title description comment reason id",
                "use `name`, such as `name = \"release\"`",
            ),
        ],
    ),
];
