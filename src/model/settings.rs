//! The settings of the daemon: a whole configuration as plain data, with its defaults.
//!
//! `io::config` reads and validates settings; no other module validates them again. Targets are
//! defined in `model::target`. Settings contain no runtime state.

pub mod discovery;
pub mod web;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::model::target::Target;

use self::discovery::AwsDiscovery;
use self::web::WebSettings;

/// A validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The location of this daemon: a Prometheus label of the targets' metrics, and a dimension of
    /// all CloudWatch metrics.
    pub location: String,
    /// Settings of the daemon's own HTTP endpoint.
    pub server: ServerSettings,
    /// Limits on the number of concurrent probes and on the duration of a shutdown.
    pub scheduler: SchedulerSettings,
    /// Settings of name resolution.
    pub resolver: ResolverSettings,
    /// Settings of logging.
    pub log: LogSettings,
    /// Settings of metrics and alarms in CloudWatch.
    pub cloudwatch: CloudWatchSettings,
    /// Settings of evidence requests to AWS.
    pub evidence: EvidenceSettings,
    /// AWS accounts and Regions in which the daemon finds further targets.
    pub discovery: Vec<AwsDiscovery>,
    /// Files with custom rules, sorted by name.
    pub rules: Arc<[RuleFile]>,
    /// Settings that select the part of the targets that this daemon probes.
    pub shards: ShardSettings,
    /// The targets of this daemon's shard, in the order of the configuration files. Until the
    /// shard's index is resolved, the list contains all targets of the location.
    pub targets: Vec<Arc<Target>>,
    /// Targets of this location that only other shards probe. Until the shard's index is resolved,
    /// the list is empty.
    pub elsewhere: Vec<Arc<Target>>,
    /// Maintenance windows, in which probes continue but no incident opens and no notification is
    /// sent.
    pub maintenance: Vec<MaintenanceWindow>,
}

/// A validated file of custom rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// The path of the file, as shown in messages.
    pub name: String,
    /// The content of the file, in TOML.
    pub text: String,
}

/// Settings that select the part of a location's targets that a daemon probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSettings {
    /// Number of daemons at this location that share the targets; at least 1.
    pub total: u32,
    /// Number of daemons that probe each target; 1 to `total`.
    pub replicas_per_target: u32,
    /// The configured index of this daemon.
    pub index: ShardIndex,
    /// The resolved index of this daemon; `None` if `total` is 1, or if the index is not resolved
    /// yet. While it is `None`, [`Settings::targets`] contains all targets of the location.
    pub own: Option<u32>,
}

/// The configured index of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardIndex {
    /// A fixed index; at least 0 and less than the number of shards.
    At(u32),
    /// The number at the end of the value of the environment variable `POD_NAME` or, if `POD_NAME`
    /// is not set, of `HOSTNAME`.
    Auto,
}

/// Settings of the daemon's own HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Address on which the endpoint listens; loopback by default.
    pub listen: SocketAddr,
    /// Whether `POST /-/reload` is accepted. `None` means that it is accepted if the endpoint
    /// listens on loopback or requires authentication.
    pub allow_reload: Option<bool>,
    /// TLS, users, rate limit and response headers of the endpoint.
    pub web: WebSettings,
}

impl ServerSettings {
    /// Returns whether `POST /-/reload` is accepted.
    #[must_use]
    pub fn accepts_reload(&self) -> bool {
        let is_protected = self.listen.ip().is_loopback() || self.web.requires_authentication();
        self.allow_reload.unwrap_or(is_protected)
    }
}

/// Limits of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Maximum number of concurrent probes; at least 1.
    pub max_in_flight: usize,
    /// Maximum time that a shutdown (after SIGTERM or SIGINT) waits for unfinished probes.
    pub shutdown_grace: Duration,
}

/// Settings of name resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// DNS servers to query. If empty, the servers of the system are used.
    pub servers: Vec<SocketAddr>,
    /// Timeout of one DNS query.
    pub timeout: Duration,
    /// Maximum number of attempts per DNS query.
    pub attempts: usize,
}

/// Settings of logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Format of the log lines.
    pub format: LogFormat,
    /// Log level: a `tracing` filter such as `info` or `probecause=debug`.
    pub level: String,
}

/// Format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people, one event per line.
    Human,
    /// One JSON object per line.
    Json,
}

/// Settings of metrics and alarms in CloudWatch, in one or several accounts and regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchSettings {
    /// Whether metrics and alarms are published; off by default, since they cost money.
    pub enabled: bool,
    /// AWS region; `None` means the region of the AWS SDK's default chain.
    pub region: Option<String>,
    /// Endpoint of a CloudWatch emulator; `None` means the endpoint of CloudWatch.
    pub endpoint_url: Option<String>,
    /// Role to assume; `None` means the credentials of the AWS SDK's default chain.
    pub role: Option<Role>,
    /// Further accounts or regions, with the name of the destination as the key.
    pub destinations: BTreeMap<String, DestinationSettings>,
    /// CloudWatch namespace of the metrics.
    pub namespace: String,
    /// ARNs notified by the heartbeat alarm and by the targets' alarms in the main destination. A
    /// target can override the ARNs for its alarm.
    pub alarm_actions: Vec<String>,
    /// Whether alarms send notifications. Alarms and tags are written in either case.
    pub actions_enabled: bool,
    /// Period of the metrics: 60 s, or 10 s for high-resolution metrics and alarms, which cost
    /// more.
    pub resolution: Duration,
    /// Time for which unsent datapoints are kept for another attempt; 1 hour to 13 days.
    pub backlog: Duration,
    /// How the daemon handles an alarm that was changed or deleted by hand.
    pub drift: DriftPolicy,
}

/// A further account or region for the metrics and alarms of some targets. All other settings
/// are taken from [`CloudWatchSettings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationSettings {
    /// AWS region; `None` means the region of the AWS SDK's default chain.
    pub region: Option<String>,
    /// Role to assume; `None` means the credentials of the AWS SDK's default chain.
    pub role: Option<Role>,
    /// Endpoint of a CloudWatch emulator; `None` means the endpoint of CloudWatch.
    pub endpoint_url: Option<String>,
    /// ARNs notified by the heartbeat alarm and by the targets' alarms in this destination. A
    /// target can override the ARNs for its alarm.
    pub alarm_actions: Vec<String>,
    /// Whether alarms send notifications. Alarms and tags are written in either case.
    pub actions_enabled: bool,
}

/// An IAM role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role {
    /// The role's ARN.
    pub arn: String,
    /// The external id that the role's trust policy may require.
    pub external_id: Option<String>,
}

/// How the daemon handles one of its alarms that was changed or deleted by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftPolicy {
    /// The daemon restores the alarm as configured.
    #[default]
    Mend,
    /// The daemon reports the change and does not modify the alarm.
    Leave,
}

/// Settings of evidence requests to AWS about failed probes. Evidence is requested for targets
/// whose AWS declarations name an API, a function or a log group. If `configuration` is set,
/// evidence is also requested for targets whose URL contains the host name that AWS assigned to an
/// API or to a load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceSettings {
    /// Whether evidence is requested; on by default, since a target opts in by its AWS
    /// declarations.
    pub enabled: bool,
    /// Time from the end of a failed request until metrics are first read.
    pub first_look: Duration,
    /// Time within which all datapoints of the metrics are expected to arrive. It starts at the end
    /// of the failed request plus the timeout of the target's Lambda function, because the
    /// function may run until then.
    pub settle: Duration,
    /// Maximum estimated cost of metric queries per day (UTC), in US dollars. Zero disables metric
    /// queries.
    pub max_daily_cost: f64,
    /// Maximum number of requests to AWS per second, over all regions and roles; at least 1.
    pub max_requests_per_second: u32,
    /// Endpoint of an AWS emulator; `None` means the `endpoint_url` of [`CloudWatchSettings`].
    pub endpoint_url: Option<String>,
    /// Whether the configuration of the API, function or load balancer behind a target is read; off
    /// by default, because the reads need further permissions.
    pub configuration: bool,
    /// Whether CloudTrail is searched for changes in the account; off by default, because the
    /// search needs a further permission.
    pub changes: bool,
}

/// A window in which probes continue but no incident opens and no notification is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct MaintenanceWindow {
    /// Name of the window, which identifies the window in error messages.
    pub name: String,
    /// Globs for target names (`*` matches any number of characters). If empty, the window applies
    /// to all targets.
    pub targets: Vec<String>,
    /// The times at which the window is open.
    pub when: MaintenanceTime,
}

/// The times at which a maintenance window is open: once, or every week.
#[derive(Clone, Debug, PartialEq)]
pub enum MaintenanceTime {
    /// The window opens once.
    Once {
        /// Start of the window, inclusive.
        from: Timestamp,
        /// End of the window, exclusive.
        until: Timestamp,
    },
    /// The window opens every week.
    Weekly {
        /// Days of the week on which the window opens.
        days: Vec<Weekday>,
        /// Time of day at which the window opens, in `zone`.
        at: Time,
        /// Length of the window; at most a week.
        lasting: Duration,
        /// The time zone of `at`.
        zone: TimeZone,
    },
}

impl Default for Settings {
    /// Returns the defaults of the configuration reference, without targets.
    fn default() -> Self {
        Self {
            location: "local".to_owned(),
            server: ServerSettings::default(),
            scheduler: SchedulerSettings::default(),
            resolver: ResolverSettings::default(),
            log: LogSettings::default(),
            cloudwatch: CloudWatchSettings::default(),
            evidence: EvidenceSettings::default(),
            discovery: Vec::new(),
            rules: Arc::default(),
            shards: ShardSettings::default(),
            targets: Vec::new(),
            elsewhere: Vec::new(),
            maintenance: Vec::new(),
        }
    }
}

impl Default for ShardSettings {
    fn default() -> Self {
        Self {
            total: 1,
            replicas_per_target: 1,
            index: ShardIndex::At(0),
            own: None,
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9853)),
            allow_reload: None,
            web: WebSettings::default(),
        }
    }
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            max_in_flight: 1000,
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(3),
            attempts: 2,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Human,
            level: "info".to_owned(),
        }
    }
}

impl Default for CloudWatchSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            region: None,
            endpoint_url: None,
            role: None,
            destinations: BTreeMap::new(),
            namespace: "Probecause".to_owned(),
            alarm_actions: Vec::new(),
            actions_enabled: true,
            resolution: Duration::from_secs(60),
            backlog: Duration::from_secs(24 * 60 * 60),
            drift: DriftPolicy::Mend,
        }
    }
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            first_look: Duration::from_secs(120),
            settle: Duration::from_secs(600),
            max_daily_cost: 1.0,
            max_requests_per_second: 2,
            endpoint_url: None,
            configuration: false,
            changes: false,
        }
    }
}
