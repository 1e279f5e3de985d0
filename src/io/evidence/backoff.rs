//! Determines when a failed AWS operation may be called again, and logs the failures. `pending`
//! schedules the retries.
//!
//! A daemon that lacks a permission must not fill its log or repeat calls at a high rate, and a
//! throttled daemon must leave capacity to other callers. Each kind of failure is logged once until
//! the operation succeeds.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::domain::retry::Backoff;
use crate::io::aws::{CallError, FailureKind};
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;

/// Identifies an operation that has its own backoff: an AWS operation with a Region and a role, and
/// with the log group or other resource that it reads. `resource` is `None` if the operation is not
/// about one resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OperationKey {
    pub(super) scope: AwsScope,
    pub(super) operation: Operation,
    pub(super) resource: Option<String>,
}

/// An operation that may not be called now, and its resource as in [`OperationKey`].
pub(super) type BlockedOperation = (Operation, Option<String>);

/// The operations of a scope that may not be called now.
pub(super) type BlockedOperations = HashSet<BlockedOperation>;

/// The backoff of each operation whose last call failed, and the kinds of failure that were logged
/// since the operation last succeeded.
#[derive(Debug, Default)]
pub(super) struct OperationBackoff {
    failing: HashMap<OperationKey, FailingOperation>,
    logged: HashSet<(OperationKey, FailureKind)>,
}

/// The state of an operation whose last call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailingOperation {
    /// The kind of the last failure.
    pub(super) kind: FailureKind,
    /// The time from which the operation may be called again.
    pub(super) retry_at: Timestamp,
    /// The number of consecutive failures of this kind.
    failures: u32,
}

/// The backoff after failures that usually end within seconds, such as throttling. The delay is at
/// most five minutes, because evidence that arrives later no longer helps with the incident.
const TRANSIENT: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));

/// The backoff after failures that people must fix, such as missing permissions. The first delay is
/// only one minute, because missing credentials may soon be available again. The delay is at most
/// half an hour.
const PERSISTENT: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(1800));

/// Returns whether a failure of this kind usually ends without human action. If so, the failed call
/// is retried; otherwise, it is abandoned.
pub(super) const fn is_transient(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Throttled | FailureKind::Failed | FailureKind::Lost => true,
        FailureKind::Denied | FailureKind::Rejected => false,
    }
}

impl OperationBackoff {
    /// Returns the last failure of an operation, or `None` if the operation may be called at `now`.
    pub(super) fn blocking_failure(
        &self,
        key: &OperationKey,
        now: Timestamp,
    ) -> Option<FailingOperation> {
        let failing = self.failing.get(key).copied();
        failing.filter(|failing| now < failing.retry_at)
    }

    /// Returns the operations of a scope that may not be called at `now`.
    pub(super) fn blocked(&self, scope: &AwsScope, now: Timestamp) -> BlockedOperations {
        let of_scope = self.failing.iter().filter(|(key, _)| key.scope == *scope);
        of_scope
            .filter(|(_, failing)| now < failing.retry_at)
            .map(|(key, _)| (key.operation, key.resource.clone()))
            .collect()
    }

    /// Returns the time from which an operation that was blocked may be called again. Returns `now`
    /// if the operation has succeeded since it was blocked. Returns `None` if its last failure
    /// usually does not end without human action.
    pub(super) fn retry_of_blocked(&self, key: &OperationKey, now: Timestamp) -> Option<Timestamp> {
        let Some(failing) = self.failing.get(key) else {
            return Some(now);
        };
        is_transient(failing.kind).then_some(failing.retry_at)
    }

    /// Records a failure, and logs it unless a failure of this kind was logged since the last
    /// success. Returns the time from which the operation may be called again. The delay is
    /// multiplied by a factor from 0.5 (`jitter` 0) to 1 (`jitter` 1).
    pub(super) fn record_failure(
        &mut self,
        key: &OperationKey,
        failure: &CallError,
        now: Timestamp,
        jitter: f64,
    ) -> Timestamp {
        let kind = failure.kind;
        let earlier = match self.failing.get(key) {
            Some(known) if known.kind == kind => known.failures,
            _ => 0,
        };
        let backoff = if is_transient(kind) {
            TRANSIENT
        } else {
            PERSISTENT
        };
        let retry_at = now + backoff.delay_with_jitter(earlier, jitter);
        let failing = FailingOperation {
            kind,
            retry_at,
            failures: earlier.saturating_add(1),
        };
        self.failing.insert(key.clone(), failing);
        self.log_once(key, failure);
        retry_at
    }

    /// Records a successful call. The operation may be called again, and the next failure is
    /// logged.
    pub(super) fn record_success(&mut self, key: &OperationKey) {
        if self.failing.remove(key).is_none() {
            return;
        }
        self.logged.retain(|(logged, kind)| {
            let same_operation = logged.scope == key.scope && logged.operation == key.operation;
            let same_resource = logged.resource == key.resource || *kind == FailureKind::Denied;
            !(same_operation && same_resource)
        });
        info!(
            operation = key.operation.name(),
            scope = %key.scope,
            resource = key.resource.as_deref(),
            "evidence: AWS call succeeded again"
        );
    }

    fn log_once(&mut self, key: &OperationKey, failure: &CallError) {
        let mut key = key.clone();
        if failure.kind == FailureKind::Denied {
            // A missing permission usually affects all resources, so the failure is logged only
            // once, without the resource.
            key.resource = None;
        }
        if self.logged.contains(&(key.clone(), failure.kind)) {
            return;
        }
        warn!(
            operation = key.operation.name(),
            outcome = failure.kind.as_str(),
            scope = %key.scope,
            resource = key.resource.as_deref(),
            error = %failure.text,
            "evidence: AWS call failed; diagnosing without its output"
        );
        self.logged.insert((key, failure.kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key(resource: Option<&str>) -> OperationKey {
        OperationKey {
            scope: AwsScope::default(),
            operation: Operation::FilterLogEvents,
            resource: resource.map(str::to_owned),
        }
    }

    fn failure(kind: FailureKind) -> CallError {
        CallError {
            operation: "FilterLogEvents",
            kind,
            text: "no".to_owned(),
        }
    }

    /// Checks the delays in seconds after consecutive failures, if each retry is made as early as
    /// allowed.
    #[track_caller]
    fn check(kind: FailureKind, expected: &[i64]) {
        let (mut backoff, mut now, mut delays) = (OperationBackoff::default(), at(0), Vec::new());
        for _ in expected {
            let retry_at = backoff.record_failure(&key(None), &failure(kind), now, 1.0);
            assert!(backoff.blocking_failure(&key(None), now).is_some());
            assert!(backoff.blocking_failure(&key(None), retry_at).is_none());
            delays.push(retry_at.as_second() - now.as_second());
            now = retry_at;
        }
        assert_eq!(delays, expected);
    }

    #[test]
    fn a_throttled_operation_is_retried_after_growing_delays() {
        check(FailureKind::Throttled, &[5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_denied_operation_is_retried_every_half_hour_in_the_end() {
        check(FailureKind::Denied, &[60, 120, 240, 480, 960, 1800, 1800]);
    }

    #[test]
    fn blocked_operations_are_those_of_the_scope_until_their_retry() {
        let mut backoff = OperationBackoff::default();
        let retry_at =
            backoff.record_failure(&key(Some("a")), &failure(FailureKind::Denied), at(0), 1.0);
        let blocked = backoff.blocked(&AwsScope::default(), at(1));
        let expected = (Operation::FilterLogEvents, Some("a".to_owned()));
        assert_eq!(blocked, BlockedOperations::from([expected]));
        assert!(backoff.blocked(&AwsScope::default(), retry_at).is_empty());
        let other = AwsScope {
            region: Some("eu-west-1".to_owned()),
            ..AwsScope::default()
        };
        assert!(backoff.blocked(&other, at(1)).is_empty());
    }

    #[test]
    fn a_blocked_call_is_made_after_a_failure_that_usually_ends() {
        for (kind, expected) in [
            (FailureKind::Throttled, Some(at(5))),
            (FailureKind::Denied, None),
        ] {
            let mut backoff = OperationBackoff::default();
            backoff.record_failure(&key(None), &failure(kind), at(0), 1.0);
            assert_eq!(backoff.retry_of_blocked(&key(None), at(2)), expected);
            backoff.record_success(&key(None));
            assert_eq!(backoff.retry_of_blocked(&key(None), at(3)), Some(at(3)));
        }
    }

    #[test]
    fn a_different_failure_starts_a_new_backoff() {
        let mut backoff = OperationBackoff::default();
        let mut fail = |kind| backoff.record_failure(&key(None), &failure(kind), at(0), 1.0);
        fail(FailureKind::Throttled);
        assert_eq!(fail(FailureKind::Throttled), at(10));
        assert_eq!(fail(FailureKind::Lost), at(5));
    }

    #[test]
    fn jitter_shortens_a_delay_by_up_to_half() {
        let mut backoff = OperationBackoff::default();
        let denied = failure(FailureKind::Denied);
        let retry_at = backoff.record_failure(&key(None), &denied, at(0), 0.0);
        assert_eq!(retry_at, at(30));
    }

    #[test]
    fn a_missing_resource_does_not_block_another() {
        let mut backoff = OperationBackoff::default();
        let missing = key(Some("a"));
        backoff.record_failure(&missing, &failure(FailureKind::Rejected), at(0), 1.0);
        assert!(backoff.blocking_failure(&missing, at(1)).is_some());
        assert!(backoff.blocking_failure(&key(Some("b")), at(1)).is_none());
        backoff.record_success(&missing);
        assert!(backoff.blocking_failure(&missing, at(1)).is_none());
    }

    #[test]
    fn a_missing_permission_is_logged_once_for_all_groups_until_a_call_succeeds() {
        let mut backoff = OperationBackoff::default();
        let denied = failure(FailureKind::Denied);
        for group in ["a", "b"] {
            backoff.record_failure(&key(Some(group)), &denied, at(0), 1.0);
        }
        assert_eq!(backoff.logged.len(), 1);
        backoff.record_success(&key(Some("a")));
        assert_eq!(backoff.logged.len(), 0);
    }
}
