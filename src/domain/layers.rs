//! Determines which layer of a target fails, from requests sent directly to each layer.
//!
//! A layer fails if it accepts the connection but sends no complete response, or if it responds
//! with an unexpected server error or with the status with which the target's own URL fails in the
//! same round. A layer is not testable if it cannot be reached from this host, if its certificate
//! is not accepted, if it redirects to another host or port, or if its response is unexpected in
//! another way, for example if a load balancer rejects requests from outside the CDN with status
//! 403.

use jiff::Timestamp;

use crate::domain::expectation;
use crate::model::cause::CauseId;
use crate::model::host_port::FRONT;
use crate::model::observation::{Fault, FaultKind, Observation, Phase};
use crate::model::target::Target;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The state of a layer, as shown by the requests through it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LayerState {
        /// The response meets all expectations, except possibly those that only degrade a probe.
        Ok = "ok",
        /// The request failed in the layer or behind it.
        Failing = "failing",
        /// The request does not show whether the layer works.
        NotTestable = "not-testable",
    }
}

/// The result of the requests through one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerResult {
    /// The layer's name; [`FRONT`] for requests to the target's own URL.
    pub name: String,
    /// The layer's state.
    pub state: LayerState,
    /// The reason for the state in a few words, such as `status 502`. It contains no text of the
    /// response.
    pub detail: String,
}

/// The result of one request through a layer, which may depend on the response of the target's own
/// URL in the same round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerResponse {
    /// The result if the target's own URL does not fail with `status`.
    result: LayerResult,
    /// The status of the response. The layer fails if the target's own URL fails with the same
    /// status. `None` if the result does not depend on the target's own URL.
    status: Option<u16>,
}

/// The results of the requests through all layers of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerFindings {
    /// When the last of the requests ended.
    pub at: Timestamp,
    /// The results, outermost layer first. The first result is that of [`FRONT`].
    pub results: Vec<LayerResult>,
    /// Whether each request was made twice. If so, a layer with two different states counts as not
    /// testable.
    pub repeated: bool,
}

/// The layer at which requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenLayer<'a> {
    /// The layer's name.
    pub name: &'a str,
    /// Whether the layer is the innermost one. If so, the fault is in this layer or behind it.
    /// Otherwise the next inner layer responds as expected.
    pub innermost: bool,
}

/// The id of the cause of a failure at a layer whose next inner layer responds as expected.
pub const LAYER_FAILING: &str = "layer-failing";

/// The id of the cause of a failure at or behind the innermost layer.
pub const INNERMOST_LAYER_FAILING: &str = "innermost-layer-failing";

/// The lowest status code of a server error.
const SERVER_ERRORS: u16 = 500;

/// The start of [`LayerResult::detail`] if the request received a complete response.
const STATUS: &str = "status ";

/// Status codes with which a layer may reject a request because of its sender. The response does
/// not show whether the layer works, even if the target's own URL returns the same status.
const REJECTIONS: [u16; 5] = [401, 403, 407, 421, 429];

/// Returns whether the cause states only at which layer a failure is, not why.
#[must_use]
pub fn is_layer_cause(cause: &CauseId) -> bool {
    [LAYER_FAILING, INNERMOST_LAYER_FAILING].contains(&cause.as_str())
}

/// Returns the result of one request to the target's own URL.
#[must_use]
pub fn judge_front(target: &Target, observation: &Observation, now: Timestamp) -> LayerResult {
    let (state, detail) = match &observation.fault {
        Some(fault) => (LayerState::Failing, fault_words(fault)),
        None if is_met(target, observation, now) => (LayerState::Ok, status_words(observation)),
        None => (LayerState::Failing, status_words(observation)),
    };
    result(FRONT, state, detail)
}

/// Returns the result of one request through the layer `name`, which may depend on the response of
/// the target's own URL.
#[must_use]
pub fn judge_layer(
    name: &str,
    target: &Target,
    observation: &Observation,
    now: Timestamp,
) -> LayerResponse {
    let result = judge_alone(name, target, observation, now);
    let response = observation.response.as_ref();
    let status = response.map(|response| response.status);
    let depends = result.state == LayerState::NotTestable
        && observation.fault.is_none()
        && !observation.left_connect_to;
    LayerResponse {
        result,
        status: status.filter(|status| depends && !REJECTIONS.contains(status)),
    }
}

/// Returns the result of one request through the layer `name`, without regard to the target's own
/// URL.
fn judge_alone(
    name: &str,
    target: &Target,
    observation: &Observation,
    now: Timestamp,
) -> LayerResult {
    if observation.left_connect_to {
        let detail = "the redirect is to another host or port".to_owned();
        return result(name, LayerState::NotTestable, detail);
    }
    if let Some(fault) = &observation.fault {
        let state = if is_own_fault(fault) {
            LayerState::Failing
        } else {
            LayerState::NotTestable
        };
        return result(name, state, fault_words(fault));
    }
    let words = status_words(observation);
    if is_met(target, observation, now) {
        return result(name, LayerState::Ok, words);
    }
    let response = observation.response.as_ref();
    if response.is_some_and(|response| response.status >= SERVER_ERRORS) {
        return result(name, LayerState::Failing, words);
    }
    result(name, LayerState::NotTestable, words)
}

impl LayerResponse {
    /// Returns the result of the request. `front` is the status that the target's own URL returned
    /// in the same round; `None` if the URL returned no complete response.
    #[must_use]
    pub fn beside(self, front: Option<u16>) -> LayerResult {
        let Some(status) = self.status else {
            return self.result;
        };
        let mut result = self.result;
        if Some(status) == front {
            result.state = LayerState::Failing;
        } else {
            result.detail.push_str(", unlike the target's URL");
        }
        result
    }
}

/// Combines the results of two requests through the same layer. Different states make the layer not
/// testable.
#[must_use]
pub fn combine(first: &LayerResult, second: &LayerResult) -> LayerResult {
    if first.state == second.state {
        return second.clone();
    }
    let detail = if first.detail == second.detail {
        second.detail.clone()
    } else {
        format!("{}, then {}", first.detail, second.detail)
    };
    result(&second.name, LayerState::NotTestable, detail)
}

impl LayerFindings {
    /// Returns the outermost layer that fails while the next inner layer responds as expected. If
    /// there is no such layer, returns the innermost layer if it fails and no layer responds as
    /// expected. Returns `None` if the results show neither.
    #[must_use]
    pub fn broken(&self) -> Option<BrokenLayer<'_>> {
        let at_edge = self
            .results
            .windows(2)
            .find(|pair| pair[0].state == LayerState::Failing && pair[1].state == LayerState::Ok);
        if let Some(pair) = at_edge {
            return Some(BrokenLayer {
                name: &pair[0].name,
                innermost: false,
            });
        }
        let none_answers = self.results.iter().all(|one| one.state != LayerState::Ok);
        let last = self.results.last()?;
        (none_answers && last.state == LayerState::Failing && last.name != FRONT).then_some(
            BrokenLayer {
                name: &last.name,
                innermost: true,
            },
        )
    }

    /// Returns whether these findings are the same as `other`, except for the time.
    #[must_use]
    pub fn says_same(&self, other: &Self) -> bool {
        self.results == other.results && self.repeated == other.repeated
    }

    /// Returns the status of the last response of the target's own URL; `None` if the `detail` of
    /// the URL's result is not a single status, for example after a fault.
    #[must_use]
    pub fn front_status(&self) -> Option<u16> {
        let front = self.results.first().filter(|one| one.name == FRONT)?;
        front.detail.strip_prefix(STATUS)?.parse().ok()
    }

    /// Summarizes the findings in one line without a period.
    #[must_use]
    pub fn summary(&self) -> String {
        let each = self.results.iter();
        let each = each.map(|one| format!("{} {} ({})", one.name, one.state, one.detail));
        let each: Vec<_> = each.collect();
        let conclusion = match self.broken() {
            Some(BrokenLayer { name, innermost }) if innermost => {
                format!("the fault is at or behind {name}")
            }
            Some(BrokenLayer { name, .. }) => format!("the fault is at {name}"),
            None => "the layers do not show where the fault is".to_owned(),
        };
        let times = if self.repeated {
            ", each requested twice"
        } else {
            ""
        };
        format!("{conclusion}: {}{times}", each.join(", "))
    }
}

fn result(name: &str, state: LayerState, detail: String) -> LayerResult {
    LayerResult {
        name: name.to_owned(),
        state,
        detail,
    }
}

/// Returns whether the response meets all expectations, except possibly those that only degrade a
/// probe.
fn is_met(target: &Target, observation: &Observation, now: Timestamp) -> bool {
    let unmet = expectation::check(&target.expect, observation, now);
    unmet.iter().all(|unmet| unmet.kind.degrades())
}

/// Returns whether a fault shows that the layer fails: it occurred after the layer accepted the
/// connection, and not on this host. A response that is not HTTP, or too many redirects, may be
/// normal for a direct request to the layer and therefore does not count.
const fn is_own_fault(fault: &Fault) -> bool {
    matches!(fault.phase, Phase::Processing | Phase::Transfer)
        && matches!(
            fault.kind,
            FaultKind::ConnectionReset
                | FaultKind::ConnectionClosed
                | FaultKind::Timeout
                | FaultKind::Truncated
        )
}

fn fault_words(fault: &Fault) -> String {
    format!("{} in phase {}", fault.kind, fault.phase)
}

fn status_words(observation: &Observation) -> String {
    observation.response.as_ref().map_or_else(
        || "no response".to_owned(),
        |response| format!("{STATUS}{}", response.status),
    )
}

#[cfg(test)]
mod tests;
