//! The values that the reconciler exchanges with its executor: calls to make, their
//! outcomes, and what is to be logged or reported besides.

use std::collections::{BTreeMap, HashSet};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::heartbeat_shard;
use crate::domain::alarm::peers::HeartbeatState;
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::spec::AlarmSpec;
use crate::model::settings::DriftPolicy;

/// One call to make. A call may take several requests; the executor makes them in order and
/// stops at the first that fails.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Read the alarms of a location.
    ReadAlarms {
        /// Returned with the outcome.
        read: ReadId,
        /// The location whose alarm names are listed.
        location: String,
        /// Which of these alarms to return.
        scope: ReadScope,
        /// Whether to read their tags too: one request per alarm.
        with_tags: bool,
    },
    /// Read the tags of alarms that were just read.
    ReadTags {
        /// Returned with the outcome.
        read: ReadId,
        /// The alarms, without tags.
        alarms: Vec<ActualAlarm>,
    },
    /// Read the named alarms with their tags, as far as they exist.
    ReadNamed {
        /// Returned with the outcome.
        read: ReadId,
        /// The names.
        names: Vec<String>,
    },
    /// Read the states of the named alarms, as far as they exist.
    ReadStates {
        /// Returned with the outcome.
        read: ReadId,
        /// The names.
        names: Vec<String>,
    },
    /// Read one alarm that another daemon manages.
    Inspect {
        /// The name.
        name: String,
    },
    /// Write one alarm.
    Write(Write),
    /// Disable the actions of alarms, at most [`NAMES_PER_CALL`].
    DisableActions {
        /// The names.
        names: Vec<String>,
    },
    /// Delete alarms, at most [`NAMES_PER_CALL`].
    Delete {
        /// The names.
        names: Vec<String>,
    },
}

/// Names that CloudWatch accepts in one request that disables or deletes alarms.
pub const NAMES_PER_CALL: usize = 100;

/// Identifies a read, so that the outcome of an outdated one is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadId(pub u64);

/// Which alarms of a location a read returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadScope {
    /// All.
    All,
    /// The named ones.
    Named(HashSet<String>),
    /// The named ones, and heartbeats of shards from this number on.
    NamedAndShardsFrom(HashSet<String>, u32),
}

/// The operations that write one alarm, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The name of the alarm.
    pub alarm: String,
    /// Its ARN, which tags refer to; `None`: the executor looks it up when it needs it.
    pub arn: Option<String>,
    /// What to write.
    pub operations: Vec<WriteOperation>,
}

/// One operation on an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteOperation {
    /// Create the alarm with its tags, or overwrite its definition and description.
    /// CloudWatch ignores the tags where the alarm exists.
    PutDefinition(Box<(AlarmSpec, Annotation)>),
    /// Overwrite the description and keep every other field, as it is at that time.
    PutDescription(String),
    /// Write these tags and keep others.
    Tag(Vec<(&'static str, String)>),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Of any read but [`Call::Inspect`].
    Read {
        /// The read.
        read: ReadId,
        /// What was found.
        result: Result<Found, CallFailure>,
    },
    /// Of [`Call::Inspect`]; `None`: there is no such alarm.
    Inspected(Result<Option<PeerAlarm>, CallFailure>),
    /// Of [`Call::Write`], with the ARN as far as it is known.
    Written(Result<Option<String>, WriteFailure>),
    /// Of [`Call::DisableActions`].
    Disabled(Result<(), CallFailure>),
    /// Of [`Call::Delete`].
    Deleted(Result<(), CallFailure>),
}

/// What a read found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Alarms, with or without tags as asked for.
    Alarms(Vec<ActualAlarm>),
    /// States by alarm name.
    States(BTreeMap<String, HeartbeatState>),
}

/// An alarm that another daemon manages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerAlarm {
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is in state ALARM.
    pub firing: bool,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// The operation, such as `PutMetricAlarm`.
    pub operation: &'static str,
    /// What to do about it.
    pub kind: CallFailureKind,
}

/// Failed calls by what to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailureKind {
    /// The daemon may not make this call for this alarm.
    Denied,
    /// CloudWatch rejects the request; the same request would fail again.
    Refused,
    /// The call may succeed later: throttled, failed, or no connection.
    Transient,
}

/// A write that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFailure {
    /// Why.
    pub failure: CallFailure,
    /// Operations that succeeded before.
    pub completed: usize,
    /// The alarm does not exist.
    pub missing: bool,
}

/// What the executor has to do after a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make a call, and report its outcome.
    Call(Call),
    /// Resolve a ticket.
    Settled(Ticket, UpdateResult),
    /// Add to the number of alarms that were changed by hand.
    Drifted(i64),
    /// Log a notice.
    Log(Notice),
}

/// Identifies a request that waits for the result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// What became of an urgent update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// The alarm names the cause.
    Written,
    /// Another alarm or another daemon names the cause instead.
    Suppressed,
    /// The last attempt failed, or a newer update replaced this one.
    Failed,
}

/// Something to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The account was read; so many writes are planned.
    Planned(usize),
    /// An alarm was created and names this cause.
    Created(String, String),
    /// An alarm was updated and names this cause.
    Updated(String, String),
    /// An alarm names a new cause.
    Annotated(String, Annotation),
    /// The actions of these alarms were disabled.
    ActionsDisabled(Vec<String>),
    /// An alarm of this name exists and is not managed by Probecause.
    Conflict(String),
    /// An alarm was changed by hand, and how.
    ChangedByHand(String, String, DriftPolicy),
    /// An alarm that was changed by hand is as configured again.
    AsConfigured(String),
    /// These shards are gone now; the alarms of their targets change hands.
    PeersChanged(Vec<u32>),
}

impl UpdateResult {
    /// Whether a notification that is sent now contains the cause that it should.
    #[must_use]
    pub const fn is_in_time(self) -> bool {
        matches!(self, Self::Written | Self::Suppressed)
    }
}

impl ReadScope {
    /// Whether an alarm of a location is returned.
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
    /// Whether the failure says something about the alarm in question, not about the
    /// account as a whole.
    #[must_use]
    pub fn concerns_one_alarm(&self) -> bool {
        self.kind != CallFailureKind::Transient
    }
}
