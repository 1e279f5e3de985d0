//! The configuration file as written: a mirror of the TOML and no more.
//!
//! Every key is optional here and every text unjudged, so that one bad value does not
//! hide the next: `validate` reports them together. Only unknown keys and wrong types are
//! refused by the mirror itself. No `flatten` and no `untagged`: both ruin the messages.

mod target;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;

pub(super) use target::{
    AlarmTable, AuthTable, AwsTable, BodyTable, ExpectTable, HealthTable, RequestTable,
    TargetCloudWatchTable, TlsTable,
};
pub(super) use value::{
    DurationText, HeaderValue, IndexItem, MomentText, SecretSource, SizeText, StatusItem, TextTest,
};

/// The main file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MainFile {
    pub(super) location: Option<String>,
    pub(super) include: Option<Vec<String>>,
    pub(super) rules_dir: Option<String>,
    pub(super) server: Option<ServerTable>,
    pub(super) scheduler: Option<SchedulerTable>,
    pub(super) shard: Option<ShardTable>,
    pub(super) resolver: Option<ResolverTable>,
    pub(super) log: Option<LogTable>,
    pub(super) cloudwatch: Option<CloudWatchTable>,
    pub(super) evidence: Option<EvidenceTable>,
    pub(super) defaults: Option<DefaultsTable>,
    #[serde(default)]
    pub(super) target: Vec<TargetTable>,
    #[serde(default)]
    pub(super) maintenance: Vec<MaintenanceTable>,
}

/// A file named by `include`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncludedFile {
    #[serde(default)]
    pub(super) target: Vec<TargetTable>,
    #[serde(default)]
    pub(super) maintenance: Vec<MaintenanceTable>,
}

/// `[server]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    pub(super) listen: Option<String>,
    pub(super) allow_reload: Option<bool>,
    pub(super) web_config: Option<String>,
}

/// `[scheduler]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchedulerTable {
    pub(super) max_in_flight: Option<i64>,
    pub(super) shutdown_grace: Option<DurationText>,
}

/// `[shard]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShardTable {
    pub(super) index: Option<IndexItem>,
    pub(super) total: Option<i64>,
    pub(super) replicas_per_target: Option<i64>,
}

/// `[resolver]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResolverTable {
    pub(super) servers: Option<Vec<String>>,
    pub(super) timeout: Option<DurationText>,
    pub(super) attempts: Option<i64>,
}

/// `[log]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
}

/// `[cloudwatch]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloudWatchTable {
    pub(super) enabled: Option<bool>,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) alarm_actions: Option<Vec<String>>,
    pub(super) actions_enabled: Option<bool>,
    pub(super) resolution: Option<DurationText>,
    pub(super) backlog: Option<DurationText>,
    pub(super) drift: Option<String>,
    pub(super) destination: Option<BTreeMap<String, DestinationTable>>,
}

/// `[cloudwatch.destination.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DestinationTable {
    pub(super) region: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) alarm_actions: Option<Vec<String>>,
    pub(super) actions_enabled: Option<bool>,
}

/// `[evidence]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceTable {
    pub(super) enabled: Option<bool>,
    pub(super) first_look: Option<DurationText>,
    pub(super) settle: Option<DurationText>,
    pub(super) max_daily_cost: Option<f64>,
    pub(super) max_requests_per_second: Option<i64>,
    pub(super) endpoint_url: Option<String>,
}

/// `[[target]]`: the keys of `[defaults]`, and a name and URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetTable {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) interval: Option<DurationText>,
    pub(super) timeout: Option<DurationText>,
    pub(super) confirm_after: Option<DurationText>,
    pub(super) request: Option<RequestTable>,
    pub(super) tls: Option<TlsTable>,
    pub(super) expect: Option<ExpectTable>,
    pub(super) health: Option<HealthTable>,
    pub(super) auth: Option<AuthTable>,
    pub(super) aws: Option<AwsTable>,
    pub(super) alarm: Option<AlarmTable>,
    pub(super) cloudwatch: Option<TargetCloudWatchTable>,
}

/// `[defaults]`: a target's table without what makes it one target.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsTable {
    labels: Option<BTreeMap<String, String>>,
    interval: Option<DurationText>,
    timeout: Option<DurationText>,
    confirm_after: Option<DurationText>,
    request: Option<RequestTable>,
    tls: Option<TlsTable>,
    expect: Option<ExpectTable>,
    health: Option<HealthTable>,
    auth: Option<AuthTable>,
    aws: Option<AwsTable>,
    alarm: Option<AlarmTable>,
    cloudwatch: Option<TargetCloudWatchTable>,
}

/// `[[maintenance]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaintenanceTable {
    pub(super) name: Option<String>,
    pub(super) targets: Option<Vec<String>>,
    pub(super) from: Option<MomentText>,
    pub(super) until: Option<MomentText>,
    pub(super) days: Option<Vec<String>>,
    pub(super) at: Option<MomentText>,
    pub(super) lasting: Option<DurationText>,
    pub(super) timezone: Option<String>,
}

impl From<DefaultsTable> for TargetTable {
    fn from(table: DefaultsTable) -> Self {
        Self {
            name: None,
            url: None,
            labels: table.labels,
            interval: table.interval,
            timeout: table.timeout,
            confirm_after: table.confirm_after,
            request: table.request,
            tls: table.tls,
            expect: table.expect,
            health: table.health,
            auth: table.auth,
            aws: table.aws,
            alarm: table.alarm,
            cloudwatch: table.cloudwatch,
        }
    }
}
