//! The tables below `[[target]]` and `[defaults]`, as written.
//!
//! One struct a table, in the order of the reference.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::value::{DurationText, HeaderValue, SecretSource, SizeText, StatusItem, TextTest};

/// `[target.request]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct RequestTable {
    pub(in crate::io::config) method: Option<String>,
    pub(in crate::io::config) headers: Option<BTreeMap<String, HeaderValue>>,
    pub(in crate::io::config) body: Option<String>,
    pub(in crate::io::config) body_file: Option<String>,
    pub(in crate::io::config) max_redirects: Option<i64>,
    pub(in crate::io::config) ip: Option<String>,
    pub(in crate::io::config) reuse_connection: Option<bool>,
    pub(in crate::io::config) proxy: Option<String>,
    pub(in crate::io::config) body_limit: Option<SizeText>,
    pub(in crate::io::config) allow_addresses: Option<Vec<String>>,
}

/// `[target.tls]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct TlsTable {
    pub(in crate::io::config) ca_file: Option<String>,
    pub(in crate::io::config) cert_file: Option<String>,
    pub(in crate::io::config) key_file: Option<String>,
}

/// `[target.expect]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct ExpectTable {
    pub(in crate::io::config) status: Option<Vec<StatusItem>>,
    pub(in crate::io::config) headers: Option<BTreeMap<String, TextTest>>,
    pub(in crate::io::config) body: Option<BodyTable>,
    pub(in crate::io::config) slower_than: Option<DurationText>,
    pub(in crate::io::config) certificate_days: Option<i64>,
}

/// `expect.body`: everything named must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct BodyTable {
    pub(in crate::io::config) json: Option<BTreeMap<String, toml::Value>>,
    pub(in crate::io::config) contains: Option<String>,
    pub(in crate::io::config) regex: Option<String>,
}

/// `[target.health]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct HealthTable {
    pub(in crate::io::config) consecutive_failures: Option<i64>,
    pub(in crate::io::config) consecutive_successes: Option<i64>,
}

/// `[target.auth]`: exactly one of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct AuthTable {
    pub(in crate::io::config) bearer: Option<SecretSource>,
    pub(in crate::io::config) basic: Option<BasicTable>,
    pub(in crate::io::config) sigv4: Option<SigV4Table>,
}

/// `auth.basic`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct BasicTable {
    pub(in crate::io::config) username: Option<String>,
    pub(in crate::io::config) password: Option<SecretSource>,
}

/// `auth.sigv4`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct SigV4Table {
    pub(in crate::io::config) service: Option<String>,
    pub(in crate::io::config) region: Option<String>,
}

/// `[target.aws]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct AwsTable {
    pub(in crate::io::config) region: Option<String>,
    pub(in crate::io::config) role_arn: Option<String>,
    pub(in crate::io::config) external_id: Option<String>,
    pub(in crate::io::config) api_id: Option<String>,
    pub(in crate::io::config) api_name: Option<String>,
    pub(in crate::io::config) stage: Option<String>,
    pub(in crate::io::config) route: Option<String>,
    pub(in crate::io::config) function: Option<String>,
    pub(in crate::io::config) qualifier: Option<String>,
    pub(in crate::io::config) integration: Option<String>,
    pub(in crate::io::config) integration_timeout: Option<DurationText>,
    pub(in crate::io::config) function_timeout: Option<DurationText>,
    pub(in crate::io::config) authorizer: Option<String>,
    pub(in crate::io::config) shared: Option<bool>,
    pub(in crate::io::config) access_log_group: Option<String>,
    pub(in crate::io::config) execution_log_group: Option<String>,
    pub(in crate::io::config) control_path: Option<String>,
}

/// `[target.alarm]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct AlarmTable {
    pub(in crate::io::config) enabled: Option<bool>,
    pub(in crate::io::config) periods: Option<i64>,
    pub(in crate::io::config) datapoints: Option<i64>,
    pub(in crate::io::config) missing: Option<String>,
    pub(in crate::io::config) actions: Option<Vec<String>>,
    pub(in crate::io::config) causes: Option<Vec<String>>,
    pub(in crate::io::config) cause_actions: Option<BTreeMap<String, Vec<String>>>,
    pub(in crate::io::config) owner_actions: Option<BTreeMap<String, Vec<String>>>,
}

/// `[target.cloudwatch]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::io::config) struct TargetCloudWatchTable {
    pub(in crate::io::config) enabled: Option<bool>,
    pub(in crate::io::config) metrics: Option<Vec<String>>,
    pub(in crate::io::config) destination: Option<String>,
}
