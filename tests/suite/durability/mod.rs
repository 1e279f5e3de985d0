//! Durability: a daemon under load loses no data when CloudWatch is down or the daemon is
//! killed, delays no alarm when very many targets fail at once, and leaks nothing in a long
//! run.
//!
//! These tests take minutes and are ignored by default. `tests/run` runs their short forms,
//! `tests/run --long` (`PROBECAUSE_LONG=1`) their long forms. They print the measured
//! numbers next to the expected ones.

mod daemon;
mod endurance;
mod fake_cloudwatch;
mod kill;
mod mass_failure;
mod outage;
mod plot;
mod probed_server;
mod recording_proxy;

/// Held by each test while it runs: each measures its daemon's schedule, which a second
/// daemon under load would delay.
#[cfg(test)]
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Number of targets. Each is probed once a second: 200 probes a second.
#[cfg(test)]
const TARGETS: usize = 200;

/// Whether to run the long forms of the tests.
#[cfg(test)]
pub(crate) fn long_form() -> bool {
    std::env::var_os("PROBECAUSE_LONG").is_some_and(|value| value == "1")
}

/// The names of the targets.
#[cfg(test)]
fn target_names() -> impl Iterator<Item = String> {
    (0..TARGETS).map(|number| format!("t{number}"))
}

/// A configuration that publishes every probe to CloudWatch in windows of 10 s.
/// `target_keys` returns further TOML keys of a target by its name. The timeout is so long that
/// no probe fails because the machine is busy.
#[cfg(test)]
fn config(
    location: &str,
    cloudwatch: &str,
    probed_server: std::net::SocketAddr,
    target_keys: impl Fn(&str) -> String,
) -> String {
    let targets: String = target_names()
        .map(|name| {
            let target_keys = target_keys(&name);
            format!("[[target]]\nname = \"{name}\"\nurl = \"http://{probed_server}/{name}\"\n{target_keys}\n")
        })
        .collect();
    format!(
        "location = \"{location}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"60s\"\n\
         [defaults.cloudwatch]\nmetrics = [\"Down\", \"Failed\"]\n{targets}"
    )
}
