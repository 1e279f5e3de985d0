//! Creates the targets that `demo` and `scorecard --simulated` probe. Their URLs point to the
//! simulator in `io/simulator`.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::io::simulator::RouteFault;
use crate::model::target::{BodyMatch, HealthSettings, Target, TlsSettings};

/// Interval between two probes of a target: short, so that results appear within seconds.
const INTERVAL: Duration = Duration::from_secs(5);

/// Delay between a failed probe and the probe that confirms the failure: shorter than [`INTERVAL`],
/// so that a failure is confirmed before the next scheduled probe.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);

/// Timeout of a probe. The simulator responds in less than half a second, except for
/// [`RouteFault::Timeout`]. The timeout is shorter than [`INTERVAL`], so that a slow probe does
/// not cause the next probe to be missed.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Interval between two probes of a route that responds after the integration timeout of 30 s:
/// longer than [`SLOW_TIMEOUT`], so that no probe is missed.
const SLOW_INTERVAL: Duration = Duration::from_secs(40);

/// Timeout of a probe of a route that responds after the integration timeout of 30 s: long
/// enough to receive the response.
const SLOW_TIMEOUT: Duration = Duration::from_secs(35);

/// Creates a target at `address` that trusts the simulator's certificate authority. With
/// [`RouteFault::Timeout`], the target is down after one failure, because a confirming probe would
/// take another half minute.
///
/// # Errors
/// Returns an error if the address and the path do not form a valid URL.
pub(super) fn target(
    name: &str,
    address: SocketAddr,
    path: &str,
    ca_pem: &str,
    fault: RouteFault,
) -> Result<Target, String> {
    let url = format!("https://{address}{path}");
    let url = Url::parse(&url).map_err(|error| format!("{url}: {error}"))?;
    let mut target = Target::with_defaults(name, url);
    target.tls = TlsSettings {
        ca: Some(ca_pem.as_bytes().into()),
        identity: None,
        accept_any_certificate: false,
    };
    target.expect.body = vec![BodyMatch::Contains(r#""status":"ok""#.to_owned())];
    target.confirm_after = CONFIRM_AFTER;
    (target.interval, target.timeout) = (INTERVAL, TIMEOUT);
    if fault == RouteFault::Timeout {
        (target.interval, target.timeout) = (SLOW_INTERVAL, SLOW_TIMEOUT);
        target.health = HealthSettings {
            consecutive_failures: 1,
            consecutive_successes: 1,
        };
    }
    Ok(target)
}
