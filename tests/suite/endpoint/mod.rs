//! Access to the daemon's own endpoint on real sockets: passwords, certificates, floods, slow
//! clients and oversized requests. None of these may delay a probe.

mod authentication;
mod limits;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::support::process::Daemon;

/// Starts a daemon that probes one target every second. `web` is the text of its web
/// configuration file, `server` the lines of its `[server]` section.
#[cfg(test)]
async fn daemon(directory: Arc<tempfile::TempDir>, web: Option<&str>, server: &str) -> Daemon {
    let target = target().await;
    let web_line = if web.is_some() {
        "web_config = \"web.yml\"\n"
    } else {
        ""
    };
    let config = format!(
        "location = \"here\"\n[server]\n{server}\n{web_line}\
         [[target]]\nname = \"ok\"\nurl = \"http://{target}/\"\ninterval = \"1s\"\ntimeout = \"20s\"\n"
    );
    std::fs::write(directory.path().join("probecause.toml"), config).unwrap();
    if let Some(web) = web {
        std::fs::write(directory.path().join("web.yml"), web).unwrap();
    }
    let state = directory.path().join("state");
    Daemon::start_in(directory, &state).await.0
}

/// Serves the probed target.
#[cfg(test)]
async fn target() -> SocketAddr {
    let router = axum::Router::new().fallback(|| async { "fine" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The address of the daemon's endpoint.
#[cfg(test)]
fn address(daemon: &Daemon) -> SocketAddr {
    daemon.url.rsplit_once("//").unwrap().1.parse().unwrap()
}
