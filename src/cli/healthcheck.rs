//! `probecause healthcheck`: checks whether a running daemon is healthy, for container and
//! service managers that need an exit code and have no curl.
//!
//! The command ignores proxy variables, follows no redirects and accepts any TLS certificate. It
//! cannot check a daemon that requires client certificates; for such a daemon, check that the
//! port is open.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{Exit, Terminal, print};
use crate::io::web_access::accept_any_certificate;

/// Arguments of `healthcheck`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL of the daemon, without a path.
    #[arg(long, default_value = "http://127.0.0.1:9853", value_parser = parse_url)]
    url: Url,
}

/// Time limit for connecting to the daemon and receiving the response. A healthy daemon responds
/// within milliseconds, so a slower one is reported as not healthy.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Runs `probecause healthcheck`. Returns [`Exit::Bad`] if the daemon is unreachable or not
/// healthy.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let outcome = tokio::time::timeout(TIMEOUT, check(&args.url)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("no response within {TIMEOUT:?}")));
    Ok(match outcome {
        Ok(()) => {
            print("healthy\n")?;
            Exit::Fine
        }
        Err(error) => {
            print(&format!("not healthy: {}: {error}\n", args.url))?;
            Exit::Bad
        }
    })
}

/// Connects to the daemon and requests `/-/healthy`.
async fn check(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let stream = TcpStream::connect(format!("{host}:{port}"));
    let stream = stream.await.map_err(|error| error.to_string())?;
    if url.scheme() == "http" {
        return request_health(url, stream).await;
    }
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let config = accept_any_certificate().map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = stream.await.map_err(|error| error.to_string())?;
    request_health(url, stream).await
}

async fn request_health<S>(url: &Url, stream: S) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let request = http::Request::get("/-/healthy")
        .header(http::header::HOST, url.authority())
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    // The result of the connection's task is not needed, since the request returns its errors.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    connection.abort();
    let status = response.map_err(|error| error.to_string())?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the response has status {status}"))
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if ["http", "https"].contains(&url.scheme()) && url.has_host() {
        Ok(url)
    } else {
        Err(
            "the URL must have the scheme http or https and a host, as in http://127.0.0.1:9853"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const QUIET: Terminal = Terminal {
        color: false,
        progress: false,
    };

    /// Runs the command against a server that sends `response` and closes the connection.
    async fn exit_for(response: &'static str) -> Exit {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
        });
        let url = parse_url(&url).unwrap();
        let exit = run(Args { url }, QUIET).await.unwrap();
        server.await.unwrap();
        exit
    }

    #[tokio::test]
    async fn a_response_with_status_200_is_healthy() {
        let response = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhealthy\n";
        assert_eq!(exit_for(response).await, Exit::Fine);
    }

    #[tokio::test]
    async fn any_other_response_or_none_is_not_healthy() {
        let response = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(exit_for(response).await, Exit::Bad);
        assert_eq!(exit_for("").await, Exit::Bad);
        assert_eq!(exit_for("SSH-2.0-x\r\n").await, Exit::Bad);
    }

    #[tokio::test]
    async fn a_refused_port_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let url = parse_url(&url).unwrap();
        assert_eq!(run(Args { url }, QUIET).await, Ok(Exit::Bad));
    }

    #[test]
    fn only_an_http_or_https_url_is_accepted() {
        assert!(parse_url("https://127.0.0.1:9853").is_ok());
        assert!(parse_url("ftp://127.0.0.1:9853").is_err());
        assert!(parse_url("127.0.0.1:9853").is_err());
    }
}
