//! The AWS side of one drawn failure, and the stages at which the prober learns about it.

use std::time::Duration;

use jiff::Timestamp;

use super::front_doors::{Door, Fault, Kind};
use super::population;
use super::random::Random;

/// How much is known when a failure is diagnosed; each stage adds to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Outside,
    Floor,
    History,
    Metrics,
    Logs,
}

/// The drawn limits and times of the AWS side, whether declared or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truths {
    /// The function's own timeout, in seconds.
    pub(crate) function_timeout: f64,
    /// The API's integration timeout, in seconds.
    pub(crate) integration_timeout: f64,
    /// The duration of the failing run by Lambda's clock, in seconds.
    pub(crate) ran: f64,
}

impl Stage {
    pub(crate) const ALL: [Self; 5] = [
        Self::Outside,
        Self::Floor,
        Self::History,
        Self::Metrics,
        Self::Logs,
    ];

    /// The stage's name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside only",
            Self::Floor => "+ floor",
            Self::History => "+ history",
            Self::Metrics => "+ metrics",
            Self::Logs => "+ logs",
        }
    }
}

impl Truths {
    /// Draws the limits of one API and its function.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let integration_timeout = if random.chance(population::DEFAULT_TIMEOUT_SHARE) {
            30.0
        } else {
            random.one_of(population::OTHER_TIMEOUTS)
        };
        Self {
            function_timeout: random.one_of(population::FUNCTION_TIMEOUTS),
            integration_timeout,
            ran: 0.0,
        }
    }

    /// The duration of the failing run, in seconds; `own` is the function's usual duration.
    pub(crate) fn run(self, fault: &Fault, own: f64, random: &mut Random) -> f64 {
        let start = population::run(random);
        match fault.kind {
            Kind::FunctionTimeout => self.function_timeout,
            Kind::IntegrationTimeout => self
                .function_timeout
                .min(self.integration_timeout + random.exponential(20.0)),
            // A failing run may be shorter or longer than usual: the mean of both.
            _ => 0.5 * (start + own),
        }
    }

    /// The API's integration timeout, in seconds; 29 s is a REST API's default and maximum.
    pub(crate) fn limit(self, door: Door) -> f64 {
        match door {
            Door::RestApi => self.integration_timeout.min(29.0),
            _ => self.integration_timeout,
        }
    }

    /// The integration latency that an access log would contain.
    pub(crate) fn latency(self, fault: &Fault) -> Duration {
        Duration::from_secs_f64(match fault.kind {
            Kind::IntegrationTimeout => self.limit(fault.door) + 0.001,
            Kind::FunctionError
            | Kind::FunctionTimeout
            | Kind::CustomizedResponse
            | Kind::Malformed
            | Kind::GatewayFailure
            | Kind::Imitation
            | Kind::ImitationWithHeader => self.ran + 0.008,
            _ => 0.012,
        })
    }
}

/// The time of every probe.
pub(crate) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}
