//! Prints the addresses of the demo, each change of a target, and the results.
//!
//! With `--json`, a JSON object is printed per change. Without it, a table is redrawn in place on a
//! terminal, and a line of text is printed per change elsewhere. The caller provides the rows, and
//! `view` formats the rows.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Row, plan, view};
use crate::cli::Exit;

/// The output format of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A table redrawn in place.
    Table {
        /// Whether the table is colored.
        color: bool,
    },
    /// A line of text per change.
    Lines,
    /// A JSON object per change.
    Json,
}

/// Prints the output of the demo.
#[derive(Debug)]
pub(super) struct Reporter<W> {
    out: W,
    style: Style,
    /// The rows of the previous check, with which the current rows are compared to find changes.
    printed: Vec<Row>,
    /// The number of lines of the table on the screen.
    table_lines: usize,
    hint_printed: bool,
}

/// Interval at which the rows are checked for changes: short enough that users notice no delay,
/// and long enough to use little CPU time.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

impl<W: Write> Reporter<W> {
    pub(super) const fn new(out: W, style: Style) -> Self {
        Self {
            out,
            style,
            printed: Vec::new(),
            table_lines: 0,
            hint_printed: false,
        }
    }

    /// Prints the addresses of the page, the metrics and, in the text output, the gateway. `in_use`
    /// is the default address if another process uses that address, and otherwise `None`.
    pub(super) fn print_addresses(
        &mut self,
        gateway: SocketAddr,
        page: SocketAddr,
        in_use: Option<SocketAddr>,
    ) -> std::io::Result<()> {
        if self.style == Style::Json {
            let line = serde_json::json!({
                "event": "started",
                "page": format!("http://{page}/"),
                "metrics": format!("http://{page}/metrics"),
            });
            return writeln!(self.out, "{line}");
        }
        if let Some(address) = in_use {
            writeln!(
                self.out,
                "{address} is in use; the page is served on another port\n"
            )?;
        }
        writeln!(self.out, "page      http://{page}/")?;
        writeln!(self.out, "metrics   http://{page}/metrics")?;
        writeln!(self.out, "gateway   https://{gateway}/ (simulated)")?;
        writeln!(
            self.out,
            "\nAWS's logs and metrics are simulated too, without their delays of about one\n\
             minute (logs) and ten minutes (metrics). Watch the causes become proven.\n\
             `permission` has no log: the configuration of its function proves the cause.\n"
        )
    }

    /// Prints the rows as a table, or their changes as lines, until `end` completes.
    pub(super) async fn watch(
        &mut self,
        rows: impl Fn() -> Vec<Row>,
        started: Instant,
        end: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        tokio::pin!(end);
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        loop {
            tokio::select! {
                () = &mut end => return self.show(&rows(), started.elapsed()),
                _ = refresh.tick() => self.show(&rows(), started.elapsed())?,
            }
        }
    }

    fn show(&mut self, rows: &[Row], elapsed: Duration) -> std::io::Result<()> {
        if let Style::Table { color } = self.style {
            let table = view::table(rows, elapsed, color);
            if self.table_lines > 0 {
                // Move the cursor to the first line of the old table, and clear from there.
                write!(self.out, "\u{1b}[{}A\u{1b}[J", self.table_lines)?;
            }
            self.table_lines = table.lines().count();
            write!(self.out, "{table}")?;
            return self.out.flush();
        }
        for row in rows {
            let known = self.printed.iter().find(|known| known.target == row.target);
            if !row.probed || known.is_some_and(|known| is_unchanged(known, row)) {
                continue;
            }
            match self.style {
                Style::Json => writeln!(self.out, "{}", view::change_json(row))?,
                _ => write!(self.out, "{}", view::change(row, elapsed))?,
            }
        }
        self.printed = rows.to_vec();
        if self.style == Style::Lines && !self.hint_printed {
            self.hint_printed = true;
            write!(
                self.out,
                "{}",
                view::hint(rows, elapsed).unwrap_or_default()
            )?;
        }
        self.out.flush()
    }

    /// Prints the result of every route, and returns the exit status.
    pub(super) fn print_results(
        &mut self,
        rows: &[Row],
        elapsed: Duration,
        color: bool,
    ) -> std::io::Result<Exit> {
        let results = plan::evaluate(rows, elapsed);
        if self.style == Style::Json {
            for result in &results {
                writeln!(self.out, "{}", view::result_json(result))?;
            }
        } else {
            write!(self.out, "\n{}", view::results(&results, color))?;
        }
        self.out.flush()?;
        let passed = results.iter().all(|result| result.problem.is_none());
        Ok(if passed { Exit::Fine } else { Exit::Bad })
    }
}

/// Returns whether `row` is the same as `known`, the target's previous row, apart from the time of
/// the last change and the durations of the phases.
fn is_unchanged(known: &Row, row: &Row) -> bool {
    (known.probed, known.health, &known.cause, known.certainty)
        == (row.probed, row.health, &row.cause, row.certainty)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::cli::demo::tests::{row, rows};

    /// Returns the output of the first 10 s for a target that fails after 3 s.
    async fn output(style: Style) -> String {
        let mut out = Vec::new();
        let mut reporter = Reporter::new(&mut out, style);
        let started = Instant::now();
        let calls = Cell::new(0);
        let rows = || {
            calls.set(calls.get() + 1);
            let failing = started.elapsed() >= Duration::from_secs(3);
            vec![row(
                "refused",
                if failing { "connection-refused" } else { "" },
            )]
        };
        let end = tokio::time::sleep(Duration::from_secs(10));
        reporter.watch(rows, started, end).await.unwrap();
        assert!(calls.get() > 30);
        String::from_utf8(out).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_gets_one_line_per_change() {
        let text = output(Style::Lines).await;
        assert_eq!(
            text,
            "   0 s  refused is up\n   3 s  refused is down: connection-refused (likely)\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn json_lines_contain_each_change_once() {
        let text = output(Style::Json).await;
        let events: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["cause"], "connection-refused");
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_on_a_terminal_is_redrawn_in_place() {
        let text = output(Style::Table { color: false }).await;
        // The table has two lines, so each redraw moves the cursor up by two lines.
        assert!(text.contains("\u{1b}[2A\u{1b}[JTARGET"), "{text:?}");
        assert!(!text.starts_with('\u{1b}'), "{text:?}");
    }

    #[test]
    fn the_addresses_of_page_metrics_and_gateway_are_printed() {
        let [gateway, page] = [1001, 1002].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut reporter = Reporter::new(Vec::new(), Style::Lines);
        let in_use = SocketAddr::from(([127, 0, 0, 1], 9853));
        reporter
            .print_addresses(gateway, page, Some(in_use))
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(reporter.out).unwrap(), @r"
        127.0.0.1:9853 is in use; the page is served on another port

        page      http://127.0.0.1:1002/
        metrics   http://127.0.0.1:1002/metrics
        gateway   https://127.0.0.1:1001/ (simulated)

        AWS's logs and metrics are simulated too, without their delays of about one
        minute (logs) and ten minutes (metrics). Watch the causes become proven.
        `permission` has no log: the configuration of its function proves the cause.
        ");
    }

    #[test]
    fn the_exit_code_is_bad_if_a_cause_was_not_named() {
        let mut reporter = Reporter::new(Vec::new(), Style::Lines);
        let mut exit = |rows: &[Row]| {
            let elapsed = Duration::from_secs(45);
            reporter.print_results(rows, elapsed, false).unwrap()
        };
        assert_eq!(exit(&rows()), Exit::Fine);
        assert_eq!(exit(&rows()[..8]), Exit::Bad);
    }
}
