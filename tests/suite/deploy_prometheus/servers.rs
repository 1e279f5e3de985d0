//! Runs Prometheus and Alertmanager with the shipped files. This finds errors that a linter
//! cannot: a join that matches several series, or an inhibition of an alert that should page.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deploy_prometheus::deploy;
use crate::deploy_prometheus::tools::{configuration, run, tool};
use crate::support::page_state;

/// How long to wait for a server to start, scrape and evaluate. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server process that is killed on drop.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(command: &mut Command) -> Server {
    let inhibited = command.stdout(Stdio::null()).stderr(Stdio::null());
    Server(
        inhibited
            .spawn()
            .expect("tests/deploy_prometheus/setup fetches it"),
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Gets the body of a response; `None` if the server does not answer.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "waits for another process without an async runtime"
)]
fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let started = Instant::now();
    while !found() {
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Serves the metrics of the `page_state` fixture until the tests end. Returns the port.
fn daemon() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = page_state::sinks().0.render();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = text.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
            // The client may have closed the connection; it scrapes again.
            let _ = write!(
                stream,
                "{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{text}"
            );
        }
    });
    port
}

/// Runs Prometheus with a scrape file. Each entry of `expected` is a query and the number of
/// series that it must return eventually.
fn check_scrape(scrape: &str, expected: &[(&str, usize)]) {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), scrape, daemon());
    let port = free_port();
    let _server = start(
        tool("prometheus-server")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}")),
    );
    wait_for("Prometheus", || {
        get(port, "/-/ready").is_some_and(|body| body.contains("Ready"))
    });
    let url = format!("http://127.0.0.1:{port}");
    for (query, count) in expected {
        let mut last = String::new();
        let series = || {
            last = run(tool("promtool").args(["query", "instant", &url, query]));
            last.lines().filter(|line| line.contains("=>")).count() == *count
        };
        wait_for(
            &format!("{count} series for {query}, scraped by {scrape}"),
            series,
        );
    }
    let rules: Value = serde_json::from_str(&get(port, "/api/v1/rules").unwrap()).unwrap();
    for group in rules["data"]["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let error = rule.get("lastError");
            assert_eq!(error, None, "{}", rule["name"]);
        }
    }
    // A template error is not reported as an error of the rule; it appears in the text. The
    // state has names and labels that try to break out of the query in a template.
    let text = rules.to_string();
    assert!(!text.contains("error expanding"), "{text}");
    assert!(
        text.contains("orders is down: lambda-throttled (likely)"),
        "{text}"
    );
}

#[test]
#[ignore = "needs Prometheus: tests/run sets it up"]
fn prometheus_scrapes_the_daemon_and_fires_alerts() {
    let down = r#"ALERTS{alertname="ProbecauseTargetDown",alertstate="firing",target="orders"}"#;
    check_scrape(
        "scrape.yaml",
        &[
            (r#"probe_success{target="orders",location="eu-west-1"}"#, 1),
            (r#"{__name__!="",exported_location!=""}"#, 0),
            (
                r#"probecause_store_up{location="eu-west-1",instance!=""}"#,
                1,
            ),
            (
                r#"target:probecause_probable_cause:majority{owner="platform"}"#,
                1,
            ),
            (down, 1),
        ],
    );
}

#[test]
#[ignore = "needs Prometheus: tests/run sets it up"]
fn relabeling_matches_the_labels_of_the_blackbox_exporter() {
    let down = r#"ALERTS{alertname="ProbecauseTargetDown",alertstate="firing",target="orders"}"#;
    check_scrape(
        "scrape-blackbox.yaml",
        &[
            (
                r#"probe_success{instance="orders",prober=~"127.0.0.1:.+"}"#,
                1,
            ),
            (
                r#"probecause_store_up{instance=~"127.0.0.1:.+",prober=""}"#,
                1,
            ),
            (down, 1),
        ],
    );
}

/// Sends alerts to a running Alertmanager and compares which of them are inhibited.
fn check_inhibited(alerts: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = start(
        tool("alertmanager")
            .arg(format!(
                "--config.file={}",
                deploy("alertmanager.yaml").display()
            ))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address="),
    );
    wait_for("Alertmanager", || {
        get(port, "/-/ready").is_some_and(|body| body.contains("OK"))
    });
    let url = format!("--alertmanager.url=http://127.0.0.1:{port}");
    for alert in alerts {
        run(tool("amtool")
            .args(["alert", "add", &url])
            .args(alert.split(' ')));
    }
    let path = "/api/v2/alerts?active=true&inhibited=true";
    let known = || -> Vec<Value> { serde_json::from_str(&get(port, path).unwrap()).unwrap() };
    wait_for("alerts", || known().len() == alerts.len());
    let inhibited = known()
        .into_iter()
        .filter(|alert| alert["status"]["state"] == "suppressed");
    let name = |alert: Value| {
        let labels = &alert["labels"];
        let what = labels["alertname"].as_str().unwrap().to_owned();
        format!("{what} {}", labels["target"].as_str().unwrap_or("-"))
    };
    let mut inhibited: Vec<String> = inhibited.map(name).collect();
    inhibited.sort();
    assert_eq!(inhibited, expected);
}

#[test]
#[ignore = "needs Alertmanager: tests/run sets it up"]
fn prober_local_inhibits_the_symptoms_of_its_target_only() {
    let cause = "job=p component=target severity=info alertname=ProbecauseCauseNamed";
    let page = "job=p component=target severity=critical alertname=ProbecauseTargetDown";
    check_inhibited(
        &[
            &format!("{cause} target=orders team=shop cause=prober-local owner=prober"),
            &format!("{page} target=orders team=shop"),
            &format!("{cause} target=stock team=shop cause=lambda-throttled owner=platform"),
            &format!("{page} target=stock team=shop"),
        ],
        &["ProbecauseTargetDown orders"],
    );
}

#[test]
#[ignore = "needs Alertmanager: tests/run sets it up"]
fn a_prober_in_trouble_inhibits_its_symptoms_at_its_location_only() {
    let prober_alert = "job=p component=prober severity=warning alertname=";
    let here = "location=eu-west-1";
    check_inhibited(
        &[
            &format!("job=p severity=critical alertname=ProbecauseProberInTrouble {here}"),
            &format!("{prober_alert}ProbecauseCloudWatchFailing {here}"),
            &format!("{prober_alert}ProbecauseCloudWatchFailing location=us-east-1"),
            &format!("{prober_alert}ProbecauseReloadFailed {here}"),
            &format!("job=p alertname=ProbecauseTargetNotProbed target=orders {here}"),
            "job=p severity=critical alertname=ProbecauseTargetDown target=orders",
        ],
        &[
            "ProbecauseCloudWatchFailing -",
            "ProbecauseTargetNotProbed orders",
        ],
    );
}
