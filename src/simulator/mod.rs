//! A simulated API Gateway and Lambda.
