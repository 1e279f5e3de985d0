//! Computes the CloudWatch alarms that a configuration requires, and the calls to AWS that bring an
//! account to that state.
//!
//! Reading order: `spec` (keys and definitions), `desired` (which alarms), `destination` (in which
//! account and region), `name`, `definition` (in CloudWatch's fields), `annotation` (tags and
//! description that name the cause), `by_cause` (the series that per-cause alarms watch), `peers`
//! (which daemons of a location run), `plan` (desired against actual alarms), `reconciler` (which
//! calls to make, and when), `cost` (estimates). `io::alarms` makes the calls.

pub mod annotation;
pub mod by_cause;
pub mod cost;
pub mod definition;
mod desired;
pub mod destination;
mod name;
pub mod peers;
pub mod plan;
pub mod reconciler;
mod spec;

pub use desired::{
    HEARTBEAT_METRIC, MAX_ACTIONS, alarms_of, alarms_of_location, alarms_where, desired, has_alarm,
    heartbeat_dimensions, heartbeat_period, period,
};
pub use name::{cause_alarm_name, heartbeat_name, heartbeat_shard, name_prefix, target_alarm_name};
pub use spec::{AlarmKey, AlarmSpec, Condition, MetricId};
