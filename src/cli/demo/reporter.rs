//! What the demo tells and when: where things are, each change, how it came out.
//!
//! A terminal gets a table redrawn in place, a log a line per change, a program JSON
//! Lines. It looks at rows and writes; where rows come from is not its affair.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::Exit;
use super::{Row, plan, view};

/// How changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A table redrawn in place, in color or not.
    Table {
        /// Whether it may be colored.
        color: bool,
    },
    /// A line per change.
    Lines,
    /// A JSON object per change.
    Json,
}

/// Tells of changes as they come.
#[derive(Debug)]
pub(super) struct Reporter<W> {
    out: W,
    style: Style,
    told: Vec<Row>,
    /// Lines of the table that stands on the screen.
    standing: usize,
    hinted: bool,
}

/// How often the rows are looked at: quick to the eye, nothing to the processor.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl<W: Write> Reporter<W> {
    pub(super) const fn new(out: W, style: Style) -> Self {
        Self {
            out,
            style,
            told: Vec::new(),
            standing: 0,
            hinted: false,
        }
    }

    /// Says where everything is, and which address could not be had.
    pub(super) fn welcome(
        &mut self,
        gateway: SocketAddr,
        page: SocketAddr,
        taken: Option<SocketAddr>,
    ) -> std::io::Result<()> {
        if self.style == Style::Json {
            let line = serde_json::json!({
                "event": "started",
                "page": format!("http://{page}/"),
                "metrics": format!("http://{page}/metrics"),
            });
            return writeln!(self.out, "{line}");
        }
        if let Some(taken) = taken {
            writeln!(
                self.out,
                "{taken} is taken, so another port serves the page\n"
            )?;
        }
        writeln!(self.out, "page      http://{page}/")?;
        writeln!(self.out, "metrics   http://{page}/metrics")?;
        writeln!(self.out, "gateway   https://{gateway}/ (simulated)")?;
        writeln!(
            self.out,
            "\nAWS's logs and metrics are simulated too, without their delays of seconds\n\
             (logs) to ten minutes (metrics). Watch the causes become proven.\n"
        )
    }

    /// Shows the rows until `ended` is over.
    pub(super) async fn watch(
        &mut self,
        rows: impl Fn() -> Vec<Row>,
        began: Instant,
        ended: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        tokio::pin!(ended);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = &mut ended => return self.show(&rows(), began.elapsed()),
                _ = look.tick() => self.show(&rows(), began.elapsed())?,
            }
        }
    }

    fn show(&mut self, rows: &[Row], elapsed: Duration) -> std::io::Result<()> {
        if let Style::Table { color } = self.style {
            let table = view::table(rows, elapsed, color);
            if self.standing > 0 {
                // Up over the table that stands, then clear to the end of the screen.
                write!(self.out, "\u{1b}[{}A\u{1b}[J", self.standing)?;
            }
            self.standing = table.lines().count();
            write!(self.out, "{table}")?;
            return self.out.flush();
        }
        for row in rows {
            let known = self.told.iter().find(|known| known.target == row.target);
            if !row.probed || known.is_some_and(|known| same_story(known, row)) {
                continue;
            }
            match self.style {
                Style::Json => writeln!(self.out, "{}", view::change_json(row))?,
                _ => write!(self.out, "{}", view::change(row, elapsed))?,
            }
        }
        self.told = rows.to_vec();
        if self.style == Style::Lines && !self.hinted {
            // Once is enough where nothing can be redrawn.
            self.hinted = true;
            write!(
                self.out,
                "{}",
                view::hint(rows, elapsed).unwrap_or_default()
            )?;
        }
        self.out.flush()
    }

    /// Tells how it came out.
    pub(super) fn outcome(
        &mut self,
        rows: &[Row],
        elapsed: Duration,
        color: bool,
    ) -> std::io::Result<Exit> {
        let judged = plan::judge(rows, elapsed);
        if self.style == Style::Json {
            for one in &judged {
                writeln!(self.out, "{}", view::outcome_json(one))?;
            }
        } else {
            write!(self.out, "\n{}", view::outcome(&judged, color))?;
        }
        self.out.flush()?;
        let good = judged.iter().all(|one| one.problem.is_none());
        Ok(if good { Exit::Fine } else { Exit::Bad })
    }
}

/// Whether a row tells nothing that was not told.
fn same_story(known: &Row, row: &Row) -> bool {
    (known.probed, known.health, &known.cause, known.certainty)
        == (row.probed, row.health, &row.cause, row.certainty)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::cli::demo::tests::{row, rows};

    /// Watches a target that fails after 3 s, for 10 s, and returns what was told.
    async fn check(style: Style) -> String {
        let mut out = Vec::new();
        let mut teller = Reporter::new(&mut out, style);
        let began = Instant::now();
        let looks = Cell::new(0);
        let rows = || {
            looks.set(looks.get() + 1);
            let failing = began.elapsed() >= Duration::from_secs(3);
            vec![row(
                "refused",
                if failing { "connection-refused" } else { "" },
            )]
        };
        let ended = tokio::time::sleep(Duration::from_secs(10));
        teller.watch(rows, began, ended).await.unwrap();
        assert!(looks.get() > 30);
        String::from_utf8(out).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_gets_one_line_per_change() {
        let told = check(Style::Lines).await;
        assert_eq!(
            told,
            "   0 s  refused is up\n   3 s  refused is down: connection-refused (likely)\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn json_lines_carry_each_change_once() {
        let told = check(Style::Json).await;
        let events: Vec<serde_json::Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["cause"], "connection-refused");
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_is_redrawn_in_place() {
        let told = check(Style::Table { color: false }).await;
        // Header and one row stand; each redraw goes up over both.
        assert!(told.contains("\u{1b}[2A\u{1b}[JTARGET"), "{told:?}");
        assert!(!told.starts_with('\u{1b}'), "{told:?}");
    }

    #[test]
    fn the_welcome_says_where_everything_is() {
        let [gateway, page] = [1001, 1002].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut teller = Reporter::new(Vec::new(), Style::Lines);
        let taken = SocketAddr::from(([127, 0, 0, 1], 9853));
        teller.welcome(gateway, page, Some(taken)).unwrap();
        insta::assert_snapshot!(String::from_utf8(teller.out).unwrap(), @r"
        127.0.0.1:9853 is taken, so another port serves the page

        page      http://127.0.0.1:1002/
        metrics   http://127.0.0.1:1002/metrics
        gateway   https://127.0.0.1:1001/ (simulated)

        AWS's logs and metrics are simulated too, without their delays of seconds
        (logs) to ten minutes (metrics). Watch the causes become proven.
        ");
    }

    #[test]
    fn the_exit_code_is_bad_if_one_route_was_not_named() {
        let mut teller = Reporter::new(Vec::new(), Style::Lines);
        let long = Duration::from_secs(45);
        assert_eq!(teller.outcome(&rows(), long, false).unwrap(), Exit::Fine);
        assert_eq!(
            teller.outcome(&rows()[..8], long, false).unwrap(),
            Exit::Bad
        );
    }
}
