//! Adds candidates and next steps to a verdict if the text lacks what a probe would show: why a
//! certificate is invalid, how long a response took, or the status.

use std::sync::Arc;

use crate::domain::diagnosis::{Candidate, Diagnosis};
use crate::domain::transcript::Transcript;
use crate::model::cause::{CauseId, Certainty};
use crate::model::observation::FaultKind;

/// The possible causes of an invalid certificate if the message states no reason.
const CERTIFICATE: [&str; 3] = [
    "certificate-untrusted",
    "certificate-expired",
    "certificate-name-mismatch",
];

/// The share of each candidate in [`CERTIFICATE`].
const SHARE: f64 = 1.0 / 3.0;

/// Causes that are distinguished mainly by the response time.
const BY_TIME: [&str; 2] = ["integration-timeout", "lambda-throttled"];

/// Minimum ratio of the second candidate's share to the first candidate's share for the two
/// candidates to count as almost equally probable.
const TIE: f64 = 0.8;

/// Replaces the candidates with all of [`CERTIFICATE`] if the client rejected the certificate, the
/// message states no reason, and the verdict has at most one candidate. Some clients print the same
/// message for an unknown issuer, an expired certificate and a wrong name.
pub(super) fn add_certificate_candidates(transcript: &Transcript, diagnosis: &mut Diagnosis) {
    let fault = transcript.observation.fault.as_ref();
    let is_certificate = fault.is_some_and(|it| it.kind == FaultKind::CertificateUntrusted);
    let Some(verdict) = &mut diagnosis.verdict else {
        return;
    };
    if transcript.fault_stated || !is_certificate || verdict.candidates.len() > 1 {
        return;
    }
    let causes = CERTIFICATE
        .iter()
        .filter_map(|cause| CauseId::new(cause).ok());
    let verdict = Arc::make_mut(verdict);
    verdict.candidates = causes
        .map(|cause| Candidate {
            cause,
            share: SHARE,
        })
        .collect();
    verdict.certainty = Certainty::Possible;
    "The client rejected the certificate; the error message does not state why"
        .clone_into(&mut verdict.title);
    verdict.next = vec![
        "Read the certificate with `openssl s_client -connect HOST:443 -servername HOST | openssl x509 -noout -dates -issuer -ext subjectAltName`: it may have expired, be for another name, or have an unknown issuer.".to_owned(),
        "Compare the clock of the client with the dates of the certificate.".to_owned(),
        "If the dates and names are correct, check that the server sends its whole certificate chain and that the client trusts the root certificate.".to_owned(),
    ];
}

/// Inserts a measurement of the response time as the first next step, if the two most probable
/// causes differ mainly in this time and the text does not state it.
pub(super) fn measure_time_first(transcript: &Transcript, diagnosis: &mut Diagnosis) {
    let Some(verdict) = &mut diagnosis.verdict else {
        return;
    };
    let [first, second, ..] = verdict.candidates.as_slice() else {
        return;
    };
    let is_by_time = |candidate: &Candidate| BY_TIME.contains(&candidate.cause.as_str());
    if transcript.timed
        || !is_by_time(first)
        || !is_by_time(second)
        || second.share < first.share * TIE
    {
        return;
    }
    let step = "Measure the total time with `curl -s -o /dev/null -w '%{time_total}\\n' URL`: about 30 s means that the integration timed out, less than 1 s means that the function was throttled.";
    Arc::make_mut(verdict).next.insert(0, step.to_owned());
}

/// If the status was inferred, inserts as the first next step a text that says so and names the
/// command that shows the actual status.
pub(super) fn state_missing_status(transcript: &Transcript, diagnosis: &mut Diagnosis) {
    let Some(verdict) = &mut diagnosis.verdict else {
        return;
    };
    let status = transcript.observation.response.as_ref();
    let Some(status) = status.map(|response| response.status) else {
        return;
    };
    if transcript.status_stated {
        return;
    }
    let step = format!(
        "The text has no status line: the status {status} is inferred from the body. Repeat the request with `curl -i` to see the actual status."
    );
    Arc::make_mut(verdict).next.insert(0, step);
}
