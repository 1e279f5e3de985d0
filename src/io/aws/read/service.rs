//! The AWS services that the reader calls: their names in signatures and IAM actions, and the time
//! limits of their operations.

use std::time::Duration;

use crate::io::aws::CALL_TIMEOUT;

/// An AWS service that is read with signed requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS Lambda.
    Lambda,
    /// Amazon API Gateway, for REST APIs and HTTP APIs.
    ApiGateway,
    /// Elastic Load Balancing, version 2: Application Load Balancers and target groups.
    LoadBalancing,
    /// AWS CloudTrail.
    CloudTrail,
    /// AWS Security Token Service.
    Sts,
    /// Amazon CloudFront, which has one endpoint for all regions of a partition.
    CloudFront,
}

/// Time limit of a CloudTrail operation. `LookupEvents` was observed to take up to 35 s in
/// us-east-1.
const CLOUDTRAIL_TIMEOUT: Duration = Duration::from_secs(45);

impl Service {
    /// Returns the name of the service in signatures, host names and IAM actions. The three names
    /// are equal for each of these services.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::ApiGateway => "apigateway",
            Self::LoadBalancing => "elasticloadbalancing",
            Self::CloudTrail => "cloudtrail",
            Self::Sts => "sts",
            Self::CloudFront => "cloudfront",
        }
    }

    /// Returns the IAM action that an operation needs, such as `lambda:GetPolicy`. All reads of API
    /// Gateway need `apigateway:GET`.
    #[must_use]
    pub fn action(self, operation: &str) -> String {
        match self {
            Self::ApiGateway => "apigateway:GET".to_owned(),
            _ => format!("{}:{operation}", self.name()),
        }
    }

    /// Returns the maximum duration of an operation, from connecting to the end of the response.
    pub(super) const fn time_limit(self) -> Duration {
        match self {
            Self::CloudTrail => CLOUDTRAIL_TIMEOUT,
            _ => CALL_TIMEOUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_an_iam_action() {
        for (service, operation, action) in [
            (Service::Lambda, "GetPolicy", "lambda:GetPolicy"),
            (Service::ApiGateway, "GetRoutes", "apigateway:GET"),
            (
                Service::LoadBalancing,
                "DescribeTargetHealth",
                "elasticloadbalancing:DescribeTargetHealth",
            ),
            (
                Service::CloudTrail,
                "LookupEvents",
                "cloudtrail:LookupEvents",
            ),
            (
                Service::CloudFront,
                "ListDistributions",
                "cloudfront:ListDistributions",
            ),
        ] {
            assert_eq!(service.action(operation), action);
        }
    }
}
