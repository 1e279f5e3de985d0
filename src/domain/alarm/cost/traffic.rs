//! Estimates what probes cost the owner of the API: requests to API Gateway and invocations of
//! Lambda.
//!
//! Only scheduled probes are counted. Confirming probes after a failure and control requests are
//! not. The probes of a target have a known price only if the target declares an API, a function or
//! a Lambda integration, or if its host name belongs to an API or a function.

use std::fmt;

use crate::domain::alarm::cost::{MONTH, dollars_text, format_number};
use crate::domain::alarm::destination::DestinationView;
use crate::model::target::{Integration, Target};

/// The number of probes a month, in total and by the AWS service that is called.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Traffic {
    /// Total number of probes a month.
    pub probes: f64,
    /// Number of requests a month to HTTP APIs of API Gateway.
    pub http_api: f64,
    /// Number of requests a month to REST APIs of API Gateway.
    pub rest_api: f64,
    /// Number of requests a month to APIs of API Gateway whose type, HTTP or REST, is not declared.
    pub untyped_api: f64,
    /// Number of invocations of Lambda functions a month, as far as the declarations and URLs of
    /// targets show that a function is invoked.
    pub lambda: f64,
}

/// Price of one request to an HTTP API in dollars, from third-party summaries of the price list.
const HTTP_API: f64 = 1.00 / 1_000_000.0;
/// Price of one request to a REST API in dollars, from the same source as [`HTTP_API`].
const REST_API: f64 = 3.50 / 1_000_000.0;
/// Price of one invocation of a Lambda function in dollars, without the function's run time.
const LAMBDA: f64 = 0.20 / 1_000_000.0;

impl Traffic {
    /// Counts the monthly probes of a destination's targets, and the requests to API Gateway and
    /// invocations of Lambda that these probes cause.
    #[must_use]
    pub fn new(view: &DestinationView) -> Self {
        let mut traffic = Self::default();
        let replicas = f64::from(view.shards.replicas_per_target);
        for target in &view.targets {
            let probes = replicas * MONTH.as_secs_f64() / target.interval.as_secs_f64();
            traffic.probes += probes;
            if target.aws.api_name.is_some() {
                traffic.rest_api += probes;
            } else if target.aws.api_id.is_some() {
                traffic.http_api += probes;
            } else if host_has(target, ".execute-api.", ".amazonaws.com") {
                traffic.untyped_api += probes;
            }
            if runs_a_function(target) {
                traffic.lambda += probes;
            }
        }
        traffic
    }

    /// Returns the minimum and the maximum cost in dollars a month, without the run time of
    /// functions. The minimum is lower than the maximum if the type of an API is not declared.
    #[must_use]
    pub fn dollars(&self) -> (f64, f64) {
        let sure = self.http_api * HTTP_API + self.rest_api * REST_API + self.lambda * LAMBDA;
        (
            sure + self.untyped_api * HTTP_API,
            sure + self.untyped_api * REST_API,
        )
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} probes a month", format_number(self.probes))?;
        let requests = self.http_api + self.rest_api + self.untyped_api;
        if requests + self.lambda > 0.0 {
            let (least, most) = self.dollars();
            let least = dollars_text(least);
            let most = dollars_text(most);
            let sum = if least == most {
                format!("about {least}")
            } else {
                format!("{least} to {most}")
            };
            let run = if self.lambda > 0.0 {
                ", plus the run time of the functions"
            } else {
                ""
            };
            writeln!(
                f,
                "  billed to the owner of the API: {sum} for {} requests to API Gateway and {} \
                 known invocations of Lambda{run}",
                format_number(requests),
                format_number(self.lambda),
            )?;
        }
        Ok(())
    }
}

/// Returns whether a probe of the target is known to invoke a Lambda function.
fn runs_a_function(target: &Target) -> bool {
    match target.aws.integration {
        Some(Integration::Lambda) => true,
        Some(Integration::Http | Integration::VpcLink) => false,
        None => target.aws.function.is_some() || host_has(target, ".lambda-url.", ".on.aws"),
    }
}

fn host_has(target: &Target, part: &str, end: &str) -> bool {
    let host = target.url.host_str().unwrap_or_default();
    host.contains(part) && host.ends_with(end)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::settings::Settings;

    fn check(url: &str, change: impl FnOnce(&mut Target)) -> String {
        let mut target = Target::with_defaults("orders", url.parse().unwrap());
        change(&mut target);
        let settings = Settings {
            targets: vec![Arc::new(target)],
            ..Settings::default()
        };
        Traffic::new(&DestinationView::of_all(&settings)).to_string()
    }

    const API: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/";

    #[test]
    fn an_unknown_host_has_no_price() {
        let text = check("https://orders.example/", |_| {});
        insta::assert_snapshot!(text, @"43,200 probes a month");
    }

    #[test]
    fn a_declared_api_and_function_have_a_price() {
        let text = check("https://orders.example/", |target| {
            target.interval = std::time::Duration::from_secs(1);
            target.aws.api_name = Some("shop".to_owned());
            target.aws.function = Some("orders".to_owned());
        });
        insta::assert_snapshot!(text, @"
        2,592,000 probes a month
          billed to the owner of the API: about $9.59 for 2,592,000 requests to API Gateway and 2,592,000 known invocations of Lambda, plus the run time of the functions
        ");
        let text = check(API, |target| {
            target.aws.api_id = Some("a1".to_owned());
            target.aws.integration = Some(Integration::Http);
        });
        insta::assert_snapshot!(text, @"
        43,200 probes a month
          billed to the owner of the API: about $0.04 for 43,200 requests to API Gateway and 0 known invocations of Lambda
        ");
    }

    #[test]
    fn an_api_host_without_a_declared_type_has_a_price_range() {
        let text = check(API, |_| {});
        insta::assert_snapshot!(text, @"
        43,200 probes a month
          billed to the owner of the API: $0.04 to $0.15 for 43,200 requests to API Gateway and 0 known invocations of Lambda
        ");
        let text = check("https://a1.lambda-url.eu-west-1.on.aws/", |_| {});
        insta::assert_snapshot!(text, @"
        43,200 probes a month
          billed to the owner of the API: about $0.01 for 0 requests to API Gateway and 43,200 known invocations of Lambda, plus the run time of the functions
        ");
    }
}
