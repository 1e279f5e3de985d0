//! Queries the simulated CloudWatch and CloudWatch Logs with the AWS SDK.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use probecause::io::simulator::{ApiType, Options, RouteFault, Simulator};
use reqwest::{Certificate, Client};
use serde_json::Value;

/// Starts a simulator with integration timeouts of 300 ms.
async fn start() -> Simulator {
    let options = Options {
        integration_timeout: Duration::from_millis(300),
        rest_timeout: Duration::from_millis(300),
        ..Options::default()
    };
    Simulator::start(options).await.unwrap()
}

/// Requests a route once; returns the status and the request id of the response.
async fn request(simulator: &Simulator, api: ApiType, route: &str) -> (u16, String) {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let root = Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([root]).no_proxy();
    let (address, id) = match api {
        ApiType::HttpApi => (simulator.address(), "apigw-requestid"),
        ApiType::RestApi => (simulator.rest_address(), "x-amzn-requestid"),
    };
    let url = format!("https://{address}{}", api.path_of(route));
    let response = client.build().unwrap().get(url).send().await.unwrap();
    let id = response.headers()[id].to_str().unwrap().to_owned();
    (response.status().as_u16(), id)
}

/// The messages in the log group of an API that match a pattern.
async fn lines(simulator: &Simulator, api: ApiType, pattern: &str) -> Vec<String> {
    let client = aws_sdk_cloudwatchlogs::Client::new(&simulator.telemetry_config().await);
    let now = Timestamp::now().as_millisecond();
    let found = client
        .filter_log_events()
        .log_group_name(api.log_group())
        .start_time(now - 60_000)
        .end_time(now + 60_000)
        .filter_pattern(pattern)
        .send()
        .await
        .unwrap();
    let events = found.events().iter();
    events
        .map(|event| event.message().unwrap().to_owned())
        .collect()
}

fn query(
    id: &str,
    (namespace, metric): (&str, &str),
    dimensions: &[(&str, &str)],
) -> MetricDataQuery {
    let dimensions = dimensions.iter().map(|(name, value)| {
        let dimension = Dimension::builder().name(*name).value(*value);
        dimension.build()
    });
    let metric = Metric::builder()
        .namespace(namespace)
        .metric_name(metric)
        .set_dimensions(Some(dimensions.collect()));
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(60)
        .stat(if id.starts_with("max") {
            "Maximum"
        } else {
            "Sum"
        });
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat.build())
        .build()
}

/// The sum of each query's datapoints; queries without a datapoint are absent.
async fn values(simulator: &Simulator, queries: Vec<MetricDataQuery>) -> BTreeMap<String, f64> {
    let client = aws_sdk_cloudwatch::Client::new(&simulator.telemetry_config().await);
    let now = Timestamp::now().as_second();
    let found = client
        .get_metric_data()
        .start_time(DateTime::from_secs(now - 120))
        .end_time(DateTime::from_secs(now + 60))
        .set_metric_data_queries(Some(queries))
        .send()
        .await
        .unwrap();
    let results = found.metric_data_results().iter();
    results
        .filter(|result| !result.values().is_empty())
        .map(|result| {
            assert_eq!(result.values().len(), result.timestamps().len());
            (
                result.id().unwrap().to_owned(),
                result.values().iter().sum(),
            )
        })
        .collect()
}

/// Requests a route and looks up its log line by the request id, as the daemon does.
async fn check_line(fault: RouteFault, expected: &[(&str, &str)]) {
    let simulator = start().await;
    let (status, id) = request(&simulator, ApiType::HttpApi, fault.route()).await;
    request(&simulator, ApiType::HttpApi, fault.route()).await;
    for pattern in [format!("\"{id}\""), format!("{{ $.requestId = \"{id}\" }}")] {
        let found = lines(&simulator, ApiType::HttpApi, &pattern).await;
        assert_eq!(found.len(), 1, "{fault:?} {pattern}");
        let line: Value = serde_json::from_str(&found[0]).unwrap();
        assert_eq!(line["requestId"], id);
        assert_eq!(line["status"], status.to_string());
        for (key, value) in expected {
            let text = line[key].as_str().unwrap();
            assert!(text.contains(value), "{fault:?} {key}: {text}");
        }
    }
    simulator.stop().await;
}

#[tokio::test]
async fn the_access_log_line_of_each_fault_is_found_by_the_request_id() {
    check_line(
        RouteFault::None,
        &[
            ("integrationErrorMessage", "-"),
            ("integrationStatus", "200"),
        ],
    )
    .await;
    check_line(
        RouteFault::Timeout,
        &[("integrationErrorMessage", "timed out")],
    )
    .await;
    check_line(RouteFault::Throttled, &[("integrationStatus", "429")]).await;
    check_line(
        RouteFault::Permission,
        &[(
            "integrationErrorMessage",
            "doesn't have permissions to call the integration",
        )],
    )
    .await;
    check_line(
        RouteFault::Malformed,
        &[("integrationErrorMessage", "Malformed")],
    )
    .await;
    check_line(
        RouteFault::FunctionError,
        &[(
            "integrationErrorMessage",
            "The Lambda function returned the following error",
        )],
    )
    .await;
}

/// Requests a REST route and compares the status and the first line of its execution log.
async fn check_execution(fault: RouteFault, status: u16, expected: &str) {
    let simulator = start().await;
    let (seen, id) = request(&simulator, ApiType::RestApi, fault.route()).await;
    assert_eq!(seen, status, "{fault:?}");
    let found = lines(&simulator, ApiType::RestApi, &format!("\"{id}\"")).await;
    assert!(found[0].contains(expected), "{fault:?}: {found:?}");
    let last = format!("({id}) Method completed with status: {status}");
    assert_eq!(found.last(), Some(&last), "{fault:?}");
    simulator.stop().await;
}

#[tokio::test]
async fn the_rest_api_responds_and_logs_as_captured() {
    check_execution(
        RouteFault::Timeout,
        504,
        "Execution failed due to a timeout error",
    )
    .await;
    check_execution(
        RouteFault::Throttled,
        500,
        "Lambda invocation failed with status: 429",
    )
    .await;
    check_execution(
        RouteFault::Permission,
        500,
        "Invalid permissions on Lambda function",
    )
    .await;
    check_execution(
        RouteFault::Malformed,
        502,
        "Malformed Lambda proxy response",
    )
    .await;
    check_execution(RouteFault::FunctionError, 502, "customer function error").await;
}

#[tokio::test]
async fn the_rest_api_names_the_error_in_its_headers() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let simulator = start().await;
    let root = Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
    let client = Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()
        .unwrap();
    let get = |path: &str| {
        client
            .get(format!("https://{}{path}", simulator.rest_address()))
            .send()
    };
    let response = get("/prod/throttled").await.unwrap();
    let names: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    let expected = [
        "date",
        "content-type",
        "content-length",
        "x-amzn-requestid",
        "x-amzn-errortype",
        "x-amz-apigw-id",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "InternalServerErrorException"
    );
    let text = response.text().await.unwrap();
    assert_eq!(text, r#"{"message": "Internal server error"}"#);
    let response = get("/prod/orders").await.unwrap();
    assert!(!response.headers().contains_key("x-amzn-errortype"));
    assert_eq!(get("/prod/nowhere").await.unwrap().status(), 403);
    assert_eq!(
        get("/orders").await.unwrap().text().await.unwrap(),
        r#"{"message":"Forbidden"}"#
    );
    assert_eq!(simulator.rest_invocations("/orders"), 1);
    assert_eq!(simulator.invocations("/orders"), 0);
}

/// Requests a route twice and compares the metric sums of Lambda and the API.
async fn check_sums(fault: RouteFault, expected: &[(&str, f64)]) {
    let simulator = start().await;
    for _ in 0..2 {
        request(&simulator, ApiType::HttpApi, fault.route()).await;
    }
    // The series of a route must not include requests to another one.
    request(&simulator, ApiType::HttpApi, "/wrong-body").await;
    let declared = simulator.declarations(ApiType::HttpApi, fault.route());
    let function = declared.function.unwrap();
    let lambda = |id, metric| query(id, ("AWS/Lambda", metric), &[("FunctionName", &function)]);
    let (api, stage, route) = (
        declared.api_id.unwrap(),
        declared.stage.unwrap(),
        declared.route.unwrap(),
    );
    let place = [("ApiId", &*api), ("Stage", &*stage), ("Route", &*route)];
    let gateway = |id, metric| query(id, ("AWS/ApiGateway", metric), &place);
    let found = values(
        &simulator,
        vec![
            lambda("invocations", "Invocations"),
            lambda("errors", "Errors"),
            lambda("throttles", "Throttles"),
            gateway("count", "Count"),
            gateway("failed", "5xx"),
        ],
    )
    .await;
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(id, sum)| ((*id).to_owned(), *sum))
        .collect();
    assert_eq!(found, expected, "{fault:?}");
    simulator.stop().await;
}

#[tokio::test]
async fn each_fault_has_its_own_metric_sums() {
    let api = [("count", 2.0), ("failed", 2.0)];
    let ran = [("invocations", 2.0), ("throttles", 0.0)];
    check_sums(RouteFault::Permission, &api).await;
    check_sums(
        RouteFault::Throttled,
        &[&api[..], &[("throttles", 2.0)]].concat(),
    )
    .await;
    let good = [&api[..], &ran, &[("errors", 0.0)]].concat();
    check_sums(RouteFault::Malformed, &good).await;
    check_sums(RouteFault::Timeout, &good).await;
    check_sums(
        RouteFault::FunctionError,
        &[&api[..], &ran, &[("errors", 2.0)]].concat(),
    )
    .await;
}

#[tokio::test]
async fn a_timeout_of_a_rest_api_shows_in_its_latency_and_duration() {
    let simulator = start().await;
    let route = RouteFault::Timeout.route();
    request(&simulator, ApiType::RestApi, route).await;
    let declared = simulator.declarations(ApiType::RestApi, route);
    let (function, api) = (declared.function.unwrap(), declared.api_name.unwrap());
    let place = [
        ("ApiName", &*api),
        ("Stage", "prod"),
        ("Method", "GET"),
        ("Resource", route),
    ];
    let found = values(
        &simulator,
        vec![
            query(
                "max_duration",
                ("AWS/Lambda", "Duration"),
                &[("FunctionName", &function)],
            ),
            query(
                "max_latency",
                ("AWS/ApiGateway", "IntegrationLatency"),
                &place,
            ),
            query("failed", ("AWS/ApiGateway", "5XXError"), &place[..2]),
        ],
    )
    .await;
    assert!(found["max_duration"] >= 300.0, "{found:?}");
    assert!(found["max_latency"] >= 300.0, "{found:?}");
    assert_eq!(found["failed"], 1.0);
}

#[tokio::test]
async fn an_unsupported_operation_returns_an_error_in_the_protocols_form() {
    let simulator = start().await;
    let metrics = aws_sdk_cloudwatch::Client::new(&simulator.telemetry_config().await);
    let error = metrics.describe_alarms().send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    let now = DateTime::from_secs(Timestamp::now().as_second());
    let math = MetricDataQuery::builder()
        .id("a")
        .expression("b / c")
        .build();
    let request = metrics.get_metric_data().metric_data_queries(math);
    let request = request.start_time(DateTime::from_secs(0)).end_time(now);
    let error = request.send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    let expected = "a: expressions are not supported; use MetricStat";
    assert_eq!(error.message(), Some(expected));
    let logs = aws_sdk_cloudwatchlogs::Client::new(&simulator.telemetry_config().await);
    let error = logs.describe_log_groups().send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    let request = logs.filter_log_events().log_group_name("/nowhere");
    let error = request.send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_request_without_a_route_is_counted_and_invokes_no_function() {
    let simulator = start().await;
    let (status, id) = request(&simulator, ApiType::HttpApi, "/nowhere").await;
    assert_eq!(status, 404);
    let found = lines(&simulator, ApiType::HttpApi, &format!("\"{id}\"")).await;
    let line: Value = serde_json::from_str(&found[0]).unwrap();
    assert_eq!(
        (&line["routeKey"], &line["integrationRequestId"]),
        (&"-".into(), &"-".into())
    );
    let api = simulator
        .declarations(ApiType::HttpApi, "/nowhere")
        .api_id
        .unwrap();
    let place = [("ApiId", &*api)];
    let found = values(
        &simulator,
        vec![query("client", ("AWS/ApiGateway", "4xx"), &place)],
    )
    .await;
    assert_eq!(found["client"], 1.0);
    for fault in RouteFault::ALL {
        assert_eq!(simulator.invocations(fault.route()), 0);
    }
}
