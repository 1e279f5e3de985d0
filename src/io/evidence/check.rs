//! Makes the calls that show which evidence the credentials may read, for `probecause check --aws`.
//!
//! `domain::evidence_sources` selects the calls and interprets their outcomes. The calls are made
//! one after another, each of them once, at the rate limits of the daemon. The responses are
//! dropped; only the outcome of each call is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::domain::evidence_sources::{
    Action, Attempt, Outcome, Read, TargetReport, reads, report,
};
use crate::io::aws::read::{AwsReader, ReadError, Service};
use crate::io::aws::{CallError, FailureKind};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::logs::{self, LogQuery};
use crate::io::evidence::metrics;
use crate::io::evidence::scope::AwsScope;
use crate::io::evidence::series::declared_series;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::{Target, TargetName};

/// The evidence that one target can get.
#[derive(Clone, Debug)]
pub struct TargetEvidence {
    /// The target.
    pub target: TargetName,
    /// The Region and the role with which the evidence is read. The external id is omitted.
    pub scope: String,
    /// What is available, and what is missing.
    pub report: TargetReport,
}

/// The call that is made next, its number, and the number of all calls.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The number of the call, from 1.
    pub number: usize,
    /// The total number of calls.
    pub total: usize,
    /// The action and its resource, followed by the Region and the role.
    pub call: String,
}

/// Makes the calls of all scopes.
struct Caller {
    clients: ClientCache,
    /// The minimum time between two calls.
    interval: Duration,
    /// The time from which no further call is made.
    deadline: Instant,
}

/// The targets that share a Region and role, and the calls for them.
struct ScopePlan<'a> {
    targets: Vec<&'a Target>,
    reads: Vec<Read>,
}

/// Maximum duration of all calls together. A host that does not answer must not hold up the command
/// for hours if there are many roles.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// The time range of the metric and the log lines that are read.
const RANGE: Duration = Duration::from_secs(300);

/// The text that is searched for in logs. No log line needs to contain it.
const SEARCHED: &str = "probecause-check";

/// The operation that searches CloudTrail, with the prefix that its JSON protocol requires.
const LOOKUP_EVENTS: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";

/// The error code for a log group that does not exist.
const NOT_FOUND: &str = "ResourceNotFoundException";

/// Prefix of the error text for a missing permission.
const ACCESS_DENIED: &str = "access denied";

/// Makes the calls and returns what is available to each target, in the order of the configuration.
/// `base` is an SDK configuration with the credentials; `None` means the SDK's default chain.
/// `progress` is called before each call.
///
/// # Errors
/// Returns an error if the metrics of the calls cannot be registered. A failed call is not an
/// error, but part of the result.
pub async fn check(
    settings: &Settings,
    base: Option<SdkConfig>,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Vec<TargetEvidence>, String> {
    let caller = Caller::new(settings, base)?;
    let plans = plans(settings);
    let total: usize = plans.values().map(|plan| plan.reads.len()).sum();
    let mut number = 0;
    let mut attempts: BTreeMap<&AwsScope, Vec<Attempt>> = BTreeMap::new();
    // A reader requires a Region. A scope without calls needs neither.
    for (scope, plan) in plans.iter().filter(|(_, plan)| !plan.reads.is_empty()) {
        let reader = Box::pin(caller.clients.reader(scope)).await;
        let reader = reader.map_err(|error| of_call(&error));
        let done = attempts.entry(scope).or_default();
        for read in &plan.reads {
            number += 1;
            progress(&Progress {
                number,
                total,
                call: format!("{read} in {scope}"),
            });
            let outcome = match known_outcome(done, caller.deadline) {
                Some(outcome) => outcome,
                None => Box::pin(caller.attempt(scope, plan, reader.as_ref(), read)).await,
            };
            done.push(Attempt {
                read: read.clone(),
                outcome,
            });
        }
    }
    let found = settings.targets.iter().map(|target| {
        let scope = AwsScope::of(target, settings);
        let of_scope = attempts.get(&scope).map(Vec::as_slice).unwrap_or_default();
        TargetEvidence {
            target: target.name.clone(),
            report: report(target, &settings.evidence, of_scope),
            scope: scope.to_string(),
        }
    });
    Ok(found.collect())
}

/// Groups the targets by Region and role, and selects the calls for each group.
fn plans(settings: &Settings) -> BTreeMap<AwsScope, ScopePlan<'_>> {
    let mut groups: BTreeMap<AwsScope, Vec<&Target>> = BTreeMap::new();
    for target in &settings.targets {
        let scope = AwsScope::of(target, settings);
        groups.entry(scope).or_default().push(target);
    }
    groups
        .into_iter()
        .map(|(scope, targets)| {
            let reads = reads(&targets);
            (scope, ScopePlan { targets, reads })
        })
        .collect()
}

/// Returns the outcome of the next call of a scope if the call need not be made, because the
/// credentials of the scope do not work or the deadline has passed; `None` if it must be made.
/// `done` contains the earlier calls of the scope.
fn known_outcome(done: &[Attempt], deadline: Instant) -> Option<Outcome> {
    let failed = done
        .iter()
        .map(|attempt| &attempt.outcome)
        .find(|outcome| matches!(outcome, Outcome::Credentials(_)));
    failed.cloned().or_else(|| {
        (Instant::now() >= deadline).then(|| {
            Outcome::Failed(format!(
                "the time limit of {} s for all calls was reached before this call",
                TIME_LIMIT.as_secs()
            ))
        })
    })
}

impl Caller {
    fn new(settings: &Settings, base: Option<SdkConfig>) -> Result<Self, String> {
        let metrics = DaemonMetrics::new().map_err(|error| error.to_string())?;
        Ok(Self {
            clients: ClientCache::new(settings, base, metrics),
            interval: Duration::from_secs(1) / settings.evidence.max_requests_per_second.max(1),
            deadline: Instant::now() + TIME_LIMIT,
        })
    }

    /// Makes one call and returns its outcome. If the reader could not be created, `reader` is the
    /// outcome of the calls that need it.
    async fn attempt(
        &self,
        scope: &AwsScope,
        plan: &ScopePlan<'_>,
        reader: Result<&Arc<AwsReader>, &Outcome>,
        read: &Read,
    ) -> Outcome {
        match read.action {
            Action::GetMetricData => self.read_metric(scope, &plan.targets).await,
            Action::FilterLogEvents => self.search_log(scope, read).await,
            _ => match reader {
                Ok(reader) => read_resource(reader, read).await,
                Err(outcome) => outcome.clone(),
            },
        }
    }

    /// Reads one metric of the targets. One is enough, because CloudWatch has no permissions for
    /// single metrics.
    async fn read_metric(&self, scope: &AwsScope, targets: &[&Target]) -> Outcome {
        let all = targets
            .iter()
            .flat_map(|target| declared_series(&target.aws));
        let series: Vec<_> = all.take(1).collect();
        let now = Timestamp::now();
        let read = metrics::read(&self.clients, scope, &series, now - RANGE, now).await;
        sleep(self.interval).await;
        match read {
            Ok(values) if values.is_empty() => {
                Outcome::Failed("CloudWatch did not return the metric".to_owned())
            }
            Ok(_) => Outcome::Allowed,
            Err(error) => of_call(&error),
        }
    }

    /// Searches the log lines of the last five minutes in a log group.
    async fn search_log(&self, scope: &AwsScope, read: &Read) -> Outcome {
        let now = Timestamp::now();
        let query = LogQuery {
            group: read.resource.clone().unwrap_or_default(),
            id: SEARCHED.to_owned(),
            from: now - RANGE,
            to: now,
        };
        let found = logs::search(&self.clients, scope, &query, self.interval).await;
        sleep(self.interval).await;
        match found {
            Ok(_) => Outcome::Allowed,
            Err(error) if error.text.starts_with(NOT_FOUND) => Outcome::Missing(error.text),
            Err(error) => of_call(&error),
        }
    }
}

/// Makes a call with a signed request. The response is dropped, because it may contain secrets.
async fn read_resource(reader: &AwsReader, read: &Read) -> Outcome {
    let name = read.resource.as_deref().unwrap_or_default();
    let qualifier = read.qualifier.as_deref();
    let query: Vec<(&str, &str)> = qualifier
        .map(|qualifier| ("Qualifier", qualifier))
        .into_iter()
        .collect();
    let lambda = Service::Lambda;
    let result = match read.action {
        Action::GetApi => read_api(reader, name).await,
        Action::GetFunctionConfiguration => {
            let path = ["2015-03-31", "functions", name, "configuration"];
            let answer = reader.get(lambda, "GetFunctionConfiguration", &path, &query);
            answer.await.map(drop)
        }
        Action::GetPolicy => {
            let path = ["2015-03-31", "functions", name, "policy"];
            let answer = reader.get(lambda, "GetPolicy", &path, &query);
            answer.await.map(drop)
        }
        Action::GetFunctionConcurrency => {
            let path = ["2019-09-30", "functions", name, "concurrency"];
            let answer = reader.get(lambda, "GetFunctionConcurrency", &path, &[]);
            answer.await.map(drop)
        }
        Action::GetAccountSettings => {
            let path = ["2016-08-19", "account-settings", ""];
            let answer = reader.get(lambda, "GetAccountSettings", &path, &[]);
            answer.await.map(drop)
        }
        Action::DescribeLoadBalancers => describe(reader, "DescribeLoadBalancers").await,
        Action::DescribeTargetGroups => describe(reader, "DescribeTargetGroups").await,
        Action::LookupEvents => {
            let body = json!({ "MaxResults": 1 });
            let answer = reader.post_json(Service::CloudTrail, LOOKUP_EVENTS, &body);
            answer.await.map(drop)
        }
        // `Caller` makes these calls with the SDK.
        Action::GetMetricData | Action::FilterLogEvents => Err(ReadError::Rejected(
            "this action is called with the SDK, not with a signed request".to_owned(),
        )),
    };
    result.map_or_else(of_read, |()| Outcome::Allowed)
}

/// Reads an API. The id does not show the type, so the API is read as an HTTP API first. If AWS
/// does not find an HTTP API or denies the read, the API is read as a REST API.
async fn read_api(reader: &AwsReader, id: &str) -> Result<(), ReadError> {
    let gateway = Service::ApiGateway;
    let path = ["v2", "apis", id];
    let http_api = reader.get(gateway, "GetApi", &path, &[]).await;
    // AWS checks the policy before it checks whether the API exists. The policy may allow the read
    // of the REST API only.
    let denied = match http_api {
        Err(ReadError::NotFound(_)) => None,
        Err(
            denied @ ReadError::Denied {
                action: Some(_), ..
            },
        ) => Some(denied),
        other => return other.map(drop),
    };
    let path = ["restapis", id];
    let rest_api = reader.get(gateway, "GetRestApi", &path, &[]).await;
    match (denied, rest_api) {
        (Some(denied), Err(_)) => Err(denied),
        (_, rest_api) => rest_api.map(drop),
    }
}

/// Calls an operation of Elastic Load Balancing that returns a list. Reads at most one item.
async fn describe(reader: &AwsReader, action: &str) -> Result<(), ReadError> {
    let first = [("PageSize", "1")];
    let answer = reader.query(Service::LoadBalancing, action, "2015-12-01", &first);
    answer.await.map(drop)
}

/// Returns the outcome of a failed call of the SDK.
fn of_call(error: &CallError) -> Outcome {
    let text = error.text.clone();
    match error.kind {
        FailureKind::Denied if text.starts_with(ACCESS_DENIED) => Outcome::Denied(text),
        FailureKind::Denied => Outcome::Credentials(text),
        _ => Outcome::Failed(text),
    }
}

/// Returns the outcome of a failed signed request.
fn of_read(error: ReadError) -> Outcome {
    match error {
        ReadError::NotFound(text) => Outcome::Missing(text),
        ReadError::Denied {
            action: Some(_),
            text,
        } => Outcome::Denied(text),
        ReadError::Denied { action: None, text } => Outcome::Credentials(text),
        other => Outcome::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
