//! Parses Lambda's answers about a function and its account: GetFunctionConfiguration, GetPolicy,
//! GetFunctionConcurrency and GetAccountSettings.
//!
//! `LastUpdateStatus` is not kept: while an update is in progress or has failed, invocations run
//! the previous code.

use std::time::Duration;

use serde_json::Value;

use super::Lookup;
use super::values::text;
use crate::domain::diagnosis::aws::permission::{Decision, Invocation, decide};
use crate::model::target::AwsDeclarations;
use crate::model::text_enum::text_enum;

/// The identity of a function, or of one of its versions or aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// The partition, Region and account of the function; `None` if only the name is declared.
    pub place: Option<Place>,
    /// The name of the function.
    pub name: String,
    /// The version or alias; `None` for the unqualified function, which is also `$LATEST`.
    pub qualifier: Option<String>,
}

/// The partition, Region and account of a resource, which are parts of its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: String,
    /// The Region.
    pub region: String,
    /// The id of the account.
    pub account: String,
}

/// What is known about a function. A part is `None` if it was not read.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The function that the other fields describe.
    pub reference: FunctionRef,
    /// The response of `GetFunctionConfiguration` for the qualifier.
    pub settings: Option<Lookup<FunctionSettings>>,
    /// The response of `GetPolicy` for the qualifier. [`Lookup::Missing`] means that the function
    /// has no policy, or that the function itself does not exist.
    pub policy: Option<Lookup<Policy>>,
    /// The response of `GetFunctionConcurrency`.
    pub concurrency: Option<Concurrency>,
}

/// The settings of a function version. A value is `None` if the response does not contain it or if
/// the value is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// The state; `None` also for a state that is not in [`FunctionState`].
    pub state: Option<FunctionState>,
    /// AWS's code for the reason of the state, such as `ImageAccessDenied`.
    pub reason: Option<String>,
    /// The function's timeout.
    pub timeout: Option<Duration>,
    /// The id that changes with every change of the function.
    pub revision: Option<String>,
}

text_enum! {
    /// The state of a function version.
    ///
    /// The texts are values of the fact `config.function_state`, which may also be `missing`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum FunctionState {
        /// The function can be invoked.
        Active = "active",
        /// Lambda creates or restores the resources of the function.
        Pending = "pending",
        /// The function has been idle; the next invocation fails and activates it.
        Inactive = "inactive",
        /// Lambda could not create the function.
        Failed = "failed",
    }
}

/// A function's resource policy, reduced to its decision about one invocation and its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether the policy allows the invocation.
    pub decision: Decision,
    /// The id that changes with every change of the policy; `None` if the response does not contain
    /// it.
    pub revision: Option<String>,
}

/// The reserved concurrency of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// The function uses the unreserved concurrency of the account.
    Unreserved,
    /// The number of concurrent executions that are reserved for the function. The function cannot
    /// have more.
    Reserved(u64),
}

impl FunctionRef {
    /// Parses the URI of a Lambda integration: the ARN of the function, or the path of Lambda's API
    /// that contains this ARN. `None` if the URI has another form, for example if it contains a
    /// variable.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        let arn = match uri.split_once("/functions/") {
            Some((_, after)) => after.split('/').next()?,
            None => uri,
        };
        let parts: Vec<&str> = arn.split(':').collect();
        let (head, qualifier) = match parts.as_slice() {
            [head @ .., qualifier] if head.len() == 7 => (head, Some(*qualifier)),
            head => (head, None),
        };
        let [
            "arn",
            partition,
            "lambda",
            region,
            account,
            "function",
            name,
        ] = *head
        else {
            return None;
        };
        let named = [partition, region, account, name]
            .iter()
            .all(|part| is_name(part));
        let qualified = qualifier.is_none_or(|it| is_name(it.trim_start_matches('$')));
        (named && qualified).then(|| Self {
            place: Some(Place {
                partition: partition.to_owned(),
                region: region.to_owned(),
                account: account.to_owned(),
            }),
            name: name.to_owned(),
            qualifier: qualifier.and_then(qualified_part),
        })
    }

    /// Returns the declared function; `None` if no function is declared.
    #[must_use]
    pub fn declared(aws: &AwsDeclarations) -> Option<Self> {
        Some(Self {
            place: None,
            name: aws.function.clone()?,
            qualifier: aws.qualifier.as_deref().and_then(qualified_part),
        })
    }

    /// Returns whether both references have the same name and qualifier. Partitions, Regions and
    /// accounts are not compared.
    #[must_use]
    pub fn has_name_of(&self, other: &Self) -> bool {
        self.name == other.name && self.qualifier == other.qualifier
    }
}

/// Returns the qualifier; `None` for `$LATEST`, which has no policy and no state of its own.
fn qualified_part(qualifier: &str) -> Option<String> {
    (qualifier != "$LATEST").then(|| qualifier.to_owned())
}

/// Returns whether the text is not empty and has only characters that are allowed in names, Regions
/// and account ids.
fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(is_of_name)
}

impl FunctionSettings {
    /// Parses the response of `GetFunctionConfiguration`, which also contains environment
    /// variables: they are ignored. `None` if the response does not describe a function.
    #[must_use]
    pub fn parse(answer: &Value) -> Option<Self> {
        text(answer, "FunctionName").or_else(|| text(answer, "FunctionArn"))?;
        let state = match text(answer, "State") {
            Some("Active") => Some(FunctionState::Active),
            Some("Pending") => Some(FunctionState::Pending),
            Some("Inactive") => Some(FunctionState::Inactive),
            Some("Failed") => Some(FunctionState::Failed),
            _ => None,
        };
        let is_code = |code: &&str| code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        let timeout = answer.get("Timeout").and_then(Value::as_u64);
        Some(Self {
            state,
            reason: text(answer, "StateReasonCode")
                .filter(is_code)
                .map(str::to_owned),
            timeout: timeout.map(Duration::from_secs),
            revision: text(answer, "RevisionId").map(str::to_owned),
        })
    }
}

impl Policy {
    /// Parses the response of `GetPolicy`, and decides whether the policy allows the invocation.
    /// The decision is [`Decision::Unclear`] if `invocation` is `None`. Returns `None` if the
    /// answer has no policy.
    #[must_use]
    pub fn parse(answer: &Value, invocation: Option<&Invocation>) -> Option<Self> {
        let policy = text(answer, "Policy")?;
        Some(Self {
            decision: invocation.map_or(Decision::Unclear, |it| decide(Some(policy), it)),
            revision: text(answer, "RevisionId").map(str::to_owned),
        })
    }
}

impl Concurrency {
    /// Parses the response of `GetFunctionConcurrency`, which is empty if no concurrency is
    /// reserved. `None` if the response is not valid.
    #[must_use]
    pub fn parse(answer: &Value) -> Option<Self> {
        match answer.as_object()?.get("ReservedConcurrentExecutions") {
            None | Some(Value::Null) => Some(Self::Unreserved),
            Some(number) => number.as_u64().map(Self::Reserved),
        }
    }
}

/// Parses the response of `GetAccountSettings` into the number of concurrent executions that Lambda
/// allows in the account and Region; `None` if the response does not contain the number.
#[must_use]
pub fn account_concurrency(answer: &Value) -> Option<u64> {
    answer
        .get("AccountLimit")?
        .get("ConcurrentExecutions")?
        .as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_uri_names_a_function_and_its_qualifier() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        let of_api = |function: &str| {
            format!(
                "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations"
            )
        };
        for (uri, expected) in [
            (arn.to_owned(), Some(("orders", None))),
            (format!("{arn}:live"), Some(("orders", Some("live")))),
            (format!("{arn}:7"), Some(("orders", Some("7")))),
            (format!("{arn}:$LATEST"), Some(("orders", None))),
            (of_api(arn), Some(("orders", None))),
            (
                of_api(&format!("{arn}:live")),
                Some(("orders", Some("live"))),
            ),
            (
                of_api(arn).replace("/invocations", "/response-streaming-invocations"),
                Some(("orders", None)),
            ),
            (of_api(&format!("{arn}:${{stageVariables.x}}")), None),
            (of_api("orders"), None),
            (format!("{arn}:"), None),
            (format!("{arn}:live:more"), None),
            ("arn:aws:sqs:eu-west-1:123456789012:queue".to_owned(), None),
            (String::new(), None),
        ] {
            let found = FunctionRef::of_uri(&uri);
            let parts = found
                .as_ref()
                .map(|it| (it.name.as_str(), it.qualifier.as_deref()));
            assert_eq!(parts, expected, "{uri}");
        }
        let place = FunctionRef::of_uri(arn).unwrap().place.unwrap();
        assert_eq!(place.partition, "aws");
        assert_eq!(
            (place.region.as_str(), place.account.as_str()),
            ("eu-west-1", "123456789012")
        );
    }

    #[test]
    fn an_update_in_progress_or_failed_does_not_change_the_state() {
        for update in ["InProgress", "Failed", "Successful"] {
            let answer = json!({
                "FunctionName": "orders", "State": "Active", "LastUpdateStatus": update,
                "LastUpdateStatusReasonCode": "InvalidSubnet", "Timeout": 5, "RevisionId": "r1"
            });
            let settings = FunctionSettings::parse(&answer).unwrap();
            assert_eq!(settings.state, Some(FunctionState::Active));
            assert_eq!(settings.timeout, Some(Duration::from_secs(5)));
            assert_eq!(
                (settings.reason, settings.revision.as_deref()),
                (None, Some("r1"))
            );
        }
    }

    #[test]
    fn states_are_parsed_or_unknown() {
        for (state, expected) in [
            ("Pending", Some(FunctionState::Pending)),
            ("Inactive", Some(FunctionState::Inactive)),
            ("Failed", Some(FunctionState::Failed)),
            ("Deactivating", None),
            ("", None),
        ] {
            let answer = json!({ "FunctionArn": "arn", "State": state, "StateReasonCode": "Idle" });
            let settings = FunctionSettings::parse(&answer).unwrap();
            assert_eq!(
                (settings.state, settings.reason.as_deref()),
                (expected, Some("Idle"))
            );
        }
        assert_eq!(FunctionSettings::parse(&json!({ "message": "x" })), None);
    }

    #[test]
    fn the_reserved_concurrency_may_be_zero_or_absent() {
        for (answer, expected) in [
            (json!({}), Some(Concurrency::Unreserved)),
            (
                json!({ "ReservedConcurrentExecutions": null }),
                Some(Concurrency::Unreserved),
            ),
            (
                json!({ "ReservedConcurrentExecutions": 0 }),
                Some(Concurrency::Reserved(0)),
            ),
            (
                json!({ "ReservedConcurrentExecutions": 5 }),
                Some(Concurrency::Reserved(5)),
            ),
            (json!({ "ReservedConcurrentExecutions": "5" }), None),
            (json!("x"), None),
        ] {
            assert_eq!(Concurrency::parse(&answer), expected, "{answer}");
        }
        let limits = json!({ "AccountLimit": { "ConcurrentExecutions": 10 } });
        assert_eq!(account_concurrency(&limits), Some(10));
        assert_eq!(account_concurrency(&json!({})), None);
    }
}
