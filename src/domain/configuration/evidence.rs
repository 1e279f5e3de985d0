//! Combines the facts and the declarations that the configuration of the AWS resources shows about
//! one failed probe.

use super::Configuration;
use super::declarations::completed;
use super::findings::findings;
use super::plan::Plan;
use crate::domain::diagnosis::aws::configuration::ConfigurationEvidence;
use crate::model::target::Target;

/// Returns what the configuration of the AWS resources shows about a request of the target. `now`
/// was read after the request. `before` was read before the request; `None` if nothing was read
/// then. Returns `None` if the configuration shows nothing.
#[must_use]
pub fn evidence(
    target: &Target,
    now: &Configuration,
    before: Option<&Configuration>,
) -> Option<ConfigurationEvidence> {
    let evidence = ConfigurationEvidence {
        facts: findings(target, now, before),
        declared: completed(target, now),
    };
    let shows_nothing = evidence.facts.is_empty() && evidence.declared == target.aws;
    (!shows_nothing).then_some(evidence)
}

/// Returns whether AWS may have evidence about the target: whether a resource with metrics or logs
/// is declared, or, if `reads_configuration` is set, whether the declarations or the URL name a
/// resource whose configuration can be read.
#[must_use]
pub fn has_sources(target: &Target, reads_configuration: bool) -> bool {
    target.aws.names_evidence() || (reads_configuration && !Plan::of(target).is_empty())
}
