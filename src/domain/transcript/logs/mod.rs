//! Parses the lines of logs: access logs of proxies and load balancers, nginx's error log, and the
//! execution log of API Gateway.

pub(super) mod access_log;
pub(super) mod execution_log;
pub(super) mod proxy_log;
