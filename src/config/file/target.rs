//! The tables below `[[target]]` and `[defaults]`, as written.
//!
//! One struct a table, in the order of the reference.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::value::{DurationText, HeaderValue, SecretSource, SizeText, StatusItem, TextTest};

/// `[target.request]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RequestTable {
    pub(in crate::config) method: Option<String>,
    pub(in crate::config) headers: Option<BTreeMap<String, HeaderValue>>,
    pub(in crate::config) body: Option<String>,
    pub(in crate::config) body_file: Option<String>,
    pub(in crate::config) max_redirects: Option<i64>,
    pub(in crate::config) ip: Option<String>,
    pub(in crate::config) reuse_connection: Option<bool>,
    pub(in crate::config) proxy: Option<String>,
    pub(in crate::config) body_limit: Option<SizeText>,
    pub(in crate::config) allow_addresses: Option<Vec<String>>,
}

/// `[target.tls]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TlsTable {
    pub(in crate::config) ca_file: Option<String>,
    pub(in crate::config) cert_file: Option<String>,
    pub(in crate::config) key_file: Option<String>,
}

/// `[target.expect]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ExpectTable {
    pub(in crate::config) status: Option<Vec<StatusItem>>,
    pub(in crate::config) headers: Option<BTreeMap<String, TextTest>>,
    pub(in crate::config) body: Option<BodyTable>,
    pub(in crate::config) slower_than: Option<DurationText>,
    pub(in crate::config) certificate_days: Option<i64>,
}

/// `expect.body`: everything named must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BodyTable {
    pub(in crate::config) json: Option<BTreeMap<String, toml::Value>>,
    pub(in crate::config) contains: Option<String>,
    pub(in crate::config) regex: Option<String>,
}

/// `[target.health]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct HealthTable {
    pub(in crate::config) consecutive_failures: Option<i64>,
    pub(in crate::config) consecutive_successes: Option<i64>,
}

/// `[target.auth]`: exactly one of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AuthTable {
    pub(in crate::config) bearer: Option<SecretSource>,
    pub(in crate::config) basic: Option<BasicTable>,
    pub(in crate::config) sigv4: Option<SigV4Table>,
}

/// `auth.basic`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BasicTable {
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password: Option<SecretSource>,
}

/// `auth.sigv4`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SigV4Table {
    pub(in crate::config) service: Option<String>,
    pub(in crate::config) region: Option<String>,
}

/// `[target.aws]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AwsTable {
    pub(in crate::config) region: Option<String>,
    pub(in crate::config) role_arn: Option<String>,
    pub(in crate::config) external_id: Option<String>,
    pub(in crate::config) api_id: Option<String>,
    pub(in crate::config) api_name: Option<String>,
    pub(in crate::config) stage: Option<String>,
    pub(in crate::config) route: Option<String>,
    pub(in crate::config) function: Option<String>,
    pub(in crate::config) qualifier: Option<String>,
    pub(in crate::config) integration: Option<String>,
    pub(in crate::config) integration_timeout: Option<DurationText>,
    pub(in crate::config) function_timeout: Option<DurationText>,
    pub(in crate::config) authorizer: Option<String>,
    pub(in crate::config) shared: Option<bool>,
    pub(in crate::config) access_log_group: Option<String>,
    pub(in crate::config) execution_log_group: Option<String>,
    pub(in crate::config) control_path: Option<String>,
}

/// `[target.alarm]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AlarmTable {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) periods: Option<i64>,
    pub(in crate::config) datapoints: Option<i64>,
    pub(in crate::config) missing: Option<String>,
    pub(in crate::config) actions: Option<Vec<String>>,
    pub(in crate::config) causes: Option<Vec<String>>,
    pub(in crate::config) cause_actions: Option<BTreeMap<String, Vec<String>>>,
    pub(in crate::config) owner_actions: Option<BTreeMap<String, Vec<String>>>,
}

/// `[target.cloudwatch]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TargetCloudWatchTable {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) metrics: Option<Vec<String>>,
    pub(in crate::config) destination: Option<String>,
}
