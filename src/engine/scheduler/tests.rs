//! Tests of the scheduler in simulated time, with probers that only wait.

use super::*;
use crate::domain::report::MissedReason;

/// A prober that takes a fixed time per probe and panics for the target named `crash`.
#[derive(Clone)]
struct Slow(Duration);

impl Probe for Slow {
    async fn probe(&self, target: &Target) -> Observation {
        assert!(
            target.name.as_str() != "crash",
            "the test expects this panic"
        );
        tokio::time::sleep(self.0).await;
        Observation::begun(Timestamp::UNIX_EPOCH, target.url.as_str())
    }
}

fn target(name: &str, interval: u64) -> Arc<Target> {
    let mut target = Target::with_defaults(name, "http://localhost/".parse().unwrap());
    target.interval = Duration::from_secs(interval);
    Arc::new(target)
}

struct Running {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Emission>,
    task: tokio::task::JoinHandle<()>,
    metrics: DaemonMetrics,
}

/// Starts a scheduler whose probes take `seconds` seconds each.
async fn start(targets: &[Arc<Target>], seconds: u64, max_in_flight: usize) -> Running {
    let (event_sender, events) = mpsc::channel(64);
    let (commands, receiver) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let prober = Slow(Duration::from_secs(seconds));
    let scheduler = Scheduler::new(prober, event_sender, metrics.clone());
    let task = tokio::spawn(scheduler.run(receiver));
    let configure = Command::Configure(targets.to_vec(), max_in_flight);
    commands.send(configure).await.unwrap();
    Running {
        commands,
        events,
        task,
        metrics,
    }
}

impl Running {
    /// Returns the events of the next `seconds` seconds, as text.
    async fn within(&mut self, seconds: u64) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut seen = Vec::new();
        while let Ok(Some(event)) = tokio::time::timeout_at(end, self.events.recv()).await {
            seen.push(match event {
                Emission::Observed(target, observation) => {
                    let fault = observation.fault.map_or("ok", |fault| fault.kind.as_str());
                    format!("{} {fault}", target.name)
                }
                Emission::Missed(missed) => {
                    format!("{} missed {}", missed.target.name, missed.reason.as_str())
                }
            });
        }
        seen
    }
}

#[tokio::test(start_paused = true)]
async fn probes_run_at_their_interval() {
    let mut running = start(&[target("a", 10)], 1, 10).await;
    let seen = running.within(60).await;
    assert!((6..=7).contains(&seen.len()), "{seen:?}");
    assert!(seen.iter().all(|event| event == "a ok"));
    assert_eq!(
        running.metrics.schedule_lag.get_sample_count(),
        seen.len() as u64
    );
    assert!(running.metrics.schedule_lag.get_sample_sum() < 0.1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_probe_and_other_probes_continue() {
    let mut running = start(&[target("crash", 10), target("b", 10)], 1, 10).await;
    let seen = running.within(30).await;
    assert!(seen.iter().filter(|event| *event == "crash local").count() >= 3);
    assert!(seen.iter().filter(|event| *event == "b ok").count() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_slot_above_the_limit_is_missed_and_its_target_is_probed_later() {
    let mut running = start(&[target("a", 60), target("b", 60)], 20, 1).await;
    let seen = running.within(50).await;
    let expected = format!("missed {}", MissedReason::NoCapacity.as_str());
    assert_eq!(
        seen.iter()
            .filter(|event| event.ends_with(&expected))
            .count(),
        1
    );
    assert_eq!(
        seen.iter().filter(|event| event.ends_with(" ok")).count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_confirming_probe_runs_before_the_next_slot() {
    let mut running = start(&[target("a", 600)], 1, 1).await;
    assert_eq!(running.within(10).await, ["a ok"]);
    let confirm = Command::Confirm(TargetName::new("a"), Duration::from_secs(10));
    running.commands.send(confirm).await.unwrap();
    assert_eq!(running.within(12).await, ["a ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_url_is_probed_at_once_although_a_probe_of_the_old_one_runs() {
    let old = target("a", 600);
    let mut running = start(&[Arc::clone(&old)], 100, 1).await;
    assert!(running.within(10).await.is_empty());
    let mut new = Target::clone(&old);
    new.url = "http://localhost/new".parse().unwrap();
    let configure = Command::Configure(vec![Arc::new(new)], 1);
    running.commands.send(configure).await.unwrap();
    assert_eq!(running.within(102).await, ["a ok"]);
    assert!(running.within(300).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_running_probes_within_the_grace_period() {
    for (seconds, grace, finished) in [(3, 10, 1), (30, 10, 0)] {
        let mut running = start(&[target("a", 600)], seconds, 1).await;
        while running.metrics.in_flight.get() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let begun = Instant::now();
        let stop = Command::Stop(Duration::from_secs(grace));
        running.commands.send(stop).await.unwrap();
        running.task.await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(grace) + Duration::from_millis(100));
        let mut seen = 0;
        while running.events.recv().await.is_some() {
            seen += 1;
        }
        assert_eq!(
            seen, finished,
            "a probe of {seconds} s with a grace period of {grace} s"
        );
    }
}
