//! Custom rules in a running daemon: read at start and again on each reload.

use crate::daemon::process::{config, endpoint, reload, series};
use crate::support::process::Daemon;

/// Returns a rule file with one rule `id` that matches the endpoint's status 418.
fn rules(id: &str) -> String {
    format!(
        r#"phase = "expect"
[[rule]]
id = "{id}"
title = "The teapot was asked for coffee"
owner = "client"
next = ["Ask for tea."]
see = "https://www.rfc-editor.org/rfc/rfc2324"
[rule.when]
status = 418
[[rule.example]]
given = {{ status = 418, unmet = "status" }}
[[rule.counterexample]]
given = {{ status = 404, unmet = "status" }}
because = "That is no teapot."
"#
    )
}

fn names_cause(metrics: &str, cause: &str) -> bool {
    let shown = series(metrics, "probecause_probable_cause", "teapot");
    shown.len() == 1 && shown[0].contains(&format!("cause=\"{cause}\""))
}

#[tokio::test]
async fn a_reload_reads_custom_rules_and_invalid_rules_change_nothing() {
    let text = config(endpoint().await, &["teapot"]);
    let daemon = Daemon::start(&text).await;
    let folder = daemon.config.with_file_name("rules.d");
    let file = folder.join("mine.toml");
    daemon
        .metrics_until(|text| names_cause(text, "unexpected-status"))
        .await;

    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&file, rules("coffee-wanted")).unwrap();
    std::fs::write(&daemon.config, format!("rules_dir = \"rules.d\"\n{text}")).unwrap();
    let (status, body) = reload(&daemon).await;
    assert_eq!(
        (status, body.trim()),
        (
            200,
            "1 target (0 added, 0 changed, 0 removed); 1 file of custom rules"
        )
    );
    daemon
        .metrics_until(|text| names_cause(text, "coffee-wanted"))
        .await;
    let info = "probecause_cause_info{cause=\"coffee-wanted\",";
    assert!(daemon.get("/metrics").await.contains(info));
    assert!(daemon.get("/api/v1/causes").await.contains("Ask for tea."));

    // A mistake is reported with its file and line, and the previous rules stay in use.
    let broken = rules("coffee-refused").replace("status = 418\n", "statsu = 418\n");
    std::fs::write(&file, broken).unwrap();
    let (status, body) = reload(&daemon).await;
    assert_eq!(status, 500);
    let expected = "mine.toml:9: unknown fact `statsu`; did you mean `status`?";
    assert!(body.contains(expected), "{body}");
    let metrics = daemon.get("/metrics").await;
    assert!(metrics.contains("probecause_config_last_reload_successful 0"));
    assert!(metrics.contains(info));
    assert!(names_cause(&metrics, "coffee-wanted"));

    // So is an example whose leading cause is that of another rule.
    let outranked =
        rules("coffee-refused").replace("given = { status = 418,", "given = { status = 404,");
    std::fs::write(&file, outranked).unwrap();
    let (status, body) = reload(&daemon).await;
    assert_eq!(status, 500);
    assert!(
        body.contains("mine.toml:10: rule `coffee-refused`"),
        "{body}"
    );

    std::fs::write(&file, rules("coffee-refused")).unwrap();
    assert_eq!(reload(&daemon).await.0, 200);
    let metrics = daemon
        .metrics_until(|text| names_cause(text, "coffee-refused"))
        .await;
    assert!(
        !metrics.contains(info),
        "a cause without a rule is still exported"
    );
    assert!(!daemon.get("/api/v1/causes").await.contains("coffee-wanted"));
}
