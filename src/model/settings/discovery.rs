//! The AWS accounts and Regions in which the daemon finds targets.

use std::time::Duration;

use super::Role;

/// One `[[discovery.aws]]` table: an account and Region whose APIs become targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsDiscovery {
    /// The account and Region.
    pub source: AwsSource,
    /// Time between the starts of two readings; at least a minute.
    pub interval: Duration,
}

/// An AWS account and Region that is read to find targets. The account is that of the role or,
/// without a role, of the credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsSource {
    /// The Region, such as `eu-west-1`.
    pub region: String,
    /// Role to assume; `None` means the credentials of the AWS SDK's default chain.
    pub role: Option<Role>,
}
