//! One open window: the values of one series in one period.

use jiff::Timestamp;

use crate::io::sink::cloudwatch::datapoint::{Datapoint, Saved, Series};

/// The values of one series since the window opened.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) row: u64,
    /// The time of the newest value.
    last: Timestamp,
    /// The distinct values, each with its count.
    pub(super) values: Vec<(f64, f64)>,
    pub(super) saved: Saved,
}

/// Maximum number of distinct values that CloudWatch accepts per datapoint. A further value is
/// counted as the nearest value that the window already has.
pub(super) const MAX_VALUES: usize = 150;

impl Window {
    pub(super) const fn new(row: u64, at: Timestamp) -> Self {
        Self {
            row,
            last: at,
            values: Vec::new(),
            saved: Saved::No,
        }
    }

    pub(super) fn add(&mut self, value: f64, at: Timestamp) {
        self.last = self.last.max(at);
        self.saved = Saved::No;
        let full = self.values.len() >= MAX_VALUES;
        let nearest = self
            .values
            .iter_mut()
            .min_by(|(a, _), (b, _)| (a - value).abs().total_cmp(&(b - value).abs()));
        match nearest {
            Some((nearest, count)) if full || *nearest == value => *count += 1.0,
            _ => self.values.push((value, 1.0)),
        }
    }

    /// Returns a datapoint of `series` with the values that were added so far.
    pub(super) fn datapoint(&self, series: Series) -> Datapoint {
        Datapoint {
            row: self.row,
            series,
            at: self.last,
            values: self.values.clone(),
            maybe_arrived: false,
            saved: self.saved,
        }
    }
}
