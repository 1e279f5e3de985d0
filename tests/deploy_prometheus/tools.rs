//! promtool and amtool on the shipped files, and both servers run with them.

#[path = "../page/state.rs"]
mod state;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{CASES, deploy, root};

/// A server starts, scrapes and evaluates within a few seconds, on a busy machine in more.
const PATIENCE: Duration = Duration::from_secs(40);

const RULES: [&str; 2] = ["recording.rules.yaml", "alerts.rules.yaml"];

fn tool(name: &str) -> Command {
    Command::new(root("target/tools").join(name))
}

/// What a tool says that must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("tests/deploy_prometheus/setup fetches it");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.into_owned()
}

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(command: &mut Command) -> Server {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    Server(quiet.spawn().expect("tests/deploy_prometheus/setup fetches it"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The body of an answer, or nothing while nobody answers.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let began = Instant::now();
    while !found() {
        assert!(began.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Serves the metrics of the rich state for as long as the tests run.
fn daemon() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = state::sinks().0.render();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = text.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
            // The other side may have gone: it asks again.
            let _ = write!(
                stream,
                "{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{text}"
            );
        }
    });
    port
}

/// A whole configuration of Prometheus: a scrape file with this daemon, and both rule files.
fn configuration(folder: &Path, scrape: &str, daemon: u16) -> std::path::PathBuf {
    let text = std::fs::read_to_string(deploy(scrape)).unwrap();
    let here = format!("127.0.0.1:{daemon}");
    assert!(text.contains("127.0.0.1:9853"));
    let text = text.replace("127.0.0.1:9853", &here);
    let text = text.replace("scrape_interval: 15s", "scrape_interval: 1s");
    let text = text.replace("scrape_timeout: 10s", "scrape_timeout: 1s");
    let rules = RULES
        .map(|file| format!("  - {}\n", deploy(file).display()))
        .concat();
    let whole = format!("global:\n  evaluation_interval: 1s\nrule_files:\n{rules}{text}");
    let path = folder.join("prometheus.yml");
    std::fs::write(&path, whole).unwrap();
    path
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_finds_nothing_wrong_with_the_rules_and_every_case_holds() {
    let check = ["check", "rules", "--lint-fatal"];
    said(tool("promtool").args(check).args(RULES.map(deploy)));
    for name in CASES {
        let file = root("tests/deploy_prometheus").join(format!("{name}.yaml"));
        said(tool("promtool").args(["test", "rules"]).arg(file));
    }
}

#[test]
#[ignore = "needs promtool: tests/run sets it up"]
fn promtool_finds_nothing_wrong_with_the_scrape_files() {
    let folder = tempfile::tempdir().unwrap();
    for scrape in ["scrape.yaml", "scrape-blackbox.yaml"] {
        said(
            tool("promtool")
                .args(["check", "config"])
                .arg(deploy(scrape)),
        );
        let whole = configuration(folder.path(), scrape, 9853);
        said(tool("promtool").args(["check", "config"]).arg(whole));
    }
}

/// Runs Prometheus on a scrape file; `query` → how many series it must come to return.
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
            last = said(tool("promtool").args(["query", "instant", &url, query]));
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
}

#[test]
#[ignore = "needs Prometheus: tests/run sets it up"]
fn prometheus_scrapes_the_daemon_and_alerts_by_the_rules() {
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
fn the_relabelling_puts_the_target_where_blackbox_exporter_has_it() {
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

#[test]
#[ignore = "needs amtool: tests/run sets it up"]
fn amtool_routes_each_alert_to_those_who_act() {
    let file = format!("--config.file={}", deploy("alertmanager.yaml").display());
    said(
        tool("amtool")
            .arg("check-config")
            .arg(deploy("alertmanager.yaml")),
    );
    let down = "alertname=ProbecauseTargetDown component=target severity=critical";
    let slow = "alertname=ProbecauseTargetDegraded component=target severity=warning";
    let named = "alertname=ProbecauseCauseNamed component=target severity=info";
    let own = "component=prober job=probecause location=eu-west-1";
    let table = [
        (format!("{down} target=orders team=shop"), "shop-page"),
        (format!("{down} target=orders"), "operations-page"),
        (
            format!("{down} target=orders team=unheard-of"),
            "operations-page",
        ),
        (format!("{slow} team=shop"), "shop"),
        (format!("{slow} team="), "operations"),
        (
            format!("{named} owner=platform cause=lambda-throttled team=shop"),
            "platform",
        ),
        (
            format!("{named} owner=network cause=dns-failure team=shop"),
            "network",
        ),
        (
            format!("{named} owner=client cause=unauthorized team=shop"),
            "client",
        ),
        (
            format!("{named} owner=prober cause=prober-local team=shop"),
            "prober",
        ),
        (
            format!("{named} owner=service cause=lambda-function-error team=shop"),
            "shop",
        ),
        (
            format!("{named} owner=service cause=lambda-function-error team=other"),
            "service",
        ),
        (
            format!("alertname=ProbecauseDaemonAbsent severity=critical {own}"),
            "prober-page",
        ),
        (
            format!("alertname=ProbecauseSpoolGrowing severity=warning {own}"),
            "prober",
        ),
        (
            "alertname=OfAnotherKind severity=critical".to_owned(),
            "operations",
        ),
    ];
    for (labels, receiver) in table {
        let told = said(
            tool("amtool")
                .args(["config", "routes", "test", &file])
                .args(labels.split(' ')),
        );
        // A warning that one flag outweighs another may follow.
        assert_eq!(told.lines().next(), Some(receiver), "{labels}");
    }
}

/// Gives alerts to a running Alertmanager and compares which of them keep quiet.
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
        said(
            tool("amtool")
                .args(["alert", "add", &url])
                .args(alert.split(' ')),
        );
    }
    let path = "/api/v2/alerts?active=true&inhibited=true";
    let known = || -> Vec<Value> { serde_json::from_str(&get(port, path).unwrap()).unwrap() };
    wait_for("alerts", || known().len() == alerts.len());
    let quiet = known()
        .into_iter()
        .filter(|alert| alert["status"]["state"] == "suppressed");
    let name = |alert: Value| {
        let labels = &alert["labels"];
        let what = labels["alertname"].as_str().unwrap().to_owned();
        format!("{what} {}", labels["target"].as_str().unwrap_or("-"))
    };
    let mut quiet: Vec<String> = quiet.map(name).collect();
    quiet.sort();
    assert_eq!(quiet, expected);
}

#[test]
#[ignore = "needs Alertmanager: tests/run sets it up"]
fn under_prober_local_the_symptoms_of_that_target_keep_quiet_and_no_others() {
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
fn what_follows_from_a_prober_in_trouble_keeps_quiet_at_that_location() {
    let own = "job=p component=prober severity=warning alertname=";
    let here = "location=eu-west-1";
    check_inhibited(
        &[
            &format!("job=p severity=critical alertname=ProbecauseProberInTrouble {here}"),
            &format!("{own}ProbecauseCloudWatchFailing {here}"),
            &format!("{own}ProbecauseCloudWatchFailing location=us-east-1"),
            &format!("{own}ProbecauseReloadFailed {here}"),
            &format!("job=p alertname=ProbecauseTargetNotProbed target=orders {here}"),
            "job=p severity=critical alertname=ProbecauseTargetDown target=orders",
        ],
        &[
            "ProbecauseCloudWatchFailing -",
            "ProbecauseTargetNotProbed orders",
        ],
    );
}
