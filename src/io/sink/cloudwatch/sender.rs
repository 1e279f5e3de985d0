//! From reports to datapoints: the sender's event loop.
//!
//! It never waits for CloudWatch: requests are under way while reports keep coming.
//! A datapoint that tips an alarm waits until the keeper has written the cause, but at
//! most two seconds, and not at all where that writing fails.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::{self, has_alarm};
use crate::domain::diagnosis::{Diagnosis, Verdict};
use crate::domain::report::{Report, Update};
use crate::io::alarms::updates::AlarmUpdates;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::datapoint::{Datapoint, Series};
use crate::io::sink::cloudwatch::disk::Disk;
use crate::io::sink::cloudwatch::transmitter::Transmitter;
use crate::io::sink::cloudwatch::windows::{Urgent, Windows, window_start};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;
use crate::model::cause::{CauseId, Certainty};
use crate::model::target::{Target, TargetName};

/// What the task is told.
#[derive(Debug)]
pub(super) enum Command {
    Report(Box<Report>),
    Update(Box<Update>),
    /// Whether the prober itself is in trouble.
    Trouble(bool),
    /// Flush, and end by then.
    Shutdown(Instant),
}

/// The sender of one location's datapoints.
pub(super) struct Sender {
    updates: AlarmUpdates,
    settings: watch::Receiver<Arc<DestinationView>>,
    current: Arc<DestinationView>,
    metrics: DaemonMetrics,
    windows: Windows,
    transmitter: Transmitter,
    /// Ids of the rows on disk.
    ids: Arc<AtomicU64>,
    /// What each target's alarm was last told to say.
    told: HashMap<TargetName, Option<(CauseId, Certainty)>>,
    /// Datapoints that wait for their alarm's words.
    held: FuturesUnordered<Held>,
    last_heartbeat: Option<Timestamp>,
    /// The prober cannot see its targets: its heartbeat's absence is the page for all.
    trouble: bool,
    deadline: Option<Instant>,
}

type Held = Pin<Box<dyn Future<Output = (Datapoint, bool)> + Send>>;

/// The longest a datapoint waits for its alarm to name the cause: a page may come this
/// much later, not more.
const HOLD: Duration = Duration::from_secs(2);

/// How often windows are looked at and kept on disk: a closed one is sent this late at
/// most, and so much is lost at most if the process is killed.
const TICK: Duration = Duration::from_millis(500);

impl Sender {
    /// A sender of what belongs to `destination`, which is empty for the main one.
    pub(super) fn new(
        link: Arc<Connection>,
        updates: AlarmUpdates,
        mut settings: watch::Receiver<Arc<DestinationView>>,
        metrics: DaemonMetrics,
        (store, destination): (Store, &str),
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        let ids = store.ids();
        // Another location's datapoints must never be sent as this one's.
        let key = format!("{}/{destination}", current.location);
        let disk = Disk::new(store, key.into());
        let transmitter = Transmitter::new(link, Arc::clone(&current), metrics.clone(), disk);
        Self {
            updates,
            settings,
            current,
            metrics,
            windows: Windows::new(Arc::clone(&ids)),
            transmitter,
            ids,
            told: HashMap::new(),
            held: FuturesUnordered::new(),
            last_heartbeat: None,
            trouble: false,
            deadline: None,
        }
    }

    /// Works until it is told to end and has flushed, or its handle is gone.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.transmitter.begin();
            if self.is_done() {
                return self.end().await;
            }
            let next = self.transmitter.next();
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = queue.recv(), if self.deadline.is_none() => match command {
                    Some(Command::Report(report)) => self.take(&report),
                    Some(Command::Update(update)) => self.update(&update),
                    Some(Command::Trouble(trouble)) => self.trouble = trouble,
                    Some(Command::Shutdown(deadline)) => self.wind_up(deadline),
                    None => return,
                },
                Ok(()) = self.settings.changed() => self.reconfigure(),
                Some((datapoint, in_time)) = self.held.next() => {
                    if !in_time {
                        self.metrics.alarm_updates_late.inc();
                    }
                    self.transmitter.push(datapoint);
                }
                event = self.transmitter.event() => {
                    self.transmitter.handle(event, &mut self.windows);
                }
                () = due => {}
                _ = tick.tick() => self.tick(Timestamp::now()),
            }
        }
    }

    fn take(&mut self, report: &Report) {
        let was_down = self.windows.is_down(&report.target.name);
        // Under trouble of the prober's own, hundreds of alarms have nothing to say.
        if has_alarm(&report.target) && !report.own_trouble {
            self.tell_of(report, was_down);
        }
        let urgent = self.windows.add(report, self.current.cloudwatch.resolution);
        self.send(urgent, &report.target.name);
    }

    /// Has the alarm say what is shown once AWS was asked.
    fn update(&mut self, update: &Update) {
        if has_alarm(&update.target) {
            let verdict = Some(&*update.incident.verdict);
            self.tell(&update.target, verdict, &update.diagnosis, Instant::now());
        }
        if update.maintenance {
            return; // The alarm of the cause would page; the next report after it tells.
        }
        let cause = &update.incident.verdict.cause;
        let urgent = self.windows.revise(&update.target, cause, update.at);
        self.send(urgent, &update.target.name);
    }

    /// Sends what cannot wait for its window; what tips an alarm once the alarm names the
    /// cause.
    fn send(&mut self, urgent: Urgent, target: &TargetName) {
        for datapoint in urgent.now {
            self.transmitter.push(datapoint);
        }
        for datapoint in urgent.tipping {
            self.hold(datapoint, target);
        }
    }

    /// Has the alarm say what the report shows.
    fn tell_of(&mut self, report: &Report, was_down: bool) {
        let verdict = report.showing.as_deref();
        let mut not_before = Instant::now();
        if verdict.is_none() && was_down {
            // An outage shorter than a period still fires the alarm when the period is
            // over: it must find the cause then.
            let resolution = self.current.cloudwatch.resolution;
            let period = alarm::period(report.target.interval, resolution);
            not_before += Duration::from_secs(u64::from(period)) * 2;
        }
        self.tell(&report.target, verdict, &report.diagnosis, not_before);
    }

    /// Has the alarm say what is shown, if that is new.
    fn tell(
        &mut self,
        target: &Target,
        verdict: Option<&Verdict>,
        diagnosis: &Diagnosis,
        not_before: Instant,
    ) {
        let showing = verdict.map(|verdict| (verdict.cause.clone(), verdict.certainty));
        if self.told.get(&target.name) == Some(&showing) {
            return;
        }
        let words = verdict.map(|verdict| {
            // A deviating answer's facts are not evidence for the cause that is shown.
            let same = diagnosis.cause() == Some(&verdict.cause);
            let evidence = if same { &diagnosis.evidence[..] } else { &[] };
            Annotation::failing(target.name.as_str(), verdict, evidence)
        });
        self.updates.request(&target.name, words, not_before);
        self.told.insert(target.name.clone(), showing);
    }

    fn hold(&mut self, datapoint: Datapoint, target: &TargetName) {
        if !self.told.contains_key(target) {
            self.transmitter.push(datapoint);
            return;
        }
        self.transmitter.announce(&datapoint);
        let result = self.updates.hurry(target);
        self.held.push(Box::pin(async move {
            let in_time = matches!(
                timeout(HOLD, result).await,
                Ok(Ok(result)) if result.is_in_time()
            );
            (datapoint, in_time)
        }));
    }

    fn tick(&mut self, now: Timestamp) {
        if !self.current.active {
            return;
        }
        let resolution = self.current.cloudwatch.resolution;
        for datapoint in self.windows.close(now, resolution) {
            self.transmitter.take(datapoint);
        }
        let window = window_start(now, resolution);
        if self.last_heartbeat != Some(window) && !self.trouble {
            self.last_heartbeat = Some(window);
            let row = self.ids.fetch_add(1, Ordering::Relaxed);
            let beat = Datapoint::new(row, Series::Heartbeat, now, 1.0);
            self.transmitter.push(beat);
        }
        self.transmitter.tick(&mut self.windows, now);
    }

    fn reconfigure(&mut self) {
        self.current = self.settings.borrow_and_update().clone();
        self.transmitter.configure(Arc::clone(&self.current));
        let watched: HashMap<_, _> = self
            .current
            .targets
            .iter()
            .map(|target| (target.name.clone(), has_alarm(target)))
            .collect();
        self.windows.keep(|target| watched.contains_key(target));
        // A target that had its alarm taken away and given back is told anew.
        self.told
            .retain(|target, _| watched.get(target).copied().unwrap_or(false));
    }

    /// Every window goes now, over or not.
    fn wind_up(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        for closed in self.windows.close_all() {
            self.transmitter.take(closed);
        }
        self.transmitter.hurry();
    }

    fn is_done(&self) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        (self.transmitter.is_done() && self.held.is_empty()) || Instant::now() >= deadline
    }

    /// What is not sent is left to the next life.
    async fn end(mut self) {
        let lost = self.transmitter.end().await;
        if lost > 0 {
            let why = "the time to flush is over and the state directory does not take them";
            self.transmitter.give_up(lost as u64, why);
        }
    }
}
