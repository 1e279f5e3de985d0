//! The pages in Chromium: no hostile markup runs, and the list updates itself. Screenshots in
//! light and dark mode are written to `target/screenshots` for review.

mod hostile;
use crate::support::page_state;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use probecause::engine::server::{ServerState, serve};
use probecause::io::sink::page::StatusBoard;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;

/// The repository's `target` directory.
fn target_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// Serves the state of the `page_state` fixture.
async fn start() -> (SocketAddr, Arc<StatusBoard>) {
    let (prometheus, board) = page_state::sinks();
    let board = Arc::new(board);
    let (reload, _) = mpsc::channel(1);
    let state = ServerState::new(
        Arc::new(prometheus),
        Arc::clone(&board),
        reload,
        &probecause::model::settings::ServerSettings::default(),
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, state, std::future::pending()));
    (address, board)
}

/// Runs Chromium once with a new profile and returns its output.
pub(crate) async fn browse(options: &[&str], url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(target_dir().join("tools/chromium"))
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args(["--hide-scrollbars", "--no-first-run", "--no-proxy-server"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(url)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), output);
    let output = output
        .await
        .expect("Chromium did not exit")
        .expect("tests/tools finds Chromium");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The title of a document that [`browse`] printed.
pub(crate) fn title(dom: &str) -> &str {
    let (_, rest) = dom.split_once("<title>").unwrap();
    rest.split_once("</title>").unwrap().0
}

/// The path of the page of the target with a hostile name, from its link in the list.
fn hostile_path(board: &StatusBoard) -> String {
    let page = probecause::io::sink::page::list(board, page_state::now());
    let links = page
        .split("href=\"")
        .filter_map(|part| part.split('"').next());
    let link = links.into_iter().find(|link| link.contains("pwned"));
    link.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn hostile_names_are_shown_as_text() {
    let (address, board) = start().await;
    for path in ["/".to_owned(), hostile_path(&board)] {
        let dom = browse(&["--dump-dom"], &format!("http://{address}{path}")).await;
        assert!(dom.contains("&lt;script&gt;document.title="), "{dom}");
        assert_ne!(title(&dom), "pwned");
        // The policy allows the page's own script, which creates the filter box.
        assert_eq!(dom.contains("id=\"filter\""), path == "/", "{dom}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn both_pages_render_in_light_and_dark_mode() {
    let (address, board) = start().await;
    let folder = target_dir().join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = [
        ("list", "/".to_owned(), "1280,900"),
        ("list-narrow", "/".to_owned(), "500,1100"),
        ("detail", "/targets/checkout".to_owned(), "1280,1250"),
        ("hostile", hostile_path(&board), "1280,1100"),
    ];
    for (name, path, size) in pages {
        // Values of Blink's preferredColorScheme: 0 is dark, 1 is light.
        for (scheme, setting) in [("dark", 0), ("light", 1)] {
            let file = folder.join(format!("{name}-{scheme}.png"));
            let _ = std::fs::remove_file(&file);
            let options = [
                format!("--screenshot={}", file.display()),
                format!("--window-size={size}"),
                format!("--blink-settings=preferredColorScheme={setting}"),
            ];
            let options: Vec<_> = options.iter().map(String::as_str).collect();
            browse(&options, &format!("http://{address}{path}")).await;
            let length = std::fs::metadata(&file).expect("a screenshot").len();
            assert!(length > 10_000, "{name}-{scheme} is {length} bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn the_page_updates_itself() {
    let (server, board) = start().await;
    let list_requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&list_requests);
    // The second request for the list removes a target.
    let address = relay(server, move || {
        if counted.fetch_add(1, Ordering::Relaxed) == 1 {
            let mut settings = page_state::settings();
            settings
                .targets
                .retain(|target| target.name.as_str() != "catalogue");
            board.configure(&settings);
        }
    })
    .await;
    let url = format!("http://{address}/?q=throttled");
    let dom = browse(&["--virtual-time-budget=12000", "--dump-dom"], &url).await;
    assert!(
        list_requests.load(Ordering::Relaxed) > 1,
        "the list was requested only once"
    );
    assert!(
        !dom.contains("catalogue"),
        "the page still shows the removed target"
    );
    assert!(dom.contains("href=\"/targets/orders\""));
    let hidden = dom.matches("<tr hidden").count();
    assert!(
        hidden > 0,
        "the filter is not applied to the new rows:\n{dom}"
    );
    assert!(!dom.contains("no longer updating"));
}

/// Starts a proxy to `server` that calls `on_list` before each request for the list.
async fn relay(server: SocketAddr, on_list: impl Fn() + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let stream = TcpStream::connect(server).await.unwrap();
            let (mut from_server, mut to_server) = stream.into_split();
            let on_list = on_list.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 16 * 1024];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let chunk = &buffer[..length];
                    if chunk.starts_with(b"GET /?") {
                        on_list();
                    }
                    to_server.write_all(chunk).await.unwrap();
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        }
    });
    address
}
