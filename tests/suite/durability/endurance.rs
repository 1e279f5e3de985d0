//! A long run of a thousand targets at 200 probes a second, with reloads, intermittent faults
//! and intermittent outages of CloudWatch. Memory, file descriptors and threads do not grow,
//! every scheduled slot is a probe or a counted miss, and the daemon's counters match the
//! requests that the targets received.
//!
//! It takes two minutes, or twenty with `--long`, and writes a plot to
//! `target/endurance.svg`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::durability::daemon::{Daemon, DaemonFiles, metric_value, wait_until};
use crate::durability::fake_cloudwatch::FakeCloudWatch;
use crate::durability::long_form;
use crate::durability::plot::{Chart, plot};
use crate::durability::probed_server::ProbedServer;
use crate::durability::recording_proxy::RecordingProxy;

const TARGETS: usize = 1000;
const INTERVAL: u64 = 5;

/// Number of targets that fail from time to time; the others never fail.
const FAILING: usize = 60;

/// Samples left out of the memory check, one per second: by then every target has been probed
/// and every table has been used.
const WARM_UP: usize = 40;

/// Allowed growth of the mean resident memory, in MB, from the first quarter after the warm-up
/// to the last: the store's page cache fills, and the allocator keeps memory that a reload used.
const GROWTH: f64 = 12.0;

/// Memory of a probe in progress, in MB.
const PROBE_MEMORY: f64 = 0.06;

/// Upper bound of the open file descriptors of an idle daemon: files, its own sockets and those
/// to CloudWatch. A leaked probe connection would add one.
const IDLE_DESCRIPTORS: f64 = 60.0;

/// One measurement of the daemon.
struct Sample {
    memory: f64,
    descriptors: f64,
    threads: f64,
    missed: f64,
    /// Share of the probes since the previous sample that started more than 10 ms late.
    late: f64,
}

fn config(endpoint: &str, probed: SocketAddr, targets: usize, version: usize) -> String {
    let mut text = format!(
        "location = \"long\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nendpoint_url = \"{endpoint}\"\n\
         [defaults]\ninterval = \"{INTERVAL}s\"\ntimeout = \"60s\"\n"
    );
    for number in 0..targets {
        write!(
            text,
            "[[target]]\nname = \"t{number}\"\nurl = \"http://{probed}/t{number}\"\n"
        )
        .unwrap();
    }
    // Each reload removes these targets and adds new ones.
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

/// The daemon's metrics at a time between `asked` and `answered`.
struct Counted {
    metrics: String,
    asked: Instant,
    answered: Instant,
}

impl Counted {
    async fn now(daemon: &Daemon) -> Self {
        let asked = Instant::now();
        Self {
            metrics: daemon.get("/metrics").await,
            asked,
            answered: Instant::now(),
        }
    }

    /// The possible numbers of slots that a target counted between two readings. At each reading
    /// one probe may be running, which is counted when it ends.
    fn slots_until(&self, later: &Self) -> std::ops::RangeInclusive<f64> {
        let interval = Duration::from_secs(INTERVAL);
        let shortest = (later.asked - self.answered).div_duration_f64(interval);
        let longest = (later.answered - self.asked).div_duration_f64(interval);
        shortest.floor() - 1.0..=longest.floor() + 2.0
    }
}

/// The values of a metric by target, summed over its other labels.
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

fn take_sample(daemon: &Daemon, metrics: &str, before: &mut (f64, f64)) -> Sample {
    let lag = "probecause_schedule_lag_seconds_";
    let all = metric_value(metrics, &format!("{lag}count "));
    let on_time = metric_value(metrics, &format!("{lag}bucket{{le=\"0.01\"}} "));
    let (new, new_on_time) = (all - before.0, on_time - before.1);
    *before = (all, on_time);
    Sample {
        memory: daemon.memory(),
        descriptors: daemon.descriptors(),
        threads: daemon.threads(),
        missed: by_target(metrics, "probecause_missed_total").values().sum(),
        late: if new > 0.0 {
            1.0 - new_on_time / new
        } else {
            0.0
        },
    }
}

fn mean(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
    let count = samples.len() as f64;
    samples.iter().map(value).sum::<f64>() / count
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run by tests/run"]
async fn a_long_run_with_reloads_faults_and_outages_of_cloudwatch_leaks_nothing_and_loses_no_probe()
{
    let _guard = crate::durability::ONE_AT_A_TIME.lock().await;
    let seconds = if long_form() { 1200 } else { 120 };
    let reload_every = if long_form() { 60 } else { 20 };
    let (probed, address) = ProbedServer::start().await;
    let (cloudwatch, upstream) = FakeCloudWatch::start().await;
    let upstream: SocketAddr = upstream.trim_start_matches("http://").parse().unwrap();
    let (proxy, url) = RecordingProxy::start(Some(upstream)).await;
    let files = DaemonFiles::new(&config(&url, address, TARGETS, 0));
    let daemon = Daemon::start(&files).await;

    let before = Counted::now(&daemon).await;
    let started = Instant::now();
    let mut samples = Vec::new();
    let mut lag = (0.0, 0.0);
    for second in 1..=seconds {
        sleep_until(started + Duration::from_secs(second)).await;
        if second % reload_every == 0 {
            let version = usize::try_from(second / reload_every).unwrap();
            std::fs::write(files.config(), config(&url, address, TARGETS, version)).unwrap();
            daemon.reload().await;
        }
        if second % 15 == 0 {
            let fails = second % 30 == 0;
            probed.fail((0..if fails { FAILING } else { 0 }).map(|number| format!("t{number}")));
        }
        if second % 25 == 0 {
            // No server listens on this port.
            let closed = SocketAddr::from(([127, 0, 0, 1], 9));
            proxy.forward_to(if second % 50 == 0 { upstream } else { closed });
        }
        let metrics = daemon.get("/metrics").await;
        samples.push(take_sample(&daemon, &metrics, &mut lag));
    }
    draw(&samples);
    check_flat(&samples);
    check_counters(&daemon, &probed, &before).await;
    assert!(cloudwatch.alarms() > 0);
    // The number of open connections varies with the load of the machine. Only leaked ones
    // remain when the daemon is idle.
    std::fs::write(files.config(), config(&url, address, 1, 0)).unwrap();
    daemon.reload().await;
    wait_until("few open descriptors", async || {
        daemon.descriptors() < IDLE_DESCRIPTORS
    })
    .await;
    assert_eq!(daemon.terminate().await, Some(0));
}

fn draw(samples: &[Sample]) {
    let chart = |name: &str, value: fn(&Sample) -> f64| Chart {
        name: name.to_owned(),
        values: samples.iter().map(value).collect(),
    };
    let charts = [
        chart("resident memory, MB", |sample| sample.memory),
        chart("open file descriptors", |sample| sample.descriptors),
        chart(
            "share of probes that started more than 10 ms late",
            |sample| sample.late,
        ),
        chart("missed slots, in total", |sample| sample.missed),
    ];
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/target/endurance.svg");
    std::fs::write(file, plot(&charts)).unwrap();
}

/// Checks that memory and threads do not grow, and prints the means.
fn check_flat(samples: &[Sample]) {
    let samples = &samples[WARM_UP..];
    let quarter = samples.len() / 4;
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    let change = |value: fn(&Sample) -> f64| (mean(first, value), mean(last, value));
    let memory = change(|sample| sample.memory);
    let descriptors = change(|sample| sample.descriptors);
    let threads = change(|sample| sample.threads);
    println!(
        "from the first to the last quarter: {:.1} → {:.1} MB, {:.0} → {:.0} descriptors, \
         {:.0} → {:.0} threads; {:.2} % of the probes more than 10 ms late",
        memory.0,
        memory.1,
        descriptors.0,
        descriptors.1,
        threads.0,
        threads.1,
        mean(samples, |sample| sample.late) * 100.0
    );
    // On a busy machine, more probes are in progress at the same time.
    let in_progress = (descriptors.1 - descriptors.0).max(0.0) * PROBE_MEMORY;
    let growth = memory.1 - memory.0 - in_progress;
    assert!(growth < GROWTH, "memory grows: {memory:?}");
    assert!(
        threads.1 - threads.0 < 8.0,
        "threads were leaked: {threads:?}"
    );
}

/// Checks that the daemon counted the probes that each target received, and that every slot of
/// a healthy target was a probe or a counted miss.
async fn check_counters(daemon: &Daemon, probed: &ProbedServer, earlier: &Counted) {
    let before = probed.probes_by_target();
    let now = Counted::now(daemon).await;
    let slots = earlier.slots_until(&now);
    let after = probed.probes_by_target();
    let probes = by_target(&now.metrics, "probecause_probes_total");
    let missed = by_target(&now.metrics, "probecause_missed_total");
    let earlier_probes = by_target(&earlier.metrics, "probecause_probes_total");
    let earlier_missed = by_target(&earlier.metrics, "probecause_missed_total");
    let failures = by_target(&now.metrics, "probecause_failures_total");
    let mut sum = (0.0, 0, 0);
    for number in 0..TARGETS {
        let name = format!("t{number}");
        let counted = probes[&name];
        let (seen_before, seen_after) = (before[&name], after[&name]);
        // One probe may have reached the target and not be counted by the daemon yet.
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let (low, high) = (seen_before as f64 - 1.0, seen_after as f64);
        assert!(
            (low..=high).contains(&counted),
            "{name}: {counted} probes counted, {seen_before} to {seen_after} received"
        );
        sum = (sum.0 + counted, sum.1 + seen_before, sum.2 + seen_after);
        if number >= FAILING {
            let since = |now: &HashMap<String, f64>, earlier: &HashMap<String, f64>| {
                let value = |values: &HashMap<String, f64>| values.get(&name).copied();
                value(now).unwrap_or_default() - value(earlier).unwrap_or_default()
            };
            let sent = since(&probes, &earlier_probes);
            let missed = since(&missed, &earlier_missed);
            // A probe that makes up for a missed slot is counted as well as the miss.
            let (low, high) = (slots.start(), slots.end());
            assert!(
                sent <= *high && missed <= *high && sent + missed >= *low,
                "{name}: {sent} probes and {missed} misses in {slots:?} slots"
            );
            assert!(failures.get(&name).copied().unwrap_or_default() < 1.0);
        }
    }
    let (counted, seen_before, seen_after) = sum;
    println!(
        "{counted} probes counted, {seen_before} to {seen_after} received by the targets; {} slots missed",
        missed.values().sum::<f64>()
    );
    let failed: f64 = failures.values().sum();
    assert!(failed > 0.0, "no probe failed");
}
