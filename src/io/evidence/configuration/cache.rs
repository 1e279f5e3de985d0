//! Caches the newest configurations of APIs.
//!
//! The targets of one API often fail together. They share one read of the API, because API Gateway
//! allows few reads per second.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::domain::configuration::Api;
use crate::domain::configuration::plan::ApiPlan;
use crate::io::evidence::scope::AwsScope;

/// The newest configurations of APIs.
#[derive(Debug, Default)]
pub(in crate::io::evidence) struct ApiCache {
    /// The cached configurations, from the oldest to the newest.
    entries: Mutex<VecDeque<Entry>>,
}

#[derive(Debug)]
struct Entry {
    scope: AwsScope,
    plan: ApiPlan,
    /// The time when the read began.
    started: Timestamp,
    api: Api,
}

/// Maximum number of cached configurations. An API with hundreds of routes takes about 100 KB.
const MAX_ENTRIES: usize = 16;

impl ApiCache {
    /// Returns the cached configuration of an API; `None` if the cache contains none whose read
    /// began at `after` or later.
    pub(super) fn get(&self, scope: &AwsScope, plan: &ApiPlan, after: Timestamp) -> Option<Api> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = entries.iter().rev();
        entries
            .find(|it| it.scope == *scope && it.plan == *plan && it.started >= after)
            .map(|it| it.api.clone())
    }

    /// Adds the configuration of an API whose read began at `started`. Replaces an earlier
    /// configuration of the same API. If the cache is full, removes the oldest entry.
    pub(super) fn put(&self, scope: &AwsScope, plan: &ApiPlan, started: Timestamp, api: &Api) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|it| it.scope != *scope || it.plan != *plan);
        if entries.len() >= MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(Entry {
            scope: scope.clone(),
            plan: plan.clone(),
            started,
            api: api.clone(),
        });
    }
}
