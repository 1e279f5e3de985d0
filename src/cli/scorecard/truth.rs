//! What is truly wrong with each target, as its user says: by label or on the command line.

use std::collections::BTreeMap;

use crate::model::cause::CauseId;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// What is wrong with a target; `None`: nothing.
pub(super) type Truth = Option<CauseId>;

/// One `--expect`: a target's name and its truth.
pub(super) type Expectation = (String, Truth);

/// The truth of every target that has one.
#[derive(Debug)]
pub(super) struct Truths(BTreeMap<TargetName, Truth>);

/// The label that names a target's truth.
pub(super) const LABEL: &str = "injected";

/// The word for a healthy target.
pub(super) const NOTHING: &str = "none";

/// Reads `TARGET=CAUSE`. A target's name may hold `=`, a cause cannot.
///
/// # Errors
/// What is wrong with it, for the user.
pub(super) fn expectation(text: &str) -> Result<Expectation, String> {
    let (name, cause) = text
        .rsplit_once('=')
        .ok_or("write it as TARGET=CAUSE, such as orders=lambda-throttled")?;
    Ok((name.to_owned(), truth(cause)?))
}

impl Truths {
    /// Gathers them from labels and expectations, which come first.
    ///
    /// # Errors
    /// A cause that is no id, an expectation for a target that is not there, or no truth.
    pub(super) fn of(settings: &Settings, expected: &[Expectation]) -> Result<Self, String> {
        let mut truths = BTreeMap::new();
        for target in &settings.targets {
            if let Some(label) = target.labels.get(LABEL) {
                let truth = truth(label).map_err(|problem| {
                    format!("target {}: label {LABEL}: {problem}", target.name)
                })?;
                truths.insert(target.name.clone(), truth);
            }
        }
        for (name, truth) in expected {
            let name = TargetName::new(name);
            if !settings.targets.iter().any(|target| target.name == name) {
                return Err(format!("--expect {name}: no such target is configured"));
            }
            truths.insert(name, truth.clone());
        }
        if truths.is_empty() {
            return Err(format!(
                "no target says what is wrong with it: \
                 give it labels = {{ {LABEL} = \"lambda-throttled\" }}, or use --expect"
            ));
        }
        Ok(Self(truths))
    }

    /// Whether a target is to be scored.
    pub(super) fn has(&self, name: &TargetName) -> bool {
        self.0.contains_key(name)
    }

    /// A target's truth, if it is to be scored.
    pub(super) fn get(&self, name: &TargetName) -> Option<Truth> {
        self.0.get(name).cloned()
    }
}

fn truth(text: &str) -> Result<Truth, String> {
    if text == NOTHING {
        return Ok(None);
    }
    let cause = CauseId::new(text).map_err(|error| error.to_string())?;
    Ok(Some(cause))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::target::Target;

    /// Two targets, `a` labelled and `b` not; `Ok` holds `name=truth` per scored target.
    fn check(label: &str, expected: &[&str], result: Result<&[&str], &str>) {
        let url = url::Url::parse("https://example.com/").unwrap();
        let mut labelled = Target::with_defaults("a", url.clone());
        if !label.is_empty() {
            labelled.labels.insert(LABEL.to_owned(), label.to_owned());
        }
        let settings = Settings {
            targets: vec![
                Arc::new(labelled),
                Arc::new(Target::with_defaults("b", url)),
            ],
            ..Settings::default()
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|text| expectation(text).unwrap())
            .collect();
        let found = Truths::of(&settings, &expected).map(|truths| {
            let told = truths.0.iter().map(|(name, truth)| {
                let truth = truth.as_ref().map_or(NOTHING, |cause| cause.as_str());
                format!("{name}={truth}")
            });
            told.collect::<Vec<_>>()
        });
        let result = result.map(|told| told.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(found, result.map_err(str::to_owned));
    }

    #[test]
    fn a_label_or_an_expectation_says_what_is_true_and_the_latter_wins() {
        check("none", &[], Ok(&["a=none"]));
        check("", &["b=too-slow"], Ok(&["b=too-slow"]));
        check("none", &["a=too-slow"], Ok(&["a=too-slow"]));
    }

    #[test]
    fn mistakes_are_told_with_their_mend() {
        check(
            "",
            &["c=too-slow"],
            Err("--expect c: no such target is configured"),
        );
        check(
            "",
            &[],
            Err("no target says what is wrong with it: \
                 give it labels = { injected = \"lambda-throttled\" }, or use --expect"),
        );
        check(
            "Throttled!",
            &[],
            Err(
                "target a: label injected: `Throttled!` is not a cause id: use 2 to 64 lower-case \
                 letters, digits and single hyphens, starting with a letter",
            ),
        );
        assert!(expectation("orders").unwrap_err().contains("TARGET=CAUSE"));
    }
}
