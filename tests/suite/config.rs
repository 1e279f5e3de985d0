//! Tests the configuration through its public interface: the exact messages for every bad
//! file, and the settings that result from good files.
//!
//! The messages for `fixtures/config/bad/NAME.toml` are in `NAME.expected`;
//! `UPDATE_EXPECTED=1` rewrites them, to be reviewed before they are committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use probecause::io::config::{self, Loaded};
use probecause::model::settings::{EvidenceSettings, MaintenanceTime, Settings};
use probecause::model::target::{
    Auth, BodyMatch, HeaderText, Integration, IpVersion, Target, TextMatch,
};
use url::Url;

const BAD: &str = "tests/fixtures/config/bad";
const GOOD: &str = "tests/fixtures/config/good";
const REFERENCE: &str = "config/probecause.toml";

fn load(path: &str) -> Loaded {
    config::load(Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Loads a text as a file and returns the errors, without the name of the directory.
fn problems_of(text: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    std::fs::write(&path, text).expect("a file");
    let messages = config::load(&path).map_or_else(|error| error.to_string(), |_| String::new());
    messages.replace(&format!("{}/", directory.path().display()), "")
}

fn bad_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(BAD).expect("the fixtures");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(files.len() > 100, "{} bad files", files.len());
    files
}

#[test]
fn every_bad_file_has_the_expected_messages() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for file in bad_files() {
        let messages = match config::load(&file) {
            Ok(_) => panic!("{} loads", file.display()),
            Err(error) => format!("{error}\n"),
        };
        let expected = file.with_extension("expected");
        if update {
            std::fs::write(&expected, &messages).expect("the expected messages");
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        if messages != wanted {
            wrong.push(format!(
                "{}\nactual:\n{messages}expected:\n{wanted}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_message_contains_a_secret() {
    let secrets = ["hunter2", "987654321"];
    let mut files_with_secret = [0; 2];
    for file in bad_files() {
        let written = std::fs::read(&file).expect("a bad file");
        let written = String::from_utf8_lossy(&written);
        let error = config::load(&file).expect_err("a bad file");
        let messages = format!("{error}{error:?}");
        for (secret, count) in secrets.into_iter().zip(&mut files_with_secret) {
            *count += usize::from(written.contains(secret));
            assert!(!messages.contains(secret), "{}: {messages}", file.display());
        }
    }
    assert!(
        !files_with_secret.contains(&0),
        "a secret that no file contains"
    );
}

#[test]
fn check_prints_the_problems_of_each_bad_file_and_exits_2() {
    for file in bad_files() {
        let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .arg("check")
            .arg(&file)
            .output()
            .expect("the command");
        let messages = String::from_utf8_lossy(&output.stdout);
        let wanted = std::fs::read_to_string(file.with_extension("expected")).unwrap_or_default();
        assert!(
            messages.starts_with(&wanted),
            "{}: {messages}",
            file.display()
        );
        assert_eq!(output.status.code(), Some(2), "{}", file.display());
    }
}

/// Runs `check` for `c.toml` of a directory and returns its exit code and output.
fn check_in(directory: &Path, set_environment: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
    command.arg("check").arg(directory.join("c.toml"));
    set_environment(&mut command);
    let output = command.output().expect("the command");
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.replace(&directory.display().to_string(), "DIR");
    (output.status.code(), messages)
}

#[test]
fn check_reports_how_many_targets_the_shard_of_this_machine_has() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("c.toml");
    let mut text = "[shard]\ntotal = 3\nindex = \"auto\"\n".to_owned();
    for number in 0..100 {
        let target = format!("name = \"t{number}\"\nurl = \"https://example.com/\"\n");
        text.push_str(&format!("[[target]]\n{target}"));
    }
    std::fs::write(&file, text).expect("a file");
    let check = |pod: Option<&str>, expected: &str| {
        let messages = check_in(directory.path(), |command| {
            command.env_remove("POD_NAME").env_remove("HOSTNAME");
            command.envs(pod.map(|pod| ("POD_NAME", pod)));
        });
        assert_eq!(messages, (Some(0), expected.to_owned()), "{pod:?}");
    };
    let note = "note: DIR/c.toml: shard.index: the daemon would not start on this machine: ";
    let shares = "fine: 100 targets, each of 3 shards probes 27 to 38 of the targets\n";
    check(
        Some("probecause-2"),
        "fine: 100 targets, the shard with index 2 of 3 shards probes 38 of the targets\n",
    );
    check(
        Some("probecause-3"),
        &format!(
            "{note}`POD_NAME` is \"probecause-3\", but there are only shards 0 to 2; \
             raise `shard.total` or run at most 3 daemons\n{shares}"
        ),
    );
    check(
        None,
        &format!(
            "{note}`shard.index` is \"auto\", but neither `POD_NAME` nor `HOSTNAME` is set; \
             set `shard.index` to the index of this daemon\n{shares}"
        ),
    );
}

#[test]
fn a_credential_is_read_from_the_directory_of_the_service_manager() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = |name: &str| directory.path().join(name);
    let text = "[[target]]\nname = \"a\"\nurl = \"https://example.com/\"\n\
                auth.bearer = { credential = \"token\" }\n";
    std::fs::write(place("c.toml"), text).expect("a file");
    let check = |credential: Option<&str>, code: i32, expected: &str| {
        match credential {
            Some(secret) => std::fs::write(place("token"), secret).expect("a file"),
            None => std::fs::remove_file(place("token")).unwrap_or_default(),
        }
        let messages = check_in(directory.path(), |command| {
            command.env("CREDENTIALS_DIRECTORY", directory.path());
        });
        assert_eq!(messages, (Some(code), expected.to_owned()));
    };
    check(Some("hunter2\n"), 0, "fine: 1 target\n");
    check(
        Some("\n"),
        2,
        "DIR/c.toml:4: target[a].auth.bearer: DIR/token is empty; put the secret into it\n\
         1 problem\n",
    );
    check(
        None,
        2,
        "DIR/c.toml:4: target[a].auth.bearer: DIR contains no credential with this name; \
         add `LoadCredential=NAME:PATH` to the systemd service\n1 problem\n",
    );
}

#[test]
fn check_prints_warnings_beside_problems() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "[[target]]\nname = \"a\"\nurl = \"https://example.com/\"\ntimeout = \"5s\"\n\
                expect.slower_than = \"5s\"\nrequest.methd = \"GET\"\n";
    std::fs::write(directory.path().join("c.toml"), text).expect("a file");
    let expected = "DIR/c.toml:6: target[a].request.methd: unknown key `methd`; write `method`\n\
                    warning: DIR/c.toml:5: target[a].expect.slower_than: 5s is not shorter than \
                    the timeout (5s), so a slow probe times out before it counts as degraded; write \
                    a shorter duration or raise `timeout`\n\
                    1 problem, 1 warning\n";
    let messages = check_in(directory.path(), |_| ());
    assert_eq!(messages, (Some(2), expected.to_owned()));
}

#[test]
fn check_succeeds_if_there_are_only_warnings() {
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .arg("check")
            .args(arguments)
            .output()
            .expect("the command");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let messages = check(&[&format!("{GOOD}/full.toml")]);
    assert_eq!(
        messages,
        "warning: tests/fixtures/config/good/full.toml:2: include[2]: no file matches \
         \"nothing-here/*.toml\"; correct the pattern or remove it
\
         warning: tests/fixtures/config/good/full.toml:5: server.listen: 0.0.0.0:9853 is \
         reachable from other machines without authentication; listen on 127.0.0.1, configure \
         users in a `web_config`, or put the daemon behind a firewall
\
         warning: tests/fixtures/config/good/full.toml:11: defaults.timeout: 20s is longer than \
         the interval (10s), so a slow probe causes the next one to be missed; use a longer \
         interval or a shorter timeout
\
         warning: tests/fixtures/config/good/full.toml:44: maintenance[release].targets[2]: no \
         target matches \"nobody\"; correct the pattern or remove it
\
         fine: 3 targets, 4 warnings
"
    );
    let json = check(&[&format!("{GOOD}/full.toml"), "--json"]);
    assert_eq!(json.lines().count(), 4);
    assert_eq!(
        json.lines().nth(3),
        Some(
            r#"{"level":"warning","file":"tests/fixtures/config/good/full.toml","line":44,"key":"maintenance[release].targets[2]","message":"no target matches \"nobody\"; correct the pattern or remove it"}"#
        )
    );
    assert_eq!(
        check(&[&format!("{GOOD}/minimal.toml")]),
        "fine: 1 target
"
    );
}

#[test]
fn a_missing_file_and_a_directory_have_different_messages() {
    let messages = |path: &str| {
        config::load(Path::new(path))
            .expect_err("no file")
            .to_string()
    };
    assert_eq!(
        messages("tests/fixtures/config/none.toml"),
        "tests/fixtures/config/none.toml: file not found; give the path of an existing TOML file"
    );
    assert_eq!(
        messages(BAD),
        "tests/fixtures/config/bad: this is a directory; give the path of a TOML file in it"
    );
}

#[test]
fn the_reference_loads_without_a_warning_and_equals_the_defaults() {
    let loaded = load(REFERENCE);
    let url = Url::parse("https://example.com/").expect("a URL");
    let defaults = Settings {
        targets: vec![Arc::new(Target::with_defaults("example", url))],
        ..Settings::default()
    };
    assert_eq!(loaded.settings, defaults);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_evidence_table_is_read_and_accepts_whole_dollars() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    let text = "[evidence]\nenabled = false\nfirst_look = \"90s\"\nsettle = \"15m\"\n\
                max_daily_cost = 2\nmax_requests_per_second = 5\n\
                endpoint_url = \"http://127.0.0.1:4566\"\n\
                configuration = true\nchanges = true\n\
                [[target]]\nname = \"a\"\nurl = \"https://example.com/\"\n";
    std::fs::write(&path, text).expect("a file");
    let loaded = config::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let expected = EvidenceSettings {
        enabled: false,
        first_look: Duration::from_secs(90),
        settle: Duration::from_secs(900),
        max_daily_cost: 2.0,
        max_requests_per_second: 5,
        endpoint_url: Some("http://127.0.0.1:4566".to_owned()),
        configuration: true,
        changes: true,
    };
    assert_eq!(loaded.settings.evidence, expected);
    let keys: Vec<&str> = loaded.warnings.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["evidence.configuration", "evidence.changes"]);
}

#[test]
fn an_alarm_of_a_cause_has_the_actions_of_the_cause_or_else_of_its_owner() {
    let loaded = load(&format!("{GOOD}/causes.toml"));
    let routes: Vec<String> = loaded
        .settings
        .targets
        .iter()
        .flat_map(|target| {
            target.alarm.causes.iter().map(|one| {
                let topics = one.actions.iter().filter_map(|arn| arn.rsplit(':').next());
                let topics: Vec<_> = topics.collect();
                format!("{} {} {} {topics:?}", target.name, one.cause, one.owner)
            })
        })
        .collect();
    assert_eq!(
        routes,
        [
            // From the defaults; from the owner of an own rule; none for the platform.
            "orders lambda-throttled platform [\"capacity\"]",
            "orders shop-closed client [\"shop\"]",
            "stock lambda-throttled platform []",
            "stock lambda-permission-denied platform []",
            "stock unexplained unknown []",
        ]
    );
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "tests/fixtures/config/good/causes.toml:8: defaults.alarm.cause_actions.dns-failure: no \
             per-cause alarm uses this entry; add its cause (or a cause of its owner) to `causes`, \
             or remove the entry",
            "tests/fixtures/config/good/causes.toml:12: defaults.alarm.owner_actions.network: no \
             per-cause alarm uses this entry; add its cause (or a cause of its owner) to `causes`, \
             or remove the entry (a cause in `cause_actions` does not use the actions of its owner)",
        ]
    );
}

/// The keys of a table, taken from the message about an unknown key.
fn keys_of(table: &str) -> BTreeSet<String> {
    let messages = problems_of(&table.replace('?', "no_such_key = 1"));
    let (_, known) = messages
        .split_once("write one of `")
        .unwrap_or_else(|| panic!("{table}: {messages}"));
    let quoted = known.split('`').step_by(2);
    quoted.map(str::to_owned).collect()
}

#[test]
fn the_reference_contains_every_key() {
    let tables = [
        "?",
        "[server]\n?",
        "[scheduler]\n?",
        "[resolver]\n?",
        "[log]\n?",
        "[cloudwatch]\n?",
        "[cloudwatch.destination.payments]\n?",
        "[evidence]\n?",
        "[[discovery.aws]]\n?",
        "[defaults]\n?",
        "[defaults.request]\n?",
        "[defaults.tls]\n?",
        "[defaults.expect]\n?",
        "[defaults.expect.body]\n?",
        "[defaults.health]\n?",
        "[defaults.auth]\n?",
        "[defaults.auth.basic]\n?",
        "[defaults.auth.sigv4]\n?",
        "[defaults.aws]\n?",
        "[defaults.alarm]\n?",
        "[defaults.cloudwatch]\n?",
        "[[target]]\n?",
        "[[target]]\n[[target.layer]]\n?",
        "[[maintenance]]\n?",
    ];
    let reference = std::fs::read_to_string(REFERENCE).expect("the reference");
    for table in tables {
        let keys = keys_of(table);
        assert!(!keys.is_empty(), "{table}");
        for key in keys {
            let written = [
                format!("{key} = "),
                format!("[{key}]"),
                format!("[defaults.{key}]"),
                format!("[[target.{key}]]"),
            ];
            let found = written.iter().any(|form| reference.contains(form));
            assert!(found, "{key} of {table:?} is not in the reference");
        }
    }
}

#[test]
fn the_keys_of_a_target_override_the_defaults_one_by_one() {
    let loaded = load(&format!("{GOOD}/full.toml"));
    let orders = &loaded.settings.targets[0];
    assert_eq!(orders.timeout, Duration::from_secs(20));
    assert_eq!(orders.labels["team"], "orders");
    assert_eq!(orders.labels["tier"], "1");
    assert_eq!(orders.request.method, "POST");
    assert_eq!(
        &*orders.request.body, b"{}",
        "body overrides the default body_file"
    );
    assert_eq!(orders.request.body_limit, 1024 * 1024);
    assert_eq!(orders.request.ip, IpVersion::V6);
    let header = |name: &str| {
        let found = orders
            .request
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.expose()).collect::<Vec<_>>()
    };
    assert_eq!(header("X-From"), ["target"]);
    assert_eq!(header("X-Other"), ["1"]);
    assert_eq!(header("X-Api-Key"), ["hunter2"]);
    let secrets = orders.request.headers.iter();
    assert_eq!(
        secrets
            .filter(|(_, value)| matches!(value, HeaderText::Secret(_)))
            .count(),
        1
    );
    assert_eq!(orders.aws.integration, Some(Integration::VpcLink));
    assert!(!orders.aws.shared);
    let sigv4 = Auth::SigV4 {
        service: "execute-api".into(),
        region: "eu-west-1".into(),
    };
    assert_eq!(orders.auth, Some(sigv4));
}

#[test]
fn expectations_are_compiled() {
    let loaded = load(&format!("{GOOD}/full.toml"));
    let expect = &loaded.settings.targets[0].expect;
    assert_eq!(expect.status, [(200, 200), (300, 399), (404, 405)]);
    assert_eq!(
        expect.headers,
        [("content-type".into(), TextMatch::Contains("json".into()))]
    );
    assert_eq!(expect.slower_than, Some(Duration::from_secs(2)));
    let paths: Vec<&str> = expect
        .body
        .iter()
        .filter_map(|test| match test {
            BodyMatch::Json { path, .. } => Some(path.source.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(paths, ["status", "checks[0]"]);
    assert_eq!(expect.body.len(), 4);
}

#[test]
fn included_files_are_sorted_and_their_paths_are_relative_to_them() {
    let loaded = load(&format!("{GOOD}/full.toml"));
    let names: Vec<&str> = loaded
        .settings
        .targets
        .iter()
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(names, ["orders", "a", "b"]);
    let [_, a, b] = &loaded.settings.targets[..] else {
        panic!("three targets")
    };
    assert_eq!(&*a.request.body, b"from the include\n");
    assert_eq!(
        &*b.request.body, b"{\"ping\":true}\n",
        "the file of the defaults, relative to the main file"
    );
    let Some(Auth::Bearer(token)) = &b.auth else {
        panic!("the default credentials")
    };
    assert_eq!(
        token.expose(),
        "hunter2",
        "without the line break at the end"
    );
}

#[test]
fn maintenance_windows_keep_their_time_zone() {
    let loaded = load(&format!("{GOOD}/full.toml"));
    let [release, moving] = &loaded.settings.maintenance[..] else {
        panic!("two windows")
    };
    assert_eq!(release.targets, ["ord*", "nobody"]);
    let MaintenanceTime::Weekly {
        days,
        at,
        lasting,
        zone,
    } = &release.when
    else {
        panic!("a weekly window")
    };
    assert_eq!(days.len(), 2);
    assert_eq!((at.hour(), at.minute()), (22, 0));
    assert_eq!(*lasting, Duration::from_secs(7200));
    assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
    let MaintenanceTime::Once { from, until } = &moving.when else {
        panic!("a single window")
    };
    assert_eq!(from.to_string(), "2026-05-01T20:00:00Z");
    assert_eq!(until.to_string(), "2026-05-01T23:00:00Z");
}

#[test]
fn any_part_of_the_reference_is_read_without_a_panic() {
    let reference = std::fs::read_to_string(REFERENCE).expect("the reference");
    let bare = reference.replace("# ", "");
    for text in [reference, bare] {
        let lines: Vec<&str> = text.lines().collect();
        for length in 0..lines.len() {
            problems_of(&lines[..length].join("\n"));
            problems_of(&lines[length..].join("\n"));
        }
    }
}

#[test]
fn malformed_files_are_refused_without_a_panic() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let dotted = format!("{}a = 1", "a.".repeat(10_000));
    let odd = [
        deep.as_str(),
        dotted.as_str(),
        r#"location = "\u0000""#,
        "\u{feff}",
        "[defaults]\ntimeout = \"99999999999999999999999y\"",
        "[scheduler]\nmax_in_flight = 99999999999999999999999",
        "[[target]]\nname = 5",
        "target = 5",
        "target = [5]",
        "maintenance = [{ days = [5] }]",
    ];
    for text in odd {
        let shown: String = text.chars().take(40).collect();
        assert_ne!(problems_of(text), "", "{shown}");
    }
}

#[test]
fn a_wrong_default_is_reported_even_if_every_target_overrides_it() {
    let target = "[[target]]\nname = \"a\"\nurl = \"https://example.com/\"\ntimeout = \"10s\"\n";
    assert_eq!(
        problems_of(&format!("[defaults]\ntimeout = \"soon\"\n{target}")),
        "c.toml:2: defaults.timeout: \"soon\" is not a duration; write a duration such as \
         \"10s\", \"500ms\" or \"1m 30s\""
    );
}

#[test]
fn every_commented_out_key_of_the_reference_is_valid_as_written() {
    let reference = std::fs::read_to_string(REFERENCE).expect("the reference");
    let (tables, _) = reference
        .split_once("# One table for each endpoint.")
        .expect("the targets");
    let mut tried = 0;
    for line in tables.lines() {
        let Some(bare) = line.strip_prefix("# ") else {
            continue;
        };
        let key = bare.split(" = ").next().unwrap_or_default();
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let in_auth = ["bearer", "basic", "sigv4"].contains(&key);
        if !bare.contains(" = ") || !is_key || in_auth || key == "include" {
            continue;
        }
        tried += 1;
        let messages = problems_of(&reference.replacen(line, bare, 1));
        // The files named in the examples do not exist.
        let about_files = key.ends_with("_file") || ["rules_dir", "web_config"].contains(&key);
        assert!(
            messages.is_empty() || about_files && !messages.contains("unknown key"),
            "{messages}"
        );
    }
    assert!(tried > 20, "{tried} keys tried");
}

#[test]
fn the_destination_in_the_reference_is_valid_as_written() {
    let reference = std::fs::read_to_string(REFERENCE).expect("the reference");
    let lines = reference.lines().map(|line| line.strip_prefix("#   "));
    let block: Vec<String> = lines
        .skip_while(|line| *line != Some("[cloudwatch.destination.payments]"))
        .map_while(|line| line.map(str::to_owned))
        .collect();
    assert!(block.len() > 6, "{block:?}");
    let target = "[[target]]\nname = \"orders\"\nurl = \"https://example.com/\"\n\
                  cloudwatch = { destination = \"payments\" }";
    let text = format!("{}\n{target}", block.join("\n"));
    assert_eq!(problems_of(&text), "");
}

#[test]
fn a_destination_inherits_missing_keys_from_cloudwatch() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    let text = r#"
        [cloudwatch]
        region = "eu-west-1"
        alarm_actions = ["arn:aws:sns:eu-west-1:1:on-call"]
        actions_enabled = false
        [cloudwatch.destination.payments]
        role_arn = "arn:aws:iam::2:role/probecause"
        external_id = "orders"
        [cloudwatch.destination.far]
        region = "us-east-1"
        alarm_actions = []
        actions_enabled = true
        [defaults.cloudwatch]
        destination = "payments"
        [[target]]
        name = "orders"
        url = "https://example.com/"
        [[target]]
        name = "returns"
        url = "https://example.com/"
        cloudwatch = { destination = "main" }
    "#;
    std::fs::write(&path, text).expect("a file");
    let settings = load(&path.to_string_lossy()).settings;
    let destinations = &settings.cloudwatch.destinations;
    let (payments, far) = (&destinations["payments"], &destinations["far"]);
    assert_eq!(payments.region.as_deref(), Some("eu-west-1"));
    assert_eq!(payments.alarm_actions, ["arn:aws:sns:eu-west-1:1:on-call"]);
    assert!(!payments.actions_enabled);
    let role = payments.role.as_ref().expect("a role");
    assert_eq!(role.external_id.as_deref(), Some("orders"));
    assert_eq!(far.region.as_deref(), Some("us-east-1"));
    assert!(far.role.is_none() && far.alarm_actions.is_empty() && far.actions_enabled);
    let named = |index: usize| settings.targets[index].cloudwatch.destination.clone();
    assert_eq!(named(0).as_deref(), Some("payments"));
    assert_eq!(named(1), None, "main overrides the defaults");
}
