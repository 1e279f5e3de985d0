//! The JSON document of a change in the AWS account, which is part of an incident's document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::incident::{AccountChange, AccountChanges, ChangeEffect};

/// The JSON document of an [`AccountChange`].
#[derive(Serialize, Deserialize)]
pub(super) struct ChangeDocument {
    time: Timestamp,
    event: String,
    resource: String,
    who: String,
    seconds_before: i64,
    #[serde(default)]
    effect: String,
}

impl From<&AccountChange> for ChangeDocument {
    fn from(change: &AccountChange) -> Self {
        Self {
            time: change.time,
            event: change.event.clone(),
            resource: change.resource.clone(),
            who: change.who.clone(),
            seconds_before: change.seconds_before,
            effect: change.effect.as_str().to_owned(),
        }
    }
}

impl From<ChangeDocument> for AccountChange {
    fn from(document: ChangeDocument) -> Self {
        Self {
            time: document.time,
            event: document.event,
            resource: document.resource,
            who: document.who,
            seconds_before: document.seconds_before,
            // An effect that this release does not know explains none of its causes.
            effect: ChangeEffect::parse(&document.effect).unwrap_or(ChangeEffect::Other),
        }
    }
}

/// Converts the changes of an incident to documents.
pub(super) fn documents(changes: &AccountChanges) -> Vec<ChangeDocument> {
    changes
        .as_slice()
        .iter()
        .map(ChangeDocument::from)
        .collect()
}

/// Converts documents to the changes of an incident.
pub(super) fn into_changes(documents: Vec<ChangeDocument>) -> AccountChanges {
    let mut changes = AccountChanges::default();
    changes.add(documents.into_iter().map(AccountChange::from));
    changes
}

/// The changes of an incident, for tests of the store.
#[cfg(test)]
pub(super) fn example() -> AccountChanges {
    let document = r#"{"time":"2026-07-14T22:32:02Z","event":"PutFunctionConcurrency",
        "resource":"orders","who":"deploy-role","seconds_before":26,"effect":"function-stopped"}"#;
    into_changes(vec![serde_json::from_str(document).unwrap()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_missing_effect_explains_nothing() {
        let document = r#"{"time":"2026-07-14T22:32:02Z","event":"RemovePermission",
            "resource":"orders:live","who":"deploy-role","seconds_before":26"#;
        for (effect, expected) in [
            (
                r#","effect":"permission-removed"}"#,
                ChangeEffect::PermissionRemoved,
            ),
            (r#","effect":"of-a-later-release"}"#, ChangeEffect::Other),
            ("}", ChangeEffect::Other),
        ] {
            let document = serde_json::from_str(&format!("{document}{effect}")).unwrap();
            let changes = into_changes(vec![document]);
            assert_eq!(changes.as_slice()[0].effect, expected, "{effect}");
        }
    }
}
