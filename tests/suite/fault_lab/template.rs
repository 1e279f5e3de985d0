//! Checks of `deploy/aws/fault-lab.yaml` that need no AWS account.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use probecause::io::config;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/aws/fault-lab.yaml")
}

fn template() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// The names of the template's resources.
fn resources(template: &str) -> Vec<&str> {
    let (_, rest) = template.split_once("\nResources:\n").unwrap();
    let (resources, _) = rest.split_once("\nOutputs:\n").unwrap();
    resources
        .lines()
        .filter_map(|line| {
            let name = line.strip_prefix("  ")?.strip_suffix(':')?;
            name.chars().all(char::is_alphanumeric).then_some(name)
        })
        .collect()
}

/// The texts of the outputs, with every `${…}` replaced as a deployment does.
fn outputs(template: &str) -> String {
    let (_, outputs) = template.split_once("\nOutputs:\n").unwrap();
    let mut text = String::new();
    for line in outputs.lines() {
        if let Some(line) = line.strip_prefix("      ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    for name in resources(template) {
        text = text.replace(&format!("${{{name}}}"), &name.to_lowercase());
    }
    text.replace("${AWS::Region}", "eu-west-1")
        .replace("${AWS::URLSuffix}", "amazonaws.com")
        .replace("${AWS::StackName}", "lab")
}

#[test]
fn the_outputs_form_a_configuration_that_labels_every_target_with_its_cause() {
    let text = outputs(&template());
    assert!(!text.contains("${"), "unreplaced parameters:\n{text}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = config::load(&file).unwrap();
    let mut truths: BTreeMap<&str, usize> = BTreeMap::new();
    for target in &loaded.settings.targets {
        let truth = target.labels["injected"].as_str();
        assert!(target.aws.function.is_some(), "{}", target.name);
        *truths.entry(truth).or_default() += 1;
    }
    let expected = [
        ("authorizer-failure", 1),
        ("integration-timeout", 2),
        // Both APIs, the shared function, and the $default route.
        ("lambda-function-error", 4),
        ("lambda-function-timeout", 1),
        ("lambda-malformed-response", 2),
        // Both APIs and an alias.
        ("lambda-permission-denied", 3),
        ("lambda-throttled", 2),
        // Both APIs, an alias, and a route with an authorizer.
        ("none", 4),
    ];
    assert_eq!(truths, BTreeMap::from(expected));
}

#[test]
fn the_template_is_within_the_limits_of_cloudformation() {
    let template = template();
    // A template of more than 51,200 bytes must be uploaded to S3 first. A stack has at most
    // 500 resources.
    assert!(template.len() < 51_200, "{} bytes", template.len());
    assert!(resources(&template).len() < 500);
}

#[test]
fn only_denied_functions_lack_a_permission_and_only_the_throttled_one_reserves_concurrency() {
    let template = template();
    let names = resources(&template);
    assert!(names.contains(&"PermissionFunction"));
    assert!(!names.contains(&"PermissionPermission"));
    assert!(!names.contains(&"PermissionRestPermission"));
    assert!(!names.contains(&"BareAliasPermission"));
    let reserved: Vec<_> = template.matches("ReservedConcurrentExecutions:").collect();
    assert_eq!(reserved.len(), 1);
}
