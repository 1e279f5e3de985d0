//! An operator's own rules, from the folder on disk to what the program says.

#[cfg(test)]
use std::path::Path;
#[cfg(test)]
use std::process::{Command, Output};

#[cfg(test)]
const CONFIG: &str =
    "rules_dir = \"rules.d\"\n[[target]]\nname = \"shop\"\nurl = \"https://shop.example/\"\n";

#[cfg(test)]
const RULE: &str = include_str!("../src/cli/explain/example.toml");

#[cfg(test)]
fn run(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs")
}

/// Checks a configuration whose folder of rules holds this file.
#[cfg(test)]
fn check(rule: &str, code: i32, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), rule);
    let output = run(&["check", "probecause.toml"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), said.trim()), (Some(code), expected));
}

#[cfg(test)]
fn write(folder: &Path, rule: &str) {
    std::fs::create_dir_all(folder.join("rules.d")).expect("a folder");
    std::fs::write(folder.join("rules.d/shop.toml"), rule).expect("a file");
    std::fs::write(folder.join("probecause.toml"), CONFIG).expect("a file");
}

#[test]
fn a_good_rule_passes_the_check() {
    check(RULE, 0, "fine: 1 target");
}

#[test]
fn a_misspelt_fact_is_told_with_its_place_and_the_nearest_one() {
    check(
        &RULE.replace("  status      = 503", "  statsu      = 503"),
        2,
        "rules.d/shop.toml:12: there is no fact `statsu`: did you mean `status`? \
         `probecause explain --facts` lists them\n1 problem",
    );
}

#[test]
fn an_example_that_its_rule_does_not_lead_is_refused() {
    check(
        &RULE.replace("\"maintenance-2\"", "\"open\""),
        2,
        "rules.d/shop.toml:1: example 1 of `maintenance-page` is diagnosed as \
         unexpected-status, not as `maintenance-page`: mend the example, or raise the \
         weight\n1 problem",
    );
}

#[test]
fn a_rule_in_the_place_of_ours_is_a_warning() {
    let theirs = RULE.replace("\"maintenance-page\"", "\"too-slow\"");
    check(
        &theirs,
        0,
        "warning: rules.d/shop.toml:1: takes the place of the built-in rule `too-slow`\n\
         fine: 1 target, 1 warning",
    );
}

#[test]
fn two_rules_with_one_id_name_both_places() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), RULE);
    std::fs::write(folder.path().join("rules.d/twin.toml"), RULE).expect("a file");
    let output = run(&["check", "probecause.toml"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = "rules.d/twin.toml:1: rule `maintenance-page` exists already \
                    (rules.d/shop.toml:1): rename it";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn a_folder_that_is_not_there_is_told_with_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("probecause.toml"), CONFIG).expect("a file");
    let output = run(&["check", "probecause.toml"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    let expected = "probecause.toml:1: rules_dir: the folder \"rules.d\" cannot be read";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn own_rules_are_explained_and_diagnose() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), RULE);
    let with = ["--config", "probecause.toml"];
    let output = run(
        &["explain", "maintenance-page", with[0], with[1]],
        folder.path(),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("rule maintenance-page (rules.d/shop.toml:1)"),
        "{said}"
    );
    let answer = "HTTP/1.1 503 Service Unavailable\nx-shop-mode: maintenance-now\n\nclosed\n";
    std::fs::write(folder.path().join("answer.txt"), answer).expect("a file");
    for (extra, cause) in [
        (&with[..], "\"cause\":\"maintenance-page\""),
        (&[][..], "\"cause\":\"unexpected-status\""),
    ] {
        let mut arguments = vec!["diagnose", "answer.txt", "--json"];
        arguments.extend(extra);
        let output = run(&arguments, folder.path());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(cause), "{arguments:?}: {said}");
    }
}
