//! Computes the facts about the response time: the time limit that it matches (`plateau`), the
//! floor, and the excess over the floor. The floor is the time that a front door needs to respond
//! without invoking the function.
//!
//! The floor is measured by control requests, taken from another response in a transcript, or else
//! estimated from the connect time. `invoked` compares the response time with the floor and with
//! the fastest healthy response, and decides whether the function probably ran. These facts only
//! rank candidates; they never prove a cause.

use std::time::Duration;

use crate::domain::diagnosis::context::{Context, Floor, HealthyTimes};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::invoked::Invoked;
use crate::domain::diagnosis::plateau::{Plateau, ResponseTime};
use crate::model::observation::{FaultKind, Observation};
use crate::model::target::{Authorizer, Target};

/// The time that a gateway adds to one round trip when it responds by itself. On one network, the
/// captured calls that did not invoke the function take 168 and 173 ms (HTTP API) and 103 and 105
/// ms (REST API), including name resolution and three round trips, so the overhead is at most a few
/// tens of milliseconds. A value that is too small only makes the fact `invoked` `unclear` more
/// often.
const GATEWAY_OVERHEAD: Duration = Duration::from_millis(20);

/// Headers that a CDN on the path adds. With a CDN, the connect time covers only the path to the
/// CDN's edge, while the response comes from behind the edge. The floor then cannot be estimated
/// from the connect time.
const INTERMEDIARY_HEADERS: &[&str] = &[
    "via",
    "x-amz-cf-id",
    "x-cache",
    "cf-ray",
    "x-azure-ref",
    "x-served-by",
    "x-vercel-id",
];

impl Facts {
    /// Adds the facts about the response time; adds none if the response time is unknown.
    pub(super) fn add_timing(
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
        let fault = observation.fault.as_ref();
        let response = ResponseTime {
            time,
            network: observation.phases.connect.unwrap_or_default(),
            prober_timed_out: fault.is_some_and(|fault| fault.kind == FaultKind::Timeout),
            status: observation
                .response
                .as_ref()
                .map(|response| response.status),
            learned: context.learned,
        };
        let plateau = Plateau::find(door, &target.aws, response);
        self.set_text("plateau", plateau.as_str());
        // With redirects, the response time is a sum over several requests, but the floor and the
        // history apply to one request.
        if observation.response.is_some() && observation.redirects == 0 {
            self.add_floor(target, observation, context, time);
        }
    }

    /// Adds the floor (the response time without the function), the excess of `time` over the
    /// floor, the response time of the fastest healthy response, and whether the function probably
    /// ran.
    fn add_floor(
        &mut self,
        target: &Target,
        observation: &Observation,
        context: &Context,
        time: Duration,
    ) {
        let estimate = || estimated_floor(target, observation);
        let floor = context.floor.clone().or_else(estimate);
        // Subtracts the prober's own delay, which is not part of the target's response time.
        let least = time.saturating_sub(observation.own_lag);
        if let Some(floor) = &floor {
            self.set_number("floor", floor.high.as_secs_f64());
            self.set_number("floor.low", floor.low.as_secs_f64());
            self.set_number("floor.high", floor.high.as_secs_f64());
            self.set_text("floor_from", &floor.from);
            self.set_number("excess", least.as_secs_f64() - floor.high.as_secs_f64());
        }
        let fastest = context
            .healthy
            .filter(|_| observation.phases.processing.is_some())
            .map(|healthy| fastest_healthy(healthy, observation));
        if let Some(fastest) = fastest {
            self.set_number("healthy_minimum", fastest.as_secs_f64());
        }
        // A declared authorizer takes time before the function can run, so `invoked` stays
        // `unclear`. If none is declared, the response time is used for ranking, because most
        // routes have no authorizer. A rule makes authorizer failures a rival cause, so the
        // certainty stays `possible`.
        let has_authorizer = matches!(
            target.aws.authorizer,
            Some(Authorizer::Lambda | Authorizer::Jwt | Authorizer::Iam)
        );
        if !has_authorizer {
            let own_lag = observation.own_lag;
            let by_floor = floor.map(|floor| Invoked::by_floor(own_lag, time, &floor));
            let faster = fastest
                .filter(|fastest| (time < *fastest) == (least < *fastest))
                .map(|fastest| time < fastest);
            let invoked = Invoked::combine(by_floor, faster, context.floor.is_some());
            self.set_text("invoked", invoked.as_str());
        }
    }
}

/// Returns the response time and its kind: `processing`, or `total` if only the whole duration is
/// known. `None` if neither time is known.
#[must_use]
pub fn answer_time(observation: &Observation) -> Option<(Duration, &'static str)> {
    match observation.phases.processing {
        Some(processing) => Some((processing, "processing")),
        None if observation.duration.is_zero() => None,
        None => Some((observation.duration, "total")),
    }
}

/// Returns whether the response passed through an intermediary, such as a CDN, that accepts TCP
/// connections in place of the front door.
#[must_use]
pub fn through_intermediary(observation: &Observation) -> bool {
    observation.response.as_ref().is_some_and(|response| {
        let mut names = INTERMEDIARY_HEADERS.iter();
        names.any(|name| response.header(name).is_some())
    })
}

/// Estimates the floor as one round trip plus the gateway's overhead. `None` if the processing time
/// or the connect time is unknown, or if a proxy or CDN accepted the connection.
fn estimated_floor(target: &Target, observation: &Observation) -> Option<Floor> {
    observation.phases.processing?;
    let round_trip = observation.phases.connect?;
    if target.request.proxy.is_some() || through_intermediary(observation) {
        return None;
    }
    let estimate = round_trip + GATEWAY_OVERHEAD;
    Some(Floor {
        low: estimate,
        high: estimate,
        from: "estimated from the connect time".to_owned(),
    })
}

/// Returns the response time of the fastest healthy response. If the round trip is shorter now than
/// it was then, the difference is subtracted, because healthy responses would now be faster by this
/// difference. If the round trip is longer now, nothing is added: a result that is too low only
/// makes fewer responses count as faster than the healthy ones.
fn fastest_healthy(healthy: HealthyTimes, observation: &Observation) -> Duration {
    let shorter = healthy
        .connect
        .zip(observation.phases.connect)
        .map(|(then, now)| then.saturating_sub(now))
        .unwrap_or_default();
    healthy.fastest.saturating_sub(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::model::observation::Response;

    /// Creates an observation of a response after `millis` of processing, on a connection that took
    /// 10 ms to open.
    fn response_after(millis: u64) -> Observation {
        let mut seen = Observation::begun(Timestamp::UNIX_EPOCH, "https://x.example/");
        seen.phases.connect = Some(Duration::from_millis(10));
        seen.phases.processing = Some(Duration::from_millis(millis));
        seen.duration = Duration::from_millis(millis + 20);
        seen.response = Some(Response::of(500, &[], ""));
        seen
    }

    fn context(floor: Option<(u64, u64)>, fastest: Option<u64>) -> Context {
        let millis = Duration::from_millis;
        Context {
            floor: floor.map(|(low, high)| Floor {
                low: millis(low),
                high: millis(high),
                from: "3 control requests".to_owned(),
            }),
            healthy: fastest.map(|fastest| HealthyTimes {
                fastest: millis(fastest),
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
            let facts = facts(&response_after(*millis), context);
            assert_eq!(facts.text("invoked"), Some(*invoked), "{millis} ms");
        }
    }

    #[test]
    fn an_estimated_floor_has_a_wide_margin() {
        // The floor is 10 ms of connect time plus 20 ms of overhead.
        let expected = [(31, "no"), (79, "no"), (81, "unclear"), (181, "yes")];
        check(&context(None, None), &expected);
    }

    #[test]
    fn a_measured_floor_has_a_margin_that_grows_with_its_width() {
        let narrow = context(Some((18, 20)), None);
        check(
            &narrow,
            &[(19, "no"), (46, "no"), (48, "unclear"), (171, "yes")],
        );
        let wide = context(Some((10, 20)), None);
        check(&wide, &[(54, "no"), (56, "unclear"), (169, "unclear")]);
    }

    #[test]
    fn a_floor_from_a_single_response_has_a_wide_margin() {
        let one = context(Some((20, 20)), None);
        check(&one, &[(69, "no"), (71, "unclear"), (170, "yes")]);
    }

    #[test]
    fn the_facts_include_the_floor_interval() {
        let facts = facts(&response_after(100), &context(Some((18, 20)), Some(60)));
        let numbers = [
            "floor",
            "floor.low",
            "floor.high",
            "excess",
            "healthy_minimum",
        ];
        let millis = numbers.map(|name| (facts.number(name).unwrap() * 1e3).round());
        assert_eq!(millis, [20.0, 18.0, 20.0, 80.0, 60.0]);
        assert_eq!(facts.text("floor_from"), Some("3 control requests"));
    }

    #[test]
    fn a_response_slower_than_a_fast_function_is_unclear() {
        check(
            &context(Some((18, 20)), Some(25)),
            &[(24, "no"), (26, "unclear")],
        );
        check(&context(None, Some(40)), &[(39, "no"), (41, "unclear")]);
    }

    #[test]
    fn a_response_faster_than_any_healthy_one_suggests_that_the_function_did_not_run() {
        check(&context(None, Some(150)), &[(100, "no"), (160, "unclear")]);
        // A measured floor outweighs the history, and the response is far above the floor.
        check(&context(Some((18, 20)), Some(150)), &[(100, "unclear")]);
        check(
            &context(None, Some(900)),
            &[(300, "unclear"), (1000, "yes")],
        );
    }

    #[test]
    fn healthy_times_are_adjusted_to_a_shorter_round_trip() {
        let mut far = context(None, Some(150));
        far.healthy = far.healthy.map(|healthy| HealthyTimes {
            connect: Some(Duration::from_millis(90)),
            ..healthy
        });
        // 150 ms with a 90 ms round trip correspond to 70 ms with the current 10 ms round trip.
        check(&far, &[(69, "no"), (100, "unclear")]);
    }

    #[test]
    fn the_floor_is_not_estimated_behind_a_cdn_or_a_proxy() {
        let mut relayed = response_after(40);
        let response = relayed.response.as_mut().unwrap();
        response
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
        let proxied = Facts::gather(&target, &response_after(40), &context(None, None));
        assert_eq!(proxied.number("floor"), None);
    }

    #[test]
    fn a_redirected_response_has_no_floor() {
        let mut redirected = response_after(40);
        redirected.redirects = 1;
        let facts = facts(&redirected, &context(Some((18, 20)), Some(60)));
        assert_eq!(
            (facts.number("floor"), facts.text("invoked")),
            (None, Some("unclear"))
        );
    }

    #[test]
    fn the_probers_own_lag_is_not_charged_to_the_function() {
        let late = |millis, lag| {
            let mut seen = response_after(millis);
            seen.own_lag = Duration::from_millis(lag);
            facts(&seen, &context(Some((18, 20)), None))
        };
        assert_eq!(late(300, 0).text("invoked"), Some("yes"));
        assert_eq!(late(300, 40).text("invoked"), Some("yes"));
        assert_eq!(late(300, 200).text("invoked"), Some("unclear"));
        assert_eq!(late(300, 200).number("excess").map(f64::round), Some(0.0));
        // The response is at the floor even with the lag included.
        assert_eq!(late(30, 10).text("invoked"), Some("no"));
    }
}
