//! Keeps the account's alarms as they should be: applies the plan at start and after a
//! reload, looks again for what was changed by hand, and writes what the alarms say about
//! the probable cause.
//!
//! Alarms that are about to fire come first, then the plan, then the rest. It runs
//! beside the sender and never holds it up. It refuses to touch an alarm without our tag.
//! `read` compares, `write` writes, `silence` keeps from paging, `parked` puts aside what
//! cannot be written, `peers` tells whose alarms are whose, `behalf` speaks for others.

mod behalf;
mod parked;
mod peers;
mod read;
mod silence;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::plan::{ActualAlarm, Step};
use crate::domain::alarm::{self, AlarmKey, AlarmSpec};
use crate::io::sink::cloudwatch::account::Pace;
use crate::io::sink::cloudwatch::client::{CallError, FailureKind};
use crate::io::sink::cloudwatch::desk::Desk;
use crate::io::sink::cloudwatch::keeper::parked::Parked;
use crate::io::sink::cloudwatch::keeper::peers::Circle;
use crate::io::sink::cloudwatch::keeper::silence::Silence;
use crate::io::sink::cloudwatch::link::Link;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::target::TargetName;

/// The keeper of the alarms of one location.
pub(super) struct Keeper {
    link: Arc<Link>,
    desk: Arc<Desk>,
    settings: watch::Receiver<Arc<DestinationView>>,
    current: Arc<DestinationView>,
    metrics: DaemonMetrics,
    specs: Specs,
    /// Those of every target that is held, whoever manages them.
    held: Specs,
    circle: Circle,
    /// Targets of other daemons whose alarms say a cause of ours, and which.
    lent: HashMap<TargetName, String>,
    parked: Parked,
    /// The alarms as they are, by name.
    account: HashMap<String, Kept>,
    /// Whether the account has to be read (again), tags included.
    stale: bool,
    /// When it is looked at again without its tags.
    review_at: Instant,
    review: Option<Review>,
    /// Written since that look began: what it saw of them may be older.
    written: HashSet<String>,
    /// What of an alarm was changed by hand, by its name.
    drifted: BTreeMap<String, String>,
    /// What of the plan is still to be written.
    todo: VecDeque<Step>,
    silence: Silence,
    pace: Pace,
    failures_in_a_row: u32,
    not_before: Option<Instant>,
}

/// What is desired, by whose alarm it is.
#[derive(Default)]
struct Specs {
    by_subject: HashMap<AlarmKey, AlarmSpec>,
    /// The alarms of a target's causes.
    causes: HashMap<TargetName, Vec<AlarmKey>>,
}

/// What is known of an alarm.
#[derive(Debug)]
enum Kept {
    /// Somebody else's: hands off.
    Foreign,
    /// Ours.
    Ours {
        /// Known once it was read; creating an alarm does not tell it.
        arn: Option<String>,
        words: Annotation,
        /// Of the definition that was written last.
        fingerprint: String,
    },
    /// Ours until somebody deleted it, with what it said then.
    Deleted {
        words: Annotation,
        fingerprint: String,
    },
}

/// A look at the account, which goes on beside the writing: with thousands of alarms it
/// takes seconds, and an alarm that is about to fire cannot wait for them.
enum Review {
    UnderWay(JoinHandle<Result<Vec<ActualAlarm>, CallError>>),
    /// As well, with their tags: everything is planned anew from it.
    Reading(JoinHandle<Result<Vec<ActualAlarm>, CallError>>),
    Done(Vec<ActualAlarm>),
}

/// First wait after a failure; it doubles from there.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Longest wait: permissions that were just granted take effect within a minute.
const LAST_BACKOFF: Duration = Duration::from_secs(60);

impl Keeper {
    pub(super) fn new(
        link: Arc<Link>,
        desk: Arc<Desk>,
        mut settings: watch::Receiver<Arc<DestinationView>>,
        metrics: DaemonMetrics,
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        let mut keeper = Self {
            specs: Specs::default(),
            held: Specs::default(),
            parked: Parked::default(),
            circle: Circle::new(&current),
            lent: HashMap::new(),
            link,
            desk,
            settings,
            current,
            metrics,
            account: HashMap::new(),
            stale: true,
            review_at: Instant::now(),
            review: None,
            written: HashSet::new(),
            drifted: BTreeMap::new(),
            todo: VecDeque::new(),
            silence: Silence::default(),
            pace: Pace::default(),
            failures_in_a_row: 0,
            not_before: None,
        };
        keeper.take_place();
        keeper
    }

    /// Works for as long as it is polled, or until nobody gives it settings any more and
    /// what must not page is silent.
    pub(super) async fn run(mut self) {
        loop {
            // Not `has_changed`, which is silent of the last change once nobody sends any.
            let changed = !Arc::ptr_eq(&self.settings.borrow(), &self.current);
            if changed {
                self.reconfigure();
            }
            let alone = self.settings.has_changed().is_err();
            if alone && (self.is_idle() || self.current.active) {
                return;
            }
            let now = Instant::now();
            let wait_for = if self.is_idle() {
                None
            } else if let Some(until) = self.not_before.filter(|until| *until > now) {
                self.desk.fail_all();
                Some(until)
            } else {
                match self.work(now).await {
                    Ok(true) => {
                        self.failures_in_a_row = 0;
                        continue;
                    }
                    Ok(false) => self.next(),
                    Err(failure) => {
                        self.back_off(&failure);
                        continue;
                    }
                }
            };
            let time = async {
                match wait_for {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The loop sees what has changed.
                _ = self.settings.changed(), if !alone => {}
                () = self.desk.rung() => {}
                look = read::end_of(&mut self.review) => self.take_review(look),
                () = time => {}
            }
        }
    }

    /// Does the next piece of work; false: there is none now.
    async fn work(&mut self, now: Instant) -> Result<bool, CallError> {
        let api = self.link.api(&self.current).await?;
        if self.keep_silent(&api, now).await? {
            return Ok(true);
        }
        if !self.current.active {
            return Ok(false);
        }
        self.begin_reading(&api);
        if !self.parked.is_empty() {
            self.desk
                .fail_where(&|subject| self.is_parked(subject, now));
        }
        // What tips an alarm waits neither for the account to be read nor for the plan.
        let can = |subject: &AlarmKey| self.can_write(subject, now);
        if let Some((subject, note)) = self.desk.take(true, now, &can) {
            self.write(&api, subject, note).await?;
            return Ok(true);
        }
        if self.stale {
            return Ok(false);
        }
        if self.look_around(&api, now).await {
            return Ok(true);
        }
        let mut steps = self.todo.iter();
        let next = steps.position(|step| !self.parked.holds(step.name(), now));
        if let Some(step) = next.and_then(|index| self.todo.remove(index)) {
            self.carry_out(&api, step).await?;
            return Ok(true);
        }
        if self.go_on_reviewing(&api, now).await? {
            return Ok(true);
        }
        let can = |subject: &AlarmKey| self.can_write(subject, now);
        if let Some((subject, note)) = self.desk.take(false, now, &can) {
            self.write(&api, subject, note).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether an alarm may be written now: it is not put aside, and while the account is
    /// being read it is known as ours.
    fn can_write(&self, subject: &AlarmKey, now: Instant) -> bool {
        let known = |spec: &AlarmSpec| {
            let ours = matches!(self.account.get(&spec.name), Some(Kept::Ours { .. }));
            (ours || !self.stale) && !self.parked.holds(&spec.name, now)
        };
        match self.specs.by_subject.get(subject) {
            Some(spec) => known(spec),
            // Another daemon's: it is looked at before it is written.
            None => !self.is_parked(subject, now),
        }
    }

    fn is_parked(&self, subject: &AlarmKey, now: Instant) -> bool {
        let spec = self.held.by_subject.get(subject);
        spec.is_some_and(|spec| self.parked.holds(&spec.name, now))
    }

    fn reconfigure(&mut self) {
        let new = self.settings.borrow_and_update().clone();
        let names = |settings: &DestinationView| -> BTreeSet<String> {
            let specs = alarm::alarms_of_location(settings).into_iter();
            specs.map(|spec| spec.name).collect()
        };
        let wanted = names(&new);
        let gone = names(&self.current).into_iter();
        self.let_go(gone.filter(|name| !wanted.contains(name)));
        self.silence.spare(&wanted);
        self.parked.clear();
        self.current = new;
        self.take_place();
        self.stale = true;
        self.review = None;
        self.todo.clear();
        self.not_before = None;
        if !self.current.active {
            self.set_drifted(BTreeMap::new());
        }
    }

    fn back_off(&mut self, failure: &CallError) {
        self.link.trouble(failure);
        if failure.kind == FailureKind::Refused {
            // What is known of the account does not hold: read it again.
            self.stale = true;
            self.todo.clear();
        }
        let backoff = FIRST_BACKOFF * 2_u32.pow(self.failures_in_a_row.min(10));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Some(Instant::now() + backoff.min(LAST_BACKOFF));
        self.desk.fail_all();
    }

    fn is_idle(&self) -> bool {
        !self.current.active && self.silence.is_done()
    }

    /// When there is something to do of its own accord.
    fn next(&self) -> Option<Instant> {
        let enabled = self.current.active && self.review.is_none();
        let review = enabled.then_some(self.review_at);
        let look = self.circle.next().filter(|_| enabled);
        let now = Instant::now();
        // A note that is due already waits for its alarm, not for the time.
        let note = self.desk.next().filter(|at| *at > now);
        let times = [
            review,
            look,
            note,
            self.parked.next(now),
            self.silence.next(now),
        ];
        times.into_iter().flatten().min()
    }
}

impl Specs {
    fn new(alarms: Vec<AlarmSpec>) -> Self {
        let mut specs = Self::default();
        for spec in alarms {
            if let AlarmKey::Cause { target, .. } = &spec.key {
                let causes = specs.causes.entry(target.clone()).or_default();
                causes.push(spec.key.clone());
            }
            specs.by_subject.insert(spec.key.clone(), spec);
        }
        specs
    }
}
