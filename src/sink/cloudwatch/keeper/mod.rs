//! Keeps the account's alarms as they should be: applies the plan at start and after a
//! reload, and writes what the alarms say about the probable cause.
//!
//! Alarms that are about to fire come first, then the plan, then the rest. It runs
//! beside the sender and never holds it up. It refuses to touch an alarm without our tag.

mod write;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use crate::alarm::plan::{Plan, Step};
use crate::alarm::words::CAUSE_TAG;
use crate::alarm::{self, AlarmSpec};
use crate::settings::Settings;
use crate::sink::cloudwatch::account::{self, NAMES_PER_CALL, Pace};
use crate::sink::cloudwatch::client::{Api, CallError, FailureKind};
use crate::sink::cloudwatch::desk::Desk;
use crate::sink::cloudwatch::link::Link;
use crate::target::TargetName;

/// The keeper of the alarms of one location.
pub(super) struct Keeper {
    link: Arc<Link>,
    desk: Arc<Desk>,
    settings: watch::Receiver<Arc<Settings>>,
    current: Arc<Settings>,
    specs: HashMap<TargetName, AlarmSpec>,
    /// The alarms as they are, by name.
    account: HashMap<String, Kept>,
    /// Whether the account has to be read (again).
    stale: bool,
    /// What of the plan is still to be written.
    todo: VecDeque<Step>,
    /// Alarms of removed targets that must not page.
    silence: Vec<String>,
    pace: Pace,
    failures_in_a_row: u32,
    not_before: Option<Instant>,
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
        cause: String,
        description: String,
    },
}

/// First wait after a failure; it doubles from there.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Longest wait: permissions that were just granted take effect within a minute.
const LAST_BACKOFF: Duration = Duration::from_secs(60);

impl Keeper {
    pub(super) fn new(
        link: Arc<Link>,
        desk: Arc<Desk>,
        mut settings: watch::Receiver<Arc<Settings>>,
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        Self {
            specs: specs(&current),
            link,
            desk,
            settings,
            current,
            account: HashMap::new(),
            stale: true,
            todo: VecDeque::new(),
            silence: Vec::new(),
            pace: Pace::default(),
            failures_in_a_row: 0,
            not_before: None,
        }
    }

    /// Works for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            if self.settings.has_changed().unwrap_or(false) {
                self.reconfigure();
            }
            let now = Instant::now();
            let idle = !self.current.cloudwatch.enabled && self.silence.is_empty();
            let wait_for = if idle {
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
                    Ok(false) => self.desk.next(),
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
                changed = self.settings.changed() => if changed.is_err() {
                    return std::future::pending().await;
                } else {
                    self.reconfigure();
                },
                () = self.desk.rung() => {}
                () = time => {}
            }
        }
    }

    /// Does the next piece of work; false: there is none now.
    async fn work(&mut self, now: Instant) -> Result<bool, CallError> {
        let api = self.link.api(&self.current.cloudwatch).await?;
        if !self.silence.is_empty() {
            let names: Vec<_> = self.silence.iter().take(NAMES_PER_CALL).cloned().collect();
            account::silence(&api, &self.pace, &names).await?;
            self.link.well("DisableAlarmActions");
            info!(alarms = ?names, "cloudwatch: actions disabled: no longer configured");
            self.silence.drain(..names.len());
            return Ok(true);
        }
        if !self.current.cloudwatch.enabled {
            return Ok(false);
        }
        if self.stale {
            self.read(&api).await?;
            return Ok(true);
        }
        if let Some((target, note)) = self.desk.take(true, now) {
            self.write(&api, target, note).await?;
            return Ok(true);
        }
        if let Some(step) = self.todo.pop_front() {
            if let Err(failure) = self.carry_out(&api, &step).await {
                self.todo.push_front(step);
                return Err(failure);
            }
            return Ok(true);
        }
        if let Some((target, note)) = self.desk.take(false, now) {
            self.write(&api, target, note).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads the account and plans.
    async fn read(&mut self, api: &Api) -> Result<(), CallError> {
        let location = &self.current.location;
        let actual = account::read(api, location).await?;
        self.link.well("DescribeAlarms");
        self.link.well("ListTagsForResource");
        let drift = self.current.cloudwatch.drift;
        let plan = Plan::new(&alarm::desired(&self.current), &actual, location, drift);
        for clash in plan.clashes() {
            error!(
                alarm = clash.name,
                "cloudwatch: an alarm of this name exists without our tag and is left alone: rename or delete it"
            );
        }
        let mut account = HashMap::new();
        for step in plan.steps {
            match &step {
                Step::Clash(spec) => {
                    account.insert(spec.name.clone(), Kept::Foreign);
                }
                Step::Leave { actual, .. }
                | Step::Update { actual, .. }
                | Step::Drift { actual, .. } => {
                    let kept = Kept::Ours {
                        arn: Some(actual.arn.clone()),
                        cause: actual.tags.get(CAUSE_TAG).cloned().unwrap_or_default(),
                        description: actual.description.clone(),
                    };
                    account.insert(actual.name.clone(), kept);
                }
                Step::Create(_) | Step::Orphan(_) => {}
            }
            if matches!(step, Step::Create(_) | Step::Update { .. }) {
                self.todo.push_back(step);
            }
        }
        info!(
            writes = self.todo.len(),
            "cloudwatch: alarms read and planned"
        );
        self.account = account;
        self.stale = false;
        Ok(())
    }

    fn reconfigure(&mut self) {
        let new = self.settings.borrow_and_update().clone();
        let names = |settings: &Settings| -> BTreeSet<String> {
            let specs = alarm::desired(settings).into_iter();
            specs.map(|spec| spec.name).collect()
        };
        let wanted = names(&new);
        let ours = |name: &String| matches!(self.account.get(name), Some(Kept::Ours { .. }));
        let gone = names(&self.current).into_iter();
        let gone: Vec<_> = gone
            .filter(|name| !wanted.contains(name) && ours(name))
            .collect();
        self.silence.extend(gone);
        self.silence.retain(|name| !wanted.contains(name));
        self.specs = specs(&new);
        self.current = new;
        self.stale = true;
        self.todo.clear();
        self.not_before = None;
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
}

fn specs(settings: &Settings) -> HashMap<TargetName, AlarmSpec> {
    alarm::desired(settings)
        .into_iter()
        .filter_map(|spec| Some((spec.subject.target()?.clone(), spec)))
        .collect()
}
