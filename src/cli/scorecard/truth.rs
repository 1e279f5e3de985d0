//! Reads the true cause of each target's failures from a label or from `--expect`.

use std::collections::BTreeMap;

use crate::model::cause::CauseId;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// The true cause of a target's failures; `None` for a healthy target.
pub(super) type Truth = Option<CauseId>;

/// The value of `--expect`: a target's name and its true cause.
pub(super) type Expectation = (String, Truth);

/// The true cause of every target that is scored.
#[derive(Debug)]
pub(super) struct Truths(BTreeMap<TargetName, Truth>);

/// The name of the label whose value is a target's true cause.
pub(super) const LABEL: &str = "injected";

/// The value of the label `injected`, and the cause in `--expect`, for a healthy target.
pub(super) const NONE: &str = "none";

/// Parses `TARGET=CAUSE`. A target's name may contain `=`, but a cause cannot.
///
/// # Errors
/// Returns an error if the `=` is missing or the cause is not a valid id.
pub(super) fn expectation(text: &str) -> Result<Expectation, String> {
    let (name, cause) = text
        .rsplit_once('=')
        .ok_or("expected TARGET=CAUSE, such as `orders=lambda-throttled`")?;
    Ok((name.to_owned(), truth(cause)?))
}

impl Truths {
    /// Collects the true causes from labels and expectations. Expectations take precedence.
    ///
    /// # Errors
    /// Returns an error if a cause is not a valid id, an expectation names an unknown target, or
    /// no target has a known cause.
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
                return Err(format!(
                    "--expect {name}: the target is not configured; \
                     use the name of a configured target"
                ));
            }
            truths.insert(name, truth.clone());
        }
        if truths.is_empty() {
            return Err(format!(
                "no target has a known cause; add the label `{LABEL}` with the true cause (or \
                 `none`) to a target, for example `labels = {{ {LABEL} = \"lambda-throttled\" }}`, \
                 or use `--expect TARGET=CAUSE`"
            ));
        }
        Ok(Self(truths))
    }

    /// Returns whether a target is scored.
    pub(super) fn has(&self, name: &TargetName) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the true cause of a target, `Some(None)` if the target is healthy, and `None` if the
    /// target is not scored.
    pub(super) fn get(&self, name: &TargetName) -> Option<Truth> {
        self.0.get(name).cloned()
    }
}

fn truth(text: &str) -> Result<Truth, String> {
    if text == NONE {
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

    /// Checks the true causes of the targets `a`, which has the label unless `label` is empty, and
    /// `b`, which has no label. The result contains lines of the form `name=cause`.
    fn check(label: &str, expected: &[&str], result: Result<&[&str], &str>) {
        let url = url::Url::parse("https://example.com/").unwrap();
        let mut labeled = Target::with_defaults("a", url.clone());
        if !label.is_empty() {
            labeled.labels.insert(LABEL.to_owned(), label.to_owned());
        }
        let settings = Settings {
            targets: vec![Arc::new(labeled), Arc::new(Target::with_defaults("b", url))],
            ..Settings::default()
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|text| expectation(text).unwrap())
            .collect();
        let truths = Truths::of(&settings, &expected).map(|truths| {
            let lines = truths.0.iter().map(|(name, truth)| {
                let truth = truth.as_ref().map_or(NONE, |cause| cause.as_str());
                format!("{name}={truth}")
            });
            lines.collect::<Vec<_>>()
        });
        let result = result.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect());
        assert_eq!(truths, result.map_err(str::to_owned));
    }

    #[test]
    fn an_expectation_overrides_a_label() {
        check("none", &[], Ok(&["a=none"]));
        check("", &["b=too-slow"], Ok(&["b=too-slow"]));
        check("none", &["a=too-slow"], Ok(&["a=too-slow"]));
    }

    #[test]
    fn mistakes_are_reported_with_their_correction() {
        check(
            "",
            &["c=too-slow"],
            Err("--expect c: the target is not configured; use the name of a configured target"),
        );
        check(
            "",
            &[],
            Err(
                "no target has a known cause; add the label `injected` with the true cause (or \
                 `none`) to a target, for example `labels = { injected = \"lambda-throttled\" }`, \
                 or use `--expect TARGET=CAUSE`",
            ),
        );
        check(
            "Throttled!",
            &[],
            Err(
                "target a: label injected: `Throttled!` is not a cause id: use 2 to 64 lowercase \
                 letters, digits and single hyphens, starting with a letter and not ending with a \
                 hyphen",
            ),
        );
        assert!(expectation("orders").unwrap_err().contains("TARGET=CAUSE"));
    }
}
