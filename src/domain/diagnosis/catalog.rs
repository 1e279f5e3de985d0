//! Defines the closed vocabulary that code and rules share: the name, type, and meaning of every
//! fact.
//!
//! The parser checks rules against this vocabulary, so that a rule with a misspelled fact or value
//! is rejected instead of silently never matching.

mod words;

use self::words::{
    ERROR_PAGES, FAULTS, FRONT_DOORS, PLATEAUS, PROXY_LOG_ERRORS, STATED_REASONS, STREAM_ERRORS,
};
use FactType::{Number, Scalar, Text, Word};

/// The type of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType {
    /// The value is any text.
    Text,
    /// The value is one of the listed words.
    Word(&'static [&'static str]),
    /// The value is a number; the fact's meaning states the unit, if any.
    Number,
    /// The value is text or a number, depending on the response.
    Scalar,
}

/// The definition of a fact.
#[derive(Clone, Copy, Debug)]
pub struct FactInfo {
    /// The fact's name; a trailing `*` stands for any suffix that is not empty.
    pub name: &'static str,
    /// The type of the fact's value.
    pub kind: FactType,
    /// The fact's value until another value is known; `None` if the fact is absent until then.
    pub default: Option<&'static str>,
    /// A description of the fact for authors of rules.
    pub meaning: &'static str,
}

/// Creates a list of definitions, each written as `name: type[, default "value"] => meaning;`.
macro_rules! facts {
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    ($($name:literal: $kind:expr $(, default $default:literal)? => $meaning:literal;)+) => {
        &[$(FactInfo {
            name: $name,
            kind: $kind,
            default: facts!(@default $($default)?),
            meaning: $meaning,
        }),+]
    };
}

const YES_NO: &[&str] = &["yes", "no"];

const OUTCOMES: &[&str] = &[
    "throttled",
    "failed",
    "timed-out",
    "ran-without-errors",
    "outlasted-api",
    "not-invoked",
    "mixed",
];

const OUTCOMES_OF_EVERY_FAILURE: &[&str] = &[
    "throttled",
    "failed",
    "timed-out",
    "ran-without-errors",
    "outlasted-api",
];

const TEMPLATES: &[&str] = &[
    "integration-timeout",
    "throttled",
    "throttled-by-status",
    "permission-denied",
    "role-not-assumed",
    "malformed-response",
    "function-error",
    "function-timed-out",
    "authorizer-failure",
    "authorizer-refused",
    "network-failure",
    "invalid-endpoint",
    "integration-internal-error",
    "tls-failed",
    "response-not-mapped",
    "header-clash",
    "function-missing",
    "refused-by-lambda",
    "response-too-large",
    "unsigned",
    "unauthorized",
    "api-throttled",
    "quota-exceeded",
    "access-denied",
    "waf-blocked",
    "waf-failed",
    "refused-without-error",
    "unknown",
];

/// The definitions of all facts.
pub const CATALOG: &[FactInfo] = facts! {
    // Facts that are observed from outside or declared in the configuration.
    "phase": Word(&["resolve", "connect", "tls", "processing", "transfer", "expect", "degraded"]) =>
        "phase in which the fault occurred; without a fault, `expect` if a complete response did not meet the target's expectations, or `degraded` if it was only too slow or a certificate expires soon; absent if the probe passed";
    "fault": Word(FAULTS) => "the fault that occurred before the response was complete";
    "stream.frame": Word(&["RST_STREAM", "GOAWAY", "RESET_STREAM"]) =>
        "frame with which the server aborted the exchange: `RST_STREAM` (HTTP/2) or `RESET_STREAM` (HTTP/3) for the stream of the request, `GOAWAY` for the whole connection; absent if the client may have detected the error itself";
    "stream.error": Word(STREAM_ERRORS) =>
        "HTTP/2 error code with which the exchange ended; absent for HTTP/3; without `stream.frame`, the client may have detected the error itself";
    "unmet": Word(&["status", "header", "body", "too-slow", "certificate-expiring"]) =>
        "the most severe expectation that a complete response did not meet";
    "method": Text =>
        "request method of the target; a response to `HEAD` has no body that identifies a front door";
    "status": Number => "status code of the final response";
    "front_door": Word(FRONT_DOORS), default "unknown" =>
        "outermost gateway, proxy, or platform that the response came through, recognized by the headers, the host, or the error page";
    "gateway_made": Word(&["yes", "unclear", "no"]), default "no" =>
        "whether the front door itself generated the response: `yes` if the body is a known error body of this front door and, for an AWS API, all headers are known headers of gateways or CDNs; `no` if (1) the front door is unknown, (2) a header shows that the integration of an AWS API responded, or (3) an AWS API returned an unknown header and the body is not a known error body of an HTTP API; `unclear` in all other cases";
    "error_page": Word(ERROR_PAGES) =>
        "proxy that wrote the error page or text in the body; this proxy is not always the front door, because a CDN relays the page of a proxy behind it";
    "answered_by": Word(&["application", "proxy", "unknown"]), default "unknown" =>
        "component that generated the response, for fallback rules: `application` if (1) the response has a header of a framework or application server, (2) it came through an AWS API and has a header that only the application adds, or an unknown header together with an unknown body, or (3) no proxy is known to write its body and it has no header of a proxy; `proxy` if a gateway or proxy generated the response; `unknown` otherwise";
    "body.message": Text => "string `message` of a JSON body";
    "body.Message": Text => "string `Message` of a JSON body";
    "body.Reason": Text => "string `Reason` of a JSON body";
    "body.errorMessage": Text =>
        "string `errorMessage` of a JSON body; Lambda reports a function error in this member";
    "body.errors": Number =>
        "number of objects with a string `message` in the top-level list `errors` of a JSON body; GraphQL reports errors in this list, even with status 200; absent if there are none";
    "body.errors.type": Text =>
        "first `errorType` in the top-level list `errors` of a JSON body; AppSync reports the kind of failure in this member";
    "body.json": Word(&["object", "other", "no"]) =>
        "whether the body is a JSON object, another JSON value, or not valid JSON";
    "body.json.*": Scalar =>
        "member of a JSON body by its path, such as `body.json.fault.detail.errorcode` or `body.json.errors.0.code`; `true`, `false` and `null` are text; objects and arrays themselves are not facts";
    "body.xml.*": Text =>
        "text of an innermost element of an XML body by its path without namespace prefixes, such as `body.xml.Error.Code`";
    "body.title": Text =>
        "title of an HTML page, with character references decoded and whitespace collapsed";
    "body.text": Text =>
        "first 8 KB of the body as text without the whitespace around it; each line ends with LF only";
    "body.seen": Word(&["yes", "empty", "missing"]) =>
        "whether the body was seen: `empty` if the response has none; `missing` if the response announces a body that is not there, as in a response to `HEAD` or in a transcript without bodies";
    "reason": Text =>
        "reason phrase of the status line; absent in HTTP/2 and HTTP/3, which have none";
    "platform_error": Text =>
        "error code that Vercel, ngrok or Squid reports in a header or on its error page, such as `FUNCTION_INVOCATION_TIMEOUT`, `ERR_NGROK_3200` or `ERR_CONNECT_FAIL 111`, where 111 is the number of the system error";
    "aws_error": Text =>
        "error code of an AWS service, such as `ExpiredToken`; from a body with XML of the query protocol or of EC2, or from the JSON member `__type`";
    "stated_reason": Word(STATED_REASONS) =>
        "why a gateway, server, registry or API rejected the request, according to a known text in the body";
    "cloudflare.error": Number =>
        "code of the error that Cloudflare reports instead of a response of the origin, such as 522 or 1016; absent if nothing in the response indicates that Cloudflare generated it";
    "cloudflare.stated": Word(&["yes", "page"]) =>
        "source of `cloudflare.error`: `yes` for a header or JSON that only Cloudflare writes, `page` for text that looks like a Cloudflare page";
    "proxy_status.error": Text =>
        "error that a proxy reports in the `proxy-status` header (RFC 9209), such as `connection_refused`";
    "proxy_status.details": Text => "details that a proxy adds to `proxy_status.error`";
    "proxy_status.proxy": Text => "name of the proxy that reports `proxy_status.error`";
    "proxy_log.error": Word(PROXY_LOG_ERRORS) =>
        "failure that a log line of a proxy, load balancer or platform states; absent unless `diagnose` reads such a line";
    "age": Number =>
        "seconds that the response spent in a cache, from its `age` header; absent if 0; a cached response was generated for an earlier request, so the durations of this request do not show how long the service took";
    "header.*": Text => "first value of a response header, by its lowercase name";
    "phase.resolve": Number => "duration of the name resolution, in seconds";
    "phase.connect": Number => "duration of the TCP connection attempt, in seconds";
    "phase.tls": Number => "duration of the TLS handshake, in seconds";
    "phase.processing": Number => "seconds from sending the request to the first byte of the response";
    "phase.transfer": Number => "seconds from the first byte of the response to the last";
    "duration": Number => "seconds from the start of the probe to the last byte of the response or to the fault";
    "answer_time": Number =>
        "response time in seconds: `phase.processing` if known, else `duration`";
    "clock": Word(&["processing", "total"]) =>
        "source of `answer_time`: `phase.processing` (`processing`) or `duration` (`total`)";
    "floor": Number =>
        "seconds that this front door needs to respond without invoking the function, measured in the same way as `answer_time`; equal to `floor.high`";
    "floor.low": Number =>
        "lower end of the floor: seconds of the fastest response that did not invoke the function";
    "floor.high": Number =>
        "upper end of the floor: seconds of the slowest response that did not invoke the function, without outliers; equal to `floor.low` for an estimate";
    "floor_from": Text => "source of the floor: control requests, another response, or an estimate";
    "excess": Number => "`answer_time` minus `floor.high`, in seconds; may be negative";
    "healthy_minimum": Number =>
        "seconds of the fastest healthy response from behind the front door; if the round trip was longer at that time than it is now, the difference is subtracted";
    "invoked": Word(&["yes", "no", "unclear"]), default "unclear" =>
        "whether the time above the floor and the history of healthy responses suggest that the function ran: a hint for ranking, never proof; `unclear` behind a declared authorizer";
    "plateau": Word(PLATEAUS), default "none" =>
        "time limit that `answer_time` matches: the declared or documented limit of the API integration (`integration`), of the function (`function`) or of CloudFront (`cloudfront`), the prober's own timeout (`client`), or an undeclared limit that repeated failures match (`learned`, which only affects the ranking)";
    "certificate_days": Number =>
        "days until the earliest expiry among the certificate paths of all redirect hops; for a hop without a verified path, the earliest expiry of its presented certificates counts";
    "dead_addresses": Text =>
        "addresses that did not accept a connection although another address of the name did, with the reason; added to the evidence of every result";
    "replaced_connections": Number =>
        "number of reused connections that ended before the response began and were replaced by new ones; absent if there are none; added to the evidence of every result";
    "integration": Word(&["lambda", "http", "vpc-link", "unknown"]), default "unknown" =>
        "declared integration behind the route";
    "authorizer": Word(&["none", "lambda", "jwt", "iam", "unknown"]), default "unknown" =>
        "declared authorizer of the route";
    "vantage": Word(&["sound", "suspect"]), default "sound" =>
        "health of the prober itself: `suspect` while nearly all targets, on several unrelated sites, fail in the same phase as this one";
    "redirects": Number => "number of followed redirects";
    "http_version": Text => "HTTP version of the response: `0.9`, `1.0`, `1.1`, `2` or `3`";
    "host": Text => "host of the last request, after redirects";
    // Facts from the logs and metrics of AWS; they are absent until AWS returns the evidence.
    "log.template": Word(TEMPLATES) =>
        "meaning of the request's own log line; absent if no log line was found, which does not show whether the request reached the API";
    "log.source": Word(&["access-log", "execution-log"]) => "log that contains the request's log line";
    "log.status": Number => "response status that the API logged";
    "log.integration_status": Number =>
        "status that the Lambda service returned to the API, or else the status that the function's code or the backend returned";
    "log.invoked": Word(YES_NO) => "whether the integration was called, according to the log line";
    "log.waited": Word(YES_NO) =>
        "whether the API waited for the integration up to the integration timeout and got no status";
    "log.integration_latency": Number => "seconds that the API waited for the integration";
    "window.state": Word(&["open", "settled"]) =>
        "state of the metric window around the request: in an `open` window, datapoints may still arrive; in a `settled` window, a missing datapoint means zero";
    "window.ours": Word(YES_NO) =>
        "whether the metrics count only the prober's own requests: `no` if `window.shared` is `yes`, or if the API's requests, or the sum of Lambda's invocations and throttles, exceed the number of requests that the prober sent; otherwise `yes` if the window is settled and the API counted exactly that number on the route; otherwise absent";
    "window.shared": Word(YES_NO) => "whether the configuration declares that other callers use the function too";
    "window.requests": Number => "number of the prober's own requests that began in the window";
    "window.every": Word(OUTCOMES_OF_EVERY_FAILURE) =>
        "outcome of every failed request in a window with only the prober's own requests, if the sums account for each of them";
    "lambda.seen": Word(OUTCOMES) =>
        "outcome of the function's invocations in the window; some or all of these invocations may be for other requests";
    "lambda.ran": Word(YES_NO) => "whether the function was invoked in the window";
    "lambda.failed": Word(YES_NO) => "whether any invocation failed in the window";
    "lambda.throttled": Word(YES_NO) => "whether any invocation was throttled in the window";
    "lambda.invocations": Number => "sum of the metric `Invocations` in the window";
    "lambda.errors": Number => "sum of the metric `Errors` in the window";
    "lambda.throttles": Number => "sum of the metric `Throttles` in the window";
    "lambda.duration_max": Number => "maximum of the metric `Duration` in the window, in seconds";
    "lambda.concurrent_max": Number => "maximum of the metric `ConcurrentExecutions` in the window";
    "api.seen": Word(&["server-errors", "single-error", "none"]) =>
        "whether the API counted 5xx responses in the window; `single-error` if exactly one of several requests got such a response";
    "api.waited": Word(YES_NO) =>
        "whether the API's maximum `IntegrationLatency` in the window matches the integration timeout";
    "api.count": Number => "sum of the API's metric `Count` in the window";
    "api.server_errors": Number => "sum of the API's metric `5xx` or `5XXError` in the window";
    "api.integration_latency_max": Number => "maximum of the API's metric `IntegrationLatency` in the window, in seconds";
    // Facts from the configuration of the AWS resources. They are absent if it was not read.
    "config.held": Word(&["yes", "no", "unknown"]) =>
        "whether the configuration was the same before and after the request: `no` if a part of it changed; otherwise `unknown` if a part was read only once, or if the target has a custom domain, whose mapping is not read";
    "config.domain": Word(&["custom"]) =>
        "`custom` if the target has a custom domain; the API and stage, or the function, are then known only from the declarations, and other resources may have served the request";
    "config.deployed": Word(&["yes", "unclear"]) =>
        "whether the stage certainly runs the routes that were read; `unclear` for a REST API, whose resources are a draft, for a stage without automatic deployment, and after a failed deployment";
    "config.route": Word(&["found", "none"]) =>
        "whether the API has a route for the request; absent if it is not known which route serves the request, for example at a custom domain without a declared route";
    "config.endpoint": Word(&["disabled"]) =>
        "`disabled` if the target uses the default host name of the API, and this host name is disabled";
    "config.permission": Word(&["allowed", "denied"]) =>
        "whether the function's resource policy allows the route to invoke the function; absent if an IAM role decides, if the function does not exist, or if the result of the policy is not known";
    "config.function_state": Word(&["active", "pending", "inactive", "failed", "missing"]) =>
        "state of the function version that the integration invokes; `missing` if the function, version, or alias does not exist";
    "config.function_reason": Text =>
        "Lambda's code for the reason of `config.function_state`, such as `ImageAccessDenied`";
    "config.function_timeout": Number => "timeout of the function in seconds, according to its configuration";
    "config.reserved_concurrency": Number => "reserved concurrency of the function; absent if none is reserved";
    "config.account_concurrency": Number => "maximum number of concurrent executions that Lambda allows in the account and Region";
    "config.integration": Word(&["lambda", "http", "vpc-link", "mock", "aws"]) =>
        "integration of the route, according to the API's configuration";
    "config.integration_method": Word(&["post", "other"]) =>
        "HTTP method with which a REST API invokes the function; Lambda accepts only POST";
    "config.integration_timeout": Number => "integration timeout of the route in seconds, according to the API's configuration";
    "config.authorizer": Word(&["none", "lambda", "jwt", "iam", "cognito"]) =>
        "authorizer of the route, according to the API's configuration";
    "config.responses": Word(&["default", "customized"]) =>
        "whether the response of a REST API to a failed integration is customized; the status of a customized response may differ from 502";
    "config.api_throttle": Word(&["off"]) =>
        "`off` if a throttling limit of the route is 0, so that the API rejects every request to the route";
    "config.vpc_link": Word(&["available", "pending", "failed", "inactive", "deleting"]) =>
        "state of the VPC link of the integration; `available` does not show that the backend can be reached";
    "config.targets": Word(&["none", "unhealthy", "healthy", "initial"]) =>
        "health of the targets in the load balancer's target group: `none` if it has no targets, `unhealthy` if all are unhealthy, `healthy` if at least one is healthy, `initial` if none is healthy and the health checks of at least one have not finished";
    // Comparisons of a failure with the last good responses. They are absent if there was no good
    // response, or if the property changes too often.
    "changed.address": Word(YES_NO) =>
        "whether the address differs from that of the last good responses, or changed within the hour before the first failure";
    "changed.certificate": Word(YES_NO) =>
        "whether the serial number or issuer of the certificate differs from that of the last good responses, or changed within the hour before the first failure";
    "changed.server": Word(YES_NO) => "whether the `server` header differs from that of the last good responses, or changed within the hour before the first failure";
    "changed.protocol": Word(YES_NO) => "whether the HTTP version differs from that of the last good responses, or changed within the hour before the first failure";
    "changed.redirects": Word(YES_NO) =>
        "whether the number of redirects or the final URL differs from that of the last good responses, or changed within the hour before the first failure";
    "changed.body_size": Word(YES_NO) =>
        "whether the body is less than half as long as the shortest body of the last good responses, or more than twice as long as the longest; absent if the status differs from that of the last good response";
    "changed.address.seconds_before": Number =>
        "seconds from the change of the address to the first failure; absent if the address changed after the first failure or at an unknown time";
    "changed.certificate.seconds_before": Number => "seconds from the change of the certificate to the first failure; absent if the certificate changed after the first failure or at an unknown time";
    "changed.server.seconds_before": Number => "seconds from the change of the `server` header to the first failure; absent if the header changed after the first failure or at an unknown time";
    "changed.protocol.seconds_before": Number => "seconds from the change of the HTTP version to the first failure; absent if the version changed after the first failure or at an unknown time";
    "changed.redirects.seconds_before": Number => "seconds from the change of the redirects to the first failure; absent if the redirects changed after the first failure or at an unknown time";
    "changed.what": Text =>
        "text that describes what changed, such as `address 192.0.2.1 → 192.0.2.2 2 min before the first failure`";
    // Facts from the follow-up requests after a confirmed failure.
    "layer.broken": Text =>
        "name of the outermost layer that fails while the next layer behind it responds as expected, or of the innermost layer if it fails and no layer responds as expected; absent if the requests through the layers show neither";
    "layer.next": Word(&["ok", "none"]) =>
        "what is behind `layer.broken`: a layer that responds (`ok`), or no layer, because `layer.broken` is the innermost (`none`)";
    "layer.repeated": Word(YES_NO) =>
        "whether each request through a layer was made twice; if so, a layer with two different results is `not-testable`";
    "layer.*": Word(&["ok", "failing", "not-testable"]) =>
        "result of the requests through a layer, by the layer's name; `layer.front` is the path through the target's own URL";
    "asked.answered": Word(&["yes"]) =>
        "`yes` if all facts are from the front door's response to the follow-up request for the cause, not from the failed probe";
    "asked.error_code": Text => "error code in Cloudflare's response to the follow-up request for the cause";
    "asked.error_category": Text => "error category in Cloudflare's response to the follow-up request for the cause";
    "asked.azure_error": Text => "error in Azure Front Door's response to the follow-up request for the cause";
    "asked.azure_origin_status": Text =>
        "status of the origin in Azure Front Door's response to the follow-up request for the cause";
};

/// Returns the definition of the named fact; `None` if the catalog does not contain the name.
#[must_use]
pub fn info(name: &str) -> Option<&'static FactInfo> {
    CATALOG
        .iter()
        .find(|info| match info.name.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => info.name == name,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::answered_by::AnsweredBy;
    use crate::domain::diagnosis::front_door::FrontDoor;
    use crate::domain::expectation::UnmetKind;
    use crate::model::observation::FaultKind;

    fn words(name: &str) -> &'static [&'static str] {
        match info(name).unwrap().kind {
            Word(words) => words,
            _ => &[],
        }
    }

    #[test]
    fn the_catalog_lists_every_word_that_code_sets() {
        let faults: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("fault"), faults);
        let unmet: Vec<_> = UnmetKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words("unmet"), unmet);
        let doors = FrontDoor::ALL.map(FrontDoor::as_str);
        assert_eq!(words("front_door"), doors);
        assert!(ERROR_PAGES.iter().all(|page| doors.contains(page)));
        assert_eq!(
            words("answered_by"),
            AnsweredBy::ALL.map(AnsweredBy::as_str)
        );
    }

    #[test]
    fn a_header_fact_needs_a_header_name() {
        assert!(info("header.server").is_some());
        assert!(info("header.").is_none());
        assert!(info("color").is_none());
        assert!(matches!(info("body.json").unwrap().kind, Word(_)));
        assert_eq!(info("body.json.a.b").unwrap().kind, Scalar);
        assert!(info("body.json.").is_none());
    }
}
