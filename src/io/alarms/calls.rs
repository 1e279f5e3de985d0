//! Makes one call for the alarm reconciler. A call consists of one or more operations of the
//! CloudWatch API, which `account` carries out. The daemon and `probecause alarms` share this code.

use crate::domain::alarm::reconciler::call::{
    Call, CallFailure, CallFailureKind, Outcome, PeerAlarm, ReadData, Write, WriteFailure,
    WriteOperation,
};
use crate::io::alarms::account::{self, Pace};
use crate::io::aws::{CallError, FailureKind};
use crate::io::cloudwatch::client::Api;

/// The result of one [`Call`].
#[derive(Debug)]
pub struct Performed {
    /// The outcome that is passed to the reconciler.
    pub outcome: Outcome,
    /// The full error, for logs and messages; `None` if the call succeeded.
    pub failure: Option<CallError>,
}

/// A failed write of one alarm.
struct FailedWrite {
    error: CallError,
    /// The number of operations that succeeded before the failure.
    completed: usize,
    /// Whether the write failed because the alarm does not exist.
    missing: bool,
}

/// Makes a call and returns its result. If `api` is an error, the call fails with this error.
/// Writes wait for `pace`.
pub async fn perform(api: Result<Api, CallError>, pace: &Pace, call: Call) -> Performed {
    match call {
        Call::ReadAlarms { read, .. }
        | Call::ReadTags { read, .. }
        | Call::ReadNamed { read, .. }
        | Call::ReadStates { read, .. } => {
            let (result, failure) = split(self::read(api, call).await);
            let outcome = Outcome::Read { read, result };
            Performed { outcome, failure }
        }
        Call::Inspect { name } => {
            let (result, failure) = split(inspect(api, &name).await);
            let outcome = Outcome::Inspected(result);
            Performed { outcome, failure }
        }
        Call::Write(write) => written(self::write(api, pace, write).await),
        Call::DisableActions { names } => {
            let (result, failure) = split(disable(api, pace, &names).await);
            let outcome = Outcome::Disabled(result);
            Performed { outcome, failure }
        }
        Call::Delete { names } => {
            let (result, failure) = split(delete(api, pace, &names).await);
            let outcome = Outcome::Deleted(result);
            Performed { outcome, failure }
        }
    }
}

/// Returns the API operations that count as successful if `call` succeeded. A read of alarms with
/// tags includes `ListTagsForResource` even if no alarm was found.
#[must_use]
pub fn operations(call: &Call) -> Vec<&'static str> {
    match call {
        Call::ReadAlarms {
            with_tags: false, ..
        }
        | Call::ReadStates { .. } => vec!["DescribeAlarms"],
        Call::ReadAlarms { .. } | Call::ReadNamed { .. } | Call::Inspect { .. } => {
            vec!["DescribeAlarms", "ListTagsForResource"]
        }
        Call::ReadTags { .. } => vec!["ListTagsForResource"],
        Call::Write(write) => write.operations.iter().map(name).collect(),
        Call::DisableActions { .. } => vec!["DisableAlarmActions"],
        Call::Delete { .. } => vec!["DeleteAlarms"],
    }
}

const fn name(operation: &WriteOperation) -> &'static str {
    match operation {
        WriteOperation::PutDefinition(_) | WriteOperation::PutDescription(_) => "PutMetricAlarm",
        WriteOperation::Tag(_) => "TagResource",
    }
}

impl Performed {
    /// Returns the alarms or states that a read found. Returns no alarms for any other call.
    ///
    /// # Errors
    /// Returns the error of the failed call.
    pub fn found(self) -> Result<ReadData, CallError> {
        match (self.failure, self.outcome) {
            (Some(error), _) => Err(error),
            (
                None,
                Outcome::Read {
                    result: Ok(found), ..
                },
            ) => Ok(found),
            (None, _) => Ok(ReadData::Alarms(Vec::new())),
        }
    }

    /// Returns `Ok` if the call succeeded.
    ///
    /// # Errors
    /// Returns the error of the failed call.
    pub fn done(self) -> Result<(), CallError> {
        self.failure.map_or(Ok(()), Err)
    }
}

async fn read(api: Result<Api, CallError>, call: Call) -> Result<ReadData, CallError> {
    let api = api?;
    let alarms = match call {
        Call::ReadAlarms {
            location,
            scope,
            with_tags,
            ..
        } => {
            let mut found = account::describe(&api, &location).await?;
            found.retain(|alarm| scope.includes(&location, &alarm.name));
            if with_tags {
                account::with_tags(&api, found).await?
            } else {
                found
            }
        }
        Call::ReadTags { alarms, .. } => account::with_tags(&api, alarms).await?,
        Call::ReadNamed { names, .. } => account::named(&api, &names).await?,
        Call::ReadStates { names, .. } => {
            return account::states(&api, &names).await.map(ReadData::States);
        }
        _ => Vec::new(),
    };
    Ok(ReadData::Alarms(alarms))
}

async fn inspect(api: Result<Api, CallError>, name: &str) -> Result<Option<PeerAlarm>, CallError> {
    account::inspect(&api?, name).await
}

async fn disable(
    api: Result<Api, CallError>,
    pace: &Pace,
    names: &[String],
) -> Result<(), CallError> {
    account::disable_actions(&api?, pace, names).await
}

async fn delete(
    api: Result<Api, CallError>,
    pace: &Pace,
    names: &[String],
) -> Result<(), CallError> {
    account::delete(&api?, pace, names).await
}

/// Carries out the operations of a write in order. Returns the alarm's ARN if the ARN is known.
async fn write(
    api: Result<Api, CallError>,
    pace: &Pace,
    write: Write,
) -> Result<Option<String>, FailedWrite> {
    let failed = |error, completed, missing| FailedWrite {
        error,
        completed,
        missing,
    };
    let api = api.map_err(|error| failed(error, 0, false))?;
    let mut arn = write.arn;
    for (completed, operation) in write.operations.iter().enumerate() {
        let existing = match (operation, &arn) {
            (WriteOperation::PutDescription(_), _) | (WriteOperation::Tag(_), None) => {
                let found = account::one(&api, &write.alarm).await;
                let found = found.map_err(|error| failed(error, completed, false))?;
                let gone = || failed(missing(&write.alarm), completed, true);
                Some(found.ok_or_else(gone)?)
            }
            _ => None,
        };
        let found = existing.as_ref().and_then(|alarm| alarm.alarm_arn());
        arn = arn.or_else(|| found.map(str::to_owned));
        let result = match (operation, &existing) {
            (WriteOperation::PutDescription(text), Some(alarm)) => {
                account::put_description(&api, pace, alarm, text).await
            }
            (WriteOperation::PutDescription(_), None) => Ok(()),
            (WriteOperation::PutDefinition(definition), _) => {
                account::put(&api, pace, &definition.0, &definition.1).await
            }
            (WriteOperation::Tag(tags), _) => {
                account::tag(&api, pace, arn.as_deref().unwrap_or_default(), tags).await
            }
        };
        result.map_err(|error| failed(error, completed, false))?;
    }
    Ok(arn)
}

fn missing(alarm: &str) -> CallError {
    CallError {
        operation: "DescribeAlarms",
        kind: FailureKind::Failed,
        text: format!("the alarm `{alarm}` no longer exists"),
    }
}

fn written(result: Result<Option<String>, FailedWrite>) -> Performed {
    match result {
        Ok(arn) => Performed {
            outcome: Outcome::Written(Ok(arn)),
            failure: None,
        },
        Err(failed) => Performed {
            outcome: Outcome::Written(Err(WriteFailure {
                failure: classify(&failed.error),
                completed: failed.completed,
                missing: failed.missing,
            })),
            failure: Some(failed.error),
        },
    }
}

fn split<T>(result: Result<T, CallError>) -> (Result<T, CallFailure>, Option<CallError>) {
    match result {
        Ok(value) => (Ok(value), None),
        Err(error) => (Err(classify(&error)), Some(error)),
    }
}

fn classify(error: &CallError) -> CallFailure {
    CallFailure {
        operation: error.operation,
        kind: match error.kind {
            // A connection failure is not specific to one alarm, so the call is retried.
            _ if error.operation == "connect" => CallFailureKind::Transient,
            FailureKind::Denied => CallFailureKind::Denied,
            FailureKind::Rejected => CallFailureKind::Rejected,
            FailureKind::Throttled | FailureKind::Failed | FailureKind::Lost => {
                CallFailureKind::Transient
            }
        },
    }
}
