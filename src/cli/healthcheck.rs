//! `probecause healthcheck`: asks a running daemon whether it is healthy, for container
//! and service managers that want an exit code and have no curl.
//!
//! Straight to the daemon: no proxy of the environment, no redirect. Over TLS its
//! certificate is taken as it is. A daemon that wants a client's certificate cannot be
//! asked: there a supervisor had better look whether its port is open.

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
    /// Where the daemon listens.
    #[arg(long, default_value = "http://127.0.0.1:9853", value_parser = parse_url)]
    url: Url,
}

/// A daemon that takes longer to say so is not healthy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Carries the command out: 0 if the daemon says it is healthy, 1 and why if not.
///
/// # Errors
/// None: an unreachable daemon is a result.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let outcome = tokio::time::timeout(PATIENCE, ask(&args.url)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
    Ok(match outcome {
        Ok(()) => {
            print("healthy\n")?;
            Exit::Fine
        }
        Err(why) => {
            print(&format!("not healthy: {}: {why}\n", args.url))?;
            Exit::Bad
        }
    })
}

async fn ask(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let stream = TcpStream::connect(format!("{host}:{port}"));
    let stream = stream.await.map_err(|error| error.to_string())?;
    if url.scheme() == "http" {
        return converse(url, stream).await;
    }
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let config = accept_any_certificate().map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    converse(url, stream.await.map_err(|error| error.to_string())?).await
}

async fn converse<S>(url: &Url, stream: S) -> Result<(), String>
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
    // The driver's own error, if any, also reaches the request that waits on it.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    driver.abort();
    let status = answer.map_err(|error| error.to_string())?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("it answered {status}"))
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if ["http", "https"].contains(&url.scheme()) && url.has_host() {
        Ok(url)
    } else {
        Err("give a URL such as http://127.0.0.1:9853 or https://127.0.0.1:9853".to_owned())
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

    /// Runs the command against a server that sends `answer` and closes.
    async fn check(answer: &'static str) -> Exit {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let url = parse_url(&url).unwrap();
        let exit = run(Args { url }, QUIET).await.unwrap();
        server.await.unwrap();
        exit
    }

    #[tokio::test]
    async fn an_answer_of_200_is_healthy() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhealthy\n";
        assert_eq!(check(answer).await, Exit::Fine);
    }

    #[tokio::test]
    async fn any_other_answer_or_none_is_not_healthy() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(check(answer).await, Exit::Bad);
        assert_eq!(check("").await, Exit::Bad);
        assert_eq!(check("SSH-2.0-x\r\n").await, Exit::Bad);
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
    fn only_a_url_of_http_is_taken() {
        assert!(parse_url("https://127.0.0.1:9853").is_ok());
        assert!(parse_url("ftp://127.0.0.1:9853").is_err());
        assert!(parse_url("127.0.0.1:9853").is_err());
    }
}
