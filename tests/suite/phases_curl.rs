//! Phases agree with what curl measures against the same server, within 2 ms.
//!
//! curl is the clock that everybody trusts. Medians are compared, since one slow answer
//! of a busy machine says nothing about a stopwatch. All of curl's requests come from one
//! process, each under a name of its own for a connection of its own: OpenSSL spends
//! about 2 ms of a process's first handshake on setting itself up.

use std::process::Stdio;
use std::time::Duration;

use probecause::io::probe::Prober;
use probecause::io::simulator::{Options, RouteFault, Simulator};
use probecause::model::observation::{HttpVersion, Observation, Phase};
use probecause::model::settings::ResolverSettings;
use probecause::model::target::{Target, TlsSettings};
use tokio::process::Command;

/// Requests that each of the two makes.
const TURNS: usize = 50;

/// How far the medians may lie apart.
const TOLERANCE: Duration = Duration::from_millis(2);

/// The phases that curl tells apart as well; the address is a literal, nothing resolves.
const PHASES: [Phase; 4] = [
    Phase::Connect,
    Phase::Tls,
    Phase::Processing,
    Phase::Transfer,
];

/// Times of one request: the four phases, then the whole.
/// A clock that is wrong is wrong in every round; a machine that was busy while one of the
/// two was asked is not.
const ROUNDS: usize = 6;

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

async fn check(http2: bool) {
    let options = Options {
        http2,
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    // Throttled: the answer with the least jitter.
    let route = RouteFault::Throttled.route();
    let url = format!("https://{}{route}", simulator.address());
    let mut target = Target::with_defaults("curl", url.parse().unwrap());
    target.tls = TlsSettings {
        ca: Some(simulator.ca_pem().as_bytes().into()),
        identity: None,
    };
    let prober = Prober::new(&ResolverSettings::default()).unwrap();
    // The first probe builds the client, which is not what is measured.
    prober.probe(&target).await;
    let mut apart = None;
    for round in 1..=ROUNDS {
        let mut ours = Vec::new();
        for _ in 0..TURNS {
            ours.push(times(&prober.probe(&target).await, http2));
        }
        let curls = curl(simulator.address().port(), route, http2).await;
        apart = Some(differences(round, &medians(&ours), &medians(&curls)));
        if apart.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    assert_eq!(apart, Some(Vec::new()), "apart in each of {ROUNDS} rounds");
    simulator.stop().await;
}

/// The phases that are further apart than allowed.
fn differences(round: usize, ours: &Times, curls: &Times) -> Vec<&'static str> {
    let names = PHASES.map(Phase::as_str).into_iter().chain(["total"]);
    let pairs = names.zip(ours.iter().zip(curls));
    pairs
        .filter_map(|(name, (ours, curls))| {
            println!("round {round}, {name}: {ours:?}, curl {curls:?}");
            (ours.abs_diff(*curls) > TOLERANCE).then_some(name)
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

/// The times of curl's requests; the first one only warms it up.
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
    assert!(output.status.success(), "curl ended with {}", output.status);
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
    let (spoken, numbers) = line.split_once(' ').unwrap();
    assert_eq!(spoken, if http2 { "2" } else { "1.1" });
    let moments: Vec<Duration> = numbers
        .split(' ')
        .map(|number| Duration::from_secs_f64(number.parse().unwrap()))
        .collect();
    let &[lookup, connect, tls, sent, first, total] = &moments[..] else {
        unreachable!("curl told {line}")
    };
    [
        connect - lookup,
        tls - connect,
        first - sent,
        total - first,
        total - lookup,
    ]
}

fn medians(all: &[Times]) -> Times {
    std::array::from_fn(|phase| {
        let mut times: Vec<Duration> = all.iter().map(|times| times[phase]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    })
}
