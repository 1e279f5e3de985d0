//! Names the services whose events are read.

use crate::model::text_enum::text_enum;

text_enum! {
    /// A service whose events are read, as written in `eventSource`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Service {
        /// AWS Lambda.
        Lambda = "lambda.amazonaws.com",
        /// API Gateway: HTTP APIs and REST APIs.
        ApiGateway = "apigateway.amazonaws.com",
        /// Elastic Load Balancing.
        LoadBalancing = "elasticloadbalancing.amazonaws.com",
    }
}
