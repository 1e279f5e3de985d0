//! A server of a test's own, on a free port of the loopback interface. It lives as long as
//! the test's runtime, and refuses nothing: how it answers is the router's business.

use std::net::SocketAddr;

/// Serves a router; returns where.
pub(crate) async fn serve(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
