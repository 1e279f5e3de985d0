//! The fault table: faults of a peer or a network on real sockets, each with the expected
//! cause and phase. Every probe must also end by its deadline and within a memory limit.
//!
//! A case that is diagnosed wrongly stays in the table with the reason. This module checks
//! verdicts; the `probe` module of this suite checks what a probe observes. Cases run one
//! after the other, since the memory of the process is measured around each.

mod case;
mod dns;
mod file_descriptors;
mod http;
mod network;
mod tls;

use case::FaultCase;

use crate::support::own_process;

#[tokio::test]
async fn every_fault_yields_its_cause_and_phase_within_time_and_memory_limits() {
    // The memory of the process is measured, so no other test may run in it.
    if !own_process::is_own(
        "faults::every_fault_yields_its_cause_and_phase_within_time_and_memory_limits",
    ) {
        return;
    }
    let mut cases: Vec<FaultCase> = Vec::new();
    cases.extend(http::cases().await);
    cases.extend(tls::cases().await);
    cases.extend(dns::cases().await);
    case::check("table", cases).await;
}
