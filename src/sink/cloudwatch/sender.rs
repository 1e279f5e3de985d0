//! From reports to requests: the sender's event loop.
//!
//! It never waits for CloudWatch: one request is under way while reports keep coming.
//! A datapoint that tips an alarm waits until the keeper has written the cause, but at
//! most two seconds, and not at all where that writing fails.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::warn;

use crate::alarm::words::Words;
use crate::alarm::{self, has_alarm};
use crate::cause::{CauseId, Certainty};
use crate::diagnosis::{Diagnosis, Verdict};
use crate::report::{Report, Update};
use crate::settings::Settings;
use crate::sink::cloudwatch::SINK;
use crate::sink::cloudwatch::client::CallError;
use crate::sink::cloudwatch::datapoints::{Datapoint, Urgency, Windows};
use crate::sink::cloudwatch::desk::{Desk, Progress};
use crate::sink::cloudwatch::link::Link;
use crate::sink::cloudwatch::spool::{CAPACITY, Spool};
use crate::sink::daemon_metrics::DaemonMetrics;
use crate::target::{Target, TargetName};

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
    link: Arc<Link>,
    desk: Arc<Desk>,
    settings: watch::Receiver<Arc<Settings>>,
    current: Arc<Settings>,
    metrics: DaemonMetrics,
    windows: Windows,
    spool: Spool,
    /// What each target's alarm was last told to say.
    told: HashMap<TargetName, Told>,
    /// Datapoints that wait for their alarm's words.
    held: FuturesUnordered<Held>,
    under_way: Option<Request>,
    /// When what is in the spool may go.
    send_at: Instant,
    last_heartbeat: Option<i64>,
    /// The prober cannot see its targets: its heartbeat's absence is the page for all.
    trouble: bool,
    deadline: Option<Instant>,
}

struct Told {
    showing: Option<(CauseId, Certainty)>,
    progress: watch::Receiver<Progress>,
}

type Held = Pin<Box<dyn Future<Output = (Datapoint, bool)> + Send>>;
type Request = Pin<Box<dyn Future<Output = (Vec<Datapoint>, Result<(), CallError>)> + Send>>;

/// The longest a datapoint waits for its alarm to name the cause: a page may come this
/// much later, not more.
const HOLD: Duration = Duration::from_secs(2);

/// Datapoints of many targets that change together go as one request.
const LINGER: Duration = Duration::from_millis(100);

/// How often windows are looked at; a closed one is sent this late at most.
const TICK: Duration = Duration::from_secs(1);

impl Sender {
    pub(super) fn new(
        link: Arc<Link>,
        desk: Arc<Desk>,
        mut settings: watch::Receiver<Arc<Settings>>,
        metrics: DaemonMetrics,
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        Self {
            link,
            desk,
            settings,
            current,
            metrics,
            windows: Windows::default(),
            spool: Spool::new(CAPACITY),
            told: HashMap::new(),
            held: FuturesUnordered::new(),
            under_way: None,
            send_at: Instant::now(),
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
            self.begin_request();
            if self.is_done() {
                return;
            }
            let send_at = self.next_send();
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
                    self.push(datapoint);
                }
                (batch, result) = answer(&mut self.under_way) => self.finish(batch, result),
                () = sleep_until(send_at), if !self.spool.is_empty() && self.under_way.is_none() => {}
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
        match self.windows.add(report, self.current.cloudwatch.resolution) {
            Urgency::Window => {}
            Urgency::Now(datapoint) => self.push(datapoint),
            Urgency::Tipping(datapoint) => self.hold(datapoint, &report.target.name),
        }
    }

    /// Has the alarm say what is shown once AWS was asked.
    fn update(&mut self, update: &Update) {
        if has_alarm(&update.target) {
            let verdict = Some(&*update.incident.verdict);
            self.tell(&update.target, verdict, &update.diagnosis, Instant::now());
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
        let told = self.told.get(&target.name);
        if told.is_some_and(|told| told.showing == showing) {
            return;
        }
        let words = verdict.map(|verdict| {
            // A deviating answer's facts are not evidence for the cause that is shown.
            let same = diagnosis.cause() == Some(&verdict.cause);
            let evidence = if same { &diagnosis.evidence[..] } else { &[] };
            Words::failing(target.name.as_str(), verdict, evidence)
        });
        let progress = self.desk.leave(&target.name, words, not_before);
        self.told
            .insert(target.name.clone(), Told { showing, progress });
    }

    fn hold(&mut self, datapoint: Datapoint, target: &TargetName) {
        let Some(told) = self.told.get(target) else {
            self.push(datapoint);
            return;
        };
        self.desk.hurry(target);
        let mut progress = told.progress.clone();
        self.held.push(Box::pin(async move {
            let settled = progress.wait_for(|progress| *progress != Progress::Waiting);
            let in_time = matches!(
                timeout(HOLD, settled).await,
                Ok(Ok(progress)) if progress.is_in_time()
            );
            (datapoint, in_time)
        }));
    }

    fn push(&mut self, datapoint: Datapoint) {
        if self.spool.is_empty() {
            self.send_at = Instant::now() + LINGER;
        }
        let dropped = self.spool.push(datapoint);
        self.count(dropped);
    }

    fn tick(&mut self, now: Timestamp) {
        if !self.current.cloudwatch.enabled {
            return;
        }
        let resolution = self.current.cloudwatch.resolution;
        for datapoint in self.windows.close(now, resolution) {
            self.push(datapoint);
        }
        let width = i64::try_from(resolution.as_secs().max(1)).unwrap_or(60);
        let window = now.as_second().div_euclid(width);
        if self.last_heartbeat != Some(window) && !self.trouble {
            self.last_heartbeat = Some(window);
            self.push(Datapoint::heartbeat(now));
        }
    }

    fn begin_request(&mut self) {
        if self.under_way.is_some() || self.spool.is_empty() || self.next_send() > Instant::now() {
            return;
        }
        let settings = Arc::clone(&self.current);
        let batch = self.spool.batch(&settings.location);
        let link = Arc::clone(&self.link);
        self.under_way = Some(Box::pin(async move {
            let result = put(&link, &settings, &batch).await;
            (batch, result)
        }));
    }

    fn finish(&mut self, batch: Vec<Datapoint>, result: Result<(), CallError>) {
        match result {
            Ok(()) => {
                self.link.well("PutMetricData");
                self.spool.sent();
                self.count(0);
            }
            Err(failure) => {
                self.link.trouble(&failure);
                let jitter = jitter();
                let dropped = self
                    .spool
                    .failed(batch, failure.kind, Instant::now(), jitter);
                if dropped > 0 {
                    warn!(dropped, "cloudwatch: datapoints given up: {}", failure.text);
                }
                self.count(dropped);
            }
        }
    }

    fn count(&self, dropped: usize) {
        let waiting = i64::try_from(self.spool.len()).unwrap_or(i64::MAX);
        self.metrics.spool_datapoints.set(waiting);
        if dropped > 0 {
            let counter = self.metrics.sink_dropped.with_label_values(&[SINK]);
            counter.inc_by(u64::try_from(dropped).unwrap_or(u64::MAX));
        }
    }

    fn next_send(&self) -> Instant {
        let after_backoff = self.spool.not_before().unwrap_or(self.send_at);
        after_backoff.max(self.send_at)
    }

    fn reconfigure(&mut self) {
        self.current = self.settings.borrow_and_update().clone();
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
        for datapoint in self.windows.close_all() {
            self.push(datapoint);
        }
        self.send_at = Instant::now();
    }

    fn is_done(&self) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        let empty = self.spool.is_empty() && self.under_way.is_none() && self.held.is_empty();
        if !empty && Instant::now() >= deadline {
            let lost = self.spool.len() + self.held.len();
            warn!(lost, "cloudwatch: the time to flush is over");
            self.count(lost);
        }
        empty || Instant::now() >= deadline
    }
}

async fn put(link: &Link, settings: &Settings, batch: &[Datapoint]) -> Result<(), CallError> {
    let cloudwatch = &settings.cloudwatch;
    let api = link.api(cloudwatch).await?;
    let data = batch
        .iter()
        .map(|datapoint| datapoint.datum(&settings.location, cloudwatch.resolution))
        .collect();
    let request = api.writes.put_metric_data();
    let request = request
        .namespace(&cloudwatch.namespace)
        .set_metric_data(Some(data));
    api.settle("PutMetricData", request.send().await).map(drop)
}

/// The answer to the request under way; never, if there is none.
async fn answer(under_way: &mut Option<Request>) -> (Vec<Datapoint>, Result<(), CallError>) {
    match under_way {
        Some(request) => {
            let answer = request.await;
            *under_way = None;
            answer
        }
        None => std::future::pending().await,
    }
}

/// Between 0 and 1, so that daemons that failed together do not come back together. The
/// clock's fraction is random enough, and needs no generator.
fn jitter() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1000) / 1000.0
}
