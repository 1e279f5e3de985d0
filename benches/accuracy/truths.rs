//! The AWS side of one drawn failure, and the stages at which the prober learns about it.

use std::time::Duration;

use jiff::Timestamp;
use probecause::model::target::Integration;

use super::front_doors::{Door, Fault, Kind};
use super::population;
use super::random::Random;

/// How much is known when a failure is diagnosed; each stage adds to its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Outside,
    Floor,
    History,
    Metrics,
    /// The metrics and the configuration, without logs.
    Configuration,
    /// The metrics and the logs, without the configuration.
    Logs,
    All,
}

/// The drawn properties of the AWS side, whether declared or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truths {
    /// The function's own timeout, in seconds.
    pub(crate) function_timeout: f64,
    /// The API's integration timeout, in seconds.
    pub(crate) integration_timeout: f64,
    /// The duration of the failing run by Lambda's clock, in seconds.
    pub(crate) ran: f64,
    /// The integration of the route.
    pub(crate) integration: Integration,
    /// Whether the route has an authorizer.
    pub(crate) has_authorizer: bool,
}

impl Stage {
    /// All stages; each comes after its base.
    pub(crate) const ALL: [Self; 7] = [
        Self::Outside,
        Self::Floor,
        Self::History,
        Self::Metrics,
        Self::Configuration,
        Self::Logs,
        Self::All,
    ];

    /// The stage's name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside only",
            Self::Floor => "+ floor",
            Self::History => "+ history",
            Self::Metrics => "+ metrics",
            Self::Configuration => "+ configuration",
            Self::Logs => "+ logs, no configuration",
            Self::All => "+ configuration and logs",
        }
    }

    /// The index in [`Self::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The stage that this one adds to.
    pub(crate) const fn base(self) -> Option<Self> {
        match self {
            Self::Outside => None,
            Self::Floor => Some(Self::Outside),
            Self::History => Some(Self::Floor),
            Self::Metrics => Some(Self::History),
            Self::Configuration | Self::Logs => Some(Self::Metrics),
            Self::All => Some(Self::Configuration),
        }
    }
}

impl Truths {
    /// Draws the limits of one API and its function; the other values are those of a route with a
    /// function and without an authorizer.
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
            integration: Integration::Lambda,
            has_authorizer: false,
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
