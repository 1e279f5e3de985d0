//! Tests the probe against loopback sockets that fail in every way it must distinguish.

mod faults;
mod http;
mod reason;
mod tls;
