//! Who gets in at the daemon's own endpoint, on real sockets: passwords, certificates,
//! floods, and clients that are slow or too big. Probes go on as if nothing was.

mod limits;
use crate::support::process;
mod who;

use std::net::SocketAddr;
use std::sync::Arc;

use process::Daemon;

/// A daemon that watches an endpoint each second, with this web configuration file and
/// these lines in `[server]`.
#[cfg(test)]
async fn daemon(directory: Arc<tempfile::TempDir>, web: Option<&str>, server: &str) -> Daemon {
    let watched = watched().await;
    let web_line = if web.is_some() {
        "web_config = \"web.yml\"\n"
    } else {
        ""
    };
    let config = format!(
        "location = \"here\"\n[server]\n{server}\n{web_line}\
         [[target]]\nname = \"ok\"\nurl = \"http://{watched}/\"\ninterval = \"1s\"\ntimeout = \"900ms\"\n"
    );
    std::fs::write(directory.path().join("probecause.toml"), config).unwrap();
    if let Some(web) = web {
        std::fs::write(directory.path().join("web.yml"), web).unwrap();
    }
    let state = directory.path().join("state");
    Daemon::start_in(directory, &state).await.0
}

#[cfg(test)]
async fn watched() -> SocketAddr {
    let router = axum::Router::new().fallback(|| async { "fine" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The daemon's address.
#[cfg(test)]
fn address(daemon: &Daemon) -> SocketAddr {
    daemon.url.rsplit_once("//").unwrap().1.parse().unwrap()
}
