//! The one task that asks: takes questions, makes the calls that are due, sends answers.
//!
//! It never waits for AWS: a few calls are under way while questions keep coming. Calls
//! follow each other no faster than allowed, metrics stop at the day's bound, and what
//! AWS refused is left alone for a while.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use crate::io::aws::{CallError, FailureKind};
use crate::io::evidence::budget::{Leave, Pace, Purse, price};
use crate::io::evidence::clients::{Clients, Operation};
use crate::io::evidence::docket::{Docket, Job};
use crate::io::evidence::metrics::Values;
use crate::io::evidence::trouble::{Subject, Troubles};
use crate::io::evidence::{docket, logs, metrics};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// What the task is told.
#[derive(Debug)]
pub(super) enum Order {
    Forget(TargetName),
    Stop,
}

/// The task.
pub(super) struct Worker {
    watching: watch::Receiver<Arc<Settings>>,
    settings: Arc<Settings>,
    metrics: DaemonMetrics,
    answers: mpsc::Sender<EvidenceUpdate>,
    clients: Arc<Clients>,
    docket: Docket,
    troubles: Troubles,
    purse: Purse,
    pace: Pace,
    /// Calls that are due and wait for their turn.
    waiting: VecDeque<Job>,
    under_way: FuturesUnordered<Call>,
    /// Answers that wait for the monitor.
    outbox: VecDeque<EvidenceUpdate>,
}

/// What one call brought.
enum Brought {
    Values(Values),
    Lines(Vec<String>),
}

type Outcome = (Job, Timestamp, Result<Brought, CallError>);
type Call = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Calls under way at once: a hanging one must not hold up the others.
const MAX_UNDER_WAY: usize = 4;

/// The longest sleep: a clock that was set forward is noticed within this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl Worker {
    pub(super) fn new(
        mut watching: watch::Receiver<Arc<Settings>>,
        metrics: DaemonMetrics,
        answers: mpsc::Sender<EvidenceUpdate>,
        base: Option<SdkConfig>,
    ) -> Self {
        let settings = watching.borrow_and_update().clone();
        let clients = Arc::new(Clients::new(&settings, base, metrics.clone()));
        Self {
            watching,
            settings,
            metrics,
            answers,
            clients,
            docket: Docket::default(),
            troubles: Troubles::default(),
            purse: Purse::default(),
            pace: Pace::new(),
            waiting: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            outbox: VecDeque::new(),
        }
    }

    /// Works until it is told to stop, its handle is gone, or nobody reads the answers.
    pub(super) async fn run(
        mut self,
        mut questions: mpsc::Receiver<EvidenceRequest>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let answers = self.answers.clone();
        loop {
            let now = Timestamp::now();
            self.waiting.extend(self.docket.take_due(now));
            self.begin_calls(now);
            let wake = self.wake(now);
            tokio::select! {
                question = questions.recv() => match question {
                    Some(question) => {
                        self.admit(question);
                        // Targets that failed together share their calls.
                        while let Ok(question) = questions.try_recv() {
                            self.admit(question);
                        }
                    }
                    None => return,
                },
                order = orders.recv() => match order {
                    Some(Order::Forget(target)) => {
                        self.docket.retain(|question| question.target.name != target);
                    }
                    Some(Order::Stop) | None => return,
                },
                Ok(()) = self.watching.changed() => self.reconfigure(),
                Some(outcome) = self.under_way.next() => self.finish(outcome),
                room = answers.reserve(), if !self.outbox.is_empty() => match room {
                    Ok(room) => if let Some(answer) = self.outbox.pop_front() {
                        room.send(answer);
                    },
                    Err(_) => return,
                },
                () = answers.closed() => return,
                () = sleep_until(wake) => {}
            }
        }
    }

    fn admit(&mut self, question: EvidenceRequest) {
        if !self.settings.evidence.enabled {
            self.outbox.push_back(docket::nothing(&question));
            return;
        }
        match self.docket.admit(question, &self.settings) {
            Ok(answer) => self.outbox.extend(answer),
            Err(answer) => {
                self.dropped("too-many", 1);
                self.outbox.push_back(answer);
            }
        }
    }

    /// When something is to be done without being told.
    fn wake(&self, now: Timestamp) -> Instant {
        let longest = Instant::now() + LONGEST_SLEEP;
        if !self.waiting.is_empty() && self.under_way.len() < MAX_UNDER_WAY {
            return self.pace.next().min(longest);
        }
        let due = self.docket.due().map(|due| {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Instant::now() + left.min(LONGEST_SLEEP)
        });
        due.unwrap_or(longest)
    }

    fn begin_calls(&mut self, now: Timestamp) {
        while self.under_way.len() < MAX_UNDER_WAY && self.pace.next() <= Instant::now() {
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            if self.docket.wants(&job) && self.may_go(&job, now) {
                let per_second = self.settings.evidence.max_requests_per_second;
                self.pace.took(per_second);
                let gap = Duration::from_secs(1) / per_second.max(1);
                let clients = Arc::clone(&self.clients);
                self.under_way.push(Box::pin(call(clients, job, now, gap)));
            }
        }
    }

    /// Whether a call is to be made now; otherwise its questions are told or wait.
    fn may_go(&mut self, job: &Job, now: Timestamp) -> bool {
        if let Some(trouble) = self.troubles.in_the_way(&subject(job), now) {
            let later = may_pass(trouble.kind).then_some(trouble.until);
            self.give_back(job, later, trouble.kind.as_str());
            return false;
        }
        let Job::Metrics { series, .. } = job else {
            return true;
        };
        let bound = self.settings.evidence.max_daily_cost;
        match self.purse.spend(series.len(), bound, now) {
            Leave::Granted => {
                self.metrics.evidence_cost.inc_by(price(series.len()));
                true
            }
            Leave::Refused { first } => {
                // Zero is a decision of the user's, not a surprise.
                if first && bound > 0.0 {
                    warn!(
                        bound,
                        "evidence: metrics for today have cost the estimated ${bound} that \
                         `evidence.max_daily_cost` allows; asked again tomorrow (UTC)"
                    );
                }
                self.give_back(job, None, "cost-bound");
                false
            }
        }
    }

    fn finish(&mut self, (job, asked, result): Outcome) {
        let answers = match result {
            Ok(brought) => {
                self.troubles.well(&subject(&job));
                match (&job, brought) {
                    (Job::Metrics { cases, .. }, Brought::Values(values)) => {
                        self.docket.metrics_read(cases, &values, asked)
                    }
                    (Job::Log { source, case, .. }, Brought::Lines(lines)) => {
                        self.docket.log_read(case, *source, &lines, asked)
                    }
                    // A call brings what its job asks for.
                    _ => Vec::new(),
                }
            }
            Err(failure) => {
                let now = Timestamp::now();
                let until = self
                    .troubles
                    .failed(&subject(&job), &failure, now, jitter());
                let later = may_pass(failure.kind).then_some(until);
                self.give_back(&job, later, failure.kind.as_str());
                return;
            }
        };
        self.outbox.extend(answers);
    }

    /// A call that was not made or failed for this reason: later, or never.
    fn give_back(&mut self, job: &Job, later: Option<Timestamp>, reason: &str) {
        let (answers, given_up) = self.docket.failed(job, later);
        self.dropped(reason, given_up);
        self.outbox.extend(answers);
    }

    fn dropped(&self, reason: &str, count: u64) {
        let dropped = &self.metrics.evidence_dropped;
        dropped.with_label_values(&[reason]).inc_by(count);
    }

    fn reconfigure(&mut self) {
        let settings = self.watching.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.settings, Arc::clone(&settings));
        if before.evidence != settings.evidence || before.cloudwatch != settings.cloudwatch {
            self.clients = Arc::new(self.clients.anew(&settings));
            // What was refused may have been mended just so.
            self.troubles = Troubles::default();
        }
        self.docket.retain(|question| {
            let mut targets = settings.targets.iter();
            let now = targets.find(|target| target.name == question.target.name);
            now.is_some_and(|now| now.aws == question.target.aws && now.url == question.target.url)
        });
        if !settings.evidence.enabled {
            self.outbox.extend(self.docket.close());
            self.waiting.clear();
        }
    }
}

/// Whether it may be better within minutes, without anybody's doing.
const fn may_pass(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Throttled | FailureKind::Failed | FailureKind::Lost
    )
}

fn subject(job: &Job) -> Subject {
    match job {
        Job::Metrics { place, .. } => (place.clone(), Operation::GetMetricData, None),
        Job::Log { place, search, .. } => (
            place.clone(),
            Operation::FilterLogEvents,
            Some(search.group.clone()),
        ),
    }
}

async fn call(clients: Arc<Clients>, job: Job, asked: Timestamp, gap: Duration) -> Outcome {
    let result = match &job {
        Job::Metrics {
            place,
            series,
            from,
            to,
            ..
        } => metrics::read(&clients, place, series, *from, *to)
            .await
            .map(Brought::Values),
        Job::Log { place, search, .. } => logs::find(&clients, place, search, gap)
            .await
            .map(Brought::Lines),
    };
    (job, asked, result)
}

/// Between 0 and 1. The clock's fraction is random enough, and needs no generator.
fn jitter() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1000) / 1000.0
}
