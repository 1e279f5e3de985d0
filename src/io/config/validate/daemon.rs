//! The daemon's own tables: server, scheduler, resolver, log and CloudWatch.
//!
//! One function a table; each leaves the default where the table says nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::destination;
use super::text::{choice, count, name, positive_duration, set, web_url};
use super::topics::{actions, in_region};
use crate::io::config::document::Site;
use crate::io::config::file::{
    CloudWatchTable, DurationText, LogTable, MainFile, ResolverTable, SchedulerTable, ServerTable,
};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::{
    CloudWatchSettings, DriftPolicy, LogFormat, LogSettings, ResolverSettings, SchedulerSettings,
    ServerSettings, Settings,
};

/// Reads everything but targets and maintenance into `settings`.
pub(super) fn read(
    file: &MainFile,
    site: &Site<'_>,
    settings: &mut Settings,
    problems: &mut Problems,
) {
    let root = Layer::alone(Some(file), site.clone());
    let location = |text: &String| name(text, MAX_LOCATION).map(|()| text.clone());
    set(
        &mut settings.location,
        root.pick("location", |t| t.location.as_ref()),
        location,
        problems,
    );
    server(
        &root.table("server", |t| t.server.as_ref()),
        &mut settings.server,
        problems,
    );
    let scheduler_table = root.table("scheduler", |t| t.scheduler.as_ref());
    scheduler(&scheduler_table, &mut settings.scheduler, problems);
    let shard_table = root.table("shard", |t| t.shard.as_ref());
    super::shard::read(&shard_table, &mut settings.shards, problems);
    resolver(
        &root.table("resolver", |t| t.resolver.as_ref()),
        &mut settings.resolver,
        problems,
    );
    log(
        &root.table("log", |t| t.log.as_ref()),
        &mut settings.log,
        problems,
    );
    let cloudwatch_table = root.table("cloudwatch", |t| t.cloudwatch.as_ref());
    cloudwatch(&cloudwatch_table, &mut settings.cloudwatch, problems);
    let evidence_table = root.table("evidence", |t| t.evidence.as_ref());
    super::evidence::read(&evidence_table, &mut settings.evidence, problems);
}

/// With a target's name it must fit into an alarm's name of 255 characters.
const MAX_LOCATION: usize = 64;

/// Bounds a slip of the keyboard; each probe in flight holds a socket.
const MAX_IN_FLIGHT: u32 = 100_000;

/// More tries than this outlast any probe's deadline.
const MAX_ATTEMPTS: u32 = 10;

fn server(table: &Layer<'_, ServerTable>, settings: &mut ServerSettings, problems: &mut Problems) {
    let found = table.pick("listen", |t| t.listen.as_ref());
    set(
        &mut settings.listen,
        found.clone(),
        |text| listen(text),
        problems,
    );
    let reload = table.pick("allow_reload", |t| t.allow_reload.as_ref());
    set(
        &mut settings.allow_reload,
        reload,
        |on| Ok(Some(*on)),
        problems,
    );
    if let Some(web) = table.pick("web_config", |t| t.web_config.as_ref()) {
        settings.web = crate::io::config::web::read(&web.site.relative(web.value), problems);
    }
    if let Some(found) = found
        && !settings.listen.ip().is_loopback()
        && !settings.web.asks_who()
    {
        problems.warn(found.site.problem(format!(
            "{} can be reached from other machines and asks for no password; \
             listen on 127.0.0.1, name users in a `web_config`, or keep it behind a firewall",
            settings.listen
        )));
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an address with a port; write \"127.0.0.1:9853\" or \"[::1]:9853\""
        )
    })
}

fn scheduler(
    table: &Layer<'_, SchedulerTable>,
    settings: &mut SchedulerSettings,
    problems: &mut Problems,
) {
    set(
        &mut settings.max_in_flight,
        table.pick("max_in_flight", |t| t.max_in_flight.as_ref()),
        |value| count(*value, 1, MAX_IN_FLIGHT).map(|count| count as usize),
        problems,
    );
    set(
        &mut settings.shutdown_grace,
        table.pick("shutdown_grace", |t| t.shutdown_grace.as_ref()),
        super::text::duration,
        problems,
    );
}

fn resolver(
    table: &Layer<'_, ResolverTable>,
    settings: &mut ResolverSettings,
    problems: &mut Problems,
) {
    if let Some(found) = table.pick("servers", |t| t.servers.as_ref()) {
        for (index, text) in found.value.iter().enumerate() {
            match nameserver(text) {
                Ok(server) => settings.servers.push(server),
                Err(message) => problems.error(found.site.index(index).problem(message)),
            }
        }
    }
    let timeout = table.pick("timeout", |t| t.timeout.as_ref());
    set(&mut settings.timeout, timeout, positive_duration, problems);
    set(
        &mut settings.attempts,
        table.pick("attempts", |t| t.attempts.as_ref()),
        |value| count(*value, 1, MAX_ATTEMPTS).map(|count| count as usize),
        problems,
    );
}

/// An address alone means the port of DNS.
fn nameserver(text: &str) -> Result<SocketAddr, String> {
    let alone = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    text.parse()
        .or_else(|_| alone())
        .map_err(|_| format!("{text:?} is not an address; write \"1.1.1.1\" or \"1.1.1.1:53\""))
}

fn log(table: &Layer<'_, LogTable>, settings: &mut LogSettings, problems: &mut Problems) {
    const FORMATS: [(&str, LogFormat); 2] =
        [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = table.pick("format", |t| t.format.as_ref());
    set(
        &mut settings.format,
        format,
        |text| choice(text, &FORMATS),
        problems,
    );
    let level = table.pick("level", |t| t.level.as_ref());
    set(&mut settings.level, level, |text| log_level(text), problems);
}

fn log_level(text: &str) -> Result<String, String> {
    let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
    match parsed {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is not a log filter; write \"info\" or \"info,probecause=debug\""
        )),
    }
}

fn cloudwatch(
    table: &Layer<'_, CloudWatchTable>,
    settings: &mut CloudWatchSettings,
    problems: &mut Problems,
) {
    let enabled = table.pick("enabled", |t| t.enabled.as_ref());
    set(&mut settings.enabled, enabled, |on| Ok(*on), problems);
    let region = table.pick("region", |t| t.region.as_ref());
    set(
        &mut settings.region,
        region,
        |text| super::aws::region(text).map(Some),
        problems,
    );
    let endpoint = table.pick("endpoint_url", |t| t.endpoint_url.as_ref());
    let url = |text: &String| web_url(text).map(|_| Some(text.clone()));
    set(&mut settings.endpoint_url, endpoint, url, problems);
    let space = table.pick("namespace", |t| t.namespace.as_ref());
    set(
        &mut settings.namespace,
        space,
        |text| namespace(text),
        problems,
    );
    if let Some(found) = table.pick("alarm_actions", |t| t.alarm_actions.as_ref()) {
        settings.alarm_actions = actions(&found, problems);
        in_region(&found, settings.region.as_deref(), problems);
    }
    let actions_enabled = table.pick("actions_enabled", |t| t.actions_enabled.as_ref());
    set(
        &mut settings.actions_enabled,
        actions_enabled,
        |on| Ok(*on),
        problems,
    );
    destination::read(table, settings, problems);
    let drift = table.pick("drift", |t| t.drift.as_ref());
    set(
        &mut settings.drift,
        drift,
        |text| choice(text, &DRIFT),
        problems,
    );
    let waits = table.pick("backlog", |t| t.backlog.as_ref());
    set(&mut settings.backlog, waits, backlog, problems);
    let steps = table.pick("resolution", |t| t.resolution.as_ref());
    set(
        &mut settings.resolution,
        steps,
        |text| {
            let resolution = super::text::duration(text)?;
            if [10, 60].map(Duration::from_secs).contains(&resolution) {
                return Ok(resolution);
            }
            Err(format!(
                "{:?} is not offered by CloudWatch; write \"60s\" or \"10s\" (dearer)",
                text.0
            ))
        },
        problems,
    );
}

const DRIFT: [(&str, DriftPolicy); 2] =
    [("mend", DriftPolicy::Mend), ("leave", DriftPolicy::Leave)];

/// CloudWatch takes no datapoint that is older than two weeks.
fn backlog(text: &DurationText) -> Result<Duration, String> {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let backlog = super::text::duration(text)?;
    if (HOUR..=HOUR * 24 * 13).contains(&backlog) {
        return Ok(backlog);
    }
    Err(format!(
        "{:?} is not between \"1h\" and \"13d\"; CloudWatch takes nothing older than two weeks",
        text.0
    ))
}

/// CloudWatch: at most 255 characters, none of its own, no colon in front.
fn namespace(text: &str) -> Result<String, String> {
    name(text, 255)?;
    if text.starts_with("AWS/") || text.starts_with(':') || !text.is_ascii() {
        return Err(format!(
            "{text:?} is refused by CloudWatch: no \"AWS/\" and no colon in front, ASCII only; \
             write \"Probecause\""
        ));
    }
    Ok(text.to_owned())
}
