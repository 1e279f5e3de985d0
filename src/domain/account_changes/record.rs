//! Parses one event of `LookupEvents`.
//!
//! The details are in the field `CloudTrailEvent`, a string that contains JSON. Format:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.

use jiff::Timestamp;
use serde_json::Value;

use super::events;
use super::parameters;
use super::resource::Resource;
use super::service::Service;
use super::who::who;
use crate::domain::incident::ChangeEffect;

/// A successful write event, reduced to what is needed to report it as a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// When the change was made.
    pub(super) time: Timestamp,
    /// The name of the API call without its version.
    pub(super) event: String,
    /// The name of the role, IAM user or AWS service that made the change, as returned by [`who`].
    pub(super) who: String,
    /// The changed resource.
    pub(super) resource: Resource,
    /// The effect of the change on a target that uses exactly this resource.
    pub(super) effect: ChangeEffect,
}

/// Parses one item of `Events`. Returns `None` for calls that only read, failed calls, calls of
/// services that are not in [`Service`], and events that name no resource or cannot be parsed.
pub(super) fn parse(event: &Value) -> Option<Record> {
    // The parsed details may contain secrets; they are dropped at the end of this function.
    let details: Value = serde_json::from_str(event.get("CloudTrailEvent")?.as_str()?).ok()?;
    let text = |key: &str| details.get(key).and_then(Value::as_str);
    let is_read = details.get("readOnly").and_then(Value::as_bool) == Some(true);
    if is_read || text("errorCode").is_some() {
        return None;
    }
    let name = events::short_name(text("eventName")?)?;
    let service = Service::parse(text("eventSource")?)?;
    let parameters = details.get("requestParameters")?;
    Some(Record {
        time: text("eventTime")?.parse().ok()?,
        who: who(details.get("userIdentity")),
        resource: Resource::of(service, name, parameters)?,
        effect: effect(service, name, parameters),
        event: name.to_owned(),
    })
}

/// Returns the effect of a call, given its name without a version and its parameters.
fn effect(service: Service, name: &str, parameters: &Value) -> ChangeEffect {
    let is_rest = parameters::identifier(parameters, "restApiId").is_some();
    match events::effect(service, name) {
        // A change of a REST API's integration reaches a stage only with a deployment.
        ChangeEffect::IntegrationChanged if is_rest => ChangeEffect::Other,
        ChangeEffect::ConcurrencyChanged if parameters::stops_function(parameters) => {
            ChangeEffect::FunctionStopped
        }
        ChangeEffect::StageChanged if parameters::stops_stage(parameters) => {
            ChangeEffect::StageStopped
        }
        effect => effect,
    }
}
