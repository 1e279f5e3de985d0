//! The fault table: what a peer can do wrong on real sockets, and what is to come of it,
//! written down before the run: the cause, the phase, a bound on time and one on memory.
//!
//! A row that misses stays in the table with the reason. `tests/probe` holds what a probe
//! observes of single faults; here it is the verdict that counts. Rows run one after the
//! other, since the memory of the process is measured around each.

#[cfg(test)]
#[path = "../probe/certified.rs"]
#[expect(dead_code, reason = "connections are counted by the other tests")]
mod certified;
#[cfg(test)]
mod exhausted;
#[cfg(test)]
mod names;
#[cfg(test)]
mod network;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod row;
#[cfg(test)]
mod secure;
#[cfg(test)]
#[path = "../probe/support.rs"]
#[expect(
    dead_code,
    reason = "records of requests are the other tests' business"
)]
mod support;

use row::Row;

#[tokio::test]
async fn every_fault_has_its_cause_its_phase_and_its_bounds() {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(plain::rows().await);
    rows.extend(secure::rows().await);
    rows.extend(names::rows().await);
    row::check("table", rows).await;
}
