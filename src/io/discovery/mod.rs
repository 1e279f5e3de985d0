//! Reads the endpoints of an AWS account and Region.
//!
//! `http_apis`, `rest_apis`, `domains`, `functions`, `load_balancers` and `distributions` read one
//! kind of resource each; `calls` makes the calls and records what was not read. `lists` keeps the
//! newest lists of targets. What becomes a target is decided by `domain::discovery`.

mod calls;
mod distributions;
mod domains;
mod fields;
mod functions;
mod http_apis;
pub mod lists;
mod load_balancers;
mod rest_apis;
mod variables;
mod xml;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::watch;

use self::calls::Calls;
use self::fields::account_of;
use crate::domain::discovery::account::Account;
use crate::io::aws::read::{AwsReader, RateLimits, ReadError, Service, Transport};
use crate::io::aws::{assume, configuration, timeouts};
use crate::model::settings::discovery::AwsSource;
use crate::model::settings::web::RateLimit;

pub use self::calls::Progress;

/// Which resources of an account are read, and at which rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only the resources on which probed targets depend: APIs, custom domains, and the timeouts of
    /// functions. The daemon reads them repeatedly, so it makes calls at a low rate.
    Targets,
    /// All of [`Extent::Targets`], and also function URLs, load balancers and distributions. The
    /// command `probecause discover aws` reads these in order to propose targets. A user waits for
    /// the command, so it makes calls at a higher rate.
    Everything,
}

/// The resources that were read from an account, and whether the read was complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The resources that were read.
    pub account: Account,
    /// False if resources on which targets depend could not be read, or if other resources could
    /// not be read for a reason that may be temporary. Targets may then be missing.
    pub complete: bool,
}

/// Creates the reader of an account, with the rate limits for `extent`. `base` is the SDK
/// configuration with the credentials; `None` means the SDK's default chain. `endpoint` is the URL
/// of an emulator; `None` means AWS.
///
/// # Errors
/// Returns an error if there are no credentials, or if the Region or the endpoint is unusable.
pub async fn connect(
    source: &AwsSource,
    extent: Extent,
    base: Option<&SdkConfig>,
    endpoint: Option<&str>,
) -> Result<AwsReader, ReadError> {
    let config = configuration(base, Some(&source.region)).await;
    let mut builder = config.into_builder().timeout_config(timeouts());
    if let Some(url) = endpoint {
        builder = builder.endpoint_url(url);
    }
    let config = builder.build();
    let config = match &source.role {
        Some(role) => assume(config, role).await,
        None => config,
    };
    let limits = match extent {
        Extent::Targets => RateLimits::default(),
        Extent::Everything => RateLimits::new(interactive_limit),
    };
    let transport = Transport::new(Arc::new(limits))?;
    let role = source.role.as_ref().map(|role| role.arn.as_str());
    AwsReader::new(transport, &config, role)
}

/// Returns the rate limit of a service while a user waits: at most half of what AWS allows, because
/// other tools in the account call the same operations. The values for Elastic Load Balancing and
/// CloudFront are estimates, because AWS does not document the limits of these services.
const fn interactive_limit(service: Service) -> RateLimit {
    let (interval_millis, burst) = match service {
        Service::Lambda | Service::ApiGateway => (200, 10),
        Service::LoadBalancing => (250, 5),
        Service::CloudFront => (500, 2),
        Service::CloudTrail | Service::Sts => (5_000, 1),
    };
    RateLimit {
        interval: Duration::from_millis(interval_millis),
        burst,
    }
}

/// Reads an account. A part that cannot be read is missing in the result and named in
/// [`Account::not_read`]. `progress` receives the progress of the read.
pub async fn read(
    reader: &AwsReader,
    source: &AwsSource,
    extent: Extent,
    progress: &watch::Sender<Progress>,
) -> Reading {
    let mut calls = Calls::new(reader, progress);
    let role = source.role.as_ref();
    let mut account = Account {
        region: source.region.clone(),
        role_arn: role.map(|role| role.arn.clone()),
        external_id: role.and_then(|role| role.external_id.clone()),
        ..Account::default()
    };
    account.apis = http_apis::read(&mut calls).await;
    account.apis.extend(rest_apis::read(&mut calls).await);
    account.domains = domains::read(&mut calls).await;
    let (timeouts, owner) = functions::timeouts(&mut calls).await;
    account.function_timeouts = timeouts;
    account.id = role.and_then(|role| account_of(&role.arn)).or(owner);
    if extent == Extent::Everything {
        let names: Vec<String> = account.function_timeouts.keys().cloned().collect();
        account.function_urls = functions::urls(&mut calls, &names).await;
        account.load_balancers = load_balancers::read(&mut calls).await;
        account.distributions = distributions::read(&mut calls).await;
    }
    let (not_read, complete) = calls.finish();
    account.not_read = not_read;
    Reading { account, complete }
}
