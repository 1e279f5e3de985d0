//! Tests the probe against loopback sockets that fail in every way it must distinguish.

mod addresses;
mod bodies;
mod certificates;
mod faults;
mod http;
mod http2;
mod names;
mod proxies;
mod reason;
mod redirects;
mod reuse;
mod tls;
mod ways;
