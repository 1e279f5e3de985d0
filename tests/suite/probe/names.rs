//! Names: what is resolved, and what each failure is called.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::support::probe::{answer, check, target};
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Observation, Phase};
use probecause::model::settings::ResolverSettings;
use probecause::model::target::IpVersion;
use tokio::net::UdpSocket;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const A: u8 = 1;
const CNAME: u8 = 5;
const AAAA: u8 = 28;

/// What a name server answers: records by name and type, or a response code.
#[derive(Clone, Debug, Default)]
struct Zone {
    records: HashMap<(String, u8), Vec<Vec<u8>>>,
    codes: HashMap<(String, u8), u8>,
    names: Vec<String>,
    silent: Vec<String>,
}

impl Zone {
    fn with(mut self, name: &str, kind: u8, data: &[u8]) -> Self {
        let list = self.records.entry((name.to_owned(), kind)).or_default();
        list.push(data.to_vec());
        self.names.push(name.to_owned());
        self
    }

    fn failing(mut self, name: &str, kind: u8, code: u8) -> Self {
        self.codes.insert((name.to_owned(), kind), code);
        self
    }

    fn alias(self, name: &str, target: &str) -> Self {
        self.with(name, CNAME, &encoded(target))
    }

    fn reply(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (mut labels, mut end) = (Vec::new(), 12);
        while query[end] != 0 {
            let length = usize::from(query[end]);
            labels.push(String::from_utf8_lossy(&query[end + 1..=end + length]).into_owned());
            end += length + 1;
        }
        let name = labels.join(".").to_lowercase();
        if self.silent.contains(&name) {
            return None;
        }
        let kind = query[end + 2];
        let found = |kind: u8| self.records.get(&(name.clone(), kind));
        let (kind_found, records) = match (found(kind), found(CNAME)) {
            (Some(records), _) => (kind, records.clone()),
            (None, Some(records)) => (CNAME, records.clone()),
            _ => (kind, Vec::new()),
        };
        let missing = u8::from(!self.names.contains(&name)) * 3;
        let code = self
            .codes
            .get(&(name.clone(), kind))
            .copied()
            .unwrap_or(missing);
        let count = u8::try_from(records.len()).unwrap();
        let mut reply = query[..2].to_vec();
        reply.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        reply.extend(&query[12..end + 5]);
        for data in records {
            let length = u8::try_from(data.len()).unwrap();
            reply.extend([0xc0, 12, 0, kind_found, 0, 1, 0, 0, 0, 1, 0, length]);
            reply.extend(data);
        }
        Some(reply)
    }

    async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((count, peer)) = socket.recv_from(&mut buffer).await {
                if let Some(reply) = self.reply(&buffer[..count]) {
                    let _ = socket.send_to(&reply, peer).await;
                }
            }
        });
        address
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

async fn probe(server: SocketAddr, url: &str, ip: IpVersion) -> Observation {
    let prober = Prober::new(&ResolverSettings {
        servers: vec![server],
        timeout: Duration::from_millis(300),
        attempts: 1,
    })
    .unwrap();
    let mut target = target(url);
    target.request.ip = ip;
    Box::pin(prober.probe(&target)).await
}

#[tokio::test]
async fn a_name_with_unusual_characters_is_resolved() {
    for name in [
        "my_service.test",
        "_x.test",
        "a_b_c.d-e.test",
        "x--y.test",
        "1.test",
        "a..test",
    ] {
        let server = answer(OK).await;
        let zone = Zone::default().with(name, A, &Ipv4Addr::LOCALHOST.octets());
        let url = format!("http://{name}:{}/", server.address.port());
        if url.parse::<url::Url>().is_err() {
            continue;
        }
        let seen = probe(zone.serve().await, &url, IpVersion::Any).await;
        if name == "a..test" {
            let fault = seen.fault.unwrap();
            assert_eq!(fault.kind, FaultKind::ResolverFailure);
            assert!(
                fault.detail.contains("not a valid host name"),
                "{}",
                fault.detail
            );
            continue;
        }
        check(&seen, None);
        let host = format!("host: {name}:{}", server.address.port());
        assert!(server.seen()[0].contains(&host), "{:?}", server.seen());
    }
}

/// Zones, the IP versions to resolve with, and the expected fault with a part of its message.
fn failing_zones() -> Vec<(Zone, IpVersion, FaultKind, &'static str)> {
    use FaultKind::{NameNotFound, NoAddress, ResolverFailure};
    let zone = Zone::default;
    let case = |zone, kind, text| (zone, IpVersion::Any, kind, text);
    // A TXT record: the name exists.
    let exists = |name| zone().with(name, 16, b"\x01x");
    let only_v4 = zone().with("name.test", A, &Ipv4Addr::LOCALHOST.octets());
    let alias = |target| zone().alias("name.test", target);
    vec![
        case(zone(), NameNotFound, "`name.test` does not exist"),
        case(
            exists("name.test"),
            NoAddress,
            "exists, but has no address record",
        ),
        (only_v4, IpVersion::V6, NoAddress, "of a usable IP version"),
        case(
            alias("gone.test"),
            NameNotFound,
            "`name.test` is an alias of `gone.test`, which does not exist",
        ),
        case(
            exists("b.test").alias("name.test", "b.test"),
            NoAddress,
            "has no address record",
        ),
        case(
            alias("name.test"),
            ResolverFailure,
            "form a loop: name.test → name.test",
        ),
        case(
            alias("b.test").alias("b.test", "name.test"),
            ResolverFailure,
            "form a loop: name.test → b.test → name.test",
        ),
        case(
            exists("name.test").failing("name.test", AAAA, 2),
            ResolverFailure,
            "could not be resolved",
        ),
        case(
            zone()
                .failing("name.test", A, 5)
                .failing("name.test", AAAA, 5),
            ResolverFailure,
            "could not be resolved",
        ),
    ]
}

#[tokio::test]
async fn each_failure_of_name_resolution_has_its_own_name() {
    for (zone, ip, kind, text) in failing_zones() {
        let shown = format!("{zone:?} {ip:?}");
        let seen = probe(zone.serve().await, "http://name.test/", ip).await;
        check(&seen, Some((kind, Phase::Resolve)));
        let detail = seen.fault.unwrap().detail;
        assert!(detail.contains(text), "{detail}\nfor {shown}");
    }
}

#[tokio::test]
async fn an_alias_of_many_names_is_followed_as_far_as_it_leads() {
    let mut zone = Zone::default();
    for index in 0..40 {
        zone = zone.alias(&format!("n{index}.test"), &format!("n{}.test", index + 1));
    }
    let seen = probe(zone.serve().await, "http://n0.test/", IpVersion::Any).await;
    check(&seen, Some((FaultKind::ResolverFailure, Phase::Resolve)));
    let detail = seen.fault.unwrap().detail;
    assert!(
        detail.contains("form a chain of more than 16 names"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_resolver_that_answers_nothing_is_named() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (silent_at, free_at) = (silent.local_addr().unwrap(), free.local_addr().unwrap());
    drop(free);
    for (address, text) in [(silent_at, "no answer to any query"), (free_at, "refused")] {
        let seen = probe(address, "http://name.test/", IpVersion::Any).await;
        check(
            &seen,
            Some((FaultKind::ResolverUnreachable, Phase::Resolve)),
        );
        let detail = seen.fault.unwrap().detail;
        let expected = format!("({address}) cannot be reached");
        assert!(
            detail.contains(&expected) && detail.contains(text),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_resolver_that_is_silent_for_one_name_only_works() {
    let mut zone = Zone::default();
    zone.silent.push("name.test".to_owned());
    let seen = probe(zone.serve().await, "http://name.test/", IpVersion::Any).await;
    check(&seen, Some((FaultKind::ResolverFailure, Phase::Resolve)));
    let detail = seen.fault.unwrap().detail;
    assert!(
        detail.contains("works, but did not answer the query for `name.test`"),
        "{detail}"
    );
}
