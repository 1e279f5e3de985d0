//! HTTP servers on the loopback interface. Each runs until the test's runtime ends; the given
//! router defines its responses.

use std::net::SocketAddr;

/// Serves a router on a free port and returns its address.
pub(crate) async fn serve(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
