//! The values that the reconciler and its executor exchange: calls to make, their outcomes, and
//! events to log or report.

use std::collections::{BTreeMap, HashSet};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::heartbeat_shard;
use crate::domain::alarm::peers::HeartbeatState;
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::spec::AlarmSpec;
use crate::model::settings::DriftPolicy;

/// One call to AWS. If a call needs several requests, the executor makes the requests in order and
/// stops at the first failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Reads the alarms of a location.
    ReadAlarms {
        /// The id of the read, returned with the outcome.
        read: ReadId,
        /// The location whose alarms are read.
        location: String,
        /// Which alarms of the location are read.
        scope: ReadScope,
        /// Whether to read the alarms' tags too, which takes one request per alarm.
        with_tags: bool,
    },
    /// Reads the tags of alarms that a previous call returned without tags.
    ReadTags {
        /// The id of the read, returned with the outcome.
        read: ReadId,
        /// The alarms whose tags are read, as returned by the previous call.
        alarms: Vec<ActualAlarm>,
    },
    /// Reads the named alarms with their tags. Names without an alarm are ignored.
    ReadNamed {
        /// The id of the read, returned with the outcome.
        read: ReadId,
        /// The names of the alarms to read.
        names: Vec<String>,
    },
    /// Reads the states of the named alarms. Names without an alarm are ignored.
    ReadStates {
        /// The id of the read, returned with the outcome.
        read: ReadId,
        /// The names of the alarms whose states are read.
        names: Vec<String>,
    },
    /// Reads one alarm that another daemon manages.
    Inspect {
        /// The name of the alarm to read.
        name: String,
    },
    /// Writes one alarm.
    Write(Write),
    /// Disables the actions of at most [`NAMES_PER_CALL`] alarms.
    DisableActions {
        /// The names of the alarms whose actions are disabled.
        names: Vec<String>,
    },
    /// Deletes at most [`NAMES_PER_CALL`] alarms.
    Delete {
        /// The names of the alarms to delete.
        names: Vec<String>,
    },
}

/// Maximum number of alarm names in one request that reads, disables or deletes alarms by name
/// (CloudWatch's limit).
pub const NAMES_PER_CALL: usize = 100;

/// The id of a read. The outcome of an outdated read is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadId(pub u64);

/// The part of a location's alarms that a read returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadScope {
    /// All alarms of the location.
    All,
    /// The alarms with these names.
    Named(HashSet<String>),
    /// The alarms with these names, and the heartbeat alarms of shards with at least this index.
    NamedAndShardsFrom(HashSet<String>, u32),
}

/// The write of one alarm: a sequence of operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The name of the alarm.
    pub alarm: String,
    /// The ARN of the alarm, which tag requests need; `None` if the executor has to look up the
    /// ARN.
    pub arn: Option<String>,
    /// The operations, in the order in which the executor carries them out.
    pub operations: Vec<WriteOperation>,
}

/// One of the operations that write an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteOperation {
    /// Creates the alarm with its tags, or overwrites the definition and description of an existing
    /// alarm. CloudWatch ignores the tags if the alarm exists.
    PutDefinition(Box<(AlarmSpec, Annotation)>),
    /// Overwrites the description and keeps the current values of all other fields.
    PutDescription(String),
    /// Writes these tags and keeps all other tags.
    Tag(Vec<(&'static str, String)>),
}

/// The result of a [`Call`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The result of a read other than [`Call::Inspect`].
    Read {
        /// The id of the read, as given in the call.
        read: ReadId,
        /// The data that the read returned, or the failure.
        result: Result<ReadData, CallFailure>,
    },
    /// The result of [`Call::Inspect`]; `None` if the alarm does not exist.
    Inspected(Result<Option<PeerAlarm>, CallFailure>),
    /// The result of [`Call::Write`], with the alarm's ARN if it is known.
    Written(Result<Option<String>, WriteFailure>),
    /// The result of [`Call::DisableActions`].
    Disabled(Result<(), CallFailure>),
    /// The result of [`Call::Delete`].
    Deleted(Result<(), CallFailure>),
}

/// The data that a read returned.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadData {
    /// The alarms, with or without tags as requested.
    Alarms(Vec<ActualAlarm>),
    /// The states of heartbeat alarms, by alarm name.
    States(BTreeMap<String, HeartbeatState>),
}

/// An alarm that another daemon manages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerAlarm {
    /// The alarm's ARN.
    pub arn: String,
    /// The alarm's tags, by key.
    pub tags: BTreeMap<String, String>,
    /// Whether the alarm is in state ALARM.
    pub firing: bool,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// The operation that failed, such as `PutMetricAlarm`.
    pub operation: &'static str,
    /// The kind of failure, which determines how the failure is handled.
    pub kind: CallFailureKind,
}

/// Why a call failed. The reason determines how the reconciler handles the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailureKind {
    /// The credentials are missing or invalid, or the daemon's role does not allow this call,
    /// possibly for this alarm only.
    Denied,
    /// CloudWatch rejected the request, and would reject the same request again.
    Rejected,
    /// AWS throttled the call, returned an internal error or no complete response, or the call was
    /// not sent. The same call may succeed later.
    Transient,
}

/// A write that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFailure {
    /// The operation that failed, and the kind of failure.
    pub failure: CallFailure,
    /// The number of operations that succeeded before the failure.
    pub completed: usize,
    /// Whether the write failed because the alarm does not exist.
    pub missing: bool,
}

/// An instruction to the executor.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make a call and report its outcome as [`Event::Finished`](super::Event::Finished).
    Call(Call),
    /// Report the result of an update to the requester with this ticket.
    Settled(Ticket, UpdateResult),
    /// Add this number, which may be negative, to the count of alarms that were changed by hand.
    Drifted(i64),
    /// Log this event.
    Log(Notice),
}

/// The id of a request for the result of an urgent update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// The result of an urgent update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// The alarm names the requested cause, or needs no write.
    Written,
    /// The update was not written, because another alarm or another daemon names the cause.
    Suppressed,
    /// The alarm could not be written, or a newer update replaced this update.
    Failed,
}

/// An event of the reconciler that the executor logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The account was read, and this number of writes is planned.
    Planned(usize),
    /// An alarm was created: its name, and the cause that it names (`none` without a failure).
    Created(String, String),
    /// An alarm was updated: its name, and the cause that it names (`none` without a failure).
    Updated(String, String),
    /// An alarm was annotated: its name, and the new annotation.
    Annotated(String, Annotation),
    /// The actions of the alarms with these names were disabled.
    ActionsDisabled(Vec<String>),
    /// The desired alarm with this name cannot be created, because an alarm that Probecause does
    /// not manage has the same name.
    Conflict(String),
    /// An alarm was changed by hand: its name, a description of the change, and the drift policy
    /// that applies.
    ChangedByHand(String, String, DriftPolicy),
    /// The alarm with this name was changed by hand and is as configured again.
    AsConfigured(String),
    /// Other daemons started or stopped, and alarms were reassigned. The field contains the shards
    /// whose daemons count as stopped.
    PeersChanged(Vec<u32>),
}

impl UpdateResult {
    /// Returns whether the cause is named before the alarm fires: in this alarm, in another alarm,
    /// or by another daemon.
    #[must_use]
    pub const fn is_in_time(self) -> bool {
        matches!(self, Self::Written | Self::Suppressed)
    }
}

impl ReadScope {
    /// Returns whether a read with this scope returns the alarm `name` of the location.
    #[must_use]
    pub fn includes(&self, location: &str, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
            Self::NamedAndShardsFrom(names, first) => {
                let shard = heartbeat_shard(location, name);
                names.contains(name) || shard.is_some_and(|shard| shard >= *first)
            }
        }
    }
}

impl CallFailure {
    /// Returns whether the failure may concern only the alarms of the call. A transient failure
    /// concerns the account as a whole.
    #[must_use]
    pub fn concerns_one_alarm(&self) -> bool {
        self.kind != CallFailureKind::Transient
    }
}
