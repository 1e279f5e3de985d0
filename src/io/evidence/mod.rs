//! Asking AWS about failed requests: its metrics around them, and their own log lines.
//!
//! Reading order: this file (the handle that the monitor holds), `worker` (the one task),
//! `docket` and `case` (which calls are due, and what their answers mean for a question),
//! `series` and `metrics`, `logs`, `place` and `clients`, `budget` and `trouble` (money,
//! pace, refusals), `reading`. It never judges a cause, never invokes a function, asks
//! nothing but what it was handed, and holds nobody up: a question that finds no place
//! is answered with nothing and counted.

mod budget;
mod case;
mod clients;
mod docket;
mod logs;
mod metrics;
mod place;
mod reading;
mod series;
mod trouble;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::{mpsc, watch};

use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

use worker::{Order, Worker};

/// The way of questions to AWS. Dropping it ends its task.
#[derive(Debug)]
pub struct Evidence {
    questions: mpsc::Sender<EvidenceRequest>,
    orders: mpsc::UnboundedSender<Order>,
    settings: watch::Sender<Arc<Settings>>,
    answers: mpsc::Sender<EvidenceUpdate>,
    metrics: DaemonMetrics,
}

/// Questions that may wait for the task, which never waits for AWS: two for each of some
/// hundred targets that fail in one instant.
const QUEUE: usize = 256;

impl Evidence {
    /// Starts the task, with credentials by the SDK's default chain. Must be called
    /// inside a Tokio runtime. Every question that `ask` takes gets a last answer through
    /// `answers`, unless it is forgotten; while `evidence.enabled` is false, an empty one.
    #[must_use]
    pub fn start(
        settings: &Settings,
        metrics: DaemonMetrics,
        answers: mpsc::Sender<EvidenceUpdate>,
    ) -> Self {
        Self::start_with(settings, metrics, answers, None)
    }

    /// Starts the task with an SDK configuration that was already made by `aws_config`'s
    /// loader: one that was put together by hand lacks the clock that roles need.
    #[must_use]
    pub fn start_with(
        settings: &Settings,
        metrics: DaemonMetrics,
        answers: mpsc::Sender<EvidenceUpdate>,
        base: Option<SdkConfig>,
    ) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        // Unbounded: one order for each incident's end, which is never to be lost.
        let (orders, ordered) = mpsc::unbounded_channel();
        let (settings, watching) = watch::channel(Arc::new(settings.clone()));
        let worker = Worker::new(watching, metrics.clone(), answers.clone(), base);
        tokio::spawn(worker.run(asked, ordered));
        Self {
            questions,
            orders,
            settings,
            answers,
            metrics,
        }
    }

    /// Takes a question. Never waits; one that finds no place is counted as dropped and,
    /// where the answers have room, answered with nothing.
    pub fn ask(&self, question: EvidenceRequest) {
        if let Err(refused) = self.questions.try_send(question) {
            let question = refused.into_inner();
            let dropped = self
                .metrics
                .evidence_dropped
                .with_label_values(&["queue-full"]);
            dropped.inc();
            // Whoever reads the answers is behind already: nothing more can be done.
            let _ = self.answers.try_send(docket::nothing(&question));
        }
    }

    /// Forgets every question about a target: its incident is over, or it is gone. What
    /// is under way for it is not answered any more.
    pub fn forget(&self, target: &TargetName) {
        // A task that is gone has forgotten everything.
        let _ = self.orders.send(Order::Forget(target.clone()));
    }

    /// Takes a new configuration. Questions about targets that it does not hold any
    /// more, or declares otherwise, are forgotten.
    pub fn configure(&self, settings: &Settings) {
        self.settings.send_if_modified(|known| {
            let differs = **known != *settings;
            if differs {
                *known = Arc::new(settings.clone());
            }
            differs
        });
    }

    /// Resolves when the task has ended, which before `shutdown` is a fault of ours, or
    /// means that nobody reads the answers any more.
    pub async fn ended(&self) {
        self.questions.closed().await;
    }

    /// Ends the task; open questions stay unanswered. Calls under way are given up, so
    /// that this takes no longer than `within`.
    pub async fn shutdown(&self, within: Duration) {
        let _ = self.orders.send(Order::Stop);
        let _ = tokio::time::timeout(within, self.questions.closed()).await;
    }
}
