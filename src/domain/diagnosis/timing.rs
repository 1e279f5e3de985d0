//! The facts that time tells: the limit an answer sits on, the floor, and what is above.
//!
//! Time orders candidates and never proves one: a warm function answers within
//! milliseconds of the floor, and a denied call makes the trip to Lambda too. The floor
//! is measured where control requests were made, else estimated from the connect time;
//! how quickly the target answered while it was well fills in. This file refuses to say
//! that a function ran; it says what the time suggests, and `unclear` when in doubt.

use std::time::Duration;

use crate::domain::diagnosis::context::{Context, Floor, HealthyTimes};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::plateau::{AnswerTime, Plateau};
use crate::model::observation::{FaultKind, Observation};
use crate::model::target::{Authorizer, Target};

/// What a gateway adds to one round trip when it answers by itself. On one network, the
/// captures of uninvoked calls take 168 and 173 ms (HTTP API) and 103 and 105 ms (REST)
/// with resolution, three round trips and this in them: it cannot be more than a few
/// tens of milliseconds. Too small a value only makes `invoked` lean to `unclear`.
const GATEWAY_OVERHEAD: Duration = Duration::from_millis(20);

/// Up to this much above a floor drawn from one time alone, nothing suggests that the
/// function ran. Such a floor does not know its own spread: an estimate is off by the
/// overhead it assumes and the jitter of one connect, another answer's total time by the
/// jitter of a resolution and two round trips; and a denied call's trip to Lambda's front
/// end comes on top.
const NOT_INVOKED_BELOW_ONE: Duration = Duration::from_millis(50);

/// The same above a measured interval, which holds the gateway's overhead, shares the
/// network with the answer and knows its spread. What remains is the trip to Lambda's
/// front end, which control requests do not make and denied or throttled calls do; pairs
/// of those lie 5 ms (168 and 173) and 2 ms (103 and 105) apart in the captures. A warm
/// function of 2 to 25 ms hides below it, hence `no` is a hint and no more.
const NOT_INVOKED_BELOW: Duration = Duration::from_millis(25);

/// From this much above the floor, the function seems to have run: the invoked captures
/// lie 213 and 233 ms (HTTP API), 283 and 408 ms (REST) above; cold gateway configuration
/// alone adds from 50 ms up, so the space between is `unclear`.
const INVOKED_FROM: Duration = Duration::from_millis(150);

/// Headers that a CDN on the way leaves: the connect time then ends at its edge, while
/// the answer comes from behind it, so that the one says nothing about the other.
const MIDDLEMEN: &[&str] = &["via", "x-amz-cf-id", "x-cache"];

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
            status: observation.response.as_ref().map(|answer| answer.status),
            learned: context.learned,
        };
        let plateau = Plateau::find(door, &target.aws, answer);
        self.set_text("plateau", plateau.as_str());
        // Times of redirects are summed up, while a floor and a history are of one hop.
        if observation.response.is_some() && observation.redirects == 0 {
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
        let estimate = || estimated(target, observation);
        let floor = context.floor.clone().or_else(estimate);
        if let Some(floor) = &floor {
            self.set_number("floor", floor.high.as_secs_f64());
            self.set_number("floor.low", floor.low.as_secs_f64());
            self.set_number("floor.high", floor.high.as_secs_f64());
            self.set_text("floor_from", &floor.from);
            // What we were late ourselves is not billed to the target.
            let least = time.saturating_sub(observation.own_lag);
            let excess = least.as_secs_f64() - floor.high.as_secs_f64();
            self.set_number("excess", excess);
        }
        let quickest = context
            .healthy
            .filter(|_| observation.phases.processing.is_some())
            .map(|healthy| comparable(healthy, observation));
        if let Some(quickest) = quickest {
            self.set_number("healthy_minimum", quickest.as_secs_f64());
        }
        // An authorizer takes time of its own before the function could run. Where nobody
        // declared whether there is one, time still orders: its failures are a rival by
        // rule, most routes have none, and `possible` is all that comes of it.
        let authorised = matches!(
            target.aws.authorizer,
            Some(Authorizer::Lambda | Authorizer::Jwt | Authorizer::Iam)
        );
        if !authorised {
            let measured = context.floor.is_some();
            let by_floor = floor.map(|floor| Hint::within(observation.own_lag, time, &floor));
            let least = time.saturating_sub(observation.own_lag);
            let quicker = quickest
                .filter(|quickest| (time < *quickest) == (least < *quickest))
                .map(|quickest| time < quickest);
            self.set_text(
                "invoked",
                Hint::settle(by_floor, quicker, measured).as_str(),
            );
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

/// Whether the answer passed somebody who answers TCP in the front door's place.
#[must_use]
pub fn through_middleman(observation: &Observation) -> bool {
    observation
        .response
        .as_ref()
        .is_some_and(|answer| MIDDLEMEN.iter().any(|name| answer.header(name).is_some()))
}

/// A floor from the connect time: it holds for the processing clock alone, one round trip
/// there and back, and where it is the front door that accepted the connection.
fn estimated(target: &Target, observation: &Observation) -> Option<Floor> {
    observation.phases.processing?;
    let round_trip = observation.phases.connect?;
    if target.request.proxy.is_some() || through_middleman(observation) {
        return None;
    }
    let estimate = round_trip + GATEWAY_OVERHEAD;
    Some(Floor {
        low: estimate,
        high: estimate,
        from: "estimated from the connect time".to_owned(),
    })
}

/// The quickest healthy answer as it would be over today's network: where the round trip
/// has become shorter, so have answers of the function. A longer one is left alone, for
/// that only makes fewer answers seem quicker than the function.
fn comparable(healthy: HealthyTimes, observation: &Observation) -> Duration {
    let shorter = healthy
        .connect
        .zip(observation.phases.connect)
        .map(|(then, now)| then.saturating_sub(now))
        .unwrap_or_default();
    healthy.quickest.saturating_sub(shorter)
}

/// What the time suggests about the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    Ran,
    NotRun,
    Unclear,
}

impl Hint {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "yes",
            Self::NotRun => "no",
            Self::Unclear => "unclear",
        }
    }

    /// What the distance from the floor suggests. One in four further answers without
    /// the function exceeds the slowest of three controls, hardly any by their whole
    /// spread once more: hence the interval's width comes on top.
    fn by_floor(time: Duration, floor: &Floor) -> Self {
        let width = floor.high.saturating_sub(floor.low);
        let near = if width.is_zero() {
            NOT_INVOKED_BELOW_ONE
        } else {
            NOT_INVOKED_BELOW + width
        };
        if time < floor.high + near {
            Self::NotRun
        } else if time >= floor.high + INVOKED_FROM {
            Self::Ran
        } else {
            Self::Unclear
        }
    }

    /// The same where either time may be too long by our own lag: what holds in all cases.
    fn within(lag: Duration, time: Duration, floor: &Floor) -> Self {
        let lower = Floor {
            low: floor.low.saturating_sub(lag),
            high: floor.high.saturating_sub(lag),
            from: String::new(),
        };
        let least = Self::by_floor(time.saturating_sub(lag), floor);
        if least == Self::by_floor(time, &lower) {
            least
        } else {
            Self::Unclear
        }
    }

    /// Joins the floor's hint with the history's: whether the answer was quicker than any
    /// the function gave while it was well.
    const fn settle(by_floor: Option<Self>, quicker: Option<bool>, measured: bool) -> Self {
        match (by_floor, quicker) {
            (Some(hint), None) => hint,
            // The two contradict each other: a slow function that failed early, perhaps,
            // or one that is as quick as the gateway itself.
            (Some(Self::Ran), Some(true)) | (Some(Self::NotRun), Some(false)) => Self::Unclear,
            // A measured floor knows better than the history where it is unclear; an
            // estimated one may simply lie too low.
            (Some(Self::Unclear), Some(true)) if measured => Self::Unclear,
            (_, Some(true)) => Self::NotRun,
            (Some(Self::Ran), Some(false)) => Self::Ran,
            (_, Some(false)) | (None, None) => Self::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::model::observation::{HttpVersion, Response};

    /// An answer after so many milliseconds, over a connection that took 10 ms to open.
    fn answered(millis: u64) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/");
        seen.phases.connect = Some(Duration::from_millis(10));
        seen.phases.processing = Some(Duration::from_millis(millis));
        seen.duration = Duration::from_millis(millis + 20);
        seen.response = Some(Response {
            status: 500,
            version: HttpVersion::Http2,
            headers: Vec::new(),
            body: Vec::new(),
            body_truncated: false,
            body_bytes: 0,
            content_length: None,
        });
        seen
    }

    fn context(floor: Option<(u64, u64)>, quickest: Option<u64>) -> Context {
        let millis = Duration::from_millis;
        Context {
            floor: floor.map(|(low, high)| Floor {
                low: millis(low),
                high: millis(high),
                from: "3 control requests".to_owned(),
            }),
            healthy: quickest.map(|quickest| HealthyTimes {
                quickest: millis(quickest),
                connect: Some(millis(10)),
            }),
            ..Context::at(Timestamp::UNIX_EPOCH)
        }
    }

    fn facts(seen: &Observation, context: &Context) -> Facts {
        let target = Target::with_defaults("t", url::Url::parse("https://x.example/").unwrap());
        Facts::gather(&target, seen, context)
    }

    #[track_caller]
    fn check(context: &Context, expected: &[(u64, &str)]) {
        for (millis, invoked) in expected {
            let facts = facts(&answered(*millis), context);
            assert_eq!(facts.text("invoked"), Some(*invoked), "{millis} ms");
        }
    }

    #[test]
    fn an_estimate_leaves_room_for_what_it_assumes() {
        // 10 ms of connect and 20 ms of overhead.
        let expected = [(31, "no"), (79, "no"), (81, "unclear"), (181, "yes")];
        check(&context(None, None), &expected);
    }

    #[test]
    fn a_measured_floor_is_sharper_and_grows_with_its_width() {
        let narrow = context(Some((18, 20)), None);
        check(
            &narrow,
            &[(19, "no"), (46, "no"), (48, "unclear"), (171, "yes")],
        );
        let wide = context(Some((10, 20)), None);
        check(&wide, &[(54, "no"), (56, "unclear"), (169, "unclear")]);
    }

    #[test]
    fn one_other_answer_is_a_floor_that_does_not_know_its_spread() {
        let one = context(Some((20, 20)), None);
        check(&one, &[(69, "no"), (71, "unclear"), (170, "yes")]);
    }

    #[test]
    fn the_interval_is_told_with_the_verdict() {
        let facts = facts(&answered(100), &context(Some((18, 20)), Some(60)));
        let numbers = [
            "floor",
            "floor.low",
            "floor.high",
            "excess",
            "healthy_minimum",
        ];
        let told = numbers.map(|name| (facts.number(name).unwrap() * 1e3).round());
        assert_eq!(told, [20.0, 18.0, 20.0, 80.0, 60.0]);
        assert_eq!(facts.text("floor_from"), Some("3 control requests"));
    }

    #[test]
    fn what_a_quick_function_could_have_answered_is_not_called_uninvoked() {
        check(
            &context(Some((18, 20)), Some(25)),
            &[(24, "no"), (26, "unclear")],
        );
        check(&context(None, Some(40)), &[(39, "no"), (41, "unclear")]);
    }

    #[test]
    fn quicker_than_the_function_ever_was_suggests_that_it_did_not_run() {
        check(&context(None, Some(150)), &[(100, "no"), (160, "unclear")]);
        // A measured floor knows better, and a long way above it nothing is clear.
        check(&context(Some((18, 20)), Some(150)), &[(100, "unclear")]);
        check(
            &context(None, Some(900)),
            &[(300, "unclear"), (1000, "yes")],
        );
    }

    #[test]
    fn a_shorter_round_trip_makes_healthy_answers_comparable() {
        let mut far = context(None, Some(150));
        far.healthy = far.healthy.map(|healthy| HealthyTimes {
            connect: Some(Duration::from_millis(90)),
            ..healthy
        });
        // 150 ms over 90 ms of round trip would be 70 ms over today's 10.
        check(&far, &[(69, "no"), (100, "unclear")]);
    }

    #[test]
    fn behind_a_cdn_or_a_proxy_the_connect_time_is_no_floor() {
        let mut relayed = answered(40);
        let answer = relayed.response.as_mut().unwrap();
        answer
            .headers
            .push(("x-amz-cf-id".to_owned(), "i".to_owned()));
        let alone = facts(&relayed, &context(None, None));
        assert_eq!(
            (alone.number("floor"), alone.text("invoked")),
            (None, Some("unclear"))
        );
        let recalled = facts(&relayed, &context(None, Some(60)));
        assert_eq!(recalled.text("invoked"), Some("no"));
        let mut target = Target::with_defaults("t", url::Url::parse("https://x.example/").unwrap());
        target.request.proxy = url::Url::parse("http://proxy.example:3128/").ok();
        let proxied = Facts::gather(&target, &answered(40), &context(None, None));
        assert_eq!(proxied.number("floor"), None);
    }

    #[test]
    fn hops_of_a_redirect_have_no_floor_in_common() {
        let mut led = answered(40);
        led.redirects = 1;
        let facts = facts(&led, &context(Some((18, 20)), Some(60)));
        assert_eq!(
            (facts.number("floor"), facts.text("invoked")),
            (None, Some("unclear"))
        );
    }

    #[test]
    fn what_we_were_late_ourselves_is_not_billed_to_the_function() {
        let late = |millis, lag| {
            let mut seen = answered(millis);
            seen.own_lag = Duration::from_millis(lag);
            facts(&seen, &context(Some((18, 20)), None))
        };
        assert_eq!(late(300, 0).text("invoked"), Some("yes"));
        assert_eq!(late(300, 40).text("invoked"), Some("yes"));
        assert_eq!(late(300, 200).text("invoked"), Some("unclear"));
        assert_eq!(late(300, 200).number("excess").map(f64::round), Some(0.0));
        // As quick as this in spite of it.
        assert_eq!(late(30, 10).text("invoked"), Some("no"));
    }
}
