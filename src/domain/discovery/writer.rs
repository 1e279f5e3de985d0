//! Writes a discovery as a configuration file.
//!
//! The file contains no time and does not depend on the order in which AWS was read, so two files
//! differ only if what was read differs. Proposals are comments. The `toml` crate escapes the
//! values.

use std::time::Duration;

use super::Discovery;
use super::candidate::Candidate;
use crate::model::printable::printable;
use crate::model::target::{Authorizer, AwsDeclarations, Integration};

/// Returns the content of the file.
#[must_use]
pub fn render(discovery: &Discovery) -> String {
    let mut lines = header(discovery);
    for target in &discovery.targets {
        lines.push(String::new());
        lines.extend(table(target));
    }
    if !discovery.proposals.is_empty() {
        lines.push(String::new());
        lines.push(
            "# Proposals. They are not probed, for the reasons above each table. To use".into(),
        );
        lines.push("# one, copy it to another file and remove the comment characters.".into());
    }
    for proposal in &discovery.proposals {
        lines.push(String::new());
        let reasons = proposal.reasons.iter();
        lines.extend(reasons.map(|reason| comment(reason)));
        // A value may contain line breaks, and each line must be a comment.
        let table = table(proposal).join("\n");
        lines.extend(table.lines().map(comment));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Returns the comments at the start of the file.
fn header(discovery: &Discovery) -> Vec<String> {
    let region = &discovery.region;
    let mut lines = vec![
        comment(&format!(
            "Targets in {region}, found by `probecause discover aws --region {region}`."
        )),
        comment(
            "This file is generated: the next run replaces it, so do not edit it. Read it with",
        ),
        comment("`include` in the main file, and set common keys there, in [defaults]."),
    ];
    for (title, items) in [
        ("Not read, so targets may be missing:", &discovery.not_read),
        ("Notes:", &discovery.notes),
    ] {
        if !items.is_empty() {
            lines.push(comment(""));
            lines.push(comment(title));
            lines.extend(items.iter().map(|item| comment(&format!("- {item}"))));
        }
    }
    lines
}

/// Returns the text as a comment in one line.
fn comment(text: &str) -> String {
    format!("# {}", printable(text)).trim_end().to_owned()
}

/// Returns the `[[target]]` table of a candidate.
fn table(candidate: &Candidate) -> Vec<String> {
    let mut lines = vec!["[[target]]".to_owned()];
    lines.push(pair("name", &candidate.name));
    lines.push(pair("url", &candidate.url));
    lines.extend(candidate.timeout.map(|it| pair("timeout", &duration(it))));
    // The main file may set another method in [defaults].
    lines.push("[target.request]".to_owned());
    lines.push(pair("method", &candidate.method));
    let declarations = declarations(&candidate.aws);
    if !declarations.is_empty() {
        lines.push("[target.aws]".to_owned());
        lines.extend(declarations);
    }
    lines
}

/// Returns the pairs of `[target.aws]` in the order of the configuration reference.
fn declarations(aws: &AwsDeclarations) -> Vec<String> {
    let pairs = [
        ("region", aws.region.clone()),
        ("role_arn", aws.role_arn.clone()),
        ("external_id", aws.external_id.clone()),
        ("api_id", aws.api_id.clone()),
        ("api_name", aws.api_name.clone()),
        ("stage", aws.stage.clone()),
        ("route", aws.route.clone()),
        ("function", aws.function.clone()),
        ("qualifier", aws.qualifier.clone()),
        ("integration", aws.integration.map(integration)),
        ("integration_timeout", aws.integration_timeout.map(duration)),
        ("function_timeout", aws.function_timeout.map(duration)),
        ("authorizer", aws.authorizer.map(authorizer)),
        ("access_log_group", aws.access_log_group.clone()),
        ("execution_log_group", aws.execution_log_group.clone()),
    ];
    let set = pairs.into_iter().filter_map(|(key, value)| {
        let value = value?;
        Some(pair(key, &value))
    });
    set.collect()
}

fn pair(key: &str, value: &str) -> String {
    format!("{key} = {}", toml::Value::String(value.to_owned()))
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn integration(integration: Integration) -> String {
    let word = match integration {
        Integration::Lambda => "lambda",
        Integration::Http => "http",
        Integration::VpcLink => "vpc-link",
    };
    word.to_owned()
}

fn authorizer(authorizer: Authorizer) -> String {
    let word = match authorizer {
        Authorizer::None => "none",
        Authorizer::Lambda => "lambda",
        Authorizer::Jwt => "jwt",
        Authorizer::Iam => "iam",
    };
    word.to_owned()
}
