//! Kills the daemon with SIGKILL at random moments under load. No listed incident is lost, and
//! at most one second of datapoints.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::durability::daemon::{Daemon, DaemonFiles, wait_until};
use crate::durability::probed_server::ProbedServer;
use crate::durability::recording_proxy::RecordingProxy;
use crate::durability::{TARGETS, config, long_form, target_names};

/// The time from a start of the daemon to its kill.
struct Run {
    began: Timestamp,
    ended: Timestamp,
}

impl Run {
    /// Number of probes that arrived during the run.
    fn probes(&self, probed: &ProbedServer) -> usize {
        target_names()
            .map(|name| probed.probes_between(&name, self.began, self.ended))
            .sum()
    }

    /// Number of values of the run that are in the datapoints.
    fn values(&self, datapoints: &[(String, Timestamp, usize)]) -> usize {
        let within = datapoints
            .iter()
            .filter(|(_, at, _)| (self.began..self.ended).contains(at));
        within.map(|(.., count)| count).sum()
    }

    /// Number of probes of the run that have no value in the datapoints.
    fn lost(&self, probed: &ProbedServer, datapoints: &[(String, Timestamp, usize)]) -> usize {
        self.probes(probed).saturating_sub(self.values(datapoints))
    }
}

/// A different number in 0..1 at each call, so that kills do not hit the same moment.
fn random() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 10_007) / 10_007.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes one to four minutes: run by tests/run"]
async fn kill_9_loses_no_incident_and_at_most_one_second_of_datapoints() {
    let _guard = crate::durability::ONE_AT_A_TIME.lock().await;
    let kills = if long_form() { 20 } else { 4 };
    let (probed, address) = ProbedServer::start().await;
    let (proxy, url) = RecordingProxy::start(None).await;
    let without_alarm = |_: &str| "alarm = { enabled = false }".to_owned();
    let files = DaemonFiles::new(&config("kill", &url, address, without_alarm));

    // Every incident that the API ever listed: id → time of opening.
    let mut listed = HashMap::new();
    let mut runs = Vec::new();
    for number in 0..kills {
        let began = Timestamp::now();
        let daemon = Daemon::start(&files).await;
        check_incidents_are_kept(&daemon, &listed).await;
        run_under_failures(&daemon, &probed, number, &mut listed).await;
        daemon.kill().await;
        runs.push(Run {
            began,
            ended: Timestamp::now(),
        });
    }

    // The last run sends the backlog of the others and exits cleanly.
    let daemon = Daemon::start(&files).await;
    check_incidents_are_kept(&daemon, &listed).await;
    // The metric of the spool is 0 until the daemon has counted the backlog.
    wait_until("the backlog is sent", async || {
        runs.iter()
            .all(|run| run.lost(&probed, &proxy.datapoints("Failed")) <= TARGETS)
            && daemon.metric("probecause_spool_datapoints ").await < 1.0
    })
    .await;
    println!("{} incidents listed, none lost", listed.len());
    assert!(
        listed.len() >= 5 * usize::from(kills > 4) + 5,
        "too few incidents for a meaningful test"
    );
    assert_eq!(daemon.terminate().await, Some(0));
    check_losses(&runs, &probed, &proxy);
    check_database(&files);
}

/// Runs the daemon for a few seconds while targets fail and recover, and adds the incidents
/// that it lists to `listed`.
async fn run_under_failures(
    daemon: &Daemon,
    probed: &ProbedServer,
    number: usize,
    listed: &mut HashMap<String, String>,
) {
    let deadline = Instant::now() + Duration::from_secs_f64(6.0 + 3.0 * random());
    let failing = target_names()
        .skip(number * 7 % TARGETS)
        .step_by(3)
        .take(10);
    probed.fail(failing);
    let mut few_failing = false;
    while Instant::now() < deadline {
        for incident in daemon.incidents().await {
            let text = |key: &str| incident[key].as_str().unwrap().to_owned();
            listed.insert(text("incident_id"), text("opened"));
        }
        if !few_failing && deadline - Instant::now() < Duration::from_secs(3) {
            few_failing = true;
            probed.fail(target_names().skip(number * 7 % TARGETS).step_by(3).take(3));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Checks that the daemon still has every listed incident and that its store had no problem.
async fn check_incidents_are_kept(daemon: &Daemon, listed: &HashMap<String, String>) {
    assert_eq!(daemon.log_lines_containing("store:"), Vec::<String>::new());
    assert!(daemon.metric("probecause_store_up ").await > 0.0);
    let incidents: HashMap<_, _> = daemon
        .incidents()
        .await
        .into_iter()
        .map(|incident| {
            let text = |key: &str| incident[key].as_str().unwrap().to_owned();
            (text("incident_id"), text("opened"))
        })
        .collect();
    for (id, opened) in listed {
        assert_eq!(
            incidents.get(id),
            Some(opened),
            "incident {id} was lost or changed"
        );
    }
}

/// Compares the probes that arrived during each run with the values that CloudWatch accepted.
fn check_losses(runs: &[Run], probed: &ProbedServer, proxy: &RecordingProxy) {
    let datapoints = proxy.datapoints("Failed");
    for (number, run) in runs.iter().enumerate() {
        let (probes, values) = (run.probes(probed), run.values(&datapoints));
        let lost = run.lost(probed, &datapoints);
        let seconds = (run.ended - run.began).total(jiff::Unit::Second).unwrap();
        println!(
            "kill {}: after {seconds:.1} s and {probes} probes: {lost} lost, {} duplicated",
            number + 1,
            values.saturating_sub(probes)
        );
        assert!(probes > TARGETS, "only {probes} probes");
        // One second of probes: results that were not on disk yet, and probes in flight.
        assert!(lost <= TARGETS, "{lost} probes of one run were lost");
    }
    println!(
        "{} duplicate datapoints, counted as duplicates by the daemon or not",
        proxy.duplicates()
    );
}

fn check_database(files: &DaemonFiles) {
    let path = files.state().join(probecause::io::store::DATABASE_FILE);
    let database = rusqlite::Connection::open(path).unwrap();
    let check = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(check.unwrap(), "ok");
}
