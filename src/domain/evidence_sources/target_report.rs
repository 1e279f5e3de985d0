//! Interprets the outcomes of the calls for one target.

use super::next_step::next_step;
use super::plan::{FUNCTION_ACTIONS, LOAD_BALANCER_ACTIONS, has_changes, has_metrics};
use super::{Action, Attempt, Outcome, Source, SourceReport, State, TargetReport, is_without_logs};
use crate::domain::configuration::plan::Plan;
use crate::model::settings::EvidenceSettings;
use crate::model::target::Target;

/// The state and the text of a [`SourceReport`].
type Finding = (State, Option<String>);

/// The data from which a report is made.
struct Inputs<'a> {
    target: &'a Target,
    settings: &'a EvidenceSettings,
    attempts: &'a [Attempt],
}

/// The step for a target of which no AWS resource is known.
const DECLARE_ALL: &str = "declare the resources behind the target, for example with `aws.api_id` \
                           and `aws.function`; `probecause discover aws` writes the declarations \
                           for the targets of an account";

/// The step for a target whose metrics cannot be found.
const DECLARE_METRICS: &str = "declare `aws.function` and the API: `aws.api_id` for an HTTP \
                               API, or `aws.api_name` for a REST API";

/// The step for an API without a declared access log.
const DECLARE_ACCESS_LOG: &str = "enable an access log with JSON lines for the stage of the API, \
                                  and declare `aws.access_log_group`";

/// The step for a REST API without a declared execution log.
const DECLARE_EXECUTION_LOG: &str = "if the API is a REST API, enable its execution log and \
                                     declare `aws.execution_log_group`";

/// The step for a target whose configuration cannot be found.
const DECLARE_CONFIGURATION: &str =
    "declare `aws.api_id` (also for a REST API) and `aws.stage`, or declare `aws.function`";

/// Returns the evidence that a target can get. `attempts` are the calls of [`reads`](super::reads)
/// for the target's Region and role.
#[must_use]
pub fn report(target: &Target, settings: &EvidenceSettings, attempts: &[Attempt]) -> TargetReport {
    let inputs = Inputs {
        target,
        settings,
        attempts,
    };
    let sources: Vec<SourceReport> = Source::ALL
        .into_iter()
        .map(|source| {
            let (state, text) = inputs.finding(source);
            SourceReport {
                source,
                state,
                text,
            }
        })
        .collect();
    // Without credentials, no other step helps.
    let credentials = attempts.iter().find_map(|attempt| match &attempt.outcome {
        Outcome::Credentials(text) if settings.enabled && inputs.names_resources() => Some(text),
        _ => None,
    });
    TargetReport {
        next_step: credentials.cloned().or_else(|| next_step(&sources)),
        sources,
    }
}

impl Inputs<'_> {
    fn finding(&self, source: Source) -> Finding {
        if !self.settings.enabled {
            return off("set `evidence.enabled = true`");
        }
        match source {
            Source::Metrics => self.metrics(),
            Source::AccessLog => self.access_log(),
            Source::ExecutionLog => self.execution_log(),
            Source::Configuration => switched(
                self.settings.configuration,
                "evidence.configuration",
                self.configuration(),
            ),
            Source::Changes => switched(self.settings.changes, "evidence.changes", self.changes()),
        }
    }

    /// Returns whether any AWS resource of the target is known.
    fn names_resources(&self) -> bool {
        self.target.aws.names_evidence() || !Plan::of(self.target).is_empty()
    }

    fn metrics(&self) -> Finding {
        if !has_metrics(&self.target.aws) {
            let known = self.names_resources();
            return undeclared(if known { DECLARE_METRICS } else { DECLARE_ALL });
        }
        if self.settings.max_daily_cost <= 0.0 {
            return off("set `evidence.max_daily_cost` to more than 0");
        }
        self.outcome(Action::GetMetricData, None)
    }

    fn access_log(&self) -> Finding {
        match &self.target.aws.access_log_group {
            Some(group) => self.log(group),
            None if is_without_logs(self.target) => {
                not_applicable("only APIs of API Gateway have an access log that can be searched")
            }
            None if self.names_resources() => undeclared(DECLARE_ACCESS_LOG),
            None => undeclared(DECLARE_ALL),
        }
    }

    fn execution_log(&self) -> Finding {
        let aws = &self.target.aws;
        let is_http_api = aws.api_id.is_some() && aws.api_name.is_none();
        match &aws.execution_log_group {
            Some(group) => self.log(group),
            None if is_http_api || is_without_logs(self.target) => {
                not_applicable("only REST APIs have an execution log")
            }
            None if self.names_resources() => undeclared(DECLARE_EXECUTION_LOG),
            None => undeclared(DECLARE_ALL),
        }
    }

    fn log(&self, group: &str) -> Finding {
        self.outcome(Action::FilterLogEvents, Some((group, None)))
    }

    /// Combines the outcomes of all actions that read the target's configuration.
    fn configuration(&self) -> Finding {
        let plan = Plan::of(self.target);
        let mut findings = Vec::new();
        let mut add = |action, resource| findings.push((action, self.outcome(action, resource)));
        if let Some(api) = &plan.api {
            add(Action::GetApi, Some((api.id.as_str(), None)));
        }
        if let Some(function) = &plan.function {
            let resource = (function.name.as_str(), function.qualifier.as_deref());
            for action in FUNCTION_ACTIONS {
                add(action, Some(resource));
            }
            add(Action::GetAccountSettings, None);
        }
        if plan.load_balancer.is_some() {
            for action in LOAD_BALANCER_ACTIONS {
                add(action, None);
            }
        }
        if findings.is_empty() {
            let known = self.names_resources();
            return undeclared(if known {
                DECLARE_CONFIGURATION
            } else {
                DECLARE_ALL
            });
        }
        combined(&findings)
    }

    fn changes(&self) -> Finding {
        if has_changes(self.target) {
            self.outcome(Action::LookupEvents, None)
        } else if self.names_resources() {
            undeclared(DECLARE_CONFIGURATION)
        } else {
            undeclared(DECLARE_ALL)
        }
    }

    /// Returns the finding from the call of an action. `resource` is the name or id of the target's
    /// resource, with the qualifier of a function; `None` for an action without a resource. Except
    /// for log groups, the call may have read the resource of another target. If that resource does
    /// not exist, this shows nothing about this target.
    fn outcome(&self, action: Action, resource: Option<(&str, Option<&str>)>) -> Finding {
        let is_own = |attempt: &Attempt| {
            let read = &attempt.read;
            let of_read = read
                .resource
                .as_deref()
                .map(|name| (name, read.qualifier.as_deref()));
            of_read == resource
        };
        let attempt = self.attempts.iter().find(|&attempt| {
            let of_action = attempt.read.action == action;
            of_action && (action != Action::FilterLogEvents || is_own(attempt))
        });
        match attempt.map(|attempt| (attempt, &attempt.outcome)) {
            None => (
                State::Unknown,
                Some(
                    "not checked, because the targets of this Region and role declare too many log \
                     groups"
                        .to_owned(),
                ),
            ),
            Some((_, Outcome::Allowed)) => (State::Available, None),
            Some((attempt, Outcome::Missing(reason))) if is_own(attempt) => missing(action, reason),
            Some((_, Outcome::Missing(_))) => (State::Available, None),
            Some((_, Outcome::Denied(text) | Outcome::Credentials(text))) => {
                (State::PermissionMissing, Some(text.clone()))
            }
            Some((_, Outcome::Failed(reason))) => (
                State::Unknown,
                Some(format!("not known, because the check failed: {reason}")),
            ),
        }
    }
}

/// Returns the finding of a call about a resource that does not exist.
fn missing(action: Action, reason: &str) -> Finding {
    match action {
        Action::FilterLogEvents => (
            State::LogMissing,
            Some(format!(
                "correct the name of the log group, or enable the log ({reason})"
            )),
        ),
        // AWS gives the same answer for a function without a policy as for a missing function. If
        // the function is missing, the finding of GetFunctionConfiguration says so.
        Action::GetPolicy | Action::GetFunctionConcurrency => (State::Available, None),
        Action::GetApi => (
            State::ResourceMissing,
            Some(format!(
                "correct `url`, `aws.api_id`, `aws.region` or `aws.role_arn`: the API does not \
                 exist ({reason})"
            )),
        ),
        _ => (
            State::ResourceMissing,
            Some(format!(
                "correct `aws.function`, `aws.qualifier`, `aws.region` or `aws.role_arn`: the \
                 function does not exist ({reason})"
            )),
        ),
    }
}

/// Combines the findings of several actions. A missing permission has precedence, because a denied
/// call does not show whether its resource exists. Its text also names the other denied actions.
fn combined(findings: &[(Action, Finding)]) -> Finding {
    let with = |state: State| {
        findings
            .iter()
            .filter(move |(_, finding)| finding.0 == state)
    };
    if let Some((_, (_, Some(text)))) = with(State::PermissionMissing).next() {
        let further: Vec<String> = with(State::PermissionMissing)
            .skip(1)
            .filter(|(_, (_, other))| other.as_ref() != Some(text))
            .map(|(action, _)| format!("`{action}`"))
            .collect();
        let further = if further.is_empty() {
            String::new()
        } else {
            format!("; also denied: {}", further.join(", "))
        };
        return (State::PermissionMissing, Some(format!("{text}{further}")));
    }
    [State::ResourceMissing, State::Unknown]
        .into_iter()
        .find_map(|state| with(state).next())
        .map_or((State::Available, None), |(_, finding)| finding.clone())
}

/// Returns the finding of a source that a key of the configuration enables. If the key is false,
/// the text says to set it, and also names a missing permission or resource. A missing declaration
/// has precedence over the key.
fn switched(enabled: bool, key: &str, finding: Finding) -> Finding {
    if enabled {
        return finding;
    }
    let step = format!("set `{key} = true`");
    match finding {
        (State::PermissionMissing | State::ResourceMissing, Some(text)) => {
            (State::Off, Some(format!("{step}; also needed: {text}")))
        }
        (State::DeclarationMissing, text) => (State::DeclarationMissing, text),
        _ => (State::Off, Some(step)),
    }
}

fn off(step: &str) -> Finding {
    (State::Off, Some(step.to_owned()))
}

fn undeclared(step: &str) -> Finding {
    (State::DeclarationMissing, Some(step.to_owned()))
}

fn not_applicable(reason: &str) -> Finding {
    (State::NotApplicable, Some(reason.to_owned()))
}
