//! Stores the known state of the alarms in the account.
//!
//! The state combines the result of the last read with the writes since then. Definitions and
//! annotations that were written after a read began are kept when the read ends, because the read
//! may have returned the state before the write.

use std::collections::{HashMap, HashSet};

use crate::domain::alarm::annotation::{
    Annotation, CAUSE_TAG, CERTAINTY_TAG, DEFINITION_TAG, MANAGED_TAG, OWNER_TAG,
};
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::spec::AlarmSpec;

/// The known state of one alarm.
#[derive(Clone, Debug)]
pub(super) enum KnownAlarm {
    /// The alarm is not managed by Probecause and is never written.
    Foreign,
    /// The alarm is managed by Probecause.
    Managed {
        /// The alarm's ARN; `None` until the alarm is read, because the request that creates an
        /// alarm does not return the ARN.
        arn: Option<String>,
        annotation: Annotation,
        /// The fingerprint of the definition that was written last.
        fingerprint: String,
    },
    /// The alarm was managed until it was deleted by hand. The fields have the values from before
    /// the deletion.
    Deleted {
        annotation: Annotation,
        fingerprint: String,
    },
}

/// The known state of the alarms in the account, and the writes since the read in progress began.
#[derive(Debug, Default)]
pub(super) struct KnownAlarms {
    by_name: HashMap<String, KnownAlarm>,
    /// Names of alarms whose definition was written after the read in progress began.
    written: HashSet<String>,
    /// Annotations that were written without a definition after the read in progress began, by
    /// alarm name.
    annotated: HashMap<String, Annotation>,
    /// Names of alarms that a write since the last read did not find.
    missing: HashSet<String>,
}

impl KnownAlarms {
    pub(super) fn get(&self, name: &str) -> Option<&KnownAlarm> {
        self.by_name.get(name)
    }

    /// Returns whether an alarm is known to exist and to be managed.
    pub(super) fn is_managed(&self, name: &str) -> bool {
        let managed = matches!(self.get(name), Some(KnownAlarm::Managed { .. }));
        managed && !self.missing.contains(name)
    }

    /// Returns the annotation of a managed alarm, or the last annotation of a deleted alarm; `None`
    /// for any other alarm.
    pub(super) fn annotation(&self, name: &str) -> Option<&Annotation> {
        match self.get(name)? {
            KnownAlarm::Foreign => None,
            KnownAlarm::Managed { annotation, .. } | KnownAlarm::Deleted { annotation, .. } => {
                Some(annotation)
            }
        }
    }

    /// Records that the definition and the annotation of an alarm were written.
    pub(super) fn record_write(
        &mut self,
        spec: &AlarmSpec,
        arn: Option<String>,
        annotation: Annotation,
    ) {
        let known = KnownAlarm::Managed {
            arn,
            annotation,
            fingerprint: spec.fingerprint(),
        };
        self.by_name.insert(spec.name.clone(), known);
        self.written.insert(spec.name.clone());
        self.missing.remove(&spec.name);
    }

    /// Records that the annotation of an alarm was written, without its definition.
    pub(super) fn record_annotation(
        &mut self,
        name: &str,
        arn: Option<String>,
        annotation: Annotation,
    ) {
        self.annotated.insert(name.to_owned(), annotation.clone());
        let fingerprint = match self.by_name.remove(name) {
            Some(KnownAlarm::Managed { fingerprint, .. }) => fingerprint,
            _ => String::new(),
        };
        let known = KnownAlarm::Managed {
            arn,
            annotation,
            fingerprint,
        };
        self.by_name.insert(name.to_owned(), known);
    }

    /// Returns the known state of a managed alarm that a read found. If a newer annotation was
    /// written since the read began, the state contains the newer annotation.
    pub(super) fn read(&self, spec: &AlarmSpec, actual: &ActualAlarm) -> KnownAlarm {
        let newer = self.annotated.get(&spec.name).cloned();
        let found = || Annotation::kept(spec, &actual.tags, &actual.description);
        let fingerprint = actual.tags.get(DEFINITION_TAG);
        KnownAlarm::Managed {
            arn: Some(actual.arn.clone()),
            annotation: newer.unwrap_or_else(found),
            fingerprint: fingerprint.cloned().unwrap_or_default(),
        }
    }

    /// Records that a write did not find a managed alarm. The alarm is not annotated again before
    /// the next read, but its actions can still be disabled.
    pub(super) fn record_missing(&mut self, name: &str) {
        self.missing.insert(name.to_owned());
    }

    /// Records that a read of the account begins.
    pub(super) fn begin_read(&mut self) {
        self.written.clear();
        self.annotated.clear();
    }

    /// Returns whether the definition of an alarm was written after the read in progress began.
    pub(super) fn is_newer(&self, name: &str) -> bool {
        self.written.contains(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<(String, KnownAlarm)> {
        self.by_name.remove_entry(name)
    }

    /// Replaces the known state of all alarms with the result of a read.
    pub(super) fn replace(&mut self, by_name: HashMap<String, KnownAlarm>) {
        self.by_name = by_name;
        self.written.clear();
        self.annotated.clear();
        self.missing.clear();
    }

    /// Returns the new state of an alarm that a read did not find, if the alarm was deleted by
    /// hand: it was known before, and its desired definition has not changed. Returns `None`
    /// otherwise.
    pub(super) fn deleted_by_hand(&self, spec: &AlarmSpec) -> Option<KnownAlarm> {
        match self.get(&spec.name)? {
            KnownAlarm::Managed {
                annotation,
                fingerprint,
                ..
            }
            | KnownAlarm::Deleted {
                annotation,
                fingerprint,
            } if *fingerprint == spec.fingerprint() => Some(KnownAlarm::Deleted {
                annotation: annotation.clone(),
                fingerprint: fingerprint.clone(),
            }),
            _ => None,
        }
    }

    /// Adds the known tags to an alarm that was read without tags. Returns whether the alarm is
    /// known as managed.
    pub(super) fn add_tags(&self, alarm: &mut ActualAlarm) -> bool {
        let Some(KnownAlarm::Managed {
            annotation,
            fingerprint,
            ..
        }) = self.get(&alarm.name)
        else {
            return false;
        };
        let tags = [
            (MANAGED_TAG, "true"),
            (DEFINITION_TAG, fingerprint),
            (CAUSE_TAG, &annotation.cause),
            (CERTAINTY_TAG, &annotation.certainty),
            (OWNER_TAG, &annotation.owner),
        ];
        alarm.tags = tags
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        true
    }
}
