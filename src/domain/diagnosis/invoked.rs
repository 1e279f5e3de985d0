//! Decides whether the response time suggests that the function ran.
//!
//! The response time is compared with the floor (the response time without the function) and with
//! the fastest healthy response. The result only ranks candidates and never proves a cause: a fast
//! function responds within milliseconds of the floor, and a denied call also makes the round trip
//! to Lambda. If in doubt, the result is `unclear`.

use std::time::Duration;

use crate::domain::diagnosis::context::Floor;

/// Excess of the response time over the floor (the response time without the function) below which
/// the function probably did not run, if both ends of the floor are equal. The spread of such a
/// floor is unknown: an estimate may be off by the error of the assumed overhead and the jitter of
/// one connect, and the total time of another response may be off by the jitter of name resolution
/// and two round trips. A denied call also makes a round trip to Lambda's front end, which the
/// floor does not include.
const NOT_INVOKED_BELOW_POINT: Duration = Duration::from_millis(50);

/// Excess of the response time over the floor (the response time without the function) below which
/// the function probably did not run, if the floor is an interval of measured response times; the
/// width of the interval is added. Such a floor includes the gateway's overhead, was measured over
/// the same network, and has a known spread. It does not include the round trip to Lambda's front
/// end, which denied and throttled calls make but control requests do not. In the captures, a
/// denied and a throttled call differ by 5 ms with an HTTP API (168 and 173 ms) and by 2 ms with a
/// REST API (103 and 105 ms). A function that runs for less than this excess is not detected, so
/// `no` is only a hint.
const NOT_INVOKED_BELOW: Duration = Duration::from_millis(25);

/// Minimum excess of the response time over the floor (the response time without the function) at
/// which the function probably ran. The captured responses of functions that ran are above the
/// floor by 213 and 233 ms (HTTP API) or by 283 and 408 ms (REST API). A cold gateway configuration
/// alone adds 50 ms or more, so an excess between the thresholds for `no` and `yes` is `unclear`.
const INVOKED_FROM: Duration = Duration::from_millis(150);

/// The conclusion from the response time: whether the function probably ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invoked {
    Yes,
    No,
    Unclear,
}

impl Invoked {
    /// Returns the value of the fact `invoked`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unclear => "unclear",
        }
    }

    /// Compares a response time with a floor. Both may include up to `own_lag` of the prober's own
    /// delay. Returns `Unclear` if the result depends on this delay.
    pub(super) fn by_floor(own_lag: Duration, time: Duration, floor: &Floor) -> Self {
        let lower = Floor {
            low: floor.low.saturating_sub(own_lag),
            high: floor.high.saturating_sub(own_lag),
            from: String::new(),
        };
        let least = Self::by_exact_floor(time.saturating_sub(own_lag), floor);
        if least == Self::by_exact_floor(time, &lower) {
            least
        } else {
            Self::Unclear
        }
    }

    /// Compares a response time with a floor, both without the prober's own delay. Adds the width
    /// of the floor's interval to [`NOT_INVOKED_BELOW`], because one in four further responses
    /// without the function is slower than the slowest of three control requests, but hardly any is
    /// slower by more than this width.
    fn by_exact_floor(time: Duration, floor: &Floor) -> Self {
        let width = floor.high.saturating_sub(floor.low);
        let near = if width.is_zero() {
            NOT_INVOKED_BELOW_POINT
        } else {
            NOT_INVOKED_BELOW + width
        };
        if time < floor.high + near {
            Self::No
        } else if time >= floor.high + INVOKED_FROM {
            Self::Yes
        } else {
            Self::Unclear
        }
    }

    /// Combines the result of [`Self::by_floor`] with the history of healthy responses; each is
    /// `None` if unknown. `faster` is whether the response was faster than every healthy response
    /// of the function. `measured` is whether the floor was measured, not estimated.
    pub(super) const fn combine(
        by_floor: Option<Self>,
        faster: Option<bool>,
        measured: bool,
    ) -> Self {
        match (by_floor, faster) {
            (Some(by_floor), None) => by_floor,
            // The floor and the history contradict each other. A slow function may have failed
            // early, or the function may be as fast as the gateway.
            (Some(Self::Yes), Some(true)) | (Some(Self::No), Some(false)) => Self::Unclear,
            // An unclear distance from a measured floor outweighs the history. An estimated floor
            // may be too low, so the history outweighs it.
            (Some(Self::Unclear), Some(true)) if measured => Self::Unclear,
            (_, Some(true)) => Self::No,
            (Some(Self::Yes), Some(false)) => Self::Yes,
            (_, Some(false)) | (None, None) => Self::Unclear,
        }
    }
}
