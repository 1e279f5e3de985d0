//! The sinks that publish results: Prometheus, the pages with the JSON API, and CloudWatch.
//!
//! A slow or failing sink may drop data, and counts the dropped data. A sink never delays a probe.

pub mod cloudwatch;
pub mod daemon_metrics;
pub mod page;
pub mod prometheus;

use std::sync::Arc;

use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::cloudwatch::CloudWatchSink;
use crate::io::sink::page::StatusBoard;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::store::StoredIncident;
use crate::model::settings::Settings;

/// All sinks of the daemon.
#[derive(Clone, Debug)]
pub struct Sinks {
    /// The sink that renders `/metrics`.
    pub prometheus: Arc<PrometheusSink>,
    /// The sink that keeps the state shown on the pages and in the JSON API.
    pub board: Arc<StatusBoard>,
    /// The sink that publishes metrics and alarms to CloudWatch.
    pub cloudwatch: Arc<CloudWatchSink>,
}

impl Sinks {
    /// Publishes a probe's report to all sinks.
    pub fn publish(&self, report: &Report) {
        // CloudWatch is first, because its alarms notify people and its requests take the
        // longest.
        self.cloudwatch.publish(report);
        self.prometheus.publish(report);
        self.board.publish(report);
    }

    /// Publishes a revised cause of an open incident to all sinks.
    pub fn update(&self, update: &Update) {
        self.cloudwatch.update(update);
        self.prometheus.update(update);
        self.board.update(update);
    }

    /// Restores, in Prometheus and on the pages, an incident that was open before a restart.
    /// CloudWatch is omitted, because the restart did not change the cause that its alarms name.
    pub fn resume(&self, kept: &Arc<StoredIncident>) {
        self.prometheus.resume(kept);
        self.board.resume(kept);
    }

    /// Passes a missed probe slot to Prometheus and the pages, which count missed slots.
    pub fn missed(&self, missed: &Missed) {
        self.prometheus.missed(missed);
        self.board.missed(missed);
    }

    /// Passes the descriptions of all causes to Prometheus and the pages.
    pub fn set_causes(&self, causes: &Arc<[CauseInfo]>) {
        self.prometheus.set_causes(causes);
        self.board.set_causes(causes);
    }

    /// Applies a configuration to all sinks.
    pub fn configure(&self, settings: &Arc<Settings>) {
        self.cloudwatch.configure(Arc::clone(settings));
        self.prometheus.configure(settings);
        self.board.configure(settings);
    }
}
