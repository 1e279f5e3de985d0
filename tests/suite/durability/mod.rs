//! Nothing is lost: a daemon under load whose CloudWatch goes away, and one that is killed
//! again and again. Very many failures at once hold nothing back, and a long run leaks nothing.
//!
//! Ignored by default, since they take their time: `tests/run` runs the short forms, and
//! `tests/run --long` (PROBECAUSE_LONG=1) the whole ones. What is counted stands beside
//! what was asked for, in the output.

mod account;
mod endurance;
mod kill;
mod ledger;
mod outage;
mod plot;
mod prober;
mod throng;

/// One at a time: each watches how punctual its daemon is.
#[cfg(test)]
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Targets, each probed once a second: 200 probes a second.
#[cfg(test)]
const TARGETS: usize = 200;

/// Whether the long forms are wanted.
#[cfg(test)]
fn long() -> bool {
    std::env::var_os("PROBECAUSE_LONG").is_some_and(|value| value == "1")
}

/// The targets' names.
#[cfg(test)]
fn names() -> impl Iterator<Item = String> {
    (0..TARGETS).map(|number| format!("t{number}"))
}

/// A configuration that tells CloudWatch of each probe, in windows of 10 s. `own` is what
/// a target says of itself beside its name and address.
#[cfg(test)]
fn config(
    location: &str,
    cloudwatch: &str,
    probed: std::net::SocketAddr,
    own: impl Fn(&str) -> String,
) -> String {
    let targets: String = names()
        .map(|name| {
            let own = own(&name);
            format!("[[target]]\nname = \"{name}\"\nurl = \"http://{probed}/{name}\"\n{own}\n")
        })
        .collect();
    format!(
        "location = \"{location}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"900ms\"\n\
         [defaults.cloudwatch]\nmetrics = [\"Down\", \"Failed\"]\n{targets}"
    )
}
