//! Records the alarm period in which each series last had a breaching value.
//!
//! The alarm evaluates the maximum of a period. After a 1, this maximum stays 1 even if the target
//! recovers within the period, so the alarm stops firing only with the first 0 of a later period.
//! This 0 is sent immediately, because waiting for the end of its window would delay it by up to a
//! minute.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::io::sink::cloudwatch::datapoint::Series;
use crate::model::target::TargetName;

/// For each series, the start of the alarm period of the last 1. The entry is removed with the
/// first 0 in a later period.
#[derive(Debug, Default)]
pub(super) struct Breaches(HashMap<Series, Timestamp>);

impl Breaches {
    /// Records a value of 1 in the alarm's period that starts at `period`.
    pub(super) fn begin(&mut self, series: Series, period: Timestamp) {
        self.0.insert(series, period);
    }

    /// Returns whether a 0 in the period that starts at `period` is the first 0 in a later period
    /// than the last 1. After `true`, returns `false` until a further 1 is recorded.
    pub(super) fn end(&mut self, series: &Series, period: Timestamp) -> bool {
        let is_later = self.0.get(series).is_some_and(|last| *last < period);
        if is_later {
            self.0.remove(series);
        }
        is_later
    }

    /// Drops the series of targets for which `known` returns false.
    pub(super) fn retain_targets(&mut self, known: impl Fn(&TargetName) -> bool) {
        self.0
            .retain(|series, _| series.target().is_some_and(&known));
    }
}
