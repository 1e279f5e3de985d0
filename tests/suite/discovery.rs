//! Tests of `[[discovery.aws]]`: how lists of found targets become part of a configuration.

use std::path::PathBuf;
use std::time::Duration;

use probecause::io::config::{self, Loaded};
use probecause::model::settings::Role;
use probecause::model::settings::discovery::{AwsDiscovery, AwsSource};
use tempfile::TempDir;

const SECTION: &str = "[[discovery.aws]]\nregion = \"eu-west-1\"\n";

fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("c.toml");
    std::fs::write(&file, text).expect("a file");
    (directory, file)
}

/// Loads a configuration with this list of found targets.
fn load(text: &str, list: &str) -> Loaded {
    let (_directory, file) = file(text);
    let lists = |source: &AwsSource| {
        assert_eq!(source.region, "eu-west-1");
        Some(list.to_owned())
    };
    config::load_with(&file, &lists).unwrap_or_else(|error| panic!("{error}"))
}

fn names(loaded: &Loaded) -> Vec<&str> {
    let targets = loaded.settings.targets.iter();
    targets.map(|target| target.name.as_str()).collect()
}

fn target(name: &str, url: &str) -> String {
    format!("[[target]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

#[test]
fn the_table_is_read_with_its_default_and_reports_mistakes() {
    let role = "role_arn = \"arn:aws:iam::123456789012:role/reader\"\n";
    let text = format!("{SECTION}{SECTION}{role}external_id = \"x\"\ninterval = \"1h\"\n");
    let loaded = load(&text, "");
    let source = |role: Option<Role>| AwsSource {
        region: "eu-west-1".to_owned(),
        role,
    };
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/reader".to_owned(),
        external_id: Some("x".to_owned()),
    };
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let expected = [(None, 10), (Some(role), 60)].map(|(role, interval)| AwsDiscovery {
        source: source(role),
        interval: minutes(interval),
    });
    assert_eq!(loaded.settings.discovery, expected);

    for (wrong, message) in [
        ("[[discovery.aws]]\n", "region: is missing"),
        (
            "[[discovery.aws]]\nregion = \"eu-west-1\"\ninterval = \"30s\"\n",
            "\"30s\" is too short; write \"60s\" or more",
        ),
        (
            "[[discovery.aws]]\nregion = \"eu-west-1\"\nexternal_id = \"x\"\n",
            "has no effect without `role_arn`",
        ),
        (
            "[[discovery.aws]]\nregion = \"eu-west-1\"\nregions = []\n",
            "unknown key `regions`",
        ),
        (
            "[[discovery.aws]]\nregion = \"a-1\"\n[[discovery.aws]]\nregion = \"a-1\"\n",
            "another [[discovery.aws]] has the same `region` (a-1) and `role_arn`",
        ),
    ] {
        let (_directory, file) = file(wrong);
        let error = config::load(&file).expect_err(wrong).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_table_in_the_reference_is_valid_as_written() {
    let reference = std::fs::read_to_string("config/probecause.toml").expect("the reference");
    let lines = reference.lines().map(|line| line.strip_prefix("#   "));
    let block: Vec<&str> = lines
        .skip_while(|line| *line != Some("[[discovery.aws]]"))
        .map_while(|line| line)
        .collect();
    let loaded = load(&block.join("\n"), "");
    let found = &loaded.settings.discovery[0];
    assert_eq!(found.interval, Duration::from_secs(600));
    assert!(
        found
            .source
            .role
            .as_ref()
            .is_some_and(|role| role.external_id.is_some())
    );
}

#[test]
fn a_declared_target_with_the_same_name_or_url_takes_precedence() {
    let declared = format!(
        "{SECTION}{}{}",
        target("a", "https://a.example/"),
        target("b", "https://b.example/x")
    );
    let list = format!(
        "{}{}{}{}",
        target("a", "https://other.example/"),
        target("found b", "https://b.example/x"),
        target("c", "https://c.example/"),
        target("c again", "https://c.example/"),
    );
    let loaded = load(&declared, &list);
    assert_eq!(names(&loaded), ["a", "b", "c"]);
    let first = &loaded.settings.targets[0];
    assert_eq!(first.url.as_str(), "https://a.example/");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn defaults_apply_and_the_timeout_outlasts_the_integration() {
    let text = format!("[defaults]\ntimeout = \"10s\"\ninterval = \"5m\"\n{SECTION}");
    let limit = "aws.integration_timeout = \"30s\"\n";
    let list = target("a", "https://a.example/") + limit + &target("b", "https://b.example/");
    let loaded = load(&text, &list);
    let targets = loaded.settings.targets.iter();
    let times: Vec<_> = targets
        .map(|target| (target.interval.as_secs(), target.timeout.as_secs()))
        .collect();
    assert_eq!(times, [(300, 35), (300, 10)]);
}

#[test]
fn a_found_target_is_probed_with_get_and_without_a_body_whatever_the_defaults() {
    let request = "[defaults.request]\nmethod = \"POST\"\nbody = \"{}\"\n";
    let own = target("b", "https://b.example/");
    let loaded = load(
        &format!("{request}{SECTION}{own}"),
        &target("a", "https://a.example/"),
    );
    let targets = loaded.settings.targets.iter();
    let requests: Vec<_> = targets
        .map(|target| {
            let request = &target.request;
            (request.method.as_str(), request.body.len())
        })
        .collect();
    assert_eq!(names(&loaded), ["b", "a"]);
    assert_eq!(requests, [("POST", 2), ("GET", 0)]);
}

#[test]
fn a_found_target_with_a_problem_is_omitted_and_reported() {
    let declared = format!("{SECTION}{}", target("a", "https://a.example/"));
    let broken = target("b", "ftp://b.example/");
    let list = format!("{broken}{}", target("c", "https://c.example/"));
    let loaded = load(&declared, &list);
    assert_eq!(names(&loaded), ["a", "c"]);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "targets found in eu-west-1:3: target[b].url: unsupported scheme \"ftp\"; use http or \
             https"
        ]
    );
    let unreadable = load(&declared, "= broken");
    assert_eq!(names(&unreadable), ["a"]);
    assert!(!unreadable.warnings.is_empty());
}

#[test]
fn without_a_list_or_a_table_nothing_is_found() {
    let (_directory, only_discovery) = file(SECTION);
    let loaded = config::load(&only_discovery).expect("a configuration without targets");
    assert!(loaded.settings.targets.is_empty());
    let (_directory, without) = file(&target("a", "https://a.example/"));
    let lists = |_: &AwsSource| -> Option<String> { panic!("there is no account") };
    let loaded = config::load_with(&without, &lists).expect("a configuration");
    assert_eq!(names(&loaded), ["a"]);
}
