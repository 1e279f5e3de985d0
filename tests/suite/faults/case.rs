//! A case of the fault table, and the check that probes cases and compares the verdicts.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::probe::Prober;
use probecause::model::observation::{Fault, Phase};
use probecause::model::target::Target;

/// A fault and the expected diagnosis.
pub(crate) struct FaultCase {
    pub(crate) fault: &'static str,
    /// The expected leading cause; `-` if the probe is expected to succeed.
    pub(crate) cause: &'static str,
    /// The phase that is expected to fail.
    pub(crate) phase: Option<Phase>,
    pub(crate) target: Target,
    pub(crate) prober: Prober,
    /// Resources that are dropped after the probe.
    pub(crate) held: Box<dyn Send>,
}

/// The timeout of every probe.
pub(crate) const DEADLINE: Duration = Duration::from_millis(600);

/// How long after its deadline a probe may end on a busy machine: less than forever, which is
/// what a probe without a deadline takes.
const GRACE: Duration = Duration::from_secs(30);

/// The limit on a probe's memory, in megabytes: the body limit, buffers and a TLS connection,
/// with room for the servers of this process. The decompression bomb is larger.
const MEGABYTES: u64 = 24;

impl FaultCase {
    /// Creates a case that probes `target` with the timeout [`DEADLINE`].
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
            held: Box::new(()),
        }
    }

    /// Changes the target.
    pub(crate) fn with_target(mut self, change: impl FnOnce(&mut Target)) -> Self {
        change(&mut self.target);
        self
    }

    /// Keeps `held` alive during the probe.
    pub(crate) fn holding(mut self, held: impl Send + 'static) -> Self {
        self.held = Box::new(held);
        self
    }

    /// Probes with `prober` instead of the default one.
    pub(crate) fn with_prober(mut self, prober: Prober) -> Self {
        self.prober = prober;
        self
    }
}

/// Probes every case, prints a table with duration and memory, and compares the verdicts with
/// the expected ones and with the snapshot `name`.
pub(crate) async fn check(name: &str, cases: Vec<FaultCase>) {
    let rulebook = Rulebook::embedded().unwrap();
    let mut mismatches = Vec::new();
    let mut table = String::new();
    println!(
        "{:44} {:26} {:13} {:11} {:>7} {:>5}",
        "fault", "cause", "certainty", "phase", "seconds", "MB"
    );
    for case in cases {
        let before = reset_peak();
        let started = Instant::now();
        let probed = tokio::time::timeout(DEADLINE + GRACE, case.prober.probe(&case.target));
        let Ok(observation) = Box::pin(probed).await else {
            mismatches.push(format!(
                "{}: the probe did not end at its deadline",
                case.fault
            ));
            continue;
        };
        let duration = started.elapsed();
        let grew = peak().saturating_sub(before) / 1024;
        let context = Context::at(Timestamp::now());
        let facts = Facts::gather(&case.target, &observation, &context);
        let diagnosis = rulebook.diagnose(&facts);
        let verdict = diagnosis.verdict.as_deref();
        let cause = verdict.map_or("-", |verdict| verdict.cause.as_str());
        let certainty = verdict.map_or("", |verdict| verdict.certainty.as_str());
        let phase = observation.fault.as_ref().map(|fault| fault.phase);
        let phase_name = phase.map_or("", Phase::as_str);
        println!(
            "{:44} {cause:26} {certainty:13} {phase_name:11} {:7.2} {grew:5}",
            case.fault,
            duration.as_secs_f64()
        );
        writeln!(
            table,
            "{} → {cause} ({certainty}) in {phase_name}",
            case.fault
        )
        .unwrap();
        mismatches.extend(mismatch(&case, cause, observation.fault.as_ref()));
        if grew > MEGABYTES {
            mismatches.push(format!("{}: the probe used {grew} MB", case.fault));
        }
        assert!(observation.started <= Timestamp::now());
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    insta::assert_snapshot!(name, table);
}

/// Describes how the diagnosis differs from what the case expects, if it does.
fn mismatch(case: &FaultCase, cause: &str, fault: Option<&Fault>) -> Option<String> {
    let phase = fault.map(|fault| fault.phase);
    let as_expected = cause == case.cause && phase == case.phase;
    (!as_expected).then(|| {
        format!(
            "{}: {cause} in {phase:?} ({fault:?}), expected {} in {:?}",
            case.fault, case.cause, case.phase
        )
    })
}

/// Resets the kernel's peak memory of this process. Returns the current memory in kilobytes.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// The peak memory since the last reset, in kilobytes.
fn peak() -> u64 {
    status("VmHWM:")
}

/// Reads a number from `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}
