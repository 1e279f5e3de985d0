//! Starts and ends destinations, and sends each report to the destination of its target.
//!
//! A target that moves to another destination counts as removed from the previous destination. The
//! actions of the target's alarm in the previous destination are disabled immediately, so that only
//! one of the two alarms sends notifications. Each destination has its own heartbeat, which stops
//! while the prober itself is impaired, so the state of the prober is sent to all destinations.

use std::collections::BTreeMap;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::{self, DestinationView, MAIN};
use crate::io::sink::cloudwatch::aggregator::Command;
use crate::io::sink::cloudwatch::destination::{Destination, DestinationContext, Removed};
use crate::io::sink::cloudwatch::gauges::SINK;
use crate::model::settings::Settings;
use crate::model::target::Target;

/// The running and the removed destinations, by name.
#[derive(Debug)]
pub(super) struct Routing {
    context: DestinationContext,
    running: BTreeMap<String, Destination>,
    removed: BTreeMap<String, Removed>,
    /// Whether the prober itself is impaired, kept for destinations that start later.
    prober_impaired: bool,
    /// The annotation of the open incident of a group or of the prober, kept for destinations that
    /// start later; `None` if no such incident is open.
    group: Option<Annotation>,
}

impl Routing {
    /// Creates a `Routing` that has no destinations yet.
    pub(super) const fn new(context: DestinationContext) -> Self {
        Self {
            context,
            running: BTreeMap::new(),
            removed: BTreeMap::new(),
            prober_impaired: false,
            group: None,
        }
    }

    /// Starts, reconfigures and removes destinations to match the settings. A destination that
    /// moved to another account or region is removed and started again.
    pub(super) fn configure(&mut self, settings: &Settings) {
        let views = destination::running(settings);
        let gone = self.running.iter().filter(|(name, destination)| {
            let view = views.get(*name);
            view.is_none_or(|view| destination.settings().moves_to(view))
        });
        let gone: Vec<_> = gone.map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(destination) = self.running.remove(&name) {
                self.removed.insert(name, destination.remove());
            }
        }
        self.removed.retain(|_, removed| !removed.has_ended());
        for (name, view) in views {
            if let Some(destination) = self.running.get(&name) {
                destination.configure(view);
            } else {
                self.start(name, view);
            }
        }
    }

    /// Sends the command that `command` returns to the destination of a target. Does nothing if
    /// CloudWatch is disabled. Counts a dropped command if the destination is not running.
    pub(super) fn send(&self, target: &Target, command: impl FnOnce() -> Command) {
        if !self.is_on() {
            return;
        }
        let name = target.cloudwatch.destination.as_deref().unwrap_or(MAIN);
        if let Some(destination) = self.running.get(name) {
            destination.send(command());
        } else if target.cloudwatch.enabled {
            // The destination was removed, so this late command for one of its targets is dropped.
            let dropped = &self.context.metrics.sink_dropped;
            dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Sets whether the prober itself is impaired, for all destinations.
    pub(super) fn set_prober_impaired(&mut self, impaired: bool) {
        self.prober_impaired = impaired;
        for destination in self.running.values() {
            destination.send(Command::ProberImpaired(impaired));
        }
    }

    /// Sets the annotation of the open incident of a group or of the prober in all destinations;
    /// `None` reports that the incident was closed.
    pub(super) fn group(&mut self, annotation: Option<Annotation>) {
        for destination in self.running.values() {
            destination.group(annotation.clone());
        }
        self.group = annotation;
    }

    /// Returns the running and the removed destinations, and keeps none of them. The caller shuts
    /// down the running destinations and waits until the tasks of all destinations have ended.
    pub(super) fn end(&mut self) -> (Vec<Destination>, Vec<Removed>) {
        let running = std::mem::take(&mut self.running).into_values();
        let removed = std::mem::take(&mut self.removed).into_values();
        (running.collect(), removed.collect())
    }

    fn start(&mut self, name: String, view: DestinationView) {
        let destination = Destination::start(&self.context, view, self.removed.remove(&name));
        if self.prober_impaired {
            destination.send(Command::ProberImpaired(true));
        }
        if self.group.is_some() {
            destination.group(self.group.clone());
        }
        self.running.insert(name, destination);
    }

    fn is_on(&self) -> bool {
        let main = self.running.get(MAIN);
        main.is_some_and(|main| main.settings().active)
    }
}
