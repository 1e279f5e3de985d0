//! The facts that time tells: the limit an answer sits on, the floor, and what is above.
//!
//! Time orders candidates and never proves one: a warm function answers within
//! milliseconds of the floor, and a denied call makes the trip to Lambda too. This file
//! refuses to say that a function ran; it says what the time suggests.

use std::time::Duration;

use crate::diagnosis::context::{Context, Floor};
use crate::diagnosis::fact::Facts;
use crate::diagnosis::front_door::FrontDoor;
use crate::diagnosis::plateau::{AnswerTime, Plateau};
use crate::observation::{FaultKind, Observation};
use crate::target::{Authorizer, Target};

/// What a gateway adds to one round trip when it answers by itself. On one network, the
/// captures of uninvoked calls take 168 and 173 ms (HTTP API) and 103 and 105 ms (REST)
/// with resolution, three round trips and this in them: it cannot be more than a few
/// tens of milliseconds. Too small a value only makes `invoked` lean to `unclear`.
const GATEWAY_OVERHEAD: Duration = Duration::from_millis(20);

/// Up to this much above the floor, nothing suggests that the function ran: the two
/// uninvoked captures lie 5 ms apart, and jitter of one link stays below this.
const NOT_INVOKED_BELOW: f64 = 0.050;

/// From this much above the floor, the function seems to have run: the invoked captures
/// lie 213 and 233 ms above; cold gateway configuration alone adds from 50 ms up, so the
/// space between is `unclear`.
const INVOKED_FROM: f64 = 0.150;

impl Facts {
    pub(super) fn timed(
        &mut self,
        target: &Target,
        observation: &Observation,
        context: &Context,
        door: FrontDoor,
    ) {
        let Some((time, clock)) = answer_time(observation) else {
            return;
        };
        self.set_number("answer_time", time.as_secs_f64());
        self.set_text("clock", clock);
        let timed_out = |kind| kind == FaultKind::Timeout;
        let answer = AnswerTime {
            time,
            network: observation.phases.connect.unwrap_or_default(),
            gave_up: observation
                .fault
                .as_ref()
                .is_some_and(|fault| timed_out(fault.kind)),
        };
        let plateau = Plateau::find(door, &target.aws, answer);
        self.set_text("plateau", plateau.as_str());
        if observation.response.is_some() {
            self.above_floor(target, observation, context, time);
        }
    }

    /// Floor, excess and what they suggest.
    fn above_floor(
        &mut self,
        target: &Target,
        observation: &Observation,
        context: &Context,
        time: Duration,
    ) {
        // The estimate holds for the processing clock alone, one round trip there and back,
        // and for one hop: times of redirects are summed up.
        let estimate = observation
            .phases
            .processing
            .and(observation.phases.connect)
            .filter(|_| observation.redirects == 0)
            .map(|round_trip| round_trip + GATEWAY_OVERHEAD);
        let floor = match (&context.floor, estimate) {
            (Some(floor), _) => floor.clone(),
            (None, Some(estimate)) => Floor {
                low: estimate,
                high: estimate,
                from: "estimated from the connect time".to_owned(),
            },
            (None, None) => return,
        };
        let excess = time.as_secs_f64() - floor.high.as_secs_f64();
        self.set_number("floor", floor.high.as_secs_f64());
        self.set_text("floor_from", &floor.from);
        self.set_number("excess", excess);
        // An authorizer takes time of its own before the function could run.
        let authorised = matches!(
            target.aws.authorizer,
            Some(Authorizer::Lambda | Authorizer::Jwt | Authorizer::Iam)
        );
        if authorised {
            return;
        }
        if excess < NOT_INVOKED_BELOW {
            self.set_text("invoked", "no");
        } else if excess >= INVOKED_FROM {
            self.set_text("invoked", "yes");
        }
    }
}

/// The time an answer took, and by which clock; absent when neither is known.
#[must_use]
pub fn answer_time(observation: &Observation) -> Option<(Duration, &'static str)> {
    match observation.phases.processing {
        Some(processing) => Some((processing, "processing")),
        None if observation.duration.is_zero() => None,
        None => Some((observation.duration, "total")),
    }
}
