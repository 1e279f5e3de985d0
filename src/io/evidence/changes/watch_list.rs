//! Chooses the next request to CloudTrail for all incidents that are open.
//!
//! For each incident, CloudTrail is searched a few times, because it delivers events late. Each of
//! these searches is called a look. CloudTrail finds events only by their exact name, so a look
//! requests one event name after another, beginning with the names that fit the cause of the
//! incident best. The response to a request serves all incidents with the same Region and role.
//! This module does no I/O.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::ChangeRequest;
use super::lookup::{Lookup, Subscriber};
use crate::domain::account_changes::{
    Watched, event_names, next_look, watched_until, window_start,
};
use crate::domain::incident::IncidentId;
use crate::io::evidence::scope::AwsScope;
use crate::model::cause::CauseId;
use crate::model::settings::Settings;
use crate::model::target::{Target, TargetName};

/// The open incidents and the progress of the search for changes.
#[derive(Debug, Default)]
pub(super) struct WatchList {
    incidents: Vec<WatchedIncident>,
    /// The request for the next page of an earlier response; `None` if no next page is needed.
    continued: Option<Lookup>,
}

/// An open incident, the resources whose changes are searched for, and the progress of the search.
#[derive(Debug)]
struct WatchedIncident {
    target: Arc<Target>,
    id: IncidentId,
    opened: Timestamp,
    first_failure: Timestamp,
    cause: CauseId,
    watched: Arc<Watched>,
    scope: AwsScope,
    /// The names of the events to look up. Those that fit the cause best come first.
    names: Vec<&'static str>,
    /// Number of completed looks; see [`next_look`].
    looks: usize,
    /// The names for which the current look has received a response.
    answered: HashSet<&'static str>,
}

/// Maximum number of incidents for which changes are searched at the same time. Each response is
/// compared with the resources of all of them.
const MAX_INCIDENTS: usize = 500;

/// Maximum number of pages that are read per look and event name. A page contains 50 events, the
/// newest first.
const MAX_PAGES: u32 = 3;

impl WatchedIncident {
    /// Returns the time from which the next request about the incident may be made; `None` if no
    /// request is left.
    fn due(&self) -> Option<Timestamp> {
        next_look(self.opened, self.looks)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Returns the next event name to look up, with its position in `names`; `None` if the current
    /// look is complete.
    fn next_name(&self) -> Option<(usize, &'static str)> {
        let mut names = self.names.iter().copied().enumerate();
        names.find(|(_, name)| !self.answered.contains(name))
    }

    fn wants(&self, name: &str) -> bool {
        self.names.contains(&name) && !self.answered.contains(name)
    }

    fn record_answer(&mut self, name: &'static str) {
        self.answered.insert(name);
        self.end_look_if_complete();
    }

    fn end_look_if_complete(&mut self) {
        if self.next_name().is_none() {
            self.looks += 1;
            self.answered.clear();
        }
    }

    /// Applies the cause and the resources of a repeated request. Keeps the time of the first
    /// failure. Does nothing if the new resources have no events to look up.
    fn update(&mut self, request: ChangeRequest) {
        let ChangeRequest { watched, cause, .. } = request;
        if *self.watched == watched && self.cause == cause {
            return;
        }
        let names = event_names(&watched, &cause);
        if names.is_empty() {
            return;
        }
        self.names = names;
        self.watched = Arc::new(watched);
        self.cause = cause;
        self.end_look_if_complete();
    }

    fn subscriber(&self) -> Subscriber {
        Subscriber {
            target: self.target.name.clone(),
            incident: self.id.clone(),
            watched: Arc::clone(&self.watched),
            first_failure: self.first_failure,
        }
    }
}

impl WatchList {
    /// Adds an incident. If it is already in the list, updates its cause and its resources instead.
    /// Does nothing if the resources of the target have no events to look up, or if the incident
    /// opened too long ago. Returns false if the incident was not added because the list is full.
    pub(super) fn add(
        &mut self,
        request: ChangeRequest,
        settings: &Settings,
        now: Timestamp,
    ) -> bool {
        let mut incidents = self.incidents.iter_mut();
        if let Some(known) = incidents.find(|known| known.id == request.incident) {
            known.update(request);
            return true;
        }
        let names = event_names(&request.watched, &request.cause);
        if names.is_empty() || now >= watched_until(request.opened) {
            return true;
        }
        if self.incidents.len() >= MAX_INCIDENTS {
            return false;
        }
        self.incidents.push(WatchedIncident {
            scope: AwsScope::of(&request.target, settings),
            target: request.target,
            id: request.incident,
            opened: request.opened,
            first_failure: request.first_failure,
            cause: request.cause,
            watched: Arc::new(request.watched),
            names,
            looks: 0,
            answered: HashSet::new(),
        });
        true
    }

    /// Removes the incidents of a target.
    pub(super) fn forget(&mut self, target: &TargetName) {
        self.retain(|incident| incident.target.name != *target);
    }

    /// Applies new settings. Removes the incidents of targets that were removed, or whose URL or
    /// `[target.aws]` changed. Updates the scopes of the remaining incidents.
    pub(super) fn configure(&mut self, settings: &Settings) {
        self.retain(|incident| {
            let known = &incident.target;
            let mut targets = settings.targets.iter();
            let current = targets.find(|target| target.name == known.name);
            current.is_some_and(|current| current.aws == known.aws && current.url == known.url)
        });
        for incident in &mut self.incidents {
            incident.scope = AwsScope::of(&incident.target, settings);
        }
    }

    /// Removes all incidents.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Removes the incidents that opened too long ago. Returns the scope of each removed incident
    /// for which not all requests were made.
    pub(super) fn remove_expired(&mut self, now: Timestamp) -> Vec<AwsScope> {
        let is_expired = |incident: &WatchedIncident| now >= watched_until(incident.opened);
        let expired = self.incidents.iter().filter(|one| is_expired(one));
        let incomplete = expired.filter(|incident| incident.due().is_some());
        let scopes = incomplete.map(|incident| incident.scope.clone()).collect();
        self.retain(|incident| !is_expired(incident));
        scopes
    }

    fn retain(&mut self, is_kept: impl Fn(&WatchedIncident) -> bool) {
        self.incidents.retain(is_kept);
        let incidents = &self.incidents;
        if let Some(continued) = &mut self.continued {
            let is_known = |subscriber: &Subscriber| {
                let mut known = incidents.iter();
                known.any(|incident| incident.id == subscriber.incident)
            };
            continued.subscribers.retain(is_known);
        }
        self.continued
            .take_if(|continued| continued.subscribers.is_empty());
    }

    /// Returns the next request that is due at `now` in a scope that is not blocked. The next page
    /// of an earlier response comes first. After that, incidents with fewer completed looks have
    /// precedence, and among these, the events that fit the cause of their incident better.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        is_blocked: impl Fn(&AwsScope) -> bool,
    ) -> Option<Lookup> {
        let continued = &mut self.continued;
        if let Some(lookup) = continued.take_if(|lookup| !is_blocked(&lookup.scope)) {
            return Some(lookup);
        }
        let due = self.incidents.iter().filter(|one| one.is_due(now));
        let ready = due.filter(|one| !is_blocked(&one.scope));
        let ranked = ready.filter_map(|one| {
            let (position, event) = one.next_name()?;
            Some(((one.looks, position, one.opened), one, event))
        });
        let (_, first, event) = ranked.min_by_key(|(rank, ..)| *rank)?;
        let same = self
            .incidents
            .iter()
            .filter(|one| one.scope == first.scope && one.is_due(now) && one.wants(event));
        let subscribers: Vec<_> = same.map(WatchedIncident::subscriber).collect();
        let starts = subscribers
            .iter()
            .map(|one| window_start(one.first_failure));
        Some(Lookup {
            scope: first.scope.clone(),
            event,
            from: starts.min()?,
            page: 1,
            next_token: None,
            subscribers,
        })
    }

    /// Records that a request received a response. `next_token` is the token of the next page;
    /// `None` if there is none. Schedules the read of the next page if one of the incidents is
    /// still open. Returns false if that page is skipped, because [`MAX_PAGES`] pages were read or
    /// because a next page is already scheduled.
    pub(super) fn record_answer(&mut self, mut lookup: Lookup, next_token: Option<String>) -> bool {
        for incident in &mut self.incidents {
            let id = &incident.id;
            let asked = lookup.subscribers.iter().any(|one| one.incident == *id);
            if asked && lookup.page == 1 {
                incident.record_answer(lookup.event);
            }
        }
        if next_token.is_none() {
            return true;
        }
        // An incident may have been resolved while the request was running.
        let incidents = &self.incidents;
        lookup.subscribers.retain(|subscriber| {
            let mut known = incidents.iter();
            known.any(|incident| incident.id == subscriber.incident)
        });
        if lookup.subscribers.is_empty() {
            return true;
        }
        // Only one next page is scheduled at a time. One of another scope may already be scheduled,
        // and wait because that scope is blocked.
        if lookup.page >= MAX_PAGES || self.continued.is_some() {
            return false;
        }
        lookup.page += 1;
        lookup.next_token = next_token;
        self.continued = Some(lookup);
        true
    }

    /// Returns the earliest time at which [`Self::next`] may return a request; `None` if there is
    /// nothing left to request. `blocked_until` returns the time until which a scope is blocked;
    /// `None` if it is not blocked.
    pub(super) fn next_due(
        &self,
        blocked_until: impl Fn(&AwsScope) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let after_block = |scope: &AwsScope, due: Timestamp| {
            blocked_until(scope).map_or(due, |blocked| blocked.max(due))
        };
        let continued = self.continued.iter();
        let continued = continued.map(|lookup| after_block(&lookup.scope, Timestamp::MIN));
        let incidents = self.incidents.iter();
        let incidents = incidents.filter_map(|one| Some(after_block(&one.scope, one.due()?)));
        continued.chain(incidents).min()
    }
}

#[cfg(test)]
mod tests;
