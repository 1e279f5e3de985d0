//! What the user declares of the AWS side. Absent stays unknown: nothing is guessed here.

use super::text::{arn, choice, filled, positive_duration, set};
use crate::io::config::file::AwsTable;
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::target::{Authorizer, AwsDeclarations, Integration};

const INTEGRATIONS: [(&str, Integration); 3] = [
    ("lambda", Integration::Lambda),
    ("http", Integration::Http),
    ("vpc-link", Integration::VpcLink),
];

const AUTHORIZERS: [(&str, Authorizer); 4] = [
    ("none", Authorizer::None),
    ("lambda", Authorizer::Lambda),
    ("jwt", Authorizer::Jwt),
    ("iam", Authorizer::Iam),
];

/// Reads the table into `aws`.
pub(super) fn read(
    table: &Layer<'_, AwsTable>,
    aws: &mut AwsDeclarations,
    problems: &mut Problems,
) {
    names(table, aws, problems);
    let role = table.pick("role_arn", |t| t.role_arn.as_ref());
    let role_arn = |text: &String| arn(text).map(|()| Some(text.clone()));
    set(&mut aws.role_arn, role, role_arn, problems);
    let place = table.pick("region", |t| t.region.as_ref());
    set(
        &mut aws.region,
        place,
        |text| region(text).map(Some),
        problems,
    );
    let path = table.pick("route", |t| t.route.as_ref());
    set(&mut aws.route, path, |text| route(text).map(Some), problems);
    let behind = table.pick("integration", |t| t.integration.as_ref());
    set(
        &mut aws.integration,
        behind,
        |text| choice(text, &INTEGRATIONS).map(Some),
        problems,
    );
    let gate = table.pick("authorizer", |t| t.authorizer.as_ref());
    set(
        &mut aws.authorizer,
        gate,
        |text| choice(text, &AUTHORIZERS).map(Some),
        problems,
    );
    let limit = table.pick("integration_timeout", |t| t.integration_timeout.as_ref());
    let some = |text: &_| positive_duration(text).map(Some);
    set(&mut aws.integration_timeout, limit, some, problems);
    let limit = table.pick("function_timeout", |t| t.function_timeout.as_ref());
    set(&mut aws.function_timeout, limit, some, problems);
    let shared = table.pick("shared", |t| t.shared.as_ref());
    set(&mut aws.shared, shared, |on| Ok(*on), problems);
    let control = table.pick("control_path", |t| t.control_path.as_ref());
    set(
        &mut aws.control_path,
        control,
        |text| control_path(text).map(Some),
        problems,
    );
}

/// The keys that are plain names.
fn names(table: &Layer<'_, AwsTable>, aws: &mut AwsDeclarations, problems: &mut Problems) {
    let some = |text: &String| filled(text).map(Some);
    let found = table.pick("external_id", |t| t.external_id.as_ref());
    set(&mut aws.external_id, found, some, problems);
    set(
        &mut aws.api_id,
        table.pick("api_id", |t| t.api_id.as_ref()),
        some,
        problems,
    );
    set(
        &mut aws.api_name,
        table.pick("api_name", |t| t.api_name.as_ref()),
        some,
        problems,
    );
    set(
        &mut aws.stage,
        table.pick("stage", |t| t.stage.as_ref()),
        some,
        problems,
    );
    set(
        &mut aws.function,
        table.pick("function", |t| t.function.as_ref()),
        some,
        problems,
    );
    set(
        &mut aws.qualifier,
        table.pick("qualifier", |t| t.qualifier.as_ref()),
        some,
        problems,
    );
    let found = table.pick("access_log_group", |t| t.access_log_group.as_ref());
    set(&mut aws.access_log_group, found, some, problems);
    let found = table.pick("execution_log_group", |t| t.execution_log_group.as_ref());
    set(&mut aws.execution_log_group, found, some, problems);
}

/// A region's code, such as `eu-west-1`.
pub(super) fn region(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.contains('-') && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a region; write its code, such as \"eu-west-1\""
    ))
}

fn route(text: &str) -> Result<String, String> {
    let keyed = text.split_once(' ').is_some_and(|(method, path)| {
        method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/')
    });
    if text == "$default" || keyed {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a route; write \"GET /orders\" or \"$default\""
    ))
}

fn control_path(text: &str) -> Result<String, String> {
    // A URL reads a backslash as a slash: two in front would name another host.
    let clean = !text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\\');
    if text.starts_with('/') && !text.starts_with("//") && clean {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not an absolute path on the target's host; write \"/prod/ping\", stage included"
    ))
}
