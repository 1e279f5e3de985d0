//! Makes the calls of one reading of an account: reads all pages of a list, repeats failed calls,
//! reports the progress, and records what was not read.
//!
//! A call is repeated if AWS throttles it or is not reachable. If a service stays unreachable, no
//! more calls to this service are made. If the credentials are missing or invalid, no more calls
//! are made at all.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::io::aws::read::{AwsReader, ReadError, Service};

/// The progress of a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being read, such as `REST API shop (a1b2c3), 12 of 200`.
    pub what: String,
    /// The number of requests that were sent.
    pub requests: usize,
}

/// An operation that returns a list in pages.
pub(super) struct Pages<'a> {
    pub(super) service: Service,
    /// The name of the operation, such as `GetApis`.
    pub(super) operation: &'a str,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) token: Token,
}

/// The names of the token with which the next page is requested, in the request and in the
/// response.
#[derive(Clone, Copy)]
pub(super) struct Token {
    /// The name of the query parameter that contains the token.
    parameter: &'static str,
    /// The name of the member of a page that contains the token of the next page.
    member: &'static str,
}

/// The token of API Gateway's operations about HTTP APIs.
pub(super) const NEXT_TOKEN: Token = Token {
    parameter: "nextToken",
    member: "nextToken",
};

/// The token of API Gateway's operations about REST APIs.
pub(super) const POSITION: Token = Token {
    parameter: "position",
    member: "position",
};

/// The token of Lambda's operations.
pub(super) const MARKER: Token = Token {
    parameter: "Marker",
    member: "NextMarker",
};

/// The calls of one reading.
pub(super) struct Calls<'a> {
    reader: &'a AwsReader,
    progress: &'a watch::Sender<Progress>,
    /// The failures after which no more calls are made to a service. `None` means all services.
    stopped: Vec<(Option<Service>, ReadError)>,
    not_read: Vec<String>,
    complete: bool,
}

/// What may be missing because a part of an account was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Without this part, targets may be missing or may have another name.
    Targets,
    /// Without this part, only proposals or declarations may be missing.
    Details,
}

/// The waits before a failed call is repeated for the first time, the second time, and so on.
const RETRY_DELAYS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Maximum number of repetitions of a call if AWS is not reachable. It is small because each
/// attempt may take seconds.
const UNREACHABLE_RETRIES: usize = 2;

/// Maximum number of pages of a list. This is enough for 100,000 items with 50 items per page.
const MAX_PAGES: usize = 2_000;

/// Maximum number of messages about what was not read.
const MAX_NOTES: usize = 100;

impl<'a> Calls<'a> {
    pub(super) const fn new(reader: &'a AwsReader, progress: &'a watch::Sender<Progress>) -> Self {
        Self {
            reader,
            progress,
            stopped: Vec::new(),
            not_read: Vec::new(),
            complete: true,
        }
    }

    /// Reports `what` as the resource that is being read.
    pub(super) fn report(&self, what: String) {
        self.progress.send_modify(|progress| progress.what = what);
    }

    /// Records that one of the resources of a list was not read. Does nothing if the resource was
    /// deleted during the reading, because it is then not missing.
    pub(super) fn record_one(&mut self, what: &str, error: &ReadError, part: Part) {
        if !matches!(error, ReadError::NotFound(_)) {
            self.record(what, error, part);
        }
    }

    /// Records that `what`, usually a list, was not read. This includes the error
    /// [`ReadError::NotFound`]: a list always exists, so this error does not mean that the list is
    /// empty, but that the response is from a wrong service.
    pub(super) fn record(&mut self, what: &str, error: &ReadError, part: Part) {
        // If only details are missing, a missing permission does not make the reading incomplete,
        // because it may be permanent. Invalid credentials are temporary.
        let is_denied = matches!(
            error,
            ReadError::Denied {
                action: Some(_),
                ..
            }
        );
        if part == Part::Targets || !is_denied {
            self.complete = false;
        }
        match self.not_read.len() {
            0..MAX_NOTES => self.not_read.push(format!("{what}: {error}")),
            MAX_NOTES => self.not_read.push("further resources".to_owned()),
            _ => {}
        }
    }

    /// Records a resource that this program does not support. The reading still counts as complete.
    pub(super) fn note(&mut self, text: String) {
        if self.not_read.len() < MAX_NOTES {
            self.not_read.push(text);
        }
    }

    /// Returns what was not read, and whether everything was read that targets depend on.
    pub(super) fn finish(self) -> (Vec<String>, bool) {
        (self.not_read, self.complete)
    }

    /// Reads all pages of a list and passes each page to `each`. A page is dropped after that,
    /// because it may contain secrets.
    pub(super) async fn pages(
        &mut self,
        list: &Pages<'_>,
        mut each: impl FnMut(&Value) + Send,
    ) -> Result<(), ReadError> {
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = list.query.to_vec();
            let next = token.as_deref();
            query.extend(next.map(|next| (list.token.parameter, next)));
            let page = self.get(list, &query).await?;
            each(&page);
            let next = page.get(list.token.member).and_then(Value::as_str);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(()),
                Some(next) if token.as_deref() == Some(next) => break,
                Some(next) => token = Some(next.to_owned()),
            }
        }
        Err(endless(list.operation))
    }

    async fn get(&mut self, list: &Pages<'_>, query: &[(&str, &str)]) -> Result<Value, ReadError> {
        let (service, operation, path) = (list.service, list.operation, list.path);
        let mut attempt = 0;
        loop {
            self.begin(service)?;
            match self.reader.get(service, operation, path, query).await {
                Ok(value) => return Ok(value),
                Err(error) => self.pause(service, error, attempt).await?,
            }
            attempt += 1;
        }
    }

    /// Reads one XML document of a REST service.
    pub(super) async fn get_xml(
        &mut self,
        (service, operation): (Service, &str),
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<String, ReadError> {
        let mut attempt = 0;
        loop {
            self.begin(service)?;
            match self.reader.get_xml(service, operation, path, query).await {
                Ok(document) => return Ok(document),
                Err(error) => self.pause(service, error, attempt).await?,
            }
            attempt += 1;
        }
    }

    /// Reads one XML document of a service with AWS's query protocol.
    pub(super) async fn query(
        &mut self,
        (service, action): (Service, &str),
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, ReadError> {
        let mut attempt = 0;
        loop {
            self.begin(service)?;
            let sent = self.reader.query(service, action, version, parameters);
            match sent.await {
                Ok(document) => return Ok(document),
                Err(error) => self.pause(service, error, attempt).await?,
            }
            attempt += 1;
        }
    }

    /// Counts a request that is about to be sent.
    ///
    /// # Errors
    /// Returns the error of an earlier call if this one would fail for the same reason.
    fn begin(&self, service: Service) -> Result<(), ReadError> {
        let mut stopped = self.stopped.iter();
        let reason = stopped.find(|(of, _)| of.is_none_or(|of| of == service));
        if let Some((_, error)) = reason {
            return Err(error.clone());
        }
        self.progress.send_modify(|progress| progress.requests += 1);
        Ok(())
    }

    /// Waits before a failed call is repeated.
    ///
    /// # Errors
    /// Returns the error if the call is not repeated.
    async fn pause(
        &mut self,
        service: Service,
        error: ReadError,
        attempt: usize,
    ) -> Result<(), ReadError> {
        let retries = match &error {
            ReadError::Throttled(_) => RETRY_DELAYS.len(),
            ReadError::Unreachable(_) => UNREACHABLE_RETRIES,
            _ => 0,
        };
        if let Some(delay) = RETRY_DELAYS.get(attempt).filter(|_| attempt < retries) {
            tokio::time::sleep(*delay).await;
            return Ok(());
        }
        match &error {
            ReadError::Denied { action: None, .. } => self.stopped.push((None, error.clone())),
            ReadError::Unreachable(_) => self.stopped.push((Some(service), error.clone())),
            _ => {}
        }
        Err(error)
    }
}

/// Returns the error of a list that has too many pages or whose next page is the same page again.
pub(super) fn endless(operation: &str) -> ReadError {
    ReadError::Malformed(format!(
        "{operation}: the list has too many pages or repeats a page"
    ))
}
