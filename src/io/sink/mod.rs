//! Where reports go. A slow or failing sink may lose data, which it counts, never time.

pub mod cloudwatch;
pub mod daemon_metrics;
pub mod page;
pub mod prometheus;

use std::sync::Arc;

use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::cloudwatch::CloudWatchSink;
use crate::io::sink::page::Board;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::store::KeptIncident;
use crate::model::settings::Settings;

/// Every sink of the daemon.
#[derive(Clone, Debug)]
pub struct Sinks {
    /// `/metrics`.
    pub prometheus: Arc<PrometheusSink>,
    /// The page and the JSON API.
    pub board: Arc<Board>,
    /// Metrics and alarms in CloudWatch.
    pub cloudwatch: Arc<CloudWatchSink>,
}

impl Sinks {
    /// Tells every sink of a probe.
    pub fn publish(&self, report: &Report) {
        // The pager first: what it waits for is a network away.
        self.cloudwatch.publish(report);
        self.prometheus.publish(report);
        self.board.publish(report);
    }

    /// Tells every sink that an open incident's cause is better known.
    pub fn update(&self, update: &Update) {
        self.cloudwatch.update(update);
        self.prometheus.update(update);
        self.board.update(update);
    }

    /// Tells the sinks that show them of an incident of before a restart that goes on.
    /// CloudWatch's alarms know it already.
    pub fn resume(&self, kept: &Arc<KeptIncident>) {
        self.prometheus.resume(kept);
        self.board.resume(kept);
    }

    /// Tells the sinks that count them of a missed slot.
    pub fn missed(&self, missed: &Missed) {
        self.prometheus.missed(missed);
        self.board.missed(missed);
    }

    /// Tells the sinks that show them what there is to say of every cause.
    pub fn explain(&self, causes: &Arc<[CauseInfo]>) {
        self.prometheus.explain(causes);
        self.board.explain(causes);
    }

    /// Tells every sink which targets there are from now on.
    pub fn configure(&self, settings: &Arc<Settings>) {
        self.cloudwatch.configure(Arc::clone(settings));
        self.prometheus.configure(settings);
        self.board.configure(settings);
    }
}
