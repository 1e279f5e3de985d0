//! One row of the table, and the one check.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::probe::Prober;
use probecause::model::observation::Phase;
use probecause::model::target::Target;

/// A fault and what is expected of it.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    /// The leading cause; `-`: the probe is well.
    pub(crate) cause: &'static str,
    pub(crate) phase: Option<Phase>,
    pub(crate) target: Target,
    pub(crate) prober: Prober,
    /// Why it misses, where it does: it stays in the table.
    pub(crate) misses: Option<&'static str>,
    /// What must live while it is probed.
    pub(crate) held: Box<dyn Send>,
}

/// Every probe's deadline: one that is stalled ends there and not much later.
pub(crate) const DEADLINE: Duration = Duration::from_millis(600);

/// After the deadline, on a busy machine.
const GRACE: Duration = Duration::from_secs(2);

/// What a probe may take of memory at most: its body's limit, its buffers and a TLS
/// connection, with room for the servers of this process. A bomb would take a thousand.
const MEGABYTES: u64 = 24;

impl Row {
    /// A row whose probe goes to `target`, with the deadline of all.
    pub(crate) fn new(
        fault: &'static str,
        cause: &'static str,
        phase: Option<Phase>,
        mut target: Target,
    ) -> Self {
        target.timeout = DEADLINE;
        Self {
            fault,
            cause,
            phase,
            target,
            prober: crate::support::probe::prober(),
            misses: None,
            held: Box::new(()),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Target)) -> Self {
        change(&mut self.target);
        self
    }

    pub(crate) fn holding(mut self, held: impl Send + 'static) -> Self {
        self.held = Box::new(held);
        self
    }

    /// It misses what is expected, for this reason.
    pub(crate) fn missing(mut self, why: &'static str) -> Self {
        self.misses = Some(why);
        self
    }

    pub(crate) fn by(mut self, prober: Prober) -> Self {
        self.prober = prober;
        self
    }
}

/// Probes every row, prints the table with what was measured, and holds it against what was
/// expected.
pub(crate) async fn check(name: &str, rows: Vec<Row>) {
    let rulebook = Rulebook::embedded().unwrap();
    let mut wrong = Vec::new();
    let mut table = String::new();
    println!(
        "{:44} {:26} {:13} {:11} {:>7} {:>5}",
        "fault", "cause", "certainty", "phase", "seconds", "MB"
    );
    for row in rows {
        let before = forget_peak();
        let begun = Instant::now();
        let probed = tokio::time::timeout(DEADLINE + GRACE, row.prober.probe(&row.target));
        let Ok(seen) = Box::pin(probed).await else {
            wrong.push(format!("{}: not over at its deadline", row.fault));
            continue;
        };
        let took = begun.elapsed();
        let grew = peak().saturating_sub(before) / 1024;
        let context = Context::at(Timestamp::now());
        let facts = Facts::gather(&row.target, &seen, &context);
        let diagnosis = rulebook.diagnose(&facts);
        let verdict = diagnosis.verdict.as_deref();
        let cause = verdict.map_or("-", |verdict| verdict.cause.as_str());
        let certainty = verdict.map_or("", |verdict| verdict.certainty.as_str());
        let phase = seen.fault.as_ref().map(|fault| fault.phase);
        let named = phase.map_or("", Phase::as_str);
        println!(
            "{:44} {cause:26} {certainty:13} {named:11} {:7.2} {grew:5}",
            row.fault,
            took.as_secs_f64()
        );
        writeln!(table, "{} → {cause} ({certainty}) in {named}", row.fault).unwrap();
        if let Some(why) = row.misses {
            println!("  misses: expected {}: {why}", row.cause);
            writeln!(table, "  misses: expected {}: {why}", row.cause).unwrap();
        }
        let as_expected = cause == row.cause && phase == row.phase;
        match (row.misses, as_expected) {
            (None, false) => wrong.push(format!(
                "{}: {cause} in {named:?} ({:?}), expected {} in {:?}",
                row.fault, seen.fault, row.cause, row.phase
            )),
            (Some(why), true) => wrong.push(format!("{}: it no longer misses: {why}", row.fault)),
            (None, true) | (Some(_), false) => {}
        }
        if grew > MEGABYTES {
            wrong.push(format!("{}: {grew} MB", row.fault));
        }
        assert!(seen.started <= Timestamp::now());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!(name, table);
}

/// Lets the kernel forget the highest memory so far; the memory of now in kilobytes.
fn forget_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}
