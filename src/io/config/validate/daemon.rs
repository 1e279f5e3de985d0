//! Reads the settings of the daemon itself: the location, and the tables `server`, `scheduler`,
//! `shard`, `resolver`, `log`, `cloudwatch` and `evidence`.

use super::{destination, evidence, shard, topics};
use crate::io::config::schema;
use crate::io::config::table::Table;
use crate::io::config::value::address::{Listen, NameServer};
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::{
    DriftWord, Location, LogFilter, LogFormatWord, Namespace, Region,
};
use crate::io::config::value::time::{AnyDuration, Backlog, PositiveDuration, Resolution};
use crate::io::config::value::url::EndpointUrl;
use crate::io::config::web;
use crate::model::settings::{CloudWatchSettings, ResolverSettings, ServerSettings, Settings};

/// Maximum value of `max_in_flight`, the number of probes that run at the same time. A daemon
/// handles ten thousand targets, so a larger number is probably a typing error.
const MAX_IN_FLIGHT: u32 = 100_000;

/// Maximum value of `attempts`, the number of attempts per DNS query. With the default timeouts,
/// ten attempts without a response already leave only 5 s for the rest of the probe.
const MAX_ATTEMPTS: u32 = 10;

/// Reads the location and the tables of the daemon from the main file into `settings`.
pub(super) fn read(root: &Table<'_>, settings: &mut Settings) {
    root.set::<Location>("location", &mut settings.location);
    server(&root.table("server", schema::SERVER), &mut settings.server);

    let table = root.table("scheduler", schema::SCHEDULER);
    if let Some(count) = table.get::<Bounded<1, MAX_IN_FLIGHT>>("max_in_flight") {
        settings.scheduler.max_in_flight = count as usize;
    }
    table.set::<AnyDuration>("shutdown_grace", &mut settings.scheduler.shutdown_grace);

    shard::read(&root.table("shard", schema::SHARD), &mut settings.shards);
    resolver(
        &root.table("resolver", schema::RESOLVER),
        &mut settings.resolver,
    );

    let table = root.table("log", schema::LOG);
    table.set::<LogFormatWord>("format", &mut settings.log.format);
    table.set::<LogFilter>("level", &mut settings.log.level);

    cloudwatch(root, &mut settings.cloudwatch);
    evidence::read(
        &root.table("evidence", schema::EVIDENCE),
        &mut settings.evidence,
    );
}

fn server(table: &Table<'_>, settings: &mut ServerSettings) {
    table.set::<Listen>("listen", &mut settings.listen);
    table.set::<bool>("allow_reload", &mut settings.allow_reload);
    if let Some(file) = table.find("web_config")
        && let Some(name) = file.read::<String>()
    {
        settings.web = web::read(&file.place.relative(&name), file.place.problems());
    }
    if let Some(listen) = table.find("listen")
        && !settings.listen.ip().is_loopback()
        && !settings.web.requires_authentication()
    {
        listen.place.warn(format!(
            "{} is reachable from other machines without authentication; listen on 127.0.0.1, \
             configure users in a `web_config`, or put the daemon behind a firewall",
            settings.listen
        ));
    }
}

fn resolver(table: &Table<'_>, settings: &mut ResolverSettings) {
    if let Some(servers) = table.find("servers") {
        settings.servers = servers.read_items::<NameServer>();
    }
    table.set::<PositiveDuration>("timeout", &mut settings.timeout);
    if let Some(count) = table.get::<Bounded<1, MAX_ATTEMPTS>>("attempts") {
        settings.attempts = count as usize;
    }
}

fn cloudwatch(root: &Table<'_>, settings: &mut CloudWatchSettings) {
    let table = root.table("cloudwatch", schema::CLOUDWATCH);
    table.set::<bool>("enabled", &mut settings.enabled);
    table.set::<Region>("region", &mut settings.region);
    table.set::<EndpointUrl>("endpoint_url", &mut settings.endpoint_url);
    table.set::<Namespace>("namespace", &mut settings.namespace);
    if let Some(list) = table.find("alarm_actions") {
        settings.alarm_actions = topics::actions(&list);
        topics::check_region(&list, settings.region.as_deref());
    }
    table.set::<bool>("actions_enabled", &mut settings.actions_enabled);
    table.set::<DriftWord>("drift", &mut settings.drift);
    table.set::<Backlog>("backlog", &mut settings.backlog);
    table.set::<Resolution>("resolution", &mut settings.resolution);
    if let Some(destinations) = table.find("destination") {
        destination::read(&destinations, settings);
    }
}
