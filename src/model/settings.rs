//! What the daemon itself is told: everything in the configuration that is not a target.
//!
//! Plain data, validated by `config`. Runtime state never lives here.

use std::collections::BTreeMap;
pub mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::model::target::Target;

use self::web::WebSettings;

/// A whole configuration, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A label and dimension on everything that is published.
    pub location: String,
    /// The daemon's own HTTP endpoint.
    pub server: ServerSettings,
    /// The scheduler.
    pub scheduler: SchedulerSettings,
    /// Name resolution.
    pub resolver: ResolverSettings,
    /// Logging.
    pub log: LogSettings,
    /// CloudWatch.
    pub cloudwatch: CloudWatchSettings,
    /// Asking AWS about failed requests.
    pub evidence: EvidenceSettings,
    /// The operator's own rules, in the order of their files' names.
    pub rules: Arc<[RuleFile]>,
    /// Which part of the targets this daemon holds.
    pub shards: ShardSettings,
    /// The targets to probe, in the order of the files: all, or one shard's share.
    pub targets: Vec<Arc<Target>>,
    /// Configured for this location, and held by other shards alone.
    pub elsewhere: Vec<Arc<Target>>,
    /// Times in which probes go on but nobody is paged.
    pub maintenance: Vec<MaintenanceWindow>,
}

/// A file of an operator's rules, checked already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// As the user would find it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Which part of a location's targets a daemon holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSettings {
    /// Daemons at this location that share the targets; at least 1.
    pub total: u32,
    /// How many of them probe each target; at least 1, at most `total`.
    pub replicas_per_target: u32,
    /// Which of them this one is said to be.
    pub index: ShardIndex,
    /// Which of them it is. `None`: the whole location is looked at, as the command line
    /// does.
    pub own: Option<u32>,
}

/// Which of several daemons this one is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardIndex {
    /// Below the total.
    At(u32),
    /// The ordinal at the end of the pod's or host's name.
    Auto,
}

/// The daemon's own HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Loopback unless the user says otherwise.
    pub listen: SocketAddr,
    /// Whether `POST /-/reload` is taken; absent: on loopback, and from those who prove
    /// who they are.
    pub allow_reload: Option<bool>,
    /// Who may come in.
    pub web: WebSettings,
}

impl ServerSettings {
    /// Whether `POST /-/reload` is taken.
    #[must_use]
    pub fn takes_reloads(&self) -> bool {
        let proven = self.listen.ip().is_loopback() || self.web.asks_who();
        self.allow_reload.unwrap_or(proven)
    }
}

/// Limits of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Probes that may run at once; ≥ 1.
    pub max_in_flight: usize,
    /// How long running probes may finish after SIGTERM.
    pub shutdown_grace: Duration,
}

/// Name resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// Servers to ask instead of the system's; empty: the system's.
    pub servers: Vec<SocketAddr>,
    /// How long one query may take.
    pub timeout: Duration,
    /// How often a query is tried.
    pub attempts: usize,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Line format.
    pub format: LogFormat,
    /// A `tracing` filter such as `info` or `probecause=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

/// CloudWatch: metrics and alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchSettings {
    /// Off unless the user turns it on: it costs money.
    pub enabled: bool,
    /// Region; absent: the SDK's default chain.
    pub region: Option<String>,
    /// For emulators.
    pub endpoint_url: Option<String>,
    /// Assumed by the credentials of the SDK's default chain; absent: those themselves.
    pub role: Option<Role>,
    /// Further accounts or regions, by name.
    pub destinations: BTreeMap<String, DestinationSettings>,
    /// Metric namespace.
    pub namespace: String,
    /// ARNs told of every target's alarm and of the heartbeat.
    pub alarm_actions: Vec<String>,
    /// False: alarms and tags, but nobody is paged.
    pub actions_enabled: bool,
    /// 60 s, or 10 s for high-resolution metrics and alarms (dearer).
    pub resolution: Duration,
    /// How long datapoints wait for CloudWatch before they are given up: an hour to 13
    /// days.
    pub backlog: Duration,
    /// What becomes of an alarm that somebody changed by hand.
    pub drift: DriftPolicy,
}

/// A further account or region that targets may have their metrics and alarms in. What it
/// does not say itself it has from [`CloudWatchSettings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationSettings {
    /// Region; absent: the SDK's default chain.
    pub region: Option<String>,
    /// Assumed by the credentials of the SDK's default chain; absent: those themselves.
    pub role: Option<Role>,
    /// For emulators.
    pub endpoint_url: Option<String>,
    /// ARNs told of its targets' alarms and of its heartbeat.
    pub alarm_actions: Vec<String>,
    /// False: alarms and tags, but nobody is paged.
    pub actions_enabled: bool,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy may ask for.
    pub external_id: Option<String>,
}

/// What becomes of an alarm of ours that was changed or deleted by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftPolicy {
    /// It is written as configured.
    #[default]
    Mend,
    /// It is reported and stays as it is.
    Leave,
}

/// Asking AWS about failed requests. Nothing is asked of a target whose declarations
/// name no API, function or log group.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceSettings {
    /// On by default: the declarations of a target are what turns it on.
    pub enabled: bool,
    /// When metrics are first read, from the end of the request.
    pub first_look: Duration,
    /// When a log is first searched, from the end of the request; later looks follow at
    /// growing distances. No key of the configuration: only a simulation is quicker.
    pub first_log_look: Duration,
    /// How long after the end of the function's timeout every datapoint has arrived.
    pub settle: Duration,
    /// US dollars (estimated) that metrics may cost in a day (UTC); zero: never ask for
    /// metrics. At least zero.
    pub max_daily_cost: f64,
    /// Requests a second to AWS, over all regions and roles; ≥ 1.
    pub max_requests_per_second: u32,
    /// For emulators; absent: CloudWatch's.
    pub endpoint_url: Option<String>,
}

/// A time in which probes go on but no incident opens and nobody is paged.
#[derive(Clone, Debug, PartialEq)]
pub struct MaintenanceWindow {
    /// Shown on the page.
    pub name: String,
    /// Globs over target names (`*` any run); a target that fits one is covered.
    pub targets: Vec<String>,
    /// When.
    pub when: MaintenanceTime,
}

/// When a maintenance window is open.
#[derive(Clone, Debug, PartialEq)]
pub enum MaintenanceTime {
    /// Once.
    Once {
        /// First moment inside.
        from: Timestamp,
        /// First moment outside again.
        until: Timestamp,
    },
    /// Each week.
    Weekly {
        /// Days on which it starts.
        days: Vec<Weekday>,
        /// Local time at which it starts.
        at: Time,
        /// How long it lasts; at most a week.
        lasting: Duration,
        /// Whose local time.
        zone: TimeZone,
    },
}

impl Default for Settings {
    /// Every default of the configuration reference, without a target.
    fn default() -> Self {
        Self {
            location: "local".to_owned(),
            server: ServerSettings::default(),
            scheduler: SchedulerSettings::default(),
            resolver: ResolverSettings::default(),
            log: LogSettings::default(),
            cloudwatch: CloudWatchSettings::default(),
            evidence: EvidenceSettings::default(),
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
            // A reading of a thousand alarms is ten calls; an alarm silenced by mistake
            // is found within a coffee break, not at the next restart.
        }
    }
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            first_look: Duration::from_secs(120),
            // Lines appear within seconds as a rule; AWS promises nothing.
            first_log_look: Duration::from_secs(15),
            settle: Duration::from_secs(600),
            max_daily_cost: 1.0,
            max_requests_per_second: 2,
            endpoint_url: None,
        }
    }
}
