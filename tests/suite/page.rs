//! What people and programs read over HTTP: the pages, the JSON API, health, reload.

use crate::support::page_state;

use std::sync::Arc;

use probecause::domain::incident::IncidentEvent;
use probecause::engine::server::{ReloadRequest, ServerState, serve};
use probecause::io::sink::page::{StatusBoard, causes, detail, list};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// A server of the rich state on a port of its own.
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

    /// The status, the head in lower case, and the body of an answer.
    async fn ask(&self, method: &str, path: &str, extra: &str) -> (u16, String, String) {
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

    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, head, body) = self.ask("GET", path, "").await;
        assert!(head.contains("content-type: application/json"), "{head}");
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn the_api_lists_every_target_with_the_same_keys_probed_or_not() {
    let (status, targets) = Server::start().await.json("/api/v1/targets").await;
    assert_eq!(status, 200);
    let targets = targets.as_array().expect("a bare array");
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
async fn the_api_tells_of_one_target_and_answers_404_as_json_for_any_other() {
    let server = Server::start().await;
    let (status, mut target) = server.json("/api/v1/targets/orders").await;
    assert_eq!(status, 200);
    target["url"].take();
    insta::assert_json_snapshot!("api_target", target);
    let (status, error) = server.json("/api/v1/targets/nobody").await;
    assert_eq!(status, 404);
    assert_eq!(error["target"], "nobody");
}

#[tokio::test]
async fn the_api_lists_incidents_open_ones_first_and_causes() {
    let server = Server::start().await;
    let (_, incidents) = server.json("/api/v1/incidents").await;
    let seen: Vec<_> = incidents
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
    assert_eq!(seen[..4], open);
    assert_eq!(seen[4..], [("checkout", false)]);
    let (_, causes) = server.json("/api/v1/causes").await;
    assert_eq!(causes[0]["cause"], "lambda-throttled");
    assert_eq!(causes[0]["owner"], "platform");
}

#[tokio::test]
async fn metrics_come_in_the_text_format() {
    let (status, head, body) = Server::start().await.ask("GET", "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(body.contains("probecause_probable_cause{"));
}

#[tokio::test]
async fn healthy_at_once_and_ready_when_told() {
    let server = Server::start().await;
    assert_eq!(server.ask("GET", "/-/healthy", "").await.0, 200);
    assert_eq!(server.ask("GET", "/-/ready", "").await.0, 503);
    server.ready.send_replace(true);
    assert_eq!(server.ask("GET", "/-/ready", "").await.0, 200);
}

#[tokio::test]
async fn a_reload_says_what_was_done_or_why_it_was_not() {
    let mut server = Server::start().await;
    let (sender, mut reloads) = mpsc::channel::<ReloadRequest>(1);
    std::mem::swap(&mut reloads, &mut server.reloads);
    drop(sender);
    let engine = tokio::spawn(async move {
        for answer in [Ok("reloaded".to_owned()), Err("line 3: no".to_owned())] {
            reloads.recv().await.unwrap().send(answer).unwrap();
        }
    });
    let (status, _, body) = server.ask("POST", "/-/reload", "").await;
    assert_eq!((status, body.as_str()), (200, "reloaded\n"));
    let own = format!("origin: http://{}\r\n", server.address);
    let (status, _, body) = server.ask("POST", "/-/reload", &own).await;
    assert_eq!((status, body.as_str()), (500, "line 3: no\n"));
    engine.await.unwrap();
    assert_eq!(
        server.ask("POST", "/-/reload", "").await.0,
        500,
        "nobody listens any more"
    );
}

#[tokio::test]
async fn another_sites_script_cannot_reload() {
    let server = Server::start().await;
    for origin in ["origin: https://evil.example\r\n", "origin: null\r\n"] {
        assert_eq!(server.ask("POST", "/-/reload", origin).await.0, 403);
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_told_so() {
    let server = Server::start().await;
    assert_eq!(server.ask("GET", "/nothing", "").await.0, 404);
    assert_eq!(server.ask("GET", "/targets/nobody", "").await.0, 404);
    let (status, _, body) = server.ask("GET", "/-/reload", "").await;
    assert_eq!(
        (status, body.as_str()),
        (405, "/-/reload accepts only POST\n")
    );
    assert_eq!(server.ask("POST", "/", "").await.0, 405);
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let server = Server::start().await;
    for path in [
        "/",
        "/targets/orders",
        "/metrics",
        "/nothing",
        "/-/style.css",
        "/-/script.js",
    ] {
        let (_, head, _) = server.ask("GET", path, "").await;
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
async fn a_hostile_name_has_a_page_of_its_own_that_its_link_reaches() {
    let server = Server::start().await;
    let (_, _, body) = server.ask("GET", "/", "").await;
    let link = body
        .split("href=\"")
        .filter_map(|part| part.split('"').next())
        .find(|link| link.contains("pwned"))
        .unwrap();
    let (status, _, page) = server.ask("GET", link, "").await;
    assert_eq!(status, 200, "{link}");
    assert!(page.contains("&lt;script&gt;document.title"));
}

#[test]
fn nothing_of_a_target_becomes_markup_and_no_secret_is_shown() {
    let (_, board) = page_state::sinks();
    let mut pages = vec![list(&board, page_state::now())];
    pages.extend(
        page_state::settings()
            .targets
            .iter()
            .map(|target| detail(&board, target.name.as_str(), page_state::now()).unwrap()),
    );
    for page in pages {
        for bad in [
            "<script>document",
            "<img src=x",
            "<b>it did",
            "s3cret",
            " style=",
        ] {
            assert!(!page.contains(bad), "{bad} in:\n{page}");
        }
    }
}

#[test]
fn the_list_names_what_fails_first() {
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
fn a_targets_page_in_full() {
    let (_, board) = page_state::sinks();
    let page = detail(&board, "checkout", page_state::now()).unwrap();
    let main = page
        .split("<main>")
        .nth(1)
        .unwrap()
        .split("</main>")
        .next()
        .unwrap();
    // One element a line, so that a change can be read.
    insta::assert_snapshot!("detail", main.replace("><", ">\n<"));
}

#[test]
fn a_removed_target_leaves_only_its_history() {
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
async fn the_link_of_a_cause_leads_to_what_to_do_and_who_shows_it() {
    let (status, _, served) = Server::start().await.ask("GET", "/causes", "").await;
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
