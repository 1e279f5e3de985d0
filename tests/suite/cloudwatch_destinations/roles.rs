//! A destination whose role can be assumed, and one whose role cannot.
//!
//! An in-process server stands in for STS and CloudWatch, because the emulator lets every
//! caller assume every role.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatch::config::Credentials;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use probecause::cli::Exit;
use probecause::cli::alarms::{Action, Common, run_action};
use probecause::model::settings::{DestinationSettings, Role};

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::reports::{settings, target};
use crate::support::loopback::serve;

/// A server that stands in for STS and CloudWatch and records its calls.
#[derive(Clone, Default)]
struct Server {
    /// Whether `AssumeRole` is denied.
    denies_role: bool,
    /// Each operation with the access key that signed it; `AssumeRole` with the body instead.
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

const ROLE: &str = "arn:aws:iam::222222222222:role/probecause";

/// An STS error response (IAM user guide, "Troubleshoot access denied error messages").
const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
    <Message>User: arn:aws:iam::111111111111:user/daemon is not authorized to perform: \
    sts:AssumeRole on resource: arn:aws:iam::222222222222:role/probecause</Message></Error>\
    <RequestId>1</RequestId></ErrorResponse>";

const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>KEYOFROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
    <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    let is_sts = body.contains("Action=AssumeRole");
    let operation = uri.path().rsplit('/').next().unwrap_or_default();
    let signed = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let key = signed.and_then(|text| text.split("Credential=").nth(1)?.split('/').next());
    if let Ok(mut calls) = server.calls.lock() {
        calls.push(if is_sts {
            ("AssumeRole".to_owned(), body)
        } else {
            (operation.to_owned(), key.unwrap_or_default().to_owned())
        });
    }
    let xml = [("content-type", "text/xml")];
    match (is_sts, server.denies_role) {
        (true, true) => (StatusCode::FORBIDDEN, xml, DENIED).into_response(),
        (true, false) => (xml, ASSUMED).into_response(),
        (false, _) => answers::answer(&serde_json::json!({})),
    }
}

/// Runs `alarms plan` for a target in the main account and one in the account of the role.
async fn plan(server: &Server) -> (Result<Exit, String>, String) {
    let app = Router::new().fallback(answer).with_state(server.clone());
    let url = format!("http://{}", serve(app).await);
    let mut refunds = target("refunds");
    refunds.cloudwatch.destination = Some("payments".to_owned());
    let targets = vec![Arc::new(target("orders")), Arc::new(refunds)];
    let mut settings = settings("site-a", &url, targets);
    let payments = DestinationSettings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some(url),
        role: Some(Role {
            arn: ROLE.to_owned(),
            external_id: Some("hunter2".to_owned()),
        }),
        ..DestinationSettings::default()
    };
    let destinations = &mut settings.cloudwatch.destinations;
    destinations.insert("payments".to_owned(), payments);
    // A role can be assumed only with a configuration that has the default chain's time source.
    let sdk_config: SdkConfig = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("OWNKEY", "secret", None, None, "test"))
        .load()
        .await;
    let action = Action::Plan {
        common: Common {
            config: std::path::PathBuf::new(),
            json: false,
        },
        detailed_exitcode: false,
    };
    let mut out = Vec::new();
    let result = run_action(&action, &settings, Some(&sdk_config), &mut out).await;
    (result, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn calls_to_an_account_with_a_role_use_the_credentials_of_the_role() {
    let server = Server::default();
    let (result, text) = plan(&server).await;
    assert_eq!(result, Ok(Exit::Fine), "{text}");
    let calls = server.calls.lock().unwrap().clone();
    let mut keys: Vec<_> = calls
        .iter()
        .filter(|(operation, _)| operation == "DescribeAlarms")
        .map(|(_, key)| key.as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["KEYOFROLE", "OWNKEY"]);
    let assumed: Vec<_> = calls
        .iter()
        .filter(|(operation, _)| operation == "AssumeRole")
        .collect();
    assert_eq!(assumed.len(), 1, "{calls:?}");
    for part in ["ExternalId=hunter2", "RoleSessionName=probecause"] {
        assert!(assumed[0].1.contains(part), "{part}: {assumed:?}");
    }
}

#[tokio::test]
async fn an_error_about_a_role_that_cannot_be_assumed_names_the_missing_action() {
    let server = Server {
        denies_role: true,
        ..Server::default()
    };
    let (result, text) = plan(&server).await;
    assert!(text.contains("+ probecause site-a orders"), "{text}");
    assert_eq!(
        result.unwrap_err(),
        "DescribeAlarms: destination `payments`: cannot assume \
         arn:aws:iam::222222222222:role/probecause: access denied: grant `sts:AssumeRole` on \
         `arn:aws:iam::222222222222:role/probecause` to arn:aws:iam::111111111111:user/daemon; \
         also allow this principal in the role's trust policy, with the external ID if one is \
         configured"
    );
}
