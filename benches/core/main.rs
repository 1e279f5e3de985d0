//! Measures the daemon's own work for one probe: `cargo bench --bench core`.
//!
//! Diagnosing, checking expectations, choosing a shard, and rendering `/metrics` are each
//! measured alone, without a socket. The side-by-side benchmark measures whole probes. This
//! one shows the effect of a change to the core and enforces no limit.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use jiff::Timestamp;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::expectation;
use probecause::domain::health::HealthState;
use probecause::domain::report::Report;
use probecause::domain::shard;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::sink::prometheus::PrometheusSink;
use probecause::model::observation::{HttpVersion, Observation, Response};
use probecause::model::settings::{Settings, ShardSettings};
use probecause::model::target::{BodyMatch, JsonPath, JsonTest, Target};

type Outcome = Result<(), Box<dyn Error>>;

/// The numbers of targets for which the design sets budgets.
const SIZES: [usize; 2] = [1_000, 10_000];

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    bench_diagnosis(&mut criterion)?;
    bench_sharding(&mut criterion)?;
    bench_rendering(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn target(name: &str) -> Result<Target, Box<dyn Error>> {
    let url = "https://abc123.execute-api.eu-west-1.amazonaws.com/orders".parse()?;
    let mut target = Target::with_defaults(name, url);
    target.expect.body = vec![
        BodyMatch::Contains("status".to_owned()),
        BodyMatch::Json {
            path: JsonPath {
                source: "status".to_owned(),
                path: serde_json_path::JsonPath::parse("$.status")?,
            },
            test: JsonTest::Equals("ok".into()),
        },
    ];
    Ok(target)
}

/// The context of a target's first probe, without any history.
const UNKNOWN: Context = Context {
    now: Timestamp::UNIX_EPOCH,
    floor: None,
    healthy: None,
    learned: None,
    aws: None,
};

/// A response of an HTTP API with its usual headers and times; `processing` in milliseconds.
fn response(status: u16, body: &str, processing: u64) -> Observation {
    let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://example.com/orders");
    let [connect, tls, processing, transfer] = [20, 25, processing, 1].map(Duration::from_millis);
    seen.phases.connect = Some(connect);
    seen.phases.tls = Some(tls);
    seen.phases.processing = Some(processing);
    seen.phases.transfer = Some(transfer);
    seen.duration = connect + tls + processing + transfer;
    let headers = [
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("content-type", "application/json"),
        ("apigw-requestid", "K2Z0000IAMEJ="),
    ];
    seen.response = Some(Response {
        status,
        reason: None,
        version: HttpVersion::Http2,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        body: body.into(),
        body_truncated: false,
        body_bytes: body.len() as u64,
        content_length: Some(body.len() as u64),
    });
    seen
}

fn bench_diagnosis(criterion: &mut Criterion) -> Outcome {
    let rules = Rulebook::embedded()?;
    let target = target("orders")?;
    let cases = [
        ("healthy", response(200, r#"{"status":"ok"}"#, 60)),
        (
            "throttled",
            response(503, r#"{"message":"Service Unavailable"}"#, 20),
        ),
        (
            "ambiguous",
            response(500, r#"{"message":"Internal Server Error"}"#, 200),
        ),
    ];
    for (name, seen) in &cases {
        criterion.bench_function(&format!("gather/{name}"), |run| {
            run.iter(|| Facts::gather(&target, black_box(seen), &UNKNOWN));
        });
        let facts = Facts::gather(&target, seen, &UNKNOWN);
        criterion.bench_function(&format!("diagnose/{name}"), |run| {
            run.iter(|| rules.diagnose(black_box(&facts)));
        });
        criterion.bench_function(&format!("expectation/{name}"), |run| {
            run.iter(|| expectation::check(&target.expect, black_box(seen), Timestamp::UNIX_EPOCH));
        });
    }
    Ok(())
}

fn bench_sharding(criterion: &mut Criterion) -> Outcome {
    let name = target("orders")?.name;
    let shards = ShardSettings {
        total: 16,
        replicas_per_target: 2,
        ..Settings::default().shards
    };
    criterion.bench_function("shard/16", |run| {
        run.iter(|| shard::assigned_shards(&shards, black_box(&name)));
    });
    Ok(())
}

fn bench_rendering(criterion: &mut Criterion) -> Outcome {
    let rules = Rulebook::embedded()?;
    let seen = Arc::new(response(200, r#"{"status":"ok"}"#, 60));
    let facts = Facts::gather(&target("orders")?, &seen, &UNKNOWN);
    let diagnosis = Arc::new(rules.diagnose(&facts));
    for size in SIZES {
        let sink = PrometheusSink::new(DaemonMetrics::new()?);
        let mut settings = Settings::default();
        for number in 0..size {
            settings
                .targets
                .push(Arc::new(target(&format!("orders-{number}"))?));
        }
        sink.configure(&settings);
        for target in &settings.targets {
            sink.publish(&Report {
                target: Arc::clone(target),
                location: "local".into(),
                at: Timestamp::UNIX_EPOCH,
                observation: Arc::clone(&seen),
                diagnosis: Arc::clone(&diagnosis),
                health: HealthState::Up,
                since: Timestamp::UNIX_EPOCH,
                transition: None,
                showing: None,
                floor: Some(0.02),
                incident: None,
                event: None,
                maintenance: false,
                prober_fault: false,
            });
        }
        criterion.bench_function(&format!("render/{size}"), |run| run.iter(|| sink.render()));
    }
    Ok(())
}
