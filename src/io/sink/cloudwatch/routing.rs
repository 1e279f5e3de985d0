//! Which destination a report goes to, and which destinations there are.
//!
//! A target whose destination changed is a removed one to the account that it leaves: its
//! alarm there is silenced at once, so nothing pages twice. What concerns the prober
//! itself goes to all: each account sees a dead or blind daemon by its own heartbeat.

use std::collections::BTreeMap;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::{self, DestinationView, MAIN};
use crate::io::sink::cloudwatch::SINK;
use crate::io::sink::cloudwatch::destination::{Destination, Leaving, Surroundings};
use crate::io::sink::cloudwatch::sender::Command;
use crate::model::settings::Settings;
use crate::model::target::Target;

/// Every destination by its name.
#[derive(Debug)]
pub(super) struct Routing {
    with: Surroundings,
    running: BTreeMap<String, Destination>,
    leaving: BTreeMap<String, Leaving>,
    /// The last that was told, for those that come later.
    trouble: bool,
    group: Option<Annotation>,
}

impl Routing {
    /// No destination yet.
    pub(super) const fn new(with: Surroundings) -> Self {
        Self {
            with,
            running: BTreeMap::new(),
            leaving: BTreeMap::new(),
            trouble: false,
            group: None,
        }
    }

    /// Starts, changes and ends destinations as the settings say. One that is now in
    /// another place ends there and begins here.
    pub(super) fn configure(&mut self, settings: &Settings) {
        let views = destination::running(settings);
        let gone = self.running.iter().filter(|(name, destination)| {
            let view = views.get(*name);
            view.is_none_or(|view| destination.settings().moves_to(view))
        });
        let gone: Vec<_> = gone.map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(destination) = self.running.remove(&name) {
                self.leaving.insert(name, destination.leave());
            }
        }
        self.leaving.retain(|_, leaving| !leaving.is_gone());
        for (name, view) in views {
            if let Some(destination) = self.running.get(&name) {
                destination.configure(view);
            } else {
                self.start(name, view);
            }
        }
    }

    /// Hands over what concerns a target, made only if it is wanted.
    pub(super) fn send(&self, target: &Target, command: impl FnOnce() -> Command) {
        if !self.is_on() {
            return;
        }
        let name = target.cloudwatch.destination.as_deref().unwrap_or(MAIN);
        if let Some(destination) = self.running.get(name) {
            destination.send(command());
        } else if target.cloudwatch.enabled {
            // The last words of a target whose destination is gone.
            let dropped = &self.with.metrics.sink_dropped;
            dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Tells all of trouble of the prober's own.
    pub(super) fn trouble(&mut self, trouble: bool) {
        self.trouble = trouble;
        for destination in self.running.values() {
            destination.send(Command::Trouble(trouble));
        }
    }

    /// Tells all of the words of a group incident.
    pub(super) fn group(&mut self, words: Option<Annotation>) {
        for destination in self.running.values() {
            destination.group(words.clone());
        }
        self.group = words;
    }

    /// Takes out all that are to end, for who waits for that.
    pub(super) fn end(&mut self) -> (Vec<Destination>, Vec<Leaving>) {
        let running = std::mem::take(&mut self.running).into_values();
        let leaving = std::mem::take(&mut self.leaving).into_values();
        (running.collect(), leaving.collect())
    }

    fn start(&mut self, name: String, view: DestinationView) {
        let destination = Destination::start(&self.with, view, self.leaving.remove(&name));
        if self.trouble {
            destination.send(Command::Trouble(true));
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
