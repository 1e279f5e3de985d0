//! A thousand targets at 200 probes a second for a long time, with reloads, faults that come
//! and go, and a CloudWatch that does: memory, descriptors and threads stay, every slot is
//! accounted for, and the daemon's counters are what the targets have seen.
//!
//! Two minutes, or twenty with `--long`. Leaves `target/endurance.svg` to be looked at.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::durability::account::Account;
use crate::durability::ledger::{Ledger, Probed};
use crate::durability::long;
use crate::durability::plot::{Strip, plot};
use crate::durability::prober::{Home, Prober, until, value};

const TARGETS: usize = 1000;
const INTERVAL: u64 = 5;

/// These fail now and then; the others never do.
const FAILING: usize = 60;

/// After this the memory is what it will be: everything was probed, every table was used.
const WARM: usize = 40;

/// What memory may still grow by, in MB, from the first quarter after the warm-up to the last
/// one: the store's page cache fills, the allocator keeps what a reload needed.
const GROWTH: f64 = 12.0;

/// Open descriptors of an idle daemon: files, sockets of its own and of CloudWatch. Each
/// target probed with a connection that stays open would add one.
const IDLE_DESCRIPTORS: f64 = 60.0;

/// One look at the daemon.
struct Sample {
    memory: f64,
    descriptors: f64,
    threads: f64,
    missed: f64,
    /// Probes that started more than 10 ms late, of those since the last look.
    late: f64,
}

fn config(cloudwatch: &str, probed: SocketAddr, targets: usize, version: usize) -> String {
    let mut text = format!(
        "location = \"long\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nendpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"{INTERVAL}s\"\ntimeout = \"4s\"\n"
    );
    for number in 0..targets {
        write!(
            text,
            "[[target]]\nname = \"t{number}\"\nurl = \"http://{probed}/t{number}\"\n"
        )
        .unwrap();
    }
    // What a reload changes: these come and go.
    for number in 0..version % 5 {
        let url = format!("http://{probed}/extra-{version}-{number}");
        write!(
            text,
            "[[target]]\nname = \"extra-{version}-{number}\"\nurl = \"{url}\"\n"
        )
        .unwrap();
    }
    text
}

/// The values of a metric by target.
fn by_target(metrics: &str, name: &str) -> HashMap<String, f64> {
    let mut values = HashMap::new();
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    for line in lines.filter(|line| line.starts_with('{')) {
        let (labels, number) = line.rsplit_once("} ").unwrap();
        let (_, target) = labels.split_once("target=\"").unwrap();
        let target = target.split('"').next().unwrap().to_owned();
        *values.entry(target).or_default() += number.parse::<f64>().unwrap();
    }
    values
}

fn sample(prober: &Prober, metrics: &str, before: &mut (f64, f64)) -> Sample {
    let lag = "probecause_schedule_lag_seconds_";
    let all = value(metrics, &format!("{lag}count "));
    let punctual = value(metrics, &format!("{lag}bucket{{le=\"0.01\"}} "));
    let (new, well) = (all - before.0, punctual - before.1);
    *before = (all, punctual);
    Sample {
        memory: prober.memory(),
        descriptors: prober.descriptors(),
        threads: prober.threads(),
        missed: by_target(metrics, "probecause_missed_total").values().sum(),
        late: if new > 0.0 { 1.0 - well / new } else { 0.0 },
    }
}

fn mean(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let count = samples.len() as f64;
    samples.iter().map(of).sum::<f64>() / count
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run by tests/run"]
async fn a_long_run_with_reloads_faults_and_a_flapping_cloudwatch_leaks_and_loses_nothing() {
    let _alone = crate::durability::ALONE.lock().await;
    let seconds = if long() { 1200 } else { 120 };
    let reload_every = if long() { 60 } else { 20 };
    let (probed, address) = Probed::start().await;
    let (account, upstream) = Account::start().await;
    let upstream: SocketAddr = upstream.trim_start_matches("http://").parse().unwrap();
    let (cloudwatch, url) = Ledger::start(Some(upstream)).await;
    let home = Home::new(&config(&url, address, TARGETS, 0));
    let prober = Prober::start(&home).await;

    let begun = Instant::now();
    let mut samples = Vec::new();
    let mut lag = (0.0, 0.0);
    for second in 1..=seconds {
        sleep_until(begun + Duration::from_secs(second)).await;
        if second % reload_every == 0 {
            let version = usize::try_from(second / reload_every).unwrap();
            std::fs::write(home.config(), config(&url, address, TARGETS, version)).unwrap();
            prober.reload().await;
        }
        if second % 15 == 0 {
            let fails = second % 30 == 0;
            probed.fail((0..if fails { FAILING } else { 0 }).map(|number| format!("t{number}")));
        }
        if second % 25 == 0 {
            // Nobody listens there.
            let away = SocketAddr::from(([127, 0, 0, 1], 9));
            cloudwatch.forward_to(if second % 50 == 0 { upstream } else { away });
        }
        let metrics = prober.get("/metrics").await;
        samples.push(sample(&prober, &metrics, &mut lag));
    }
    draw(&samples);
    check_flat(&samples);
    check_counters(&prober, &probed, begun).await;
    assert!(account.alarms() > 0);
    // Connections under way come and go with the load of the machine; a leak stays.
    std::fs::write(home.config(), config(&url, address, 1, 0)).unwrap();
    prober.reload().await;
    until("idle", async || prober.descriptors() < IDLE_DESCRIPTORS).await;
    assert_eq!(prober.terminate().await, Some(0));
}

fn draw(samples: &[Sample]) {
    let strip = |name: &str, of: fn(&Sample) -> f64| Strip {
        name: name.to_owned(),
        values: samples.iter().map(of).collect(),
    };
    let strips = [
        strip("resident memory, MB", |one| one.memory),
        strip("descriptors", |one| one.descriptors),
        strip("probes that started more than 10 ms late, of 1", |one| {
            one.late
        }),
        strip("missed slots so far", |one| one.missed),
    ];
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/target/endurance.svg");
    std::fs::write(file, plot(&strips)).unwrap();
}

/// What is used stays what it is.
fn check_flat(samples: &[Sample]) {
    let warm = &samples[WARM..];
    let quarter = warm.len() / 4;
    let (first, last) = (&warm[..quarter], &warm[warm.len() - quarter..]);
    let change = |of: fn(&Sample) -> f64| (mean(first, of), mean(last, of));
    let memory = change(|one| one.memory);
    let descriptors = change(|one| one.descriptors);
    let threads = change(|one| one.threads);
    println!(
        "from the first to the last quarter: {:.1} → {:.1} MB, {:.0} → {:.0} descriptors, \
         {:.0} → {:.0} threads; {:.2} % of the probes more than 10 ms late",
        memory.0,
        memory.1,
        descriptors.0,
        descriptors.1,
        threads.0,
        threads.1,
        mean(samples, |one| one.late) * 100.0
    );
    assert!(memory.1 - memory.0 < GROWTH, "memory grows: {memory:?}");
    assert!(threads.1 - threads.0 < 8.0, "threads leak: {threads:?}");
}

/// Probes are successes and failures, the targets saw as many, and every slot was a probe or
/// was told to be missed.
async fn check_counters(prober: &Prober, probed: &Probed, begun: Instant) {
    let before = probed.counts();
    let metrics = prober.get("/metrics").await;
    let ran = begun.elapsed().as_secs() / INTERVAL;
    let after = probed.counts();
    let probes = by_target(&metrics, "probecause_probes_total");
    let missed = by_target(&metrics, "probecause_missed_total");
    let failures = by_target(&metrics, "probecause_failures_total");
    let mut sum = (0.0, 0, 0);
    for number in 0..TARGETS {
        let name = format!("t{number}");
        let counted = probes[&name];
        let (least, most) = (before[&name], after[&name]);
        // One may be under way, seen there and not yet counted here.
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let (low, high) = (least as f64 - 1.0, most as f64);
        assert!(
            (low..=high).contains(&counted),
            "{name}: {counted} counted, {least} to {most} seen"
        );
        sum = (sum.0 + counted, sum.1 + least, sum.2 + most);
        if number >= FAILING {
            #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
            let slots = ran as f64;
            let told = counted + missed.get(&name).copied().unwrap_or_default();
            assert!(
                (slots - 1.0..=slots + 2.0).contains(&told),
                "{name}: {told} of {slots} slots"
            );
            assert!(failures.get(&name).copied().unwrap_or_default() < 1.0);
        }
    }
    let (counted, least, most) = sum;
    println!(
        "{counted} probes counted, {least} to {most} seen by the targets; {} slots missed",
        missed.values().sum::<f64>()
    );
    let failed: f64 = failures.values().sum();
    assert!(failed > 0.0, "no fault ever came");
}
