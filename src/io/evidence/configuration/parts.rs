//! Makes the individual reads of a configuration, and records their outcomes.

use serde_json::Value;

use crate::domain::configuration::Lookup;
use crate::io::aws::read::{AwsReader, ReadError, Service};
use crate::io::aws::{CallError, FailureKind};
use crate::io::evidence::backoff::{BlockedOperation, BlockedOperations};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::operation::Operation;

/// The outcome of one read.
#[derive(Debug)]
pub(in crate::io::evidence) struct FinishedRead {
    pub(in crate::io::evidence) operation: Operation,
    /// The resource that was read, such as the id of an API. `None` for an operation on the
    /// account.
    pub(in crate::io::evidence) resource: Option<String>,
    pub(in crate::io::evidence) result: Result<(), CallError>,
}

/// Makes the reads of one configuration.
pub(super) struct PartReader<'a> {
    clients: &'a ClientCache,
    reader: &'a AwsReader,
    blocked: BlockedOperations,
    calls: Vec<FinishedRead>,
    /// The reads that were not made because they are blocked.
    skipped: Vec<BlockedOperation>,
    /// Whether a read failed because the credentials are missing or invalid. No further reads are
    /// made then, because they would fail too.
    stopped: bool,
}

/// A resource of a service with a REST API, and the request that reads it.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) service: Service,
    pub(super) operation: Operation,
    /// The name of the resource, such as the id of an API; empty for an operation on the account.
    pub(super) name: &'a str,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
}

/// Maximum number of pages of a list. An incomplete list is not used.
pub(super) const MAX_PAGES: usize = 20;

impl<'a> PartReader<'a> {
    pub(super) const fn new(
        clients: &'a ClientCache,
        reader: &'a AwsReader,
        blocked: BlockedOperations,
    ) -> Self {
        Self {
            clients,
            reader,
            blocked,
            calls: Vec::new(),
            skipped: Vec::new(),
            stopped: false,
        }
    }

    /// Returns the Region of the reads.
    pub(super) fn region(&self) -> &str {
        self.reader.region()
    }

    /// Returns the outcomes of all reads, and the reads that were not made because they are
    /// blocked.
    pub(super) fn into_calls(self) -> (Vec<FinishedRead>, Vec<BlockedOperation>) {
        (self.calls, self.skipped)
    }

    /// Returns the id of the account to which the credentials belong; `None` if it cannot be read.
    pub(super) async fn account(&mut self) -> Option<String> {
        let operation = Operation::GetCallerIdentity;
        if !self.may_call(operation, "") {
            return None;
        }
        let result = self.reader.account().await.map(Lookup::Found);
        found(self.finish(operation, "", result))
    }

    /// Reads a resource; `None` if the read is blocked or fails.
    pub(super) async fn get(&mut self, resource: Resource<'_>) -> Option<Lookup<Value>> {
        let Resource {
            service,
            operation,
            name,
            path,
            query,
        } = resource;
        if !self.may_call(operation, name) {
            return None;
        }
        let result = self
            .reader
            .get(service, operation.name(), path, query)
            .await;
        self.finish(operation, name, result.map(Lookup::Found))
    }

    /// Reads the pages of a list, at most [`MAX_PAGES`]; `None` if one of them cannot be read.
    /// `token_name` is the name of the page token, both in the query and in the response.
    pub(super) async fn pages(
        &mut self,
        resource: Resource<'_>,
        token_name: &str,
    ) -> Option<Vec<Value>> {
        let mut pages: Vec<Value> = Vec::new();
        let mut token: Option<String> = None;
        while pages.len() < MAX_PAGES {
            let mut query = resource.query.to_vec();
            query.extend(token.as_deref().map(|token| (token_name, token)));
            let page = self.get(Resource {
                query: &query,
                ..resource
            });
            let page = found(page.await)?;
            token = page
                .get(token_name)
                .and_then(Value::as_str)
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            pages.push(page);
            if token.is_none() {
                break;
            }
        }
        Some(pages)
    }

    /// Calls an operation of Elastic Load Balancing and returns the XML document; `None` if the
    /// call is blocked or fails, or if the resource does not exist. `resource` identifies the
    /// resource in the backoff.
    pub(super) async fn load_balancing(
        &mut self,
        operation: Operation,
        resource: &str,
        parameters: &[(&str, &str)],
    ) -> Option<String> {
        if !self.may_call(operation, resource) {
            return None;
        }
        let result = self
            .reader
            .query(
                Service::LoadBalancing,
                operation.name(),
                "2015-12-01",
                parameters,
            )
            .await;
        found(self.finish(operation, resource, result.map(Lookup::Found)))
    }

    /// Returns whether the last read of an operation was throttled.
    pub(super) fn was_throttled(&self, operation: Operation) -> bool {
        let mut calls = self.calls.iter().rev();
        let last = calls.find(|call| call.operation == operation);
        last.is_some_and(|call| {
            let failure = call.result.as_ref().err();
            failure.is_some_and(|failure| failure.kind == FailureKind::Throttled)
        })
    }

    /// Drops the recorded reads of an operation, because another read made them unnecessary.
    pub(super) fn forget(&mut self, operation: Operation) {
        self.calls.retain(|call| call.operation != operation);
        self.skipped.retain(|(skipped, _)| *skipped != operation);
    }

    /// Returns whether a read may be made. Records a read that is blocked.
    fn may_call(&mut self, operation: Operation, resource: &str) -> bool {
        let key = (operation, resource_key(resource));
        let is_blocked = !self.stopped && self.blocked.contains(&key);
        if is_blocked && !self.skipped.contains(&key) {
            self.skipped.push(key);
        }
        !self.stopped && !is_blocked
    }

    /// Records the outcome of a read. Returns `None` if the read failed.
    fn finish<T>(
        &mut self,
        operation: Operation,
        resource: &str,
        result: Result<Lookup<T>, ReadError>,
    ) -> Option<Lookup<T>> {
        // A `Denied` error without an action means that the credentials are missing or invalid.
        self.stopped |= matches!(&result, Err(ReadError::Denied { action: None, .. }));
        // That a resource does not exist is a result, not a failure.
        let result = match result {
            Err(ReadError::NotFound(_)) => Ok(Lookup::Missing),
            other => other,
        };
        let result = self.clients.record_read(operation, result);
        let (answer, result) = match result {
            Ok(answer) => (Some(answer), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.calls.push(FinishedRead {
            operation,
            resource: resource_key(resource),
            result,
        });
        answer
    }
}

/// Returns the resource of a [`BlockedOperation`]; `None` for an operation on the account.
fn resource_key(resource: &str) -> Option<String> {
    (!resource.is_empty()).then(|| resource.to_owned())
}

/// Returns the response; `None` if the read failed or the resource does not exist.
pub(super) fn found<T>(answer: Option<Lookup<T>>) -> Option<T> {
    match answer {
        Some(Lookup::Found(answer)) => Some(answer),
        Some(Lookup::Missing) | None => None,
    }
}
