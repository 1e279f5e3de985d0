//! Reads the health of the targets behind a load balancer.
//!
//! The load balancer is found by its host name, and the target group by the load balancer. The
//! health is read only if the load balancer has exactly one target group. If it has several, it is
//! not known which one received the request.

use crate::domain::configuration::load_balancer::{
    TargetState, load_balancer_arn, next_marker, only_target_group,
};
use crate::io::evidence::operation::Operation;

use super::parts::{MAX_PAGES, PartReader};

/// Reads the health of the targets behind the load balancer with this host name. Returns `None` if
/// the load balancer is not found, does not have exactly one target group, or cannot be read.
pub(super) async fn read_targets(parts: &mut PartReader<'_>, host: &str) -> Option<TargetState> {
    let arn = find_load_balancer(parts, host).await?;
    let operation = Operation::DescribeTargetGroups;
    let parameters = [("LoadBalancerArn", arn.as_str())];
    let groups = parts.load_balancing(operation, &arn, &parameters).await?;
    let group = only_target_group(&groups)?;
    let operation = Operation::DescribeTargetHealth;
    let parameters = [("TargetGroupArn", group.as_str())];
    let health = parts.load_balancing(operation, &group, &parameters).await?;
    TargetState::from_document(&health)
}

/// Returns the ARN of the load balancer with this host name; `None` if it is not found or the list
/// cannot be read. The whole list is searched, because AWS cannot filter it by the host name. Nor
/// can the name of the load balancer be derived from the host name, which is in lower case.
async fn find_load_balancer(parts: &mut PartReader<'_>, host: &str) -> Option<String> {
    let operation = Operation::DescribeLoadBalancers;
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut parameters = vec![("PageSize", "100")];
        parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = parts.load_balancing(operation, host, &parameters).await?;
        if let Some(arn) = load_balancer_arn(&page, host) {
            return Some(arn);
        }
        marker = Some(next_marker(&page)?);
    }
    None
}
