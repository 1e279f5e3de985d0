//! Serves a simulated gateway over TLS with HTTP/1.1 or HTTP/2, as ALPN negotiates.
//!
//! Every response has the same headers in the same order as the captured responses of real
//! gateways. Only `DefaultRoute::LookAlikeWithHeader` adds a header.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::accept::accept;
use super::gateway::{Gateway, GatewayResponse};

/// Serves a gateway over TLS until this task is aborted.
pub(super) async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, gateway: Arc<Gateway>) {
    let acceptor = TlsAcceptor::from(tls);
    accept(listener, |stream| {
        serve_connection(stream, acceptor.clone(), Arc::clone(&gateway))
    })
    .await;
}

/// Serves one connection. Errors are ignored, because some clients are expected to reject the
/// certificate, or to close the connection after the timeout of their request.
async fn serve_connection(stream: TcpStream, acceptor: TlsAcceptor, gateway: Arc<Gateway>) {
    let served = async {
        stream.set_nodelay(true)?;
        let stream = acceptor.accept(stream).await?;
        let service = service_fn(|request: Request<Incoming>| {
            let gateway = Arc::clone(&gateway);
            async move {
                let response = gateway.respond(request.uri().path()).await;
                Ok::<_, Infallible>(http_response(&response, Timestamp::now()))
            }
        });
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
            .map_err(io::Error::other)
    };
    drop(served.await);
}

fn http_response(from: &GatewayResponse, now: Timestamp) -> Response<Full<Bytes>> {
    let mut headers = HeaderMap::with_capacity(6);
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(date) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(DATE, date);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, from.body.len().into());
    for (name, value) in &from.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut response = Response::new(Full::new(Bytes::from_static(from.body.as_bytes())));
    *response.status_mut() =
        StatusCode::from_u16(from.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
