//! Decides whether a request without a response may have been executed.
//!
//! If such a request is sent again, AWS may receive its datapoints twice. The SDK only reports
//! which stage failed, and its dispatch stage covers both connecting and sending. A hyper error in
//! the source chain shows which of the two failed. The SDK does not guarantee that the chain
//! contains a hyper error, so the tests check this module with real connections that fail.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::error::SdkError;
use hyper_util::client::legacy;

/// Returns whether a request may have reached AWS although no complete response was received.
pub(super) fn may_have_arrived<E>(error: &SdkError<E>) -> bool
where
    E: std::error::Error + 'static,
{
    match error {
        // A timeout of an attempt normally means that the request was sent: connecting has a
        // shorter timeout, which the SDK reports as a dispatch failure.
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(_) => broke_after_connecting(error),
        // The request was not sent, or AWS sent a complete response.
        _ => false,
    }
}

/// Returns whether a call failed after hyper had connected. Returns false if no credentials could
/// be fetched, because a hyper error in that case belongs to the call that fetches the credentials.
fn broke_after_connecting(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return false;
        }
        if let Some(error) = error.downcast_ref::<legacy::Error>() {
            return !error.is_connect();
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_config::timeout::TimeoutConfig;
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::config::retry::RetryConfig;
    use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use crate::io::aws::{CallError, classify};

    /// Sends a request to `endpoint` and returns the classified failure.
    async fn call(endpoint: String, with_credentials: bool) -> CallError {
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(200))
            .operation_attempt_timeout(Duration::from_millis(500))
            .build();
        let mut config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(limits)
            .endpoint_url(endpoint);
        if with_credentials {
            config = config.credentials_provider(Credentials::new("a", "b", None, None, "test"));
        }
        let client = Client::from_conf(config.build());
        let error = client.describe_alarms().send().await.unwrap_err();
        classify("cloudwatch", "DescribeAlarms", &error)
    }

    /// Starts a server that reads a request, writes `response`, and then closes the connection
    /// unless `keep_open` is true. Returns the URL of the server.
    async fn server(response: &'static str, keep_open: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            stream.write_all(response.as_bytes()).await.unwrap();
            if keep_open {
                std::future::pending::<()>().await;
            }
        });
        url
    }

    #[tokio::test]
    async fn a_response_is_lost_only_if_the_request_may_have_arrived() {
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed_port = format!("http://{}", refused.local_addr().unwrap());
        drop(refused);
        let cases = [
            ("nothing listens", closed_port, true, false),
            (
                "no TLS",
                server("HTTP/1.1 400 \r\n\r\n", false)
                    .await
                    .replace("http:", "https:"),
                true,
                false,
            ),
            ("no credentials", server("", true).await, false, false),
            ("no response in time", server("", true).await, true, true),
            (
                "closed without a response",
                server("", false).await,
                true,
                true,
            ),
            (
                "closed within the head",
                server("HTTP/1.1 20", false).await,
                true,
                true,
            ),
            (
                "closed within the body",
                server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", false).await,
                true,
                true,
            ),
            (
                "an error response",
                server("HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\n", true).await,
                true,
                false,
            ),
        ];
        for (name, endpoint, with_credentials, lost) in cases {
            let failure = call(endpoint, with_credentials).await;
            assert_eq!(failure.response_lost(), lost, "{name}: {failure:?}");
        }
    }
}
