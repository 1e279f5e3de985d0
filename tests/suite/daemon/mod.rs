//! Tests that start `probecause run` as a process and observe it over signals, HTTP, logs,
//! files and the service manager's socket.

mod config_watch;

mod mass_failure;
mod moved;
mod process;
mod restart;
mod rules;
mod runtime_lag;
mod service_manager;
mod shards;
