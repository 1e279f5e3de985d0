//! The fault table: what a peer can do wrong on real sockets, and what is to come of it,
//! written down before the run: the cause, the phase, a bound on time and one on memory.
//!
//! A row that misses stays in the table with the reason. `tests/probe` holds what a probe
//! observes of single faults; here it is the verdict that counts. Rows run one after the
//! other, since the memory of the process is measured around each.

mod exhausted;
mod names;
mod network;
mod plain;
mod row;
mod secure;

use row::Row;

#[tokio::test]
async fn every_fault_has_its_cause_its_phase_and_its_bounds() {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(plain::rows().await);
    rows.extend(secure::rows().await);
    rows.extend(names::rows().await);
    row::check("table", rows).await;
}
