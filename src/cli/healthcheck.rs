//! `probecause healthcheck`: checks whether a running daemon is healthy and returns the result as
//! an exit code, for container and service managers. With this command, the health check of a
//! container image needs no curl.
//!
//! The command ignores proxy environment variables, follows no redirects and accepts any TLS
//! certificate. It cannot check a daemon that requires client certificates; for such a daemon,
//! check that the port is open.

use std::time::Duration;

use url::Url;

use super::{Exit, Terminal, print};
use crate::io::web_access::accept_any_certificate;

/// Arguments of `healthcheck`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL of the daemon, without a path.
    #[arg(long, default_value = "http://127.0.0.1:9853", value_parser = parse_url)]
    url: Url,
    /// The time limit for connecting to the daemon and receiving its response. A healthy daemon
    /// responds within milliseconds.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Runs `probecause healthcheck`. Returns [`Exit::Bad`] if the daemon is unreachable or not
/// healthy.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let outcome = tokio::time::timeout(args.timeout, check(&args.url)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("no response within {:?}", args.timeout)));
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

/// Requests `/-/healthy` and returns an error unless the status is 2xx.
async fn check(url: &Url) -> Result<(), String> {
    let tls = accept_any_certificate().map_err(|error| error.to_string())?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build();
    let client = client.map_err(|error| reason(&error))?;
    let mut url = url.clone();
    url.set_path("/-/healthy");
    let response = client.get(url).send().await;
    let status = response.map_err(|error| reason(&error))?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the response has status {status}"))
    }
}

/// Returns the innermost source of an error, such as `Connection refused (os error 111)`, because
/// the outer errors only say that the request failed.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if ["http", "https"].contains(&url.scheme()) && url.has_host() {
        Ok(url)
    } else {
        Err(
            "the URL must have the scheme http or https and a host, as in `http://127.0.0.1:9853`"
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

    /// Returns the exit status for a server that sends `response` and closes the connection.
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
        let exit = run(with_url(url), QUIET).await.unwrap();
        server.await.unwrap();
        exit
    }

    fn with_url(url: Url) -> Args {
        let timeout = Duration::from_secs(60);
        Args { url, timeout }
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
        assert_eq!(run(with_url(url), QUIET).await, Ok(Exit::Bad));
    }

    #[test]
    fn only_an_http_or_https_url_is_accepted() {
        assert!(parse_url("https://127.0.0.1:9853").is_ok());
        assert!(parse_url("ftp://127.0.0.1:9853").is_err());
        assert!(parse_url("127.0.0.1:9853").is_err());
    }
}
