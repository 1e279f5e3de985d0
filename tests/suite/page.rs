//! The daemon's HTTP server on the state of the `page_state` fixture: pages, JSON API, health,
//! metrics and reload.

use crate::support::page_state;

use std::sync::Arc;

use probecause::domain::incident::{AccountChange, ChangeEffect, IncidentEvent, Incidents};
use probecause::domain::report::Update;
use probecause::engine::server::{ReloadRequest, ServerState, serve};
use probecause::io::sink::page::{StatusBoard, causes, detail, list};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// An HTTP server with the state of the `page_state` fixture.
struct Server {
    address: std::net::SocketAddr,
    reloads: mpsc::Receiver<ReloadRequest>,
    ready: watch::Sender<bool>,
}

impl Server {
    async fn start() -> Self {
        let (prometheus, board) = page_state::sinks();
        let (reload, reloads) = mpsc::channel(1);
        let state = ServerState::new(
            Arc::new(prometheus),
            Arc::new(board),
            reload,
            &probecause::model::settings::ServerSettings::default(),
        )
        .unwrap();
        let ready = state.readiness();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, state, std::future::pending()));
        Self {
            address,
            reloads,
            ready,
        }
    }

    /// Sends a request with the header lines `extra`. Returns the status, the head in lower case
    /// and the body of the response.
    async fn request(&self, method: &str, path: &str, extra: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let address = self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{extra}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    /// Gets a JSON document.
    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, head, body) = self.request("GET", path, "").await;
        assert!(head.contains("content-type: application/json"), "{head}");
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn the_api_lists_every_target_with_the_same_keys_before_and_after_its_first_probe() {
    let (status, targets) = Server::start().await.json("/api/v1/targets").await;
    assert_eq!(status, 200);
    let targets = targets
        .as_array()
        .expect("the targets are not a JSON array");
    assert_eq!(targets.len(), page_state::settings().targets.len());
    let keys = |target: &Value| {
        target
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    for target in targets {
        assert_eq!(keys(target), keys(&targets[0]));
    }
    let fresh = targets
        .iter()
        .find(|target| target["target"] == "fresh")
        .unwrap();
    assert_eq!(fresh["health"], "unknown");
    assert!(fresh["time"].is_null() && fresh["success"].is_null() && fresh["since"].is_null());
}

#[tokio::test]
async fn the_api_returns_one_target_and_404_as_json_for_an_unknown_one() {
    let server = Server::start().await;
    let (status, mut target) = server.json("/api/v1/targets/orders").await;
    assert_eq!(status, 200);
    target["url"].take();
    insta::assert_json_snapshot!("api_target", target);
    let (status, error) = server.json("/api/v1/targets/unknown").await;
    assert_eq!(status, 404);
    assert_eq!(error["target"], "unknown");
}

#[tokio::test]
async fn the_api_lists_open_incidents_first_and_all_causes() {
    let server = Server::start().await;
    let (_, incidents) = server.json("/api/v1/incidents").await;
    let listed: Vec<_> = incidents
        .as_array()
        .unwrap()
        .iter()
        .map(|incident| {
            (
                incident["target"].as_str().unwrap(),
                incident["resolved"].is_null(),
            )
        })
        .collect();
    let open = [
        (page_state::HOSTILE, true),
        ("checkout", true),
        ("search", true),
        ("orders", true),
    ];
    assert_eq!(listed[..4], open);
    assert_eq!(listed[4..], [("checkout", false)]);
    let (_, causes) = server.json("/api/v1/causes").await;
    assert_eq!(causes[0]["cause"], "lambda-throttled");
    assert_eq!(causes[0]["owner"], "platform");
}

#[tokio::test]
async fn metrics_are_served_in_the_text_format() {
    let (status, head, body) = Server::start().await.request("GET", "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(body.contains("probecause_probable_cause{"));
}

#[tokio::test]
async fn the_server_is_healthy_at_once_and_ready_when_the_engine_is() {
    let server = Server::start().await;
    assert_eq!(server.request("GET", "/-/healthy", "").await.0, 200);
    assert_eq!(server.request("GET", "/-/ready", "").await.0, 503);
    server.ready.send_replace(true);
    assert_eq!(server.request("GET", "/-/ready", "").await.0, 200);
}

#[tokio::test]
async fn a_reload_returns_its_result_or_its_error() {
    let mut server = Server::start().await;
    let (sender, mut reloads) = mpsc::channel::<ReloadRequest>(1);
    std::mem::swap(&mut reloads, &mut server.reloads);
    drop(sender);
    let engine = tokio::spawn(async move {
        for answer in [Ok("reloaded".to_owned()), Err("line 3: no".to_owned())] {
            reloads.recv().await.unwrap().send(answer).unwrap();
        }
    });
    let (status, _, body) = server.request("POST", "/-/reload", "").await;
    assert_eq!((status, body.as_str()), (200, "reloaded\n"));
    let same_origin = format!("origin: http://{}\r\n", server.address);
    let (status, _, body) = server.request("POST", "/-/reload", &same_origin).await;
    assert_eq!((status, body.as_str()), (500, "line 3: no\n"));
    engine.await.unwrap();
    assert_eq!(
        server.request("POST", "/-/reload", "").await.0,
        500,
        "the engine has exited"
    );
}

#[tokio::test]
async fn a_cross_origin_reload_is_forbidden() {
    let server = Server::start().await;
    for origin in ["origin: https://evil.example\r\n", "origin: null\r\n"] {
        assert_eq!(server.request("POST", "/-/reload", origin).await.0, 403);
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_rejected() {
    let server = Server::start().await;
    assert_eq!(server.request("GET", "/nothing", "").await.0, 404);
    assert_eq!(server.request("GET", "/targets/unknown", "").await.0, 404);
    let (status, _, body) = server.request("GET", "/-/reload", "").await;
    assert_eq!(
        (status, body.as_str()),
        (405, "/-/reload accepts only POST requests\n")
    );
    assert_eq!(server.request("POST", "/", "").await.0, 405);
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let server = Server::start().await;
    for path in [
        "/",
        "/targets/orders",
        "/metrics",
        "/nothing",
        "/-/style.css",
        "/-/script.js",
    ] {
        let (_, head, _) = server.request("GET", path, "").await;
        for header in [
            "default-src 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path} lacks {header}:\n{head}");
        }
        assert!(!head.contains("unsafe-inline"), "{head}");
    }
}

#[tokio::test]
async fn the_link_to_a_target_with_a_hostile_name_works() {
    let server = Server::start().await;
    let (_, _, body) = server.request("GET", "/", "").await;
    let link = body
        .split("href=\"")
        .filter_map(|part| part.split('"').next())
        .find(|link| link.contains("pwned"))
        .unwrap();
    let (status, _, page) = server.request("GET", link, "").await;
    assert_eq!(status, 200, "{link}");
    assert!(page.contains("&lt;script&gt;document.title"));
}

#[test]
fn target_data_is_escaped_and_no_secret_is_shown() {
    let (_, board) = page_state::sinks();
    let mut pages = vec![list(&board, page_state::now())];
    pages.extend(
        page_state::settings()
            .targets
            .iter()
            .map(|target| detail(&board, target.name.as_str(), page_state::now()).unwrap()),
    );
    for page in pages {
        for forbidden in [
            "<script>document",
            "<img src=x",
            "<b>it did",
            "s3cret",
            " style=",
        ] {
            assert!(!page.contains(forbidden), "{forbidden} in:\n{page}");
        }
    }
}

#[test]
fn the_list_shows_failing_targets_first() {
    let (_, board) = page_state::sinks();
    let page = list(&board, page_state::now());
    let table = page.split("<tbody>").nth(1).unwrap();
    let places: Vec<_> = [
        "&lt;script",
        "checkout",
        "orders",
        "search",
        "stock",
        "fresh",
        "catalogue",
    ]
    .iter()
    .map(|name| {
        table
            .find(&format!(">{name}"))
            .unwrap_or_else(|| panic!("{name}"))
    })
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_page_of_a_target_matches_its_snapshot() {
    let (_, board) = page_state::sinks();
    let page = detail(&board, "checkout", page_state::now()).unwrap();
    let main = page
        .split("<main>")
        .nth(1)
        .unwrap()
        .split("</main>")
        .next()
        .unwrap();
    // One element per line, so that the diff of a change is readable.
    insta::assert_snapshot!("detail", main.replace("><", ">\n<"));
}

#[test]
fn the_page_of_a_target_lists_the_changes_in_the_account() {
    let (_, board) = page_state::sinks();
    let page = || detail(&board, "orders", page_state::now()).unwrap();
    assert!(!page().contains("Changes in the account"));
    let mut reports = page_state::reports().into_iter().rev();
    let last = reports.find(|report| report.target.name.as_str() == "orders");
    let last = last.unwrap();
    let open = last.incident.unwrap();
    let change = AccountChange {
        time: page_state::now(),
        event: "UpdateAlias".to_owned(),
        resource: "orders:live".to_owned(),
        who: "deploy-role".to_owned(),
        seconds_before: 26,
        effect: ChangeEffect::CodeChanged,
    };
    let mut incidents = Incidents::resumed(Arc::clone(&open));
    let event = incidents.add_changes(&open.id, vec![change], page_state::now());
    board.update(&Update {
        target: last.target,
        at: page_state::now(),
        probe: None,
        incident: Arc::clone(event.unwrap().incident()),
        maintenance: false,
    });
    let page = page();
    let (_, changes) = page.split_once("Changes in the account").unwrap();
    for text in ["UpdateAlias by deploy-role 26 s before", "orders:live"] {
        assert!(changes.contains(text), "{text} not in {changes}");
    }
    // The probe's own result stays on the page.
    assert!(page.contains("expected status 200, got 503"));
}

#[test]
fn the_page_of_a_target_shows_the_proof_and_the_deviating_cause_of_the_last_probe() {
    let (_, board) = page_state::sinks();
    let page = || detail(&board, "search", page_state::now()).unwrap();
    let before = page();
    let (_, proof) = before.split_once("id=\"proof\"").unwrap();
    assert!(proof.contains("expected status 200, got 503"));
    assert!(!before.contains("<th>cause</th>"));
    let mut reports = page_state::reports().into_iter().rev();
    let last = reports.find(|report| report.target.name.as_str() == "search");
    let mut last = last.unwrap();
    let other = page_state::reports().pop().unwrap();
    last.showing = other.showing;
    board.publish(&last);
    assert!(page().contains("<th>cause</th>"));
}

#[test]
fn a_removed_target_remains_only_in_the_incident_history() {
    let (_, board) = page_state::sinks();
    let mut settings = page_state::settings();
    settings
        .targets
        .retain(|target| target.name.as_str() != "orders");
    board.configure(&settings);
    assert!(board.target("orders").is_none());
    let before = board.incidents().len();
    let end = page_state::reports()
        .into_iter()
        .find_map(|report| match report.event {
            Some(IncidentEvent::Resolved(incident)) => Some(incident),
            _ => None,
        });
    board.resolved(&end.unwrap());
    assert_eq!(board.incidents().len(), before + 1);
}

#[test]
fn the_board_keeps_sixty_results_oldest_first() {
    let (_, board) = page_state::sinks();
    let (_, recent) = board.target("catalogue").unwrap();
    assert_eq!(recent.len(), 60);
    assert!(recent.is_sorted_by_key(|sample| sample.at));
    assert!(StatusBoard::default().targets().is_empty());
}

#[tokio::test]
async fn a_cause_links_to_its_next_steps_and_affected_targets() {
    let (status, _, served) = Server::start().await.request("GET", "/causes", "").await;
    assert_eq!(status, 200);
    let (_, board) = page_state::sinks();
    let targets = list(&board, page_state::now());
    let link = "/causes#lambda-throttled";
    assert!(targets.contains(&format!("href=\"{link}\"")), "{targets}");
    assert!(served.contains("id=\"lambda-throttled\""), "{served}");
    let page = causes(&board, page_state::now());
    let main = page.split_once("<main>").unwrap().1;
    let main = main.split_once("</main>").unwrap().0;
    insta::assert_snapshot!("causes", main.replace("><", ">\n<"));
}
