//! The simulator's gateway, the real prober and a baseline; and a server that records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::baseline::Baseline;
use probecause::domain::diagnosis::Diagnosis;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::engine::scheduler::control_requests::ControlRequests;
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

/// Twice as many healthy probes as a history needs: the quickest of 32 answers is slower
/// than three look-alike answers of the same function once in 6,545 runs.
const HEALTHY_PROBES: usize = 32;

/// How often a step is tried again that other work on the machine may have slowed down.
const MORE_IF_BUSY: usize = 20;

struct House {
    simulator: Simulator,
    prober: Prober,
    rulebook: Rulebook,
    baseline: Baseline,
    target: Arc<Target>,
}

impl House {
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

    /// One probe's story, as far as a baseline has a part in it.
    async fn probe(&mut self) -> Facts {
        let seen = Box::pin(self.prober.probe(&self.target)).await;
        let (facts, diagnosis) = self.diagnose(&seen);
        self.baseline.observe(&seen, &diagnosis, Timestamp::now());
        facts
    }

    fn diagnose(&self, seen: &Observation) -> (Facts, Diagnosis) {
        let context = self.baseline.context(Timestamp::now());
        let facts = Facts::gather(&self.target, seen, &context);
        let diagnosis = self.rulebook.diagnose(&facts);
        (facts, diagnosis)
    }

    async fn control(&mut self) {
        if let Some(seen) = Box::pin(self.prober.control_request(&self.target)).await {
            self.baseline.control(&seen, "127.0.0.1", Timestamp::now());
        }
    }

    /// A healthy time, then a denied call with three controls beside it.
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

/// After an outage: where the floor comes from, and how often the default route's
/// function was invoked.
async fn check(default_route: Option<DefaultRoute>, from: &str, invocations: u64) {
    let mut house = House::new(Some("/no-such-route")).await;
    house.simulator.set_default_route(default_route);
    let facts = house.outage().await;
    assert_eq!(facts.text("floor_from"), Some(from), "{default_route:?}");
    let counted = house.simulator.invocations(DefaultRoute::KEY);
    assert_eq!(counted, invocations, "{default_route:?}");
    house.simulator.stop().await;
}

#[tokio::test]
async fn three_controls_measure_a_floor_and_none_reaches_a_function() {
    let mut house = House::new(Some("/no-such-route")).await;
    house.outage().await;
    // A busy machine scatters a few milliseconds; a quiet one has its floor by now.
    for _ in 0..MORE_IF_BUSY {
        if house.context().floor.is_none() {
            house.control().await;
        }
    }
    let floor = house.context().floor.unwrap();
    assert!(floor.from.ends_with(" control requests"), "{floor:?}");
    assert!(floor.low >= Duration::from_millis(3), "{floor:?}");
    let mut facts = house.probe().await;
    for _ in 0..MORE_IF_BUSY {
        if facts.text("invoked") != Some("no") {
            facts = house.probe().await;
        }
    }
    assert_eq!(facts.text("invoked"), Some("no"), "{facts:?}");
    assert_eq!(facts.text("floor_from"), Some(floor.from.as_str()));
    assert_eq!(facts.number("floor.high"), Some(floor.high.as_secs_f64()));
    // Every invocation is a probe's; the denied ones never got that far.
    let probes = u64::try_from(HEALTHY_PROBES).unwrap();
    assert_eq!(house.simulator.invocations("/orders"), probes);
    let others = RouteFault::ALL
        .iter()
        .filter(|fault| **fault != RouteFault::None);
    let invoked: u64 = others.map(|f| house.simulator.invocations(f.route())).sum();
    assert_eq!(invoked, 0);
    house.simulator.stop().await;
}

#[tokio::test]
async fn a_default_route_with_a_header_of_its_own_is_no_floor() {
    let route = Some(DefaultRoute::LookAlikeWithHeader);
    check(route, "estimated from the connect time", 3).await;
}

#[tokio::test]
async fn a_default_route_that_copies_every_byte_is_no_floor() {
    let route = Some(DefaultRoute::LookAlike);
    check(route, "estimated from the connect time", 3).await;
}

#[tokio::test]
async fn one_look_at_an_answer_from_elsewhere_stops_the_controls() {
    let mut house = House::new(Some("/no-such-route")).await;
    let (open, now) = (Some(Timestamp::now()), Timestamp::now());
    let first = house.baseline.wants_control(open, true, now);
    assert_eq!(first, Some(Duration::ZERO));
    let route = Some(DefaultRoute::LookAlikeWithHeader);
    house.simulator.set_default_route(route);
    house.control().await;
    let next = house.baseline.wants_control(open, true, Timestamp::now());
    assert_eq!(next, None);
    house.simulator.stop().await;
}

#[tokio::test]
async fn without_a_control_path_no_request_but_the_probe_is_made() {
    let mut house = House::new(None).await;
    house
        .simulator
        .set_default_route(Some(DefaultRoute::LookAlike));
    house.probe().await;
    let (sender, mut results) = mpsc::channel(1);
    let dropped = IntCounter::new("dropped", "As the test counts them.").unwrap();
    let controls = ControlRequests::start(house.prober.clone(), sender, 4, dropped);
    controls.request(Arc::clone(&house.target), Duration::ZERO);
    assert_eq!(
        Box::pin(house.prober.control_request(&house.target)).await,
        None
    );
    drop(controls);
    assert!(
        results.recv().await.is_none(),
        "the task has ended in silence"
    );
    assert_eq!(house.simulator.requests("/orders"), 1);
    assert_eq!(house.simulator.requests(DefaultRoute::KEY), 0);
    assert_eq!(house.context().floor, None);
    house.simulator.stop().await;
}

#[tokio::test]
async fn a_control_is_one_bare_request_that_names_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&seen);
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
    let heads = seen.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "a redirect is not followed: {heads:?}");
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
