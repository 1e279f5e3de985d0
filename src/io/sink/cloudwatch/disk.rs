//! The spool's other half: what the state directory keeps of one destination's datapoints.
//!
//! Each second what is new is handed over as one piece; what CloudWatch did not take leaves
//! memory and waits on disk. Without a state directory it does nothing. It refuses to
//! decide what is sent.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::request::{UnderWay, answer};
use crate::io::store::Store;

/// One destination's datapoints on disk.
pub(super) struct Disk {
    store: Store,
    /// Whose: location and destination.
    key: Arc<str>,
    /// New datapoints that were not handed over yet.
    unkept: BTreeMap<u64, Datapoint>,
    /// The handing over that is under way.
    asked: Option<Asked>,
    /// The question that is under way. Apart from the handing over, which under load never
    /// ends for long enough to ask anything in between.
    looking: Option<Asked>,
    /// What is under way to be kept.
    keeping: Vec<Datapoint>,
    /// How many are in the backlog, as far as known.
    pub(super) backlog: u64,
    counted: bool,
    /// Whether the disk took what it was given when it was last looked at.
    was_well: bool,
    trimmed: Option<Timestamp>,
}

type Asked = UnderWay<Told>;

/// What the disk says.
pub(super) enum Told {
    /// Whether the rows handed over last are on disk.
    Kept(bool),
    /// How many datapoints of earlier lives there are.
    Counted(Option<u64>),
    /// How many were given up because they are too old, and how many are left.
    Trimmed(Option<u64>, Option<u64>),
}

/// The most datapoints of a destination on disk: a day of 3,500 series, or a gigabyte.
const MOST: u64 = 5_000_000;

/// How often what is too old is given up.
const TRIM_EVERY: SignedDuration = SignedDuration::from_secs(60);

impl Disk {
    pub(super) fn new(store: Store, key: Arc<str>) -> Self {
        Self {
            store,
            key,
            unkept: BTreeMap::new(),
            asked: None,
            looking: None,
            keeping: Vec::new(),
            backlog: 0,
            counted: false,
            was_well: true,
            trimmed: None,
        }
    }

    /// Notes a datapoint that is to be handed over.
    pub(super) fn add(&mut self, datapoint: &Datapoint) {
        if self.store.is_on() {
            self.unkept.insert(datapoint.row, datapoint.clone());
        }
    }

    /// Whether something new may be handed over.
    pub(super) fn is_free(&self) -> bool {
        self.asked.is_none() && self.store.is_well()
    }

    /// Hands over what is new, beside what open windows have that is new.
    pub(super) fn keep(&mut self, windows: Vec<Datapoint>) {
        let mut keeping = windows;
        keeping.extend(std::mem::take(&mut self.unkept).into_values());
        if keeping.is_empty() {
            return;
        }
        let rows = keeping
            .iter()
            .map(|point| point.to_row(&self.key))
            .collect();
        self.keeping = keeping;
        let store = self.store.clone();
        self.asked = Some(Box::pin(async move {
            Told::Kept(store.keep_datapoints(rows).await)
        }));
    }

    /// Whether the disk takes what it is given again, after a time in which it did not.
    pub(super) fn came_back(&mut self) -> bool {
        let is_well = self.store.is_well();
        let came_back = is_well && !self.was_well;
        self.was_well = is_well || !self.store.is_on();
        came_back
    }

    /// Leaves to the backlog what is on disk beside the datapoints that are `known`: word of
    /// what became of them was refused.
    pub(super) fn reconcile(&mut self, known: Vec<u64>) {
        self.store.reconcile_datapoints(&self.key, known);
        self.recount();
    }

    /// Asks for what is due: the count once, and what is too old each minute.
    pub(super) fn look(&mut self, now: Timestamp, most_age: Duration) {
        if self.looking.is_some() || !self.store.is_well() {
            return;
        }
        let (store, key) = (self.store.clone(), Arc::clone(&self.key));
        if !self.counted {
            self.looking = Some(Box::pin(async move {
                Told::Counted(store.count_datapoints(&key).await)
            }));
            return;
        }
        let due = |last: Timestamp| now.duration_since(last) >= TRIM_EVERY;
        if self.backlog == 0 || !self.trimmed.is_none_or(due) {
            return;
        }
        self.trimmed = Some(now);
        let age = SignedDuration::try_from(most_age).unwrap_or(SignedDuration::MAX);
        let before = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.looking = Some(Box::pin(async move {
            let gone = store.trim_datapoints(&key, before, MOST).await;
            Told::Trimmed(gone, store.count_datapoints(&key).await)
        }));
    }

    /// What the disk says to what it was asked; never, if it was asked nothing.
    pub(super) async fn told(&mut self) -> Told {
        tokio::select! {
            told = answer(&mut self.asked) => told,
            told = answer(&mut self.looking) => told,
        }
    }

    /// Takes over how the handing over went; gives the rows that are on disk now. `open`:
    /// the rows of windows, which hand themselves over again.
    pub(super) fn settle(&mut self, kept: bool, open: &HashSet<u64>) -> HashSet<u64> {
        let handed = std::mem::take(&mut self.keeping);
        if kept {
            return handed.into_iter().map(|point| point.row).collect();
        }
        for datapoint in handed {
            if !open.contains(&datapoint.row) {
                self.unkept.entry(datapoint.row).or_insert(datapoint);
            }
        }
        HashSet::new()
    }

    /// Whether the disk takes what it is given.
    pub(super) fn is_well(&self) -> bool {
        self.store.is_well()
    }

    /// The way to the disk.
    pub(super) fn store(&self) -> Store {
        self.store.clone()
    }

    /// Has the backlog counted again.
    pub(super) fn recount(&mut self) {
        self.counted = false;
        self.backlog = 0;
    }

    pub(super) fn counted(&mut self, count: Option<u64>) {
        if let Some(count) = count {
            self.counted = true;
            self.backlog = count;
        }
    }

    pub(super) fn trimmed(&mut self, left: Option<u64>) {
        if let Some(left) = left {
            self.backlog = left;
        }
    }

    /// These are being sent.
    pub(super) fn sending(&self, batch: &[Datapoint]) {
        if self.store.is_on() {
            self.store.sending_datapoints(rows(batch));
        }
    }

    /// These have arrived or are given up.
    pub(super) fn forget(&mut self, batch: &[Datapoint]) {
        let gone: HashSet<_> = batch.iter().map(|datapoint| datapoint.row).collect();
        self.unkept.retain(|row, _| !gone.contains(row));
        // What is being kept just now is forgotten after that, since work keeps its order;
        // should the keeping fail, it must not be kept anew.
        self.keeping
            .retain(|datapoint| !gone.contains(&datapoint.row));
        if self.store.is_on() {
            self.store.forget_datapoints(rows(batch));
        }
    }

    /// These wait on disk from now on.
    pub(super) fn put_back(&mut self, released: &[Datapoint]) {
        self.backlog += released.len() as u64;
        self.leave(released);
    }

    /// These go on waiting on disk.
    pub(super) fn leave(&self, batch: &[Datapoint]) {
        let (unknown, refused): (Vec<_>, Vec<_>) =
            batch.iter().partition(|point| point.maybe_arrived);
        for (points, unknown) in [(unknown, true), (refused, false)] {
            let rows = points.iter().map(|point| point.row).collect();
            self.store.put_back_datapoints(rows, unknown);
        }
    }

    /// The oldest datapoints of the backlog, and rows that nobody can read any more.
    pub(super) fn oldest(
        &self,
        limit: usize,
    ) -> impl Future<Output = Option<(Vec<Datapoint>, Vec<u64>)>> + Send + use<> {
        let (store, key) = (self.store.clone(), Arc::clone(&self.key));
        async move {
            let rows = store.oldest_datapoints(&key, limit).await?;
            let mut unreadable = Vec::new();
            let mut batch = Vec::new();
            for row in &rows {
                match Datapoint::from_row(row) {
                    Some(datapoint) => batch.push(datapoint),
                    None => unreadable.push(row.id),
                }
            }
            Some((batch, unreadable))
        }
    }

    /// Forgets rows that nobody can read.
    pub(super) fn discard(&mut self, rows: Vec<u64>) {
        self.backlog = self.backlog.saturating_sub(rows.len() as u64);
        self.store.forget_datapoints(rows);
    }

    /// At the end of the process: hands over what is in memory only, and waits for it.
    /// Says whether it is on disk, or nothing was left.
    pub(super) async fn rescue(&mut self) -> bool {
        if !self.store.is_on() {
            return self.unkept.is_empty();
        }
        if let Some(asked) = self.asked.take()
            && let Told::Kept(false) = asked.await
        {
            self.settle(false, &HashSet::new());
        }
        let left = std::mem::take(&mut self.unkept);
        let rows = left.values().map(|point| point.to_row(&self.key)).collect();
        self.store.keep_datapoints(rows).await
    }
}

fn rows(batch: &[Datapoint]) -> Vec<u64> {
    batch.iter().map(|datapoint| datapoint.row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::cloudwatch::datapoint::Series;
    use crate::io::sink::daemon_metrics::DaemonMetrics;

    #[tokio::test]
    async fn under_load_the_backlog_of_earlier_lives_is_counted_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_gauges();
        let (store, _) = Store::open(directory.path(), gauges).await;
        let mut disk = Disk::new(store, "here/".into());
        let now = Timestamp::now();
        // Something new to hand over at every look.
        let new = |row| Datapoint::new(row, Series::Heartbeat, now, 1.0);
        for row in 0..3 {
            disk.add(&new(row));
            if disk.is_free() {
                disk.keep(Vec::new());
            }
            disk.look(now, Duration::from_secs(3600));
            for _ in 0..2 {
                if let Told::Counted(count) = disk.told().await {
                    assert_eq!(count, Some(0));
                    return;
                }
                if disk.asked.is_none() && disk.looking.is_none() {
                    break;
                }
            }
        }
        panic!("never counted");
    }
}
