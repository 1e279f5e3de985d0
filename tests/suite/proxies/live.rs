//! Probes a running proxy with every fault, and compares the answers with the corpus.

use std::fs;

use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::observation::Observation;
use tokio::net::TcpStream;

use crate::corpus;
use crate::corpus::capture::Capture;
use crate::corpus::score::{Outcome, diagnose, outcome, summary};
use crate::proxies::backends::Backends;
use crate::proxies::faults::{FAULTS, Fault, Protocol, RACY, only_over};
use crate::proxies::process::{Ports, Running, version};
use crate::proxies::products::{Before, Product};
use crate::proxies::recorded::{as_recorded, record};
use crate::support::certified::{self, Ca};
use crate::support::probe::{probe, target};

/// Time limit of a probe: far above the limits of the proxies, which are about a second.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A proxy with everything around it.
struct Live<'a> {
    product: &'a Product,
    version: String,
    backends: Backends,
    ca: Ca,
    running: Running,
    /// The port that speaks HTTP/2 over TLS.
    https: u16,
    rulebook: Rulebook,
}

/// Checks all faults of one proxy, and reports all differences at once.
pub(crate) async fn check(product: &Product) {
    let ca = certified::ca();
    let backends = Backends::start(&ca).await;
    let running = Running::start(product, &backends, &ca).await;
    let https = match product.tls {
        true => running.ports.https,
        false => tls_in_front(&ca, running.ports.http).await,
    };
    let live = Live {
        product,
        version: version(product),
        backends,
        ca,
        running,
        https,
        rulebook: Rulebook::embedded().unwrap(),
    };
    live.check_healthy().await;
    let mut problems = Vec::new();
    let mut count = 0;
    for fault in FAULTS {
        let lacks = product
            .lacks
            .iter()
            .any(|(lacking, _)| *lacking == fault.id);
        if !lacks {
            for (protocol, seen) in live.observe(fault).await {
                count += 1;
                problems.extend(live.compare(fault, protocol, &seen));
            }
        }
    }
    println!("{} {}: {count} answers", product.name, live.version);
    problems.extend(live.left_over(count));
    live.running.stop().await;
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Ends TLS in front of a proxy that does not speak it, as hitch does in front of Varnish.
async fn tls_in_front(ca: &Ca, port: u16) -> u16 {
    let server = certified::serve(
        Some(ca),
        certified::valid(),
        None,
        move |mut stream| async move {
            if let Ok(mut proxy) = TcpStream::connect(("127.0.0.1", port)).await {
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut proxy).await;
            }
        },
    );
    server.await.address.port()
}

impl Live<'_> {
    /// Fails unless a request without a fault reaches its backend over both protocols.
    async fn check_healthy(&self) {
        for protocol in [Protocol::Http11, Protocol::Http2] {
            let seen = self.probe(&self.url(protocol, "ok")).await;
            let response = seen.response.as_ref();
            let answer = response.map(|response| (response.status, response.version.as_str()));
            let version = match protocol {
                Protocol::Http11 => "1.1",
                Protocol::Http2 => "2",
            };
            assert_eq!(
                answer,
                Some((200, version)),
                "{}: {seen:?}",
                self.product.id
            );
        }
    }

    /// The observations of a fault over the protocols that apply to it.
    async fn observe(&self, fault: &Fault) -> Vec<(Protocol, Observation)> {
        let Ports { http, .. } = self.running.ports;
        let mut before = self.product.before.iter();
        let before = before
            .find(|(id, _)| *id == fault.id)
            .map(|(_, before)| before);
        let _occupied = match before {
            Some(Before::Occupy) => Some(self.backends.occupy(http, fault.id).await),
            Some(Before::Send) => {
                self.probe(&self.url(Protocol::Http11, fault.id)).await;
                None
            }
            None => None,
        };
        let mut seen = Vec::new();
        for protocol in [Protocol::Http11, Protocol::Http2] {
            if only_over(fault.id).is_none_or(|only| only == protocol) {
                let url = self.url(protocol, fault.id);
                seen.push((protocol, self.probe(&url).await));
            }
        }
        seen
    }

    fn url(&self, protocol: Protocol, path: &str) -> String {
        let Ports {
            http,
            https,
            mutual,
        } = self.running.ports;
        let (scheme, port) = match (path, protocol) {
            ("plain-http-to-https", _) => ("http", https),
            ("client-certificate-missing", _) => ("https", mutual),
            (_, Protocol::Http11) => ("http", http),
            (_, Protocol::Http2) => ("https", self.https),
        };
        format!("{scheme}://127.0.0.1:{port}/{path}")
    }

    async fn probe(&self, url: &str) -> Observation {
        let mut target = target(url);
        target.timeout = TIMEOUT;
        target.tls.ca = Some(self.ca.pem().into_bytes().into());
        probe(&target).await
    }

    /// Describes how an answer differs from its capture. Writes the capture instead if the
    /// corpus is being updated.
    fn compare(&self, fault: &Fault, protocol: Protocol, seen: &Observation) -> Vec<String> {
        let id = format!("{}-{}", fault.id, protocol.label());
        let name = format!("{}/{id}", self.product.id);
        let path = corpus::folder()
            .join("captures")
            .join(format!("{name}.toml"));
        let software = format!("{} {}", self.product.name, self.version);
        let ports = self.running.ports;
        let capture = record(fault, protocol, seen, ports, &software);
        let verdict = diagnose("http://127.0.0.1/", seen, &self.rulebook);
        let Some(verdict) = verdict else {
            return vec![format!("{name}: the probe passes: {seen:?}")];
        };
        let recorded = path.exists().then(|| Capture::read(&path));
        if corpus::updates() {
            let recorded = recorded.filter(|recorded| as_recorded(&capture, recorded) == *recorded);
            if recorded.is_none() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, capture.text()).unwrap();
            }
            return Vec::new();
        }
        let Some(recorded) = recorded else {
            return vec![format!(
                "{name}: no capture; run with CORPUS_UPDATE=1 to write it"
            )];
        };
        let of_capture = diagnose("http://127.0.0.1/", &recorded.observation(), &self.rulebook);
        let (live, of_capture) = (summary(&verdict), of_capture.map(|one| summary(&one)));
        let again = as_recorded(&capture, &recorded);
        if again == recorded && of_capture.as_ref() == Some(&live) {
            return Vec::new();
        }
        if RACY.contains(&fault.id) {
            let wrong = outcome(&verdict, &recorded.truth) == Outcome::Wrong;
            let wrong = wrong && !corpus::KNOWN_WRONG.contains(&name.as_str());
            return wrong
                .then(|| format!("{name}: {live} is wrong"))
                .into_iter()
                .collect();
        }
        let (new, old) = (again.text(), recorded.text());
        vec![format!(
            "{name}: the capture gives {of_capture:?}:\n{old}\nnow {live}:\n{new}"
        )]
    }

    /// Whether the corpus has captures of this proxy that no fault gives.
    fn left_over(&self, count: usize) -> Option<String> {
        let folder = corpus::folder().join("captures").join(self.product.id);
        let files = fs::read_dir(&folder).unwrap().count();
        (files != count).then(|| {
            let folder = folder.display();
            format!("{folder} has {files} captures, but the proxy gave {count} answers")
        })
    }
}
