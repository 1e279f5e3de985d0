use insta::assert_snapshot;

use super::*;
use crate::domain::alarm::desired;
use crate::domain::alarm::plan::tests::settings;
use crate::domain::diagnosis::Candidate;
use crate::domain::incident::ChangeEffect;
use crate::domain::layers::{LayerResult, LayerState};
use crate::domain::shard::assigned_shards;
use crate::model::cause::{CauseId, Owner};
use crate::model::settings::Settings;

fn verdict(certainty: Certainty, next: &[&str]) -> Verdict {
    let candidate = |cause: &str, share| Candidate {
        cause: CauseId::new(cause).unwrap(),
        share,
    };
    Verdict {
        cause: CauseId::new("lambda-function-error").unwrap(),
        title: "The function failed".to_owned(),
        owner: Owner::Service,
        hop: None,
        certainty,
        candidates: vec![
            candidate("lambda-function-error", 0.6),
            candidate("lambda-malformed-response", 0.4),
        ],
        next: next.iter().map(|&step| step.to_owned()).collect(),
    }
}

fn evidence() -> Vec<Evidence> {
    vec![
        Evidence {
            fact: "status".to_owned(),
            value: FactValue::Number(500.0),
        },
        Evidence {
            fact: "phase.processing".to_owned(),
            value: FactValue::Number(0.386_04),
        },
    ]
}

#[test]
fn a_possible_cause_lists_all_candidates() {
    let annotation = Annotation::failing(
        "orders",
        &verdict(
            Certainty::Possible,
            &["Read the function's log.", "Compare deployments."],
        ),
        &evidence(),
        None,
    );
    assert_snapshot!(annotation.description, @"orders: The function failed (lambda-function-error, possible; owner: service). Candidates: lambda-function-error 60 %, lambda-malformed-response 40 %. Evidence: status = 500, phase.processing = 0.386. Next: Read the function's log. Compare deployments.");
}

#[test]
fn a_likely_cause_lists_no_candidates() {
    let annotation = Annotation::failing("orders", &verdict(Certainty::Likely, &[]), &[], None);
    assert_snapshot!(annotation.description, @"orders: The function failed (lambda-function-error, likely; owner: service).");
}

#[test]
fn a_long_description_ends_after_a_word_within_the_limit() {
    let step = "Prüfe die Größe der Antwort. ".repeat(60);
    let annotation = Annotation::failing(
        "orders",
        &verdict(Certainty::Likely, &[&step]),
        &evidence(),
        None,
    );
    let length = annotation.description.chars().count();
    assert!((1000..=1024).contains(&length), "{length}");
    assert!(annotation.description.ends_with('…'));
    let whole = annotation.description.trim_end_matches('…');
    assert!(
        step.contains(whole.rsplit(' ').next().unwrap()),
        "the text ends inside a word"
    );
}

#[test]
fn a_group_names_the_next_steps_before_its_targets() {
    let names: Vec<_> = (0..500).map(|index| format!("target-{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let verdict = verdict(Certainty::Likely, &["Look at the prober's own network."]);
    let annotation = Annotation::group(
        &verdict,
        "137 of 150 targets failed within a minute",
        &names[..3],
    );
    assert_snapshot!(annotation.description, @"137 of 150 targets failed within a minute: The function failed (lambda-function-error, likely; owner: service). Next: Look at the prober's own network. Targets: target-0, target-1, target-2.");
    assert_eq!(annotation.owner, "service");
    let annotation = Annotation::group(&verdict, "All failed", &names);
    assert!(annotation.description.chars().count() <= 1024);
    assert!(
        annotation.description.ends_with(",…"),
        "{}",
        annotation.description
    );
}

#[test]
fn a_text_is_replaced_only_if_it_names_no_cause() {
    for spec in desired(&settings(|_, _| {})) {
        let mut tags = BTreeMap::from([(CAUSE_TAG.to_owned(), NONE.to_owned())]);
        assert_eq!(
            Annotation::kept(&spec, &tags, "old"),
            Annotation::healthy(&spec)
        );
        tags.insert(CAUSE_TAG.to_owned(), "dns-failure".to_owned());
        let kept = Annotation::kept(&spec, &tags, "old");
        assert_eq!(
            (kept.cause.as_str(), kept.description.as_str()),
            ("dns-failure", "old")
        );
        assert_eq!(
            Annotation::kept(&spec, &tags, "").description,
            Annotation::healthy(&spec).description
        );
    }
}

#[test]
fn on_shards_each_alarm_names_its_daemon() {
    let mut settings = settings(|_, _| {});
    let texts = |settings: &Settings| -> Vec<_> {
        let alarms = desired(settings).into_iter();
        alarms
            .map(|spec| Annotation::healthy(&spec).description)
            .collect()
    };
    let alone = texts(&settings);
    assert!(alone[0].contains("from Probecause at this location"));
    assert!(alone[0].contains("no target is probed from this location"));
    assert!(alone[1].contains("`probecause local (heartbeat)`"));

    settings.shards.total = 4;
    let first = assigned_shards(&settings.shards, &settings.targets[0].name)[0];
    assert_eq!(first, 2);
    let shared = texts(&settings);
    assert_eq!(shared.len(), 5, "four heartbeats and a target");
    assert!(shared[2].contains("from shard 2 of Probecause at this location"));
    assert!(!shared[2].contains("no target is probed"));
    assert!(shared[4].contains("`probecause local (heartbeat shard 2)`"));
    settings.shards.own = Some(2);
    assert_eq!(
        texts(&settings)[1],
        shared[4],
        "the daemon and the command line write the same text"
    );
}

#[test]
fn tag_values_contain_only_accepted_characters() {
    assert_eq!(tag_value("shop & co (eu)\n"), "shop _ co _eu__");
    assert_eq!(tag_value("a+b-c=d._:/@ é"), "a+b-c=d._:/@ é");
    assert_eq!(tag_value(&"x".repeat(300)).len(), 256);
}

#[test]
fn a_failing_target_names_the_layer_in_front_of_the_evidence() {
    let at = |name: &str, state| LayerResult {
        name: name.to_owned(),
        state,
        detail: "status 502".to_owned(),
    };
    let findings = LayerFindings {
        at: jiff::Timestamp::UNIX_EPOCH,
        results: vec![at("front", LayerState::Failing), at("app", LayerState::Ok)],
        repeated: true,
    };
    let mut evidence = evidence();
    evidence.push(Evidence {
        fact: "layer.broken".to_owned(),
        value: FactValue::Text("front".to_owned()),
    });
    let verdict = verdict(Certainty::Likely, &[]);
    let annotation = Annotation::failing("orders", &verdict, &evidence, Some(&findings));
    assert!(
        annotation.description.contains(
            " Layers: the fault is at front: front failing (status 502), app ok (status 502), \
             each requested twice. Evidence: status = 500, phase.processing = 0.386."
        ),
        "{}",
        annotation.description
    );
}

fn change(event: &str, seconds_before: i64) -> AccountChange {
    AccountChange {
        time: jiff::Timestamp::UNIX_EPOCH,
        event: event.to_owned(),
        resource: "orders".to_owned(),
        who: "deploy-role".to_owned(),
        seconds_before,
        effect: ChangeEffect::CodeChanged,
    }
}

#[test]
fn changes_in_the_account_follow_the_text_of_the_cause() {
    let mut evidence = evidence();
    evidence.push(Evidence {
        fact: CHANGE_EVIDENCE.to_owned(),
        value: FactValue::Text("the same in other words".to_owned()),
    });
    let verdict = verdict(Certainty::Likely, &["Read the function's log."]);
    let annotation = Annotation::failing("orders", &verdict, &evidence, None);
    assert!(!annotation.description.contains("other words"));
    assert_eq!(annotation.clone().with_changes(&[]), annotation);
    let changes = [change("UpdateAlias", 26), change("UpdateFunctionCode", -90)];
    let changes: Vec<_> = changes.iter().collect();
    let expected = format!(
        "{} Changes in the account: UpdateAlias by deploy-role 26 s before, UpdateFunctionCode by \
         deploy-role 90 s after.",
        annotation.description
    );
    assert_eq!(annotation.with_changes(&changes).description, expected);
}

#[test]
fn a_change_that_does_not_fit_is_omitted() {
    let change = change("UpdateAlias", 26);
    let added = " Changes in the account: UpdateAlias by deploy-role 26 s before.";
    for (room, fits) in [(added.len(), true), (added.len() - 1, false), (0, false)] {
        let description = "x".repeat(MAX_DESCRIPTION - room);
        let annotation = Annotation {
            description: description.clone(),
            ..Annotation::of(&verdict(Certainty::Likely, &[]), "")
        };
        let shown = annotation.with_changes(&[&change]).description;
        let expected = if fits {
            description + added
        } else {
            description
        };
        assert_eq!(shown, expected, "{room}");
    }
}
