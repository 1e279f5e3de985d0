//! What AWS said, as facts that rules may ask about.
//!
//! From outside, a status and a time; from here, what AWS's sums mean for them. Rules rank
//! by this table; with traffic of others no row proves what happened to our request:
//!
//! | answer outside | settled `lambda.seen` | rule's cause | at most |
//! | --- | --- | --- | --- |
//! | 503 at once (HTTP), 500 (REST) | throttled | throttled | corroborated |
//! | 503 at once (HTTP) | mixed, throttles among it | throttled | corroborated |
//! | 500 (HTTP), 502 (REST) | failed, timed-out | function error, its timeout | corroborated |
//! | 500 (HTTP) | ran-without-errors, not shared | malformed | corroborated |
//! | 502 (REST) | ran-without-errors | malformed | corroborated |
//! | 500 (HTTP, REST) | not-invoked | permission; authorizer and others rival it | likely |
//! | 503, 504 on the limit | outlasted-api, or the API waited | timeout | corroborated |
//! | any of these | as above, and `window.every` says so | the same | proven |
//! | any 5xx | API counted none | outside this stage | possible |
//!
//! Where a word is `no`, a settled window shows that something did not occur: rules lower
//! what needs it. Absent numbers were not asked for, refused, or may still come.

use std::time::Duration;

use crate::domain::diagnosis::aws::sums::{self, Known, Limits, Seen};
use crate::domain::diagnosis::aws::{
    ApiMetrics, AwsEvidence, LambdaMetrics, LogFinding, LogSource, LogTemplate, MetricWindow,
};
use crate::domain::diagnosis::fact::Facts;
use crate::model::target::AwsDeclarations;

/// HTTP API's integration timeout unless lowered (quota page).
const HTTP_API_LIMIT: Duration = Duration::from_secs(30);
/// REST API's integration timeout unless changed (quota page).
const REST_API_LIMIT: Duration = Duration::from_secs(29);

impl Facts {
    /// Adds what AWS said. Total; comes after `front_door` is known, whose documented
    /// limit stands in for one that is not declared.
    pub fn told_by_aws(&mut self, declared: &AwsDeclarations, evidence: &AwsEvidence) {
        let default = match self.text("front_door") {
            Some("http-api") => Some(HTTP_API_LIMIT),
            Some("rest-api") => Some(REST_API_LIMIT),
            _ => None,
        };
        let limits = Limits {
            integration: declared.integration_timeout.or(default),
            function: declared.function_timeout,
            shared: declared.shared,
        };
        if let Some(log) = &evidence.log {
            self.logged(log, &limits);
        }
        if let Some(window) = &evidence.window {
            self.summed(window, &limits);
        }
    }

    fn logged(&mut self, log: &LogFinding, limits: &Limits) {
        let source = match log.source {
            LogSource::AccessLog => "access-log",
            LogSource::ExecutionLog => "execution-log",
        };
        self.set_text("log.source", source);
        self.set_text("log.template", log.template.as_str());
        if let Some(status) = log.status {
            self.set_number("log.status", f64::from(status));
        }
        if let Some(status) = log.integration_status {
            self.set_number("log.integration_status", f64::from(status));
        }
        self.set_known("log.invoked", log.invoked);
        if let Some(latency) = log.integration_latency {
            self.set_number("log.integration_latency", latency.as_secs_f64());
            // A wait up to the limit that brought no status: the API gave up.
            let sits = |limit| sums::sits_on(limit, Some(latency));
            let waited = log.integration_status.is_none() && limits.integration.is_some_and(sits);
            self.set_known("log.waited", Some(waited));
        }
    }

    fn summed(&mut self, window: &MetricWindow, limits: &Limits) {
        self.set_text(
            "window.state",
            if window.settled { "settled" } else { "open" },
        );
        self.set_number("window.requests", f64::from(window.ours));
        self.set_known("window.ours", sums::ours_alone(window, limits.shared));
        self.set_known("window.shared", Some(limits.shared));
        if let Some(every) = Seen::of_every(window, limits) {
            self.set_text("window.every", every.as_str());
        }
        if let Some(seen) = Seen::of(window, limits) {
            self.set_text("lambda.seen", seen.as_str());
        }
        if let Some(lambda) = &window.lambda {
            self.of_lambda(lambda, window.settled);
        }
        if let Some(api) = &window.api {
            self.of_api(api, window, limits);
        }
    }

    fn of_lambda(&mut self, lambda: &LambdaMetrics, settled: bool) {
        let occurred = |value| sums::occurred(settled, value);
        self.set_known("lambda.ran", occurred(lambda.invocations));
        self.set_known("lambda.failed", occurred(lambda.errors));
        self.set_known("lambda.throttled", occurred(lambda.throttles));
        self.set_sum("lambda.invocations", lambda.invocations, settled);
        self.set_sum("lambda.errors", lambda.errors, settled);
        self.set_sum("lambda.throttles", lambda.throttles, settled);
        if let Some(longest) = lambda.duration_max {
            self.set_number("lambda.duration_max", longest.as_secs_f64());
        }
        if let Some(most) = lambda.concurrent_max {
            self.set_number("lambda.concurrent_max", most);
        }
    }

    fn of_api(&mut self, api: &ApiMetrics, window: &MetricWindow, limits: &Limits) {
        let settled = window.settled;
        if let Some(occurred) = sums::occurred(settled, api.server_errors) {
            let seen = match (occurred, sums::single_error(api, window.ours)) {
                (false, _) => "none",
                (true, false) => "server-errors",
                (true, true) => "single-error",
            };
            self.set_text("api.seen", seen);
        }
        if api.integration_latency_max.is_some() {
            self.set_known("api.waited", Some(sums::waited(api, limits)));
        }
        self.set_sum("api.count", api.count, settled);
        self.set_sum("api.server_errors", api.server_errors, settled);
        if let Some(longest) = api.integration_latency_max {
            self.set_number("api.integration_latency_max", longest.as_secs_f64());
        }
    }

    /// A sum; without a datapoint it is nought only when nothing more can come.
    fn set_sum(&mut self, name: &str, sum: Option<f64>, settled: bool) {
        if let Some(sum) = sum.or(settled.then_some(0.0)) {
            self.set_number(name, sum);
        }
    }

    /// `yes` or `no`; what is not known stays absent.
    fn set_known(&mut self, name: &str, known: Known) {
        if let Some(known) = known {
            self.set_text(name, if known { "yes" } else { "no" });
        }
    }
}

impl LogTemplate {
    /// The template as the fact `log.template`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationTimeout => "integration-timeout",
            Self::Throttled => "throttled",
            Self::PermissionDenied => "permission-denied",
            Self::MalformedResponse => "malformed-response",
            Self::FunctionError => "function-error",
            Self::FunctionTimedOut => "function-timed-out",
            Self::AuthorizerFailure => "authorizer-failure",
            Self::NetworkFailure => "network-failure",
            Self::RefusedWithoutError => "refused-without-error",
            Self::Unknown => "unknown",
        }
    }
}
