//! The phases of a probe agree within 2 ms with those that curl measures on the same server.
//!
//! Medians are compared, since a single slow response on a busy machine is no error of a clock.
//! Where curl's own times scatter by more than 2 ms, the difference may be as large as that.
//! One curl process makes all requests, each to a different host name and thus on a new
//! connection: OpenSSL needs about 2 ms for its setup in the first handshake of a process.

use std::process::Stdio;
use std::time::Duration;

use probecause::io::probe::Prober;
use probecause::io::simulator::{Options, RouteFault, Simulator};
use probecause::model::observation::{HttpVersion, Observation, Phase};
use probecause::model::settings::ResolverSettings;
use probecause::model::target::{Target, TlsSettings};
use tokio::process::Command;

/// Requests that the prober and curl each make per round.
const TURNS: usize = 50;

/// The largest allowed difference of the medians on a quiet machine.
const TOLERANCE: Duration = Duration::from_millis(2);

/// The phases that curl measures too. The address is a literal, so no name is resolved.
const PHASES: [Phase; 4] = [
    Phase::Connect,
    Phase::Tls,
    Phase::Processing,
    Phase::Transfer,
];

/// How often to compare. A wrong clock differs in every round; load on the machine that affects
/// only one of the two does not.
const ROUNDS: usize = 6;

/// The times of one request: the four phases, then the total.
type Times = [Duration; 5];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs curl: run by tests/run"]
async fn phases_agree_with_curl_over_http1() {
    check(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs curl: run by tests/run"]
async fn phases_agree_with_curl_over_http2() {
    check(true).await;
}

/// Compares the prober with curl in up to [`ROUNDS`] rounds.
async fn check(http2: bool) {
    let options = Options {
        http2,
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    // The throttled route has the least jitter.
    let route = RouteFault::Throttled.route();
    let url = format!("https://{}{route}", simulator.address());
    let mut target = Target::with_defaults("curl", url.parse().unwrap());
    target.tls = TlsSettings {
        ca: Some(simulator.ca_pem().as_bytes().into()),
        identity: None,
        accept_any_certificate: false,
    };
    let prober = Prober::new(&ResolverSettings::default()).unwrap();
    // The first probe builds the client, which is not to be measured.
    prober.probe(&target).await;
    let mut differing = None;
    for round in 1..=ROUNDS {
        let mut probes = Vec::new();
        for _ in 0..TURNS {
            probes.push(times(&prober.probe(&target).await, http2));
        }
        let from_curl = curl(simulator.address().port(), route, http2).await;
        differing = Some(differences(round, &probes, &from_curl));
        if differing.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    assert_eq!(
        differing,
        Some(Vec::new()),
        "the medians differ in each of {ROUNDS} rounds"
    );
    simulator.stop().await;
}

/// The phases whose medians differ by more than [`TOLERANCE`] and by more than the middle half
/// of curl's times scatters.
fn differences(round: usize, probes: &[Times], from_curl: &[Times]) -> Vec<&'static str> {
    let (own, other) = (percentiles(probes, 50), percentiles(from_curl, 50));
    let (low, high) = (percentiles(from_curl, 25), percentiles(from_curl, 75));
    let names = PHASES.map(Phase::as_str).into_iter().chain(["total"]);
    names
        .enumerate()
        .filter_map(|(phase, name)| {
            let (own, other, scatter) = (own[phase], other[phase], high[phase] - low[phase]);
            println!("round {round}, {name}: {own:?}, curl {other:?} (scatter {scatter:?})");
            (own.abs_diff(other) > TOLERANCE.max(scatter)).then_some(name)
        })
        .collect()
}

fn times(observation: &Observation, http2: bool) -> Times {
    let response = observation.response.as_ref().unwrap();
    assert_eq!(response.status, 503);
    assert_eq!(response.version == HttpVersion::Http2, http2);
    let [connect, tls, processing, transfer] =
        PHASES.map(|phase| observation.phases.get(phase).unwrap());
    [connect, tls, processing, transfer, observation.duration]
}

/// Measures requests with curl. Its first request only warms it up.
async fn curl(port: u16, route: &str, http2: bool) -> Vec<Times> {
    let format = "%{http_version} %{time_namelookup} %{time_connect} %{time_appconnect} \
                  %{time_pretransfer} %{time_starttransfer} %{time_total}\n";
    let version = if http2 { "--http2" } else { "--http1.1" };
    let url = format!("https://t[0-{TURNS}].localhost:{port}{route}");
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--insecure"])
        .args([version, "--output", "/dev/null", "--write-out", format])
        .args(["--resolve", &format!("*:{port}:127.0.0.1"), &url])
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "curl exited with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<Times> = text
        .lines()
        .skip(1)
        .map(|line| curl_times(line, http2))
        .collect();
    assert_eq!(times.len(), TURNS);
    times
}

fn curl_times(line: &str, http2: bool) -> Times {
    let (version, numbers) = line.split_once(' ').unwrap();
    assert_eq!(version, if http2 { "2" } else { "1.1" });
    let moments: Vec<Duration> = numbers
        .split(' ')
        .map(|number| Duration::from_secs_f64(number.parse().unwrap()))
        .collect();
    let &[lookup, connect, tls, sent, first, total] = &moments[..] else {
        unreachable!("unexpected output of curl: {line}")
    };
    [
        connect - lookup,
        tls - connect,
        first - sent,
        total - first,
        total - lookup,
    ]
}

/// A percentile of each phase and of the total.
fn percentiles(all: &[Times], percent: usize) -> Times {
    std::array::from_fn(|phase| {
        let mut times: Vec<Duration> = all.iter().map(|times| times[phase]).collect();
        times.sort_unstable();
        times[times.len() * percent / 100]
    })
}
