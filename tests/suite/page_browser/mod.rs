//! The pages in a real browser: nothing hostile runs, the page updates itself, and screenshots
//! in light and dark are left in `target/screenshots` to be looked at.

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

/// Runs the browser once, with a profile of its own, and returns what it printed.
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
        .expect("the browser ends")
        .expect("tests/tools finds Chromium");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The title of what the browser printed.
pub(crate) fn title(dom: &str) -> &str {
    let (_, rest) = dom.split_once("<title>").unwrap();
    rest.split_once("</title>").unwrap().0
}

/// The path of the hostile target's page, as the list links to it.
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
async fn hostile_names_are_shown_and_never_run() {
    let (address, board) = start().await;
    for path in ["/".to_owned(), hostile_path(&board)] {
        let dom = browse(&["--dump-dom"], &format!("http://{address}{path}")).await;
        assert!(dom.contains("&lt;script&gt;document.title="), "{dom}");
        assert_ne!(title(&dom), "pwned");
        // The page's own script did run under the policy: it made the filter box.
        assert_eq!(dom.contains("id=\"filter\""), path == "/", "{dom}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: run by tests/run"]
async fn screenshots_of_both_pages_in_light_and_dark() {
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
        // Blink's setting: 0 is dark, 1 is light.
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
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // From the second time the list is asked for, a target is gone.
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
        asked.load(Ordering::Relaxed) > 1,
        "the list was asked for only once"
    );
    assert!(
        !dom.contains("catalogue"),
        "the page still shows what it showed first"
    );
    assert!(dom.contains("href=\"/targets/orders\""));
    let hidden = dom.matches("<tr hidden").count();
    assert!(hidden > 0, "the filter is applied to the new rows:\n{dom}");
    assert!(!dom.contains("no longer updating"));
}

/// Passes bytes on to `server`, calling `on_list` before each request for the list.
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
