//! The libFuzzer entry point; `PROBECAUSE_FUZZ` selects the check to run.

#![no_main]

#[path = "../checks.rs"]
mod checks;

use std::sync::LazyLock;

static CHECK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PROBECAUSE_FUZZ").unwrap_or_default();
    let found = checks::CHECKS.into_iter().find(|check| check.name == name);
    let names = || checks::CHECKS.map(|check| check.name).join(", ");
    found
        .unwrap_or_else(|| panic!("PROBECAUSE_FUZZ: {name:?} is not one of {}", names()))
        .run
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| CHECK(data));
