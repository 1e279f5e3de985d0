//! The example configuration of Alertmanager names existing alerts and has a receiver for every
//! owner.

use probecause::model::cause::Owner;
use regex::Regex;

use crate::deploy_prometheus::{read, values};

#[test]
fn every_alert_that_is_routed_or_inhibited_exists() {
    let rules = read("alerts.rules.yaml");
    let alerts = values(&rules, "- alert:");
    let text = read("alertmanager.yaml");
    let named = Regex::new("Probecause[A-Za-z]+").unwrap();
    let named: Vec<&str> = named.find_iter(&text).map(|found| found.as_str()).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(alerts.contains(&name), "{name}");
    }
}

#[test]
fn every_owner_has_a_receiver() {
    let text = read("alertmanager.yaml");
    let receivers = values(&text, "- name:");
    // Causes of an unknown owner go to the default receiver.
    for owner in Owner::ALL.into_iter().filter(|one| *one != Owner::Unknown) {
        assert!(receivers.contains(&owner.as_str()), "{owner}");
    }
}
