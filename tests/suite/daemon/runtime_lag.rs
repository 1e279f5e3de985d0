//! A daemon that stalls, here because SIGSTOP stops it, never blames a target for its own lag.

use std::time::Duration;

use axum::routing::get;
use tokio::time::sleep;

use crate::daemon::process::series;
use crate::support::loopback::serve;
use crate::support::process::Daemon;

/// Returns a configuration with two targets on an endpoint that answers in 333 ms: `patient`
/// has a latency limit of 3 s, `hasty` a timeout of 3 s. On a busy machine the endpoint itself may
/// answer much later than after 333 ms.
async fn config() -> String {
    let answer = || async {
        sleep(Duration::from_millis(333)).await;
        "fine"
    };
    let address = serve(axum::Router::new().route("/", get(answer))).await;
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\nconfirm_after = \"0s\"\n\
         [[target]]\nname = \"patient\"\nurl = \"http://{address}/\"\n\
         timeout = \"30s\"\nexpect.slower_than = \"3s\"\n\
         [[target]]\nname = \"hasty\"\nurl = \"http://{address}/\"\ntimeout = \"3s\"\n"
    )
}

fn count(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_stalled_daemon_does_not_blame_a_target() {
    let daemon = Daemon::start(&config().await).await;
    daemon
        .metrics_until(|text| series(text, "probe_success", "hasty").len() == 1)
        .await;
    // The delays vary so that stops fall within probes and between them.
    for round in 0..6 {
        daemon.signal("-STOP").await;
        sleep(Duration::from_millis(3_500)).await;
        daemon.signal("-CONT").await;
        sleep(Duration::from_millis(400 + 130 * round)).await;
        let metrics = daemon.get("/metrics").await;
        // A wrong cause would stay until two probes in a row succeed.
        let causes = series(&metrics, "probecause_probable_cause", "patient");
        assert!(causes.is_empty(), "{causes:?}");
    }
    let lagged = "probecause_probes_lagged_total ";
    let metrics = daemon
        .metrics_until(|text| count(text, lagged) >= 4.0)
        .await;
    assert!(count(&metrics, "probecause_runtime_lag_seconds_sum ") > 12.0);
    for target in ["patient", "hasty"] {
        let failures = series(&metrics, "probecause_failures_total", target);
        let excused = |line: &&str| line.contains("\"prober-local\"") || line.ends_with(" 0");
        assert!(failures.iter().all(excused), "{failures:?}");
    }
}
