//! Whether a request without an answer may have been carried out.
//!
//! Who sends a datapoint again has to know whether it may now be there twice. The SDK says
//! only which stage failed, and its dispatch stage spans connecting and sending: below it,
//! hyper tells whether there was a connection. It is no promise of the SDK that hyper's
//! error is in the chain, so the tests break real connections.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::error::SdkError;
use hyper_util::client::legacy;

/// Whether a request may have reached AWS although no whole answer came back.
pub(super) fn may_have_arrived<E>(error: &SdkError<E>) -> bool
where
    E: std::error::Error + 'static,
{
    match error {
        // The SDK's limit for an attempt counts signing and connecting too. Connecting has
        // a shorter limit of its own, which ends as a dispatch failure.
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(_) => broke_after_connecting(error),
        // Never sent; or an answer did come.
        _ => false,
    }
}

/// Whether hyper had a connection when a call failed. What fails while credentials are
/// fetched is told apart first: that is another call, which may have had one.
fn broke_after_connecting(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut link = Some(error);
    while let Some(error) = link {
        if error.is::<CredentialsError>() {
            return false;
        }
        if let Some(error) = error.downcast_ref::<legacy::Error>() {
            return !error.is_connect();
        }
        link = error.source();
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

    use crate::io::aws::{CallError, sort};

    /// Calls `endpoint`, and sorts the failure.
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
        sort("cloudwatch", "DescribeAlarms", &error)
    }

    /// A server that reads the request, writes `answer` and, if told so, stays.
    async fn server(answer: &'static str, stays: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            if stays {
                std::future::pending::<()>().await;
            }
        });
        url
    }

    #[tokio::test]
    async fn an_answer_is_lost_only_where_the_request_may_have_arrived() {
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", refused.local_addr().unwrap());
        drop(refused);
        let cases = [
            ("nobody listens", nobody, true, false),
            (
                "no TLS spoken",
                server("HTTP/1.1 400 \r\n\r\n", false)
                    .await
                    .replace("http:", "https:"),
                true,
                false,
            ),
            ("no credentials", server("", true).await, false, false),
            ("no answer in time", server("", true).await, true, true),
            (
                "closed without an answer",
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
                "an error",
                server("HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\n", true).await,
                true,
                false,
            ),
        ];
        for (name, endpoint, with_credentials, lost) in cases {
            let failure = call(endpoint, with_credentials).await;
            assert_eq!(failure.answer_lost(), lost, "{name}: {failure:?}");
        }
    }
}
