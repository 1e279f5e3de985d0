//! Diagnoses the transcripts of one text.
//!
//! Most transcripts have no durations of phases, so the time taken by the network alone is unknown.
//! The floor for a response (the time of a request that invokes no function) is therefore the
//! duration of another response from the same host, if the cause of that response implies that the
//! function was not invoked. Without such a response, there is no floor.
//!
//! Information that is missing from the text lowers the certainty.

mod advice;
mod api;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Transcript;
use crate::domain::diagnosis::Diagnosis;
use crate::domain::diagnosis::aws::{AwsEvidence, LogTemplate};
use crate::domain::diagnosis::catalog::info;
use crate::domain::diagnosis::context::{Context, Floor};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::timing::answer_time;
use crate::model::cause::Certainty;
use crate::model::observation::FaultKind;
use crate::model::target::Target;

/// The causes for which a gateway responds immediately, without invoking the function.
const NOT_INVOKED: &[&str] = &["lambda-throttled", "route-not-found", "api-throttled"];

/// Maximum duration of a response that serves as a floor. A slower response was not immediate.
const FLOOR_BELOW: Duration = Duration::from_secs(2);

/// Diagnoses every transcript of one text, in order.
#[must_use]
pub fn judge(transcripts: &[Transcript], rulebook: &Rulebook) -> Vec<Diagnosis> {
    let alone: Vec<Diagnosis> = transcripts
        .iter()
        .map(|transcript| rulebook.diagnose(&facts(transcript, None)))
        .collect();
    transcripts
        .iter()
        .enumerate()
        .map(|(index, transcript)| {
            let floor = floor_for(index, transcripts, &alone);
            let facts = facts(transcript, floor);
            let mut diagnosis = rulebook.diagnose(&facts);
            let rule = rulebook.heaviest_match(&facts);
            let is_stated = rule.is_some_and(Rule::is_stated_by_headers);
            limit_certainty(transcript, is_stated, &mut diagnosis);
            if !transcript.status_known {
                diagnosis.error = None;
                diagnosis.evidence.retain(|one| one.fact != "status");
            }
            advice::add_certificate_candidates(transcript, &mut diagnosis);
            advice::measure_time_first(transcript, &mut diagnosis);
            advice::state_missing_status(transcript, &mut diagnosis);
            diagnosis
        })
        .collect()
}

/// Lowers the certainty of a verdict to the maximum that the text supports. `is_stated` is whether
/// the headers that the text shows suffice for the verdict.
fn limit_certainty(transcript: &Transcript, is_stated: bool, diagnosis: &mut Diagnosis) {
    // If the text itself states facts, missing headers do not lower the certainty: the facts come
    // from a complete observation, or the certainty of the rules for logs and error pages already
    // allows for what the text lacks.
    let most = if let Some(log) = &transcript.log {
        of_log(log.template, transcript.status_known)
    } else if !transcript.status_known || !transcript.status_stated || transcript.is_doubtful {
        Certainty::Possible
    } else if !transcript.facts.is_empty() {
        Certainty::Proven
    } else if !transcript.fault_stated || !(transcript.headers_known || is_stated) {
        Certainty::Possible
    } else if !transcript.headers_known
        || !transcript.body_exact
        || is_name_unresolved(transcript)
        || is_validity_unclear(transcript)
        || (transcript.url.is_none() && transcript.observation.fault.is_some())
    {
        Certainty::Likely
    } else {
        Certainty::Proven
    };
    if let Some(verdict) = &mut diagnosis.verdict
        && verdict.certainty > most
    {
        Arc::make_mut(verdict).certainty = most;
    }
}

/// Returns the maximum certainty for a line of a log of API Gateway. Only a phrase of AWS names the
/// cause. A cause inferred from statuses alone is uncertain, because a log lacks the headers of the
/// response. If the log lacks the status, it may also lack a line that shows another cause.
const fn of_log(template: LogTemplate, has_status: bool) -> Certainty {
    match template {
        LogTemplate::Unknown
        | LogTemplate::ThrottledByStatus
        | LogTemplate::RefusedWithoutError => Certainty::Possible,
        _ if has_status => Certainty::Proven,
        _ => Certainty::Likely,
    }
}

/// Returns whether the message states that the certificate is not within its validity period, but
/// not whether the period is over or has not begun. The clock of the client may also be wrong.
fn is_validity_unclear(transcript: &Transcript) -> bool {
    const UNCLEAR: [&str; 8] = [
        "nottimevalid",
        "err_cert_date_invalid",
        "certificate date is invalid",
        "or is not yet valid",
        "cert_e_expired",
        "0x800b0101",
        "sec_e_cert_expired",
        "0x80090328",
    ];
    let fault = transcript.observation.fault.as_ref();
    fault.is_some_and(|fault| {
        let detail = fault.detail.to_lowercase();
        fault.kind == FaultKind::CertificateExpired
            && !detail.contains(" is after ")
            && UNCLEAR.iter().any(|words| detail.contains(words))
    })
}

/// Returns whether the message states that the name has no address, but not why. Resolver libraries
/// return the same error for a name that does not exist and for a name without addresses.
fn is_name_unresolved(transcript: &Transcript) -> bool {
    const CERTAIN: [&str; 2] = ["nxdomain", "domain name not found"];
    let fault = transcript.observation.fault.as_ref();
    fault.is_some_and(|fault| {
        let detail = fault.detail.to_lowercase();
        // Erlang's atom `nxdomain` stands for every error of the resolver library.
        let is_atom = [":nxdomain", ",nxdomain"]
            .iter()
            .any(|atom| detail.contains(atom));
        let is_certain = !is_atom && CERTAIN.iter().any(|words| detail.contains(words));
        fault.kind == FaultKind::NameNotFound && !is_certain
    })
}

/// Finds the fastest response without an invocation of the function, among the other responses from
/// the host of transcript `index`. Returns its response time, and a description of the response for
/// the fact `floor_from`. Considers only response times of the same kind (`processing` or `total`)
/// as that of transcript `index`. Returns `None` if there is no such response.
fn floor_for(
    index: usize,
    transcripts: &[Transcript],
    alone: &[Diagnosis],
) -> Option<(Duration, String)> {
    let own = &transcripts[index];
    let (_, own_clock) = answer_time(&own.observation)?;
    let host = host(own)?;
    transcripts
        .iter()
        .zip(alone)
        .enumerate()
        .filter(|(other, (transcript, _))| *other != index && self::host(transcript) == Some(host))
        .filter_map(|(other, (transcript, diagnosis))| {
            let cause = diagnosis.cause()?.as_str();
            let (time, clock) = answer_time(&transcript.observation)?;
            (NOT_INVOKED.contains(&cause) && clock == own_clock && time < FLOOR_BELOW).then(|| {
                (
                    time,
                    format!("response {} (same host, cause {cause})", other + 1),
                )
            })
        })
        .min_by_key(|(time, _)| *time)
}

fn facts(transcript: &Transcript, floor: Option<(Duration, String)>) -> Facts {
    let mut context = Context::at(transcript.observation.started);
    if let Some((time, from)) = floor {
        context.floor = Some(Floor {
            low: time,
            high: time,
            from,
        });
    }
    context.aws = transcript.log.clone().map(|log| {
        Arc::new(AwsEvidence {
            log: Some(log),
            ..AwsEvidence::default()
        })
    });
    // Without a URL in the transcript, a placeholder is used. No rule tests the placeholder.
    transcript
        .url
        .clone()
        .or_else(|| Url::parse("http://unknown.invalid/").ok())
        .map_or_else(Facts::defaults, |url| {
            // A transcript is diagnosed like the probe of a target with default settings.
            let mut target = Target::with_defaults("transcript", url);
            target.request.method.clone_from(&transcript.method);
            let mut facts = Facts::gather(&target, &transcript.observation, &context);
            // Without any header, nothing shows that the application itself responded.
            let response = transcript.observation.response.as_ref();
            let is_bare = response.is_some_and(|response| response.headers.is_empty());
            if is_bare && facts.text("answered_by") == Some("application") {
                facts.set_text("answered_by", "unknown");
            }
            if is_bare {
                api::add_facts(&mut facts, transcript);
            }
            for (name, value) in &transcript.facts {
                if info(name).is_some() {
                    facts.set(name, value.clone());
                }
            }
            facts
        })
}

fn host(transcript: &Transcript) -> Option<&str> {
    transcript.url.as_ref()?.host_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_a_url_is_diagnosed() {
        let rulebook = Rulebook::embedded().unwrap();
        let found = super::super::read("HTTP/1.1 418 Teapot\n\nshort");
        let diagnoses = judge(&found.transcripts, &rulebook);
        let cause = diagnoses[0].cause().unwrap();
        assert_eq!(cause.as_str(), "unexpected-status");
    }

    #[test]
    fn statuses_in_a_log_alone_prove_nothing() {
        let found = super::super::read(
            r#"{"requestId":"abc","status":"503","integrationStatus":"429","routeKey":"GET /"}"#,
        );
        let facts = facts(&found.transcripts[0], None);
        assert_eq!(facts.text("log.template"), Some("throttled-by-status"));
        assert_eq!(facts.number("log.integration_status"), Some(429.0));
        // A backend may have returned 429 itself, and the line has no integration latency.
        assert_eq!(facts.get("log.invoked"), None);
        assert_eq!(facts.get("log.waited"), None);
    }
}
