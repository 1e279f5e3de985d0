//! Parses the health of the targets behind a load balancer, and the answers that lead from the host
//! name of the load balancer to its target group.
//! If every target is unhealthy, an Application Load Balancer sends requests to all of them. Its
//! status 503 is therefore explained only by an empty target group. Which listener rule matched a
//! request is not known here.

use crate::domain::diagnosis::gather::markup::elements;
use crate::model::text_enum::text_enum;

text_enum! {
    /// The combined health of all targets in a target group.
    ///
    /// The texts are the values of the fact `config.targets`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TargetState {
        /// The target group has no targets.
        None = "none",
        /// Every target fails its health checks.
        Unhealthy = "unhealthy",
        /// At least one target is healthy.
        Healthy = "healthy",
        /// No target is healthy, and the health checks of at least one have not finished.
        Initial = "initial",
    }
}

/// Maximum number of elements that are read: a target group has at most 1,000 targets with fewer
/// than ten elements each, and a page has at most 400 load balancers with about 20 each.
const MAX_ELEMENTS: usize = 10_000;

/// The end of the path of the list of targets. This path occurs only if the list is empty, because
/// only innermost elements are read.
const LIST: &str = ".TargetHealthDescriptions";

/// The end of the path of a target's state.
const STATE: &str = ".TargetHealth.State";

/// The end of the path of the last element of a complete answer.
const LAST: &str = ".ResponseMetadata.RequestId";

impl TargetState {
    /// Parses the XML response of `DescribeTargetHealth`. `None` if the response is not complete,
    /// or if the states do not decide: health checks may be disabled, as for Lambda functions, and
    /// a target may be draining or not in use.
    #[must_use]
    pub fn from_document(document: &str) -> Option<Self> {
        let found = elements(document, MAX_ELEMENTS);
        found.iter().find(|(path, _)| path.ends_with(LAST))?;
        if found.iter().any(|(path, _)| path.ends_with(LIST)) {
            return Some(Self::None);
        }
        let states: Vec<&str> = found
            .iter()
            .filter(|(path, _)| path.ends_with(STATE))
            .map(|(_, state)| state.as_str())
            .collect();
        let is_unhealthy = |state: &&str| ["unhealthy", "unhealthy.draining"].contains(state);
        if states.is_empty() {
            None
        } else if states.contains(&"healthy") {
            Some(Self::Healthy)
        } else if states.iter().all(is_unhealthy) {
            Some(Self::Unhealthy)
        } else if states
            .iter()
            .all(|state| is_unhealthy(state) || *state == "initial")
        {
            Some(Self::Initial)
        } else {
            None
        }
    }
}

/// Returns the ARN of the load balancer with this host name in a page of DescribeLoadBalancers;
/// `None` if the page does not contain the load balancer.
#[must_use]
pub fn load_balancer_arn(document: &str, host: &str) -> Option<String> {
    let found = elements(document, MAX_ELEMENTS);
    // Each load balancer has one ARN and one host name, so the items of the two lists correspond.
    let arns = texts(&found, ".member.LoadBalancerArn");
    let hosts = texts(&found, ".member.DNSName");
    if arns.len() != hosts.len() {
        return None;
    }
    let mut pairs = arns.into_iter().zip(hosts);
    pairs
        .find(|(_, name)| name.eq_ignore_ascii_case(host))
        .map(|(arn, _)| arn.to_owned())
}

/// Returns the ARN of the target group in the response of `DescribeTargetGroups`. Returns `None` if
/// the answer is not complete or does not contain exactly one target group. With several, it is not
/// known which one received the request.
#[must_use]
pub fn only_target_group(document: &str) -> Option<String> {
    let found = elements(document, MAX_ELEMENTS);
    let is_complete = found.iter().any(|(path, _)| path.ends_with(LAST));
    match texts(&found, ".member.TargetGroupArn")[..] {
        [arn] if is_complete && next_marker(document).is_none() => Some(arn.to_owned()),
        _ => None,
    }
}

/// Returns the marker of the next page; `None` on the last page.
#[must_use]
pub fn next_marker(document: &str) -> Option<String> {
    let found = elements(document, MAX_ELEMENTS);
    let marker = texts(&found, ".NextMarker").first().copied();
    marker
        .filter(|marker| !marker.is_empty())
        .map(str::to_owned)
}

/// Returns the texts of the elements whose path ends with `end`.
fn texts<'a>(found: &'a [(String, String)], end: &str) -> Vec<&'a str> {
    found
        .iter()
        .filter(|(path, _)| path.ends_with(end))
        .map(|(_, text)| text.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(states: &[&str]) -> String {
        let members: String = states
            .iter()
            .map(|state| {
                format!(
                    "<member><Target><Id>i-1</Id><Port>80</Port></Target><TargetHealth><State>{state}</State><Reason>x</Reason></TargetHealth></member>"
                )
            })
            .collect();
        format!(
            "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><DescribeTargetHealthResult><TargetHealthDescriptions>{members}</TargetHealthDescriptions></DescribeTargetHealthResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeTargetHealthResponse>"
        )
    }

    #[test]
    fn the_states_of_all_targets_are_summarized() {
        for (states, expected) in [
            (&[][..], Some(TargetState::None)),
            (&["healthy", "unhealthy"], Some(TargetState::Healthy)),
            (
                &["unhealthy", "unhealthy.draining"],
                Some(TargetState::Unhealthy),
            ),
            (&["unhealthy", "initial"], Some(TargetState::Initial)),
            (&["initial"], Some(TargetState::Initial)),
            // Health checks are disabled for Lambda functions by default.
            (&["unavailable"], None),
            (&["unhealthy", "unavailable"], None),
            (&["unused"], None),
            (&["draining"], None),
        ] {
            assert_eq!(
                TargetState::from_document(&answer(states)),
                expected,
                "{states:?}"
            );
        }
    }

    #[test]
    fn an_empty_list_has_several_forms_and_a_truncated_answer_proves_nothing() {
        let empty = answer(&[]);
        let short = empty.replace(
            "<TargetHealthDescriptions></TargetHealthDescriptions>",
            "<TargetHealthDescriptions/>",
        );
        assert_ne!(short, empty);
        assert_eq!(TargetState::from_document(&short), Some(TargetState::None));
        let whole = answer(&["unhealthy", "healthy"]);
        assert_eq!(TargetState::from_document(&whole[..whole.len() / 2]), None);
        assert_eq!(
            TargetState::from_document("<ErrorResponse><Error/></ErrorResponse>"),
            None
        );
        assert_eq!(TargetState::from_document(""), None);
    }

    #[test]
    fn the_host_name_leads_to_the_only_target_group() {
        let member = |name: &str| {
            format!(
                "<member><LoadBalancerArn>arn:{name}</LoadBalancerArn><Scheme>internet-facing</Scheme><DNSName>{name}-1.eu-west-1.elb.amazonaws.com</DNSName></member>"
            )
        };
        let document = format!(
            "<R><Q><LoadBalancers>{}{}</LoadBalancers><NextMarker>m</NextMarker></Q><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></R>",
            member("carts"),
            member("Orders")
        );
        let arn = |host: &str| load_balancer_arn(&document, host);
        assert_eq!(
            arn("orders-1.eu-west-1.elb.amazonaws.com").as_deref(),
            Some("arn:Orders")
        );
        assert_eq!(arn("other-1.eu-west-1.elb.amazonaws.com"), None);
        assert_eq!(next_marker(&document).as_deref(), Some("m"));
        let groups = |arns: &[&str]| {
            let members: String = arns
                .iter()
                .map(|arn| format!("<member><TargetGroupArn>{arn}</TargetGroupArn><LoadBalancerArns><member>x</member></LoadBalancerArns></member>"))
                .collect();
            format!(
                "<R><Q><TargetGroups>{members}</TargetGroups></Q><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></R>"
            )
        };
        for (arns, expected) in [
            (&["arn:a"][..], Some("arn:a")),
            (&[], None),
            (&["arn:a", "arn:b"], None),
        ] {
            assert_eq!(only_target_group(&groups(arns)).as_deref(), expected);
        }
        let whole = groups(&["arn:a"]);
        assert_eq!(only_target_group(&whole[..whole.len() / 2]), None);
        assert_eq!(next_marker(&whole), None);
    }
}
