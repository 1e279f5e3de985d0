//! Changes in the AWS account shortly before and during an incident.
//!
//! A change is a lead, not a proof: it only happened at about the same time.
//! [`account_changes`](crate::domain::account_changes) reads changes from CloudTrail and decides
//! which ones concern a target and which ones fit a cause. This module sorts the changes of an
//! incident and limits their number.

use jiff::Timestamp;

use crate::model::text_enum::text_enum;

/// A change in the AWS account that concerns a target of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// When the change was made, in whole seconds as in CloudTrail.
    pub time: Timestamp,
    /// The name of the API call without its version, such as `RemovePermission`.
    pub event: String,
    /// The changed resource, such as `orders:live` or `a1b2c3 stage prod`.
    pub resource: String,
    /// The name of the role, IAM user or AWS service that made the change; never the name of a
    /// role's session, which may identify a person.
    pub who: String,
    /// Number of whole seconds from the change to the first failure of the incident, rounded down.
    /// Negative if the change was made after the first failure.
    pub seconds_before: i64,
    /// The effect of the change on the target.
    pub effect: ChangeEffect,
}

text_enum! {
    /// The effect of a change on a target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ChangeEffect {
        /// A statement was removed from the resource policy of the target's function or alias.
        PermissionRemoved = "permission-removed",
        /// The reserved concurrency of the function was set to 0.
        FunctionStopped = "function-stopped",
        /// The reserved or provisioned concurrency of the function was changed.
        ConcurrencyChanged = "concurrency-changed",
        /// The function was deleted, or the version or alias of the function that the target uses.
        FunctionDeleted = "function-deleted",
        /// The function URL was changed or deleted.
        FunctionUrlChanged = "function-url-changed",
        /// The code that the target's function or alias runs was changed.
        CodeChanged = "code-changed",
        /// The configuration of the function was changed, such as its timeout or environment.
        FunctionConfigured = "function-configured",
        /// The target's route was deleted.
        RouteDeleted = "route-deleted",
        /// The target's route was changed, or a route that may be the target's was changed or
        /// deleted.
        RouteChanged = "route-changed",
        /// The target's stage was deleted.
        StageDeleted = "stage-deleted",
        /// A throttling limit of the target's stage was set to 0.
        StageStopped = "stage-stopped",
        /// The target's stage was changed, or a stage that may be the target's was changed or
        /// deleted.
        StageChanged = "stage-changed",
        /// The API was deployed or imported again, or the settings of the API itself were changed.
        ApiChanged = "api-changed",
        /// The API was deleted.
        ApiDeleted = "api-deleted",
        /// An integration of the API was changed or deleted.
        IntegrationChanged = "integration-changed",
        /// An authorizer of the API was changed or deleted.
        AuthorizerChanged = "authorizer-changed",
        /// The VPC link of the target's integration was deleted.
        VpcLinkDeleted = "vpc-link-deleted",
        /// The target's custom domain, or a mapping of this domain to an API, was changed or
        /// deleted.
        DomainChanged = "domain-changed",
        /// Load balancer targets were deregistered from a target group.
        TargetsDeregistered = "targets-deregistered",
        /// The load balancer, one of its listeners or rules, or a target group was changed or
        /// deleted, or a rule was created.
        LoadBalancerChanged = "load-balancer-changed",
        /// An effect that is not listed above, or no effect on the target.
        Other = "other",
    }
}

/// The changes that concern one incident. The changes up to the first failure come first, the
/// latest of them first. The changes after it follow, the earliest of them first. At most 20
/// changes are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChanges(Vec<AccountChange>);

/// Maximum number of changes kept per incident. A deployment changes few resources of one target.
const MAX_CHANGES: usize = 20;

impl AccountChange {
    /// Returns the change in one line, with its time relative to the first failure, such as
    /// `RemovePermission by deploy-role 26 s before`.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { event, who, .. } = self;
        let elapsed = elapsed(self.seconds_before.unsigned_abs());
        let side = if self.is_before_failure() {
            "before"
        } else {
            "after"
        };
        format!("{event} by {who} {elapsed} {side}")
    }

    /// Returns whether the change was made before the first failure, or in the same second.
    #[must_use]
    pub const fn is_before_failure(&self) -> bool {
        self.seconds_before >= 0
    }

    /// Returns whether both changes are the same event in CloudTrail.
    fn is_same(&self, other: &Self) -> bool {
        self.time == other.time
            && self.event == other.event
            && self.resource == other.resource
            && self.who == other.who
    }

    /// Returns the key for the order that [`AccountChanges`] describes. The event, resource and
    /// name in the key make the order of simultaneous changes the same in every run.
    fn order(&self) -> (bool, u64, &str, &str, &str) {
        (
            !self.is_before_failure(),
            self.seconds_before.unsigned_abs(),
            &self.event,
            &self.resource,
            &self.who,
        )
    }
}

impl AccountChanges {
    /// Adds changes. A change that is already known, because CloudTrail was read again, is not
    /// added twice, even if the time of the first failure is not exactly the same after a restart.
    /// Returns whether the list is different from before.
    pub fn add(&mut self, found: impl IntoIterator<Item = AccountChange>) -> bool {
        let before = self.0.clone();
        for change in found {
            if !self.0.iter().any(|known| known.is_same(&change)) {
                self.0.push(change);
            }
        }
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        while self.0.len() > MAX_CHANGES {
            // Changes without a known effect are dropped first, because they cannot explain a
            // cause.
            let is_other = |change: &AccountChange| change.effect == ChangeEffect::Other;
            let dropped = self.0.iter().rposition(is_other);
            self.0.remove(dropped.unwrap_or(MAX_CHANGES));
        }
        self.0 != before
    }

    /// Returns the changes in order.
    #[must_use]
    pub fn as_slice(&self) -> &[AccountChange] {
        &self.0
    }
}

/// Returns the number of whole seconds from `time` to `first_failure`, rounded down; negative if
/// `time` is later.
#[must_use]
pub fn seconds_before(time: Timestamp, first_failure: Timestamp) -> i64 {
    let milliseconds = first_failure.as_millisecond() - time.as_millisecond();
    milliseconds.div_euclid(1000)
}

/// Formats a number of seconds in seconds, minutes or hours, rounded down.
fn elapsed(seconds: u64) -> String {
    match seconds {
        0 => "less than 1 s".to_owned(),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(event: &str, seconds_before: i64, effect: ChangeEffect) -> AccountChange {
        let first_failure: Timestamp = "2026-07-14T22:32:28Z".parse().unwrap();
        let time = Timestamp::from_second(first_failure.as_second() - seconds_before).unwrap();
        AccountChange {
            time,
            event: event.to_owned(),
            resource: "orders".to_owned(),
            who: "deploy-role".to_owned(),
            seconds_before,
            effect,
        }
    }

    #[test]
    fn seconds_are_rounded_down_to_the_side_of_the_first_failure() {
        let first_failure: Timestamp = "2026-07-14T22:32:28.798Z".parse().unwrap();
        for (time, expected) in [
            ("2026-07-14T22:32:02Z", 26),
            ("2026-07-14T21:32:28Z", 3600),
            ("2026-07-14T22:32:28Z", 0),
            ("2026-07-14T22:32:29Z", -1),
            ("2026-07-14T22:33:28Z", -60),
        ] {
            let seconds = seconds_before(time.parse().unwrap(), first_failure);
            assert_eq!(seconds, expected, "{time}");
        }
    }

    #[test]
    fn the_summary_names_event_actor_and_time() {
        for (seconds, expected) in [
            (0, "RemovePermission by deploy-role less than 1 s before"),
            (26, "RemovePermission by deploy-role 26 s before"),
            (119, "RemovePermission by deploy-role 119 s before"),
            (120, "RemovePermission by deploy-role 2 min before"),
            (3599, "RemovePermission by deploy-role 59 min before"),
            (7200, "RemovePermission by deploy-role 2 h before"),
            (-1, "RemovePermission by deploy-role 1 s after"),
            (-360, "RemovePermission by deploy-role 6 min after"),
        ] {
            let change = change("RemovePermission", seconds, ChangeEffect::PermissionRemoved);
            assert_eq!(change.summary(), expected);
        }
    }

    #[test]
    fn changes_are_ordered_by_distance_and_are_not_repeated() {
        let mut changes = AccountChanges::default();
        let found = [(-60, "c"), (3000, "b"), (26, "a"), (-600, "d")];
        let found = found.map(|(seconds, event)| change(event, seconds, ChangeEffect::Other));
        assert!(changes.add(found.clone()));
        assert!(!changes.add(found.clone()));
        let moved = found.map(|change| AccountChange {
            seconds_before: change.seconds_before - 5,
            ..change
        });
        assert!(!changes.add(moved));
        let events = changes.as_slice().iter().map(|one| one.event.as_str());
        assert_eq!(events.collect::<String>(), "abcd");
    }

    #[test]
    fn the_list_is_bounded_and_drops_the_farthest_change_without_effect_first() {
        let mut changes = AccountChanges::default();
        changes.add([change("x", 3500, ChangeEffect::PermissionRemoved)]);
        changes.add((0..30).map(|n| change("o", n, ChangeEffect::Other)));
        let list = changes.as_slice();
        assert_eq!(list.len(), MAX_CHANGES);
        assert_eq!(list[MAX_CHANGES - 1].event, "x");
        assert_eq!(list[MAX_CHANGES - 2].seconds_before, 18);

        let mut changes = AccountChanges::default();
        changes.add((0..30).map(|n| change("c", n, ChangeEffect::CodeChanged)));
        let list = changes.as_slice();
        assert_eq!(list.len(), MAX_CHANGES);
        assert_eq!(list[MAX_CHANGES - 1].seconds_before, 19);
    }

    #[test]
    fn every_effect_is_parsed_back() {
        for effect in ChangeEffect::ALL {
            assert_eq!(ChangeEffect::parse(effect.as_str()), Some(effect));
        }
    }
}
