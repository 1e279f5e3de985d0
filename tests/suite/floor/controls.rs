//! Control requests of the real prober to the simulator's gateway and to a recording server,
//! and the floor that a baseline derives from them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use probecause::domain::baseline::Baseline;
use probecause::domain::diagnosis::Diagnosis;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::follow_up::{FollowUp, FollowUpKind, Validity};
use probecause::engine::scheduler::follow_up_requests::FollowUpRequests;
use probecause::io::probe::Prober;
use probecause::io::simulator::{DefaultRoute, Options, RouteFault, Simulator};
use probecause::model::observation::Observation;
use probecause::model::secret::Secret;
use probecause::model::settings::ResolverSettings;
use probecause::model::target::{Auth, HeaderText, Target};
use prometheus::IntCounter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Twice as many healthy probes as a baseline needs. With 32, the fastest of them is slower
/// than three look-alike answers of the same function once in 6,545 runs.
const HEALTHY_PROBES: usize = 32;

/// Time limit for a step that is repeated because other load on the machine scatters its times.
const PATIENCE: Duration = Duration::from_secs(300);

struct Fixture {
    simulator: Simulator,
    prober: Prober,
    rulebook: Rulebook,
    baseline: Baseline,
    target: Arc<Target>,
}

impl Fixture {
    async fn new(control_path: Option<&str>) -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let url = format!("https://{}/orders", simulator.address());
        let mut target = Target::with_defaults("orders", url.parse().unwrap());
        target.tls.ca = Some(simulator.ca_pem().as_bytes().into());
        target.aws.control_path = control_path.map(str::to_owned);
        Self {
            simulator,
            prober: prober(),
            rulebook: Rulebook::embedded().unwrap(),
            baseline: Baseline::default(),
            target: Arc::new(target),
        }
    }

    /// Probes the target, updates the baseline and returns the facts.
    async fn probe(&mut self) -> Facts {
        let observation = Box::pin(self.prober.probe(&self.target)).await;
        let (facts, diagnosis) = self.diagnose(&observation);
        self.baseline
            .observe(&observation, &diagnosis, Timestamp::now());
        facts
    }

    fn diagnose(&self, observation: &Observation) -> (Facts, Diagnosis) {
        let context = self.baseline.context(Timestamp::now());
        let facts = Facts::gather(&self.target, observation, &context);
        let diagnosis = self.rulebook.diagnose(&facts);
        (facts, diagnosis)
    }

    async fn control(&mut self) {
        if let Some(observation) = Box::pin(self.prober.control_request(&self.target)).await {
            self.baseline
                .observe_control(&observation, "127.0.0.1", Timestamp::now());
        }
    }

    /// Runs healthy probes, then sets a permission fault and sends three control requests.
    /// Returns the facts of the last probe.
    async fn outage(&mut self) -> Facts {
        for _ in 0..HEALTHY_PROBES {
            self.probe().await;
        }
        self.simulator.set_fault("/orders", RouteFault::Permission);
        self.probe().await;
        for _ in 0..3 {
            self.control().await;
        }
        self.probe().await
    }

    fn context(&self) -> Context {
        self.baseline.context(Timestamp::now())
    }
}

fn prober() -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec!["127.0.0.1:9".parse().unwrap()],
        ..ResolverSettings::default()
    })
    .unwrap()
}

/// Runs an outage and checks the source of the floor and how often the function of the default
/// route was invoked.
async fn check(default_route: Option<DefaultRoute>, from: &str, invocations: u64) {
    let mut fixture = Fixture::new(Some("/no-such-route")).await;
    fixture.simulator.set_default_route(default_route);
    let facts = fixture.outage().await;
    assert_eq!(facts.text("floor_from"), Some(from), "{default_route:?}");
    let counted = fixture.simulator.invocations(DefaultRoute::KEY);
    assert_eq!(counted, invocations, "{default_route:?}");
    fixture.simulator.stop().await;
}

#[tokio::test]
async fn three_control_requests_measure_a_floor_and_invoke_no_function() {
    let mut fixture = Fixture::new(Some("/no-such-route")).await;
    fixture.outage().await;
    // Three control requests suffice on an idle machine; on a busy one their times scatter.
    let started = Instant::now();
    while fixture.context().floor.is_none() && started.elapsed() < PATIENCE {
        fixture.control().await;
    }
    let floor = fixture.context().floor.unwrap();
    assert!(floor.from.ends_with(" control requests"), "{floor:?}");
    assert!(floor.low >= Duration::from_millis(3), "{floor:?}");
    let mut facts = fixture.probe().await;
    while facts.text("invoked") != Some("no") && started.elapsed() < PATIENCE {
        facts = fixture.probe().await;
    }
    assert_eq!(facts.text("invoked"), Some("no"), "{facts:?}");
    assert_eq!(facts.text("floor_from"), Some(floor.from.as_str()));
    assert_eq!(facts.number("floor.high"), Some(floor.high.as_secs_f64()));
    // Only healthy probes invoked a function; denied calls and control requests did not.
    let probes = u64::try_from(HEALTHY_PROBES).unwrap();
    assert_eq!(fixture.simulator.invocations("/orders"), probes);
    let others = RouteFault::ALL
        .iter()
        .filter(|fault| **fault != RouteFault::None);
    let invoked: u64 = others
        .map(|f| fixture.simulator.invocations(f.route()))
        .sum();
    assert_eq!(invoked, 0);
    fixture.simulator.stop().await;
}

#[tokio::test]
async fn a_default_route_with_its_own_header_yields_no_measured_floor() {
    let route = Some(DefaultRoute::LookAlikeWithHeader);
    check(route, "estimated from the connect time", 3).await;
}

#[tokio::test]
async fn an_identical_answer_of_a_default_route_yields_no_measured_floor() {
    let route = Some(DefaultRoute::LookAlike);
    check(route, "estimated from the connect time", 3).await;
}

#[tokio::test]
async fn one_answer_of_a_function_stops_the_control_requests() {
    let mut fixture = Fixture::new(Some("/no-such-route")).await;
    let (open, now) = (Some(Timestamp::now()), Timestamp::now());
    let first = fixture.baseline.next_control_request(open, true, now);
    assert_eq!(first, Some(Duration::ZERO));
    let route = Some(DefaultRoute::LookAlikeWithHeader);
    fixture.simulator.set_default_route(route);
    fixture.control().await;
    let next = fixture
        .baseline
        .next_control_request(open, true, Timestamp::now());
    assert_eq!(next, None);
    fixture.simulator.stop().await;
}

#[tokio::test]
async fn without_a_control_path_no_control_request_is_sent() {
    let mut fixture = Fixture::new(None).await;
    fixture
        .simulator
        .set_default_route(Some(DefaultRoute::LookAlike));
    fixture.probe().await;
    let (sender, mut results) = mpsc::channel(1);
    let dropped = IntCounter::new("dropped", "Dropped control requests.").unwrap();
    let controls = FollowUpRequests::start(fixture.prober.clone(), sender, 4, dropped);
    let control = FollowUp {
        target: Arc::clone(&fixture.target),
        kind: FollowUpKind::Control,
        after: Duration::ZERO,
        validity: Validity::default(),
    };
    assert!(!controls.send(control));
    assert_eq!(
        Box::pin(fixture.prober.control_request(&fixture.target)).await,
        None
    );
    drop(controls);
    assert!(
        results.recv().await.is_none(),
        "a control request returned a result"
    );
    assert_eq!(fixture.simulator.requests("/orders"), 1);
    assert_eq!(fixture.simulator.requests(DefaultRoute::KEY), 0);
    assert_eq!(fixture.context().floor, None);
    fixture.simulator.stop().await;
}

#[tokio::test]
async fn a_control_request_has_its_own_user_agent_and_no_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&requests);
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            let head = String::from_utf8_lossy(&bytes[..count]).into_owned();
            record.lock().unwrap().push(head);
            let redirect =
                "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(redirect.as_bytes()).await.unwrap();
        }
    });
    let url = format!("http://{address}/orders?token=t");
    let mut target = Target::with_defaults("orders", url.parse().unwrap());
    target.aws.control_path = Some("/prod/none".to_owned());
    target.auth = Some(Auth::Basic {
        username: "me".to_owned(),
        password: Secret::new("pw".to_owned()),
    });
    let key = HeaderText::Plain("k".to_owned());
    target.request.headers = vec![("X-Api-Key".to_owned(), key)];
    target.request.method = "POST".to_owned();
    target.request.body = b"order".as_slice().into();
    let observation = Box::pin(prober().control_request(&target)).await.unwrap();
    assert_eq!(observation.response.map(|answer| answer.status), Some(302));
    server.abort();
    let heads = requests.lock().unwrap().clone();
    assert_eq!(
        heads.len(),
        1,
        "expected one request without redirects: {heads:?}"
    );
    let head = heads[0].to_ascii_lowercase();
    assert!(head.starts_with("get /prod/none http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nuser-agent: probecause-control/"),
        "{head}"
    );
    assert_eq!(head.matches("user-agent").count(), 1, "{head}");
    for absent in ["authorization", "x-api-key", "order", "token", "cookie"] {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
}
