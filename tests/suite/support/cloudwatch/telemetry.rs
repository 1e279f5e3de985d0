//! Writes the telemetry that AWS services would write themselves into the emulator: metrics
//! of Lambda and API Gateway, and log lines.

use std::net::SocketAddr;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use jiff::Timestamp;

use crate::support::cloudwatch::emulator::config;

/// Clients of the emulator's CloudWatch and CloudWatch Logs.
pub(crate) struct Telemetry {
    metrics: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
}

impl Telemetry {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = config()
            .into_builder()
            .endpoint_url(format!("http://{address}"))
            .build();
        Self {
            metrics: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
        }
    }

    /// Puts `(metric, value)` pairs with one timestamp and one set of dimensions.
    pub(crate) async fn put(
        &self,
        namespace: &str,
        dimensions: &[(&str, &str)],
        at: Timestamp,
        values: &[(&str, f64)],
    ) {
        let dimensions: Vec<Dimension> = dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(*name).value(*value).build())
            .collect();
        let mut request = self.metrics.put_metric_data().namespace(namespace);
        for (metric, value) in values {
            let datum = MetricDatum::builder()
                .metric_name(*metric)
                .set_dimensions(Some(dimensions.clone()))
                .timestamp(DateTime::from_secs(at.as_second()))
                .value(*value)
                .build();
            request = request.metric_data(datum);
        }
        request.send().await.unwrap();
    }

    /// Writes lines to a log group, which is created if it does not exist.
    pub(crate) async fn write(&self, group: &str, at: Timestamp, lines: &[&str]) {
        // Fails if an earlier call created the group.
        let _ = self
            .logs
            .create_log_group()
            .log_group_name(group)
            .send()
            .await;
        let stream = format!("stream-{}", at.as_nanosecond());
        let request = self.logs.create_log_stream().log_group_name(group);
        request.log_stream_name(&stream).send().await.unwrap();
        let mut request = self
            .logs
            .put_log_events()
            .log_group_name(group)
            .log_stream_name(&stream);
        for line in lines {
            let event = InputLogEvent::builder()
                .timestamp(at.as_millisecond())
                .message(*line)
                .build();
            request = request.log_events(event.unwrap());
        }
        request.send().await.unwrap();
    }
}
