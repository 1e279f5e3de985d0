//! All tests of the program from outside, in one binary so that it is linked once.
//!
//! A plain `cargo test` runs the hermetic ones. Tests that need a tool (a CloudWatch
//! emulator, Prometheus, a browser, …) are ignored; `tests/run` sets the tool up and runs
//! them by the name of their module.

#[cfg(test)]
mod account_changes;
#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod check_aws;
#[cfg(test)]
mod cloudwatch_destinations;
#[cfg(test)]
mod cloudwatch_emulator;
#[cfg(test)]
mod cloudwatch_faults;
#[cfg(test)]
mod cloudwatch_replicas;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod config;
#[cfg(test)]
mod config_habits;
#[cfg(test)]
mod configuration_moto;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod deploy_host;
#[cfg(test)]
mod deploy_image;
#[cfg(test)]
mod deploy_kubernetes;
#[cfg(test)]
mod deploy_nspawn;
#[cfg(test)]
mod deploy_prometheus;
#[cfg(test)]
mod diagnosis_aws;
#[cfg(test)]
mod diagnosis_http_api;
#[cfg(test)]
mod diagnosis_rules;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod discovery_daemon;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod evidence_emulator;
#[cfg(test)]
mod evidence_faults;
#[cfg(test)]
mod evidence_simulator;
#[cfg(test)]
mod fault_lab;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod floor;
#[cfg(test)]
mod front_doors;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod metrics_promtool;
#[cfg(test)]
mod page;
#[cfg(test)]
mod page_browser;
#[cfg(test)]
mod phases_curl;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod rules_dir;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod simulator_telemetry;
#[cfg(test)]
mod supply;
#[cfg(test)]
mod support;
#[cfg(test)]
mod test_script;
#[cfg(test)]
mod transcripts;
