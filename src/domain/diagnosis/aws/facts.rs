//! Turns the evidence from AWS into facts that rules may test.
//!
//! The rules combine these facts with the response as in the table below. The second column is the
//! value of `lambda.seen` in a settled window (every datapoint has had enough time to arrive),
//! unless the column names another fact. HTTP and REST are the two types of APIs; the limit is the
//! API's integration timeout. If the function also serves other traffic, the row with the certainty
//! `proven` does not apply.
//!
//! | response | `lambda.seen` | cause | maximum certainty |
//! | --- | --- | --- | --- |
//! | immediate 503 (HTTP), 500 (REST) | throttled | throttled | corroborated |
//! | immediate 503 (HTTP) | mixed, including throttles | throttled | corroborated |
//! | 500 (HTTP), 502 (REST) | failed, timed-out | function error, function timeout | corroborated |
//! | 500 (HTTP) | ran-without-errors, not shared | malformed response | corroborated |
//! | 502 (REST) | ran-without-errors | malformed response | corroborated |
//! | 500 (HTTP, REST) | not-invoked | permission denied; rivals: authorizer and others | likely |
//! | 503, 504 at the limit | outlasted-api, or `api.waited` | integration timeout | corroborated |
//! | any of these | as above, confirmed by `window.every` | the same | proven |
//! | any 5xx | `api.seen` is `none` | outside this stage | possible |
//!
//! The value `no` of `lambda.ran`, `lambda.failed` or `lambda.throttled` means that no invocation,
//! error or throttle occurred in a settled window; rules lower the weight of causes that require
//! such an event. If the fact with the value of a metric is absent, the metric was not requested,
//! access was denied, or there is no datapoint. In a settled window, a sum without datapoints is 0.

use crate::domain::diagnosis::aws::sums::{self, InvocationOutcome, Limits};
use crate::domain::diagnosis::aws::{
    ApiMetrics, AwsEvidence, LambdaMetrics, LogFinding, LogSource, LogTemplate, MetricWindow,
};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::plateau::{HTTP_API_LIMIT, REST_API_LIMIT};
use crate::model::target::AwsDeclarations;

impl Facts {
    /// Adds the facts derived from the evidence. The fact `front_door` must already be set, because
    /// it determines the default integration timeout, which is used if no timeout is declared. If
    /// `evidence` contains the configuration, its declarations replace `declared`. They include the
    /// declarations of the user.
    pub fn add_aws_evidence(&mut self, declared: &AwsDeclarations, evidence: &AwsEvidence) {
        let declared = match &evidence.configuration {
            Some(configuration) => {
                self.add_configuration(configuration);
                &configuration.declared
            }
            None => declared,
        };
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
            self.add_log(log, &limits);
        }
        if let Some(window) = &evidence.window {
            self.add_window(window, &limits);
        }
    }

    fn add_log(&mut self, log: &LogFinding, limits: &Limits) {
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
        self.set_known("log.invoked", self.log_invoked(log));
        if let Some(latency) = log.integration_latency {
            self.set_number("log.integration_latency", latency.as_secs_f64());
            // If the integration latency matches the integration timeout and the log has no
            // integration status, the API timed out.
            let waited = limits.integration.map(|limit| {
                log.integration_status.is_none() && sums::matches_limit(limit, Some(latency))
            });
            self.set_known("log.waited", waited);
        }
    }

    /// Returns whether the integration was called; `None` if unknown. A 4xx or 5xx integration
    /// status without a known phrase may mean that Lambda rejected the invocation, or that an HTTP
    /// backend responded and a parameter mapping of the API changed the status of the response. The
    /// declared integration, or else `gateway_made`, then decides between the two.
    fn log_invoked(&self, log: &LogFinding) -> Option<bool> {
        let from_status = log.integration_status.is_some_and(|status| status >= 400)
            && matches!(
                log.template,
                LogTemplate::Unknown | LogTemplate::ThrottledByStatus
            );
        if log.invoked != Some(false) || !from_status {
            return log.invoked;
        }
        match self.text("integration") {
            Some("lambda") => Some(false),
            Some("http" | "vpc-link") => Some(true),
            _ => (self.text("gateway_made") == Some("yes")).then_some(false),
        }
    }

    fn add_window(&mut self, window: &MetricWindow, limits: &Limits) {
        self.set_text(
            "window.state",
            if window.settled { "settled" } else { "open" },
        );
        self.set_number("window.requests", f64::from(window.own_requests));
        self.set_known(
            "window.ours",
            sums::counts_only_own_requests(window, limits.shared),
        );
        self.set_known("window.shared", Some(limits.shared));
        if let Some(every) = InvocationOutcome::of_every_failure(window, limits) {
            self.set_text("window.every", every.as_str());
        }
        if let Some(seen) = InvocationOutcome::of(window, limits) {
            self.set_text("lambda.seen", seen.as_str());
        }
        if let Some(lambda) = &window.lambda {
            self.add_lambda(lambda, window.settled);
        }
        if let Some(api) = &window.api {
            self.add_api(api, window, limits);
        }
    }

    fn add_lambda(&mut self, lambda: &LambdaMetrics, settled: bool) {
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

    fn add_api(&mut self, api: &ApiMetrics, window: &MetricWindow, limits: &Limits) {
        let settled = window.settled;
        if let Some(occurred) = sums::occurred(settled, api.server_errors) {
            let seen = match (occurred, sums::single_error(api, window.own_requests)) {
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

    /// Adds a metric sum as a fact. Without a datapoint, the sum is zero in a settled window. In an
    /// open window, the sum is then unknown, and no fact is added.
    fn set_sum(&mut self, name: &str, sum: Option<f64>, settled: bool) {
        if let Some(sum) = sum.or(settled.then_some(0.0)) {
            self.set_number(name, sum);
        }
    }

    /// Adds a fact with the value `yes` or `no`; does nothing if the value is unknown.
    fn set_known(&mut self, name: &str, known: Option<bool>) {
        if let Some(known) = known {
            self.set_text(name, if known { "yes" } else { "no" });
        }
    }
}
