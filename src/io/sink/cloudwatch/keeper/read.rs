//! How the keeper reads the account, and what it makes of what it finds.
//!
//! At start, after a reload and when something did not hold, everything is read; in
//! between, every ten minutes, the alarms alone without their tags: those of alarms known
//! as ours are not read again. What was changed by hand is logged once, counted, and
//! mended or left as the configuration says.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::task::JoinError;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::domain::alarm::annotation::{
    Annotation, CAUSE_TAG, CERTAINTY_TAG, DEFINITION_TAG, MANAGED_TAG, OWNER_TAG,
};
use crate::domain::alarm::plan::{ActualAlarm, FieldDiff, Plan, Step};
use crate::domain::alarm::{self, AlarmSpec};
use crate::io::sink::cloudwatch::account::{self, DISOWNED};
use crate::io::sink::cloudwatch::client::{Api, CallError};
use crate::io::sink::cloudwatch::keeper::silence::Silenced;
use crate::io::sink::cloudwatch::keeper::{Keeper, Kept, Review};
use crate::model::settings::DriftPolicy;

/// How a look ended.
pub(super) type Look = Result<Result<Vec<ActualAlarm>, CallError>, JoinError>;

/// What is said of an alarm that is gone.
const GONE: &str = "deleted";

impl Keeper {
    /// Begins to read the account where that is due: the alarms that are ours to manage, with
    /// their tags, beside everything else that is to be done.
    pub(super) fn begin_reading(&mut self, api: &Api) {
        if !self.stale || matches!(self.review, Some(Review::Reading(_))) {
            return;
        }
        self.written.clear();
        let specs = self.specs.by_subject.values();
        let wanted: HashSet<_> = specs.map(|spec| spec.name.clone()).collect();
        let (location, total) = (self.current.location.clone(), self.current.shards.total);
        let api = api.clone();
        let reading = async move {
            let mut found = account::describe(&api, &location).await?;
            found.retain(|alarm| {
                wanted.contains(&alarm.name) || is_of_no_shard(&location, total, &alarm.name)
            });
            account::with_tags(&api, found).await
        };
        self.review = Some(Review::Reading(tokio::spawn(reading)));
    }

    /// Takes what was read, and plans.
    fn take_reading(&mut self, actual: &[ActualAlarm]) {
        self.link.well("DescribeAlarms");
        self.link.well("ListTagsForResource");
        let plan = self.plan(actual);
        self.adopt(plan);
        info!(
            writes = self.todo.len(),
            "cloudwatch: alarms read and planned"
        );
        self.stale = false;
    }

    /// Begins the look that is due, or compares what the last one found; false: neither.
    pub(super) async fn go_on_reviewing(
        &mut self,
        api: &Api,
        now: Instant,
    ) -> Result<bool, CallError> {
        match self.review.take() {
            Some(Review::Done(found)) => {
                self.compare(api, found).await?;
                return Ok(true);
            }
            under_way => self.review = under_way,
        }
        if self.review.is_some() || self.review_at > now {
            return Ok(false);
        }
        self.written.clear();
        let (api, location) = (api.clone(), self.current.location.clone());
        let look = async move { account::describe(&api, &location).await };
        self.review = Some(Review::UnderWay(tokio::spawn(look)));
        Ok(true)
    }

    /// Takes what a look found. One that failed is told and made again when the next is
    /// due: nothing waits for it.
    pub(super) fn take_review(&mut self, (all, result): (bool, Look)) {
        self.review_at = Instant::now() + self.current.cloudwatch.review_every;
        match result {
            Ok(Ok(found)) if all => self.take_reading(&found),
            Ok(Ok(found)) => self.review = Some(Review::Done(found)),
            Ok(Err(failure)) if all => self.back_off(&failure),
            Ok(Err(failure)) => self.link.trouble(&failure),
            Err(error) => error!("cloudwatch: looking at the alarms ended early: {error}"),
        }
    }

    /// Notes which alarms are not as they were written, and tells of each once.
    pub(super) fn set_drifted(&mut self, drifted: BTreeMap<String, String>) {
        let then = match self.current.cloudwatch.drift {
            DriftPolicy::Mend => "it is written as configured",
            DriftPolicy::Leave => "it is left as it is, as `cloudwatch.drift` says",
        };
        for (alarm, differs) in &drifted {
            if self.drifted.get(alarm) != Some(differs) {
                warn!(
                    alarm,
                    differs, "cloudwatch: an alarm was changed by hand: {then}"
                );
            }
        }
        // Other destinations have their part in the gauge.
        let count = |drifted: &BTreeMap<_, _>| i64::try_from(drifted.len()).unwrap_or(i64::MAX);
        let more = count(&drifted) - count(&self.drifted);
        self.metrics.alarms_drifted.add(more);
        self.drifted = drifted;
    }

    /// Compares a look at the alarms with what is desired.
    async fn compare(&mut self, api: &Api, found: Vec<ActualAlarm>) -> Result<(), CallError> {
        self.link.well("DescribeAlarms");
        let specs = self.specs.by_subject.values();
        let wanted: HashSet<_> = specs.map(|spec| spec.name.as_str()).collect();
        let (mut actual, mut unknown) = (Vec::new(), Vec::new());
        let found = found.into_iter();
        for mut alarm in found.filter(|alarm| wanted.contains(alarm.name.as_str())) {
            if self.give_known_tags(&mut alarm) {
                actual.push(alarm);
            } else {
                unknown.push(alarm);
            }
        }
        actual.extend(account::with_tags(api, unknown).await?);
        // An alarm that changed may be somebody's of the same name, made after ours was
        // deleted: only its tags tell, so they are read before it is written over.
        let plan = self.plan(&actual);
        let changed = plan.steps.iter().filter(|step| step.drift().is_some());
        let changed = changed.filter(|step| !self.drifted.contains_key(step.name()));
        let changed: HashSet<_> = changed.map(Step::name).collect();
        let (suspects, mut actual): (Vec<_>, Vec<_>) = actual
            .into_iter()
            .partition(|alarm| changed.contains(alarm.name.as_str()));
        let plan = if suspects.is_empty() {
            plan
        } else {
            actual.extend(account::with_tags(api, suspects).await?);
            self.plan(&actual)
        };
        self.adopt(plan);
        Ok(())
    }

    /// Gives an alarm the tags that it is known to have; false: it is not known as ours.
    fn give_known_tags(&self, alarm: &mut ActualAlarm) -> bool {
        let Some(Kept::Ours {
            words, fingerprint, ..
        }) = self.account.get(&alarm.name)
        else {
            return false;
        };
        let tags = [
            (MANAGED_TAG, "true"),
            (DEFINITION_TAG, fingerprint),
            (CAUSE_TAG, &words.cause),
            (CERTAINTY_TAG, &words.certainty),
            (OWNER_TAG, &words.owner),
        ];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        alarm.tags = tags.into();
        true
    }

    fn plan(&self, actual: &[ActualAlarm]) -> Plan {
        let desired = self.managed_alarms();
        let drift = self.current.cloudwatch.drift;
        Plan::new(&desired, actual, &self.current.location, drift)
    }

    /// Takes a plan over: what is known of the account, and what is to be written.
    fn adopt(&mut self, plan: Plan) {
        self.todo.clear();
        let mut account = HashMap::new();
        let mut drifted = BTreeMap::new();
        for step in plan.steps {
            if self.written.contains(step.name()) {
                // What the look saw may be older than what was written meanwhile.
                let name = step.name().to_owned();
                account.extend(self.account.remove_entry(&name));
                continue;
            }
            if let Some(changes) = step.drift() {
                drifted.insert(step.name().to_owned(), shown(changes));
            }
            match &step {
                Step::Conflict(spec) => {
                    self.tell_of_clash(spec);
                    account.insert(spec.name.clone(), Kept::Foreign);
                }
                Step::Unchanged { spec, actual }
                | Step::Update { spec, actual, .. }
                | Step::Drift { spec, actual, .. } => {
                    account.insert(spec.name.clone(), kept(spec, actual));
                }
                Step::Create(spec) => {
                    if let Some(deleted) = self.deleted(spec) {
                        account.insert(spec.name.clone(), deleted);
                        drifted.insert(spec.name.clone(), GONE.to_owned());
                        if self.current.cloudwatch.drift == DriftPolicy::Leave {
                            continue;
                        }
                    }
                }
                Step::Orphan(alarm) => self.dismiss(alarm),
            }
            if matches!(step, Step::Create(_) | Step::Update { .. }) {
                self.todo.push_back(step);
            }
        }
        self.written.clear();
        self.account = account;
        self.set_drifted(drifted);
        self.review_at = Instant::now() + self.current.cloudwatch.review_every;
    }

    /// With fewer shards than before, the heartbeats of those that are gone must page
    /// nobody. The first shard sees to it; alarms of targets are left to `alarms prune`.
    fn dismiss(&mut self, alarm: &ActualAlarm) {
        let first = self.current.shards.own.is_none_or(|own| own == 0);
        let definition = alarm.tags.get(DEFINITION_TAG).map(String::as_str);
        let (location, total) = (&self.current.location, self.current.shards.total);
        if first && is_of_no_shard(location, total, &alarm.name) && definition != Some(DISOWNED) {
            self.silence.add(vec![Silenced {
                name: alarm.name.clone(),
                arn: Some(alarm.arn.clone()),
            }]);
        }
    }

    /// A missing alarm that was there before, in the definition that is desired.
    fn deleted(&self, spec: &AlarmSpec) -> Option<Kept> {
        match self.account.get(&spec.name)? {
            Kept::Ours {
                words, fingerprint, ..
            }
            | Kept::Deleted { words, fingerprint }
                if *fingerprint == spec.fingerprint() =>
            {
                Some(Kept::Deleted {
                    words: words.clone(),
                    fingerprint: fingerprint.clone(),
                })
            }
            _ => None,
        }
    }

    fn tell_of_clash(&self, spec: &AlarmSpec) {
        if !matches!(self.account.get(&spec.name), Some(Kept::Foreign)) {
            error!(
                alarm = spec.name,
                "cloudwatch: an alarm of this name exists without our tag and is left alone: rename or delete it"
            );
        }
    }
}

/// What a look under way found, and whether it was at everything; never, if there is none.
pub(super) async fn end_of(review: &mut Option<Review>) -> (bool, Look) {
    let (all, look) = match review {
        Some(Review::UnderWay(look)) => (false, look),
        Some(Review::Reading(look)) => (true, look),
        Some(Review::Done(_)) | None => return std::future::pending().await,
    };
    let result = look.await;
    *review = None;
    (all, result)
}

/// Whether an alarm is on the heartbeat of a shard that is not configured (any more).
fn is_of_no_shard(location: &str, total: u32, name: &str) -> bool {
    alarm::heartbeat_shard(location, name).is_some_and(|shard| shard >= total)
}

fn kept(spec: &AlarmSpec, actual: &ActualAlarm) -> Kept {
    Kept::Ours {
        arn: Some(actual.arn.clone()),
        words: Annotation::kept(spec, &actual.tags, &actual.description),
        fingerprint: actual.tags.get(DEFINITION_TAG).cloned().unwrap_or_default(),
    }
}

/// Such as `Period 300 instead of 60`.
fn shown(changes: &[FieldDiff]) -> String {
    let changes: Vec<_> = changes
        .iter()
        .map(|change| format!("{} {} instead of {}", change.field, change.from, change.to))
        .collect();
    changes.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::domain::alarm::alarms_of;
    use crate::domain::alarm::destination::DestinationView;
    use crate::domain::alarm::plan::tests::{applied, settings};
    use crate::io::sink::cloudwatch::desk::Desk;
    use crate::io::sink::cloudwatch::link::Link;
    use crate::io::sink::daemon_metrics::DaemonMetrics;
    use crate::model::settings::Settings;

    fn keeper(settings: Settings) -> Keeper {
        let metrics = DaemonMetrics::new().unwrap();
        let link = Link::new(None, metrics.clone());
        let (_, watching) = watch::channel(Arc::new(DestinationView::of_all(&settings)));
        Keeper::new(link, Arc::new(Desk::default()), watching, metrics)
    }

    /// A keeper that has read its alarms looks again: what it found to be changed by hand,
    /// and what it is going to write.
    fn check(
        drift: DriftPolicy,
        meanwhile: impl FnOnce(&mut Keeper, &mut Vec<ActualAlarm>),
    ) -> String {
        let mut keeper = keeper(settings(|settings, _| settings.cloudwatch.drift = drift));
        let mut actual = applied(&alarms_of(&keeper.current));
        keeper.adopt(keeper.plan(&actual));
        assert!(keeper.todo.is_empty());
        meanwhile(&mut keeper, &mut actual);
        keeper.adopt(keeper.plan(&actual));
        let counted = keeper.metrics.alarms_drifted.get();
        assert_eq!(counted, i64::try_from(keeper.drifted.len()).unwrap());
        let drifted = keeper.drifted.iter();
        let drifted = drifted.map(|(name, what)| format!("{name}: {what}; "));
        let todo = keeper.todo.iter();
        let todo = todo.map(|step| format!("{} {}", step.action(), step.name()));
        drifted.chain(todo).collect()
    }

    fn silenced(actual: &mut [ActualAlarm]) {
        let definition = actual[1].definition.as_mut().unwrap();
        definition.actions_enabled = false;
    }

    fn deleted(actual: &mut Vec<ActualAlarm>) {
        actual.remove(1);
    }

    #[tokio::test]
    async fn a_change_by_hand_is_found_and_mended_or_left() {
        assert_eq!(
            check(DriftPolicy::Mend, |_, actual| silenced(actual)),
            "probecause local orders: ActionsEnabled false instead of true; update probecause local orders"
        );
        assert_eq!(
            check(DriftPolicy::Leave, |_, actual| silenced(actual)),
            "probecause local orders: ActionsEnabled false instead of true; "
        );
    }

    #[tokio::test]
    async fn a_deleted_alarm_is_made_again_or_left() {
        assert_eq!(
            check(DriftPolicy::Mend, |_, actual| deleted(actual)),
            "probecause local orders: deleted; create probecause local orders"
        );
        assert_eq!(
            check(DriftPolicy::Leave, |_, actual| deleted(actual)),
            "probecause local orders: deleted; "
        );
    }

    #[tokio::test]
    async fn an_alarm_that_stays_deleted_stays_known_as_such() {
        let again = check(DriftPolicy::Leave, |keeper, actual| {
            actual.remove(1);
            keeper.adopt(keeper.plan(actual));
        });
        assert_eq!(again, "probecause local orders: deleted; ");
    }

    #[tokio::test]
    async fn a_deleted_alarm_whose_definition_changed_is_written() {
        let changed = check(DriftPolicy::Leave, |keeper, actual| {
            actual.remove(1);
            let mut settings = (*keeper.current).clone();
            settings.cloudwatch.namespace = "Other".to_owned();
            keeper.current = Arc::new(settings);
            keeper.take_place();
        });
        assert_eq!(
            changed,
            "update probecause local (heartbeat)create probecause local orders"
        );
    }

    #[tokio::test]
    async fn what_was_written_since_the_look_began_is_not_judged_by_it() {
        let late = check(DriftPolicy::Mend, |keeper, actual| {
            actual.remove(1);
            keeper.written.insert("probecause local orders".to_owned());
        });
        assert_eq!(late, "");
    }
}
