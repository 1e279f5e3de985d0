use super::{Action, Attempt, Outcome, Read, Source, State, TargetReport, reads, report};
use crate::model::settings::EvidenceSettings;
use crate::model::target::{AwsDeclarations, Target};

/// The default host of an API.
const API: &str = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/orders";

/// A custom domain, which shows nothing about the resources behind it.
const CUSTOM: &str = "https://orders.example/";

/// A load balancer.
const LOAD_BALANCER: &str = "https://shop-1.eu-west-1.elb.amazonaws.com/";

/// A function URL.
const FUNCTION_URL: &str = "https://x1.lambda-url.eu-west-1.on.aws/";

fn target(url: &str, change: fn(&mut AwsDeclarations)) -> Target {
    let mut target = Target::with_defaults("orders", url.parse().unwrap());
    change(&mut target.aws);
    target
}

/// A target with everything declared.
fn complete() -> Target {
    target(API, |aws| {
        aws.api_id = Some("a1b2c3".to_owned());
        aws.function = Some("orders".to_owned());
        aws.access_log_group = Some("/api/orders".to_owned());
    })
}

/// Settings that enable every source.
fn everything() -> EvidenceSettings {
    EvidenceSettings {
        configuration: true,
        changes: true,
        ..EvidenceSettings::default()
    }
}

/// Reports on a target. All calls succeed, except those of the actions in `outcomes`.
fn reported(
    target: &Target,
    settings: &EvidenceSettings,
    outcomes: &[(Action, Outcome)],
) -> TargetReport {
    let attempts: Vec<Attempt> = reads(&[target])
        .into_iter()
        .map(|read| {
            let outcome = outcomes.iter().find(|(action, _)| *action == read.action);
            Attempt {
                outcome: outcome.map_or(Outcome::Allowed, |(_, outcome)| outcome.clone()),
                read,
            }
        })
        .collect();
    report(target, settings, &attempts)
}

fn denied() -> Outcome {
    Outcome::Denied("grant it".to_owned())
}

fn states(report: &TargetReport) -> [State; 5] {
    let sources: Vec<Source> = report.sources.iter().map(|one| one.source).collect();
    assert_eq!(sources, Source::ALL);
    Source::ALL.map(|source| {
        let mut all = report.sources.iter();
        all.find(|one| one.source == source).unwrap().state
    })
}

fn step(report: &TargetReport) -> &str {
    report.next_step.as_deref().unwrap_or("none")
}

#[test]
fn a_target_with_everything_lacks_nothing() {
    let report = reported(&complete(), &everything(), &[]);
    let available = State::Available;
    let expected = [
        available,
        available,
        State::NotApplicable,
        available,
        available,
    ];
    assert_eq!(states(&report), expected);
    assert_eq!(report.next_step, None);
}

#[test]
fn the_state_shows_what_is_missing() {
    use Action::{
        FilterLogEvents, GetAccountSettings, GetApi, GetFunctionConfiguration, GetMetricData,
        GetPolicy, LookupEvents,
    };
    use Source::{AccessLog, Changes, Configuration, Metrics};
    use State::{Available, LogMissing, PermissionMissing, ResourceMissing, Unknown};
    let missing = || Outcome::Missing("ResourceNotFoundException".to_owned());
    for (action, outcome, source, expected) in [
        (GetMetricData, denied(), Metrics, PermissionMissing),
        (FilterLogEvents, denied(), AccessLog, PermissionMissing),
        (FilterLogEvents, missing(), AccessLog, LogMissing),
        (GetApi, missing(), Configuration, ResourceMissing),
        (
            GetFunctionConfiguration,
            missing(),
            Configuration,
            ResourceMissing,
        ),
        // A function without a policy.
        (GetPolicy, missing(), Configuration, Available),
        (GetPolicy, denied(), Configuration, PermissionMissing),
        (
            GetAccountSettings,
            Outcome::Failed("no response".to_owned()),
            Configuration,
            Unknown,
        ),
        (LookupEvents, denied(), Changes, PermissionMissing),
    ] {
        let report = reported(&complete(), &everything(), &[(action, outcome)]);
        let found = report
            .sources
            .iter()
            .find(|one| one.source == source)
            .unwrap();
        assert_eq!(found.state, expected, "{action}");
        assert_eq!(found.text.is_some(), expected != Available, "{action}");
        assert_eq!(report.next_step, found.text, "{action}");
    }
}

#[test]
fn the_step_that_would_help_most_comes_first() {
    let log = Outcome::Denied("grant the log".to_owned());
    let policy = Outcome::Denied("grant the policy".to_owned());
    let metrics = Outcome::Denied("grant the metrics".to_owned());
    let all = [
        (Action::LookupEvents, denied()),
        (Action::GetMetricData, metrics),
        (Action::GetPolicy, policy),
        (Action::FilterLogEvents, log),
    ];
    let expected = [
        "grant it",
        "grant the metrics",
        "grant the policy",
        "grant the log",
    ];
    for (count, expected) in (1..).zip(expected) {
        let report = reported(&complete(), &everything(), &all[..count]);
        assert_eq!(step(&report), expected);
    }
    let without_log = target(API, |aws| {
        aws.api_id = Some("a1b2c3".to_owned());
        aws.function = Some("orders".to_owned());
    });
    let report = reported(&without_log, &EvidenceSettings::default(), &[]);
    assert_eq!(step(&report), "set `evidence.configuration = true`");
    let report = reported(&without_log, &everything(), &all[..2]);
    assert!(
        step(&report).contains("`aws.access_log_group`"),
        "{report:?}"
    );
}

#[test]
fn a_key_names_the_permission_that_is_needed_with_it() {
    let settings = EvidenceSettings::default();
    for (outcome, expected) in [
        (Outcome::Allowed, "set `evidence.configuration = true`"),
        (
            denied(),
            "set `evidence.configuration = true`; also needed: grant it",
        ),
    ] {
        let report = reported(&complete(), &settings, &[(Action::GetApi, outcome)]);
        assert_eq!(states(&report)[3], State::Off);
        assert_eq!(step(&report), expected);
    }
    let off = EvidenceSettings {
        enabled: false,
        ..everything()
    };
    let report = reported(&complete(), &off, &[(Action::GetApi, denied())]);
    assert_eq!(states(&report), [State::Off; 5]);
    assert_eq!(step(&report), "set `evidence.enabled = true`");
}

#[test]
fn all_denied_actions_of_the_configuration_are_named() {
    let outcomes = [
        (Action::GetPolicy, denied()),
        (
            Action::GetFunctionConcurrency,
            Outcome::Denied("grant another".to_owned()),
        ),
    ];
    let report = reported(&complete(), &everything(), &outcomes);
    assert_eq!(
        step(&report),
        "grant it; also denied: `lambda:GetFunctionConcurrency`"
    );
}

#[test]
fn without_credentials_they_are_the_only_step() {
    let outcome = Outcome::Credentials("cannot assume the role".to_owned());
    let outcomes = [(Action::LookupEvents, outcome), (Action::GetApi, denied())];
    let report = reported(&complete(), &everything(), &outcomes);
    assert_eq!(step(&report), "cannot assume the role");
}

#[test]
fn the_declarations_and_the_host_decide_which_sources_a_target_has() {
    use State::{Available as Yes, DeclarationMissing as No, NotApplicable as Never};
    let none = |_: &mut AwsDeclarations| {};
    for (target, expected) in [
        (target(CUSTOM, none), [No; 5]),
        (
            // The id in the host name is enough for the configuration, but not for metrics.
            target(API, none),
            [No, No, No, Yes, Yes],
        ),
        (target(LOAD_BALANCER, none), [No, Never, Never, Yes, Yes]),
        (
            // Without the stage, the API cannot be read.
            target(CUSTOM, |aws| aws.api_id = Some("a1".to_owned())),
            [Yes, No, Never, No, Yes],
        ),
        (
            target(FUNCTION_URL, |aws| aws.function = Some("orders".to_owned())),
            [Yes, Never, Never, Yes, Yes],
        ),
        (
            target(CUSTOM, |aws| {
                aws.api_name = Some("orders".to_owned());
                aws.execution_log_group = Some("API-Gateway-Execution-Logs_a1/prod".to_owned());
            }),
            [Yes, No, Yes, No, No],
        ),
    ] {
        let report = reported(&target, &everything(), &[]);
        assert_eq!(states(&report), expected, "{} {:?}", target.url, target.aws);
    }
    let report = reported(&target(CUSTOM, none), &everything(), &[]);
    assert!(step(&report).contains("discover aws"), "{report:?}");
    for url in [
        "https://a1.execute-api.eu-west-1.amazonaws.com.evil.example/",
        "https://execute-api.example/",
    ] {
        let report = reported(&target(url, none), &everything(), &[]);
        assert_eq!(states(&report), [No; 5], "{url}");
    }
}

#[test]
fn one_call_per_action_and_log_group_is_made() {
    let first = target(API, |aws| {
        aws.function = Some("orders".to_owned());
        aws.qualifier = Some("live".to_owned());
        aws.access_log_group = Some("/api/orders".to_owned());
    });
    let second = target(CUSTOM, |aws| {
        aws.api_id = Some("d4".to_owned());
        aws.stage = Some("prod".to_owned());
        aws.function = Some("other".to_owned());
        aws.access_log_group = Some("/api/orders".to_owned());
        aws.execution_log_group = Some("/api/execution".to_owned());
    });
    let planned = reads(&[&first, &second]);
    let planned: Vec<String> = planned.iter().map(ToString::to_string).collect();
    assert_eq!(
        planned,
        [
            "cloudwatch:GetMetricData",
            "logs:FilterLogEvents on /api/orders",
            "logs:FilterLogEvents on /api/execution",
            "apigateway:GET on a1b2c3",
            "lambda:GetFunctionConfiguration on orders:live",
            "lambda:GetPolicy on orders:live",
            "lambda:GetFunctionConcurrency on orders:live",
            "lambda:GetAccountSettings",
            "cloudtrail:LookupEvents",
        ]
    );
    assert!(reads(&[&target(CUSTOM, |_| {})]).is_empty());
}

#[test]
fn the_absence_of_another_targets_function_means_nothing() {
    let first = complete();
    let second = target(CUSTOM, |aws| aws.function = Some("other".to_owned()));
    let attempts: Vec<Attempt> = reads(&[&first, &second])
        .into_iter()
        .map(|read| Attempt {
            outcome: match read.action {
                Action::GetFunctionConfiguration => Outcome::Missing("gone".to_owned()),
                _ => Outcome::Allowed,
            },
            read,
        })
        .collect();
    let found =
        [&first, &second].map(|target| states(&report(target, &everything(), &attempts))[3]);
    assert_eq!(found, [State::ResourceMissing, State::Available]);
}

#[test]
fn log_groups_beyond_the_limit_are_not_known() {
    let targets: Vec<Target> = (0..101)
        .map(|number| {
            let mut target = target(CUSTOM, |_| {});
            target.aws.access_log_group = Some(format!("/api/{number}"));
            target
        })
        .collect();
    let all: Vec<&Target> = targets.iter().collect();
    let planned = reads(&all);
    assert_eq!(planned.len(), 100);
    let attempts: Vec<Attempt> = planned
        .into_iter()
        .map(|read: Read| Attempt {
            read,
            outcome: Outcome::Allowed,
        })
        .collect();
    let state = |target: &Target| states(&report(target, &everything(), &attempts))[1];
    assert_eq!(state(&targets[99]), State::Available);
    assert_eq!(state(&targets[100]), State::Unknown);
}
