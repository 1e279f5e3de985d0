//! Adds the findings about the configuration of the AWS resources behind a target to the facts.
//!
//! `domain::configuration` interprets the configuration, and adds what it shows to the declarations
//! of the user. Facts that were computed from the declarations of the user are therefore computed
//! again: the integration, the authorizer, whether the function was invoked, and the time limit
//! that the response time matches.

use std::time::Duration;

use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::front_door::FrontDoor;
use crate::domain::diagnosis::plateau::{Plateau, ResponseTime};
use crate::model::observation::FaultKind;
use crate::model::target::{Authorizer, AwsDeclarations};

/// What the configuration of the AWS resources behind a target says about one failed probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationEvidence {
    /// The names and values of the facts `config.*`.
    pub facts: Vec<(&'static str, FactValue)>,
    /// The declarations of the target, with those that the configuration added.
    pub declared: AwsDeclarations,
}

/// The fact that tells whether the configuration held during the request.
const HELD: &str = "config.held";

/// The fact that is known if the API was read.
const DEPLOYED: &str = "config.deployed";

impl ConfigurationEvidence {
    /// Returns whether this evidence of a later reading may replace that of an earlier reading about
    /// the same request. The later reading must not withdraw what the earlier one proved: somebody
    /// may have corrected the configuration in between.
    #[must_use]
    pub fn may_replace(&self, earlier: &Self) -> bool {
        // Without the API, the function is only the declared one.
        let finds_api = self.text(DEPLOYED).is_some() && earlier.text(DEPLOYED).is_none();
        if finds_api && earlier.text(HELD).as_deref() != Some("yes") {
            return true;
        }
        earlier.facts.iter().all(|(name, before)| {
            let before = before.to_string();
            self.text(name).is_some_and(|now| {
                now == before || (*name == HELD && before == "unknown" && now == "yes")
            })
        })
    }

    /// Returns the value of a fact as a text.
    fn text(&self, name: &str) -> Option<String> {
        let mut facts = self.facts.iter();
        let (_, value) = facts.find(|(known, _)| *known == name)?;
        Some(value.to_string())
    }
}

impl Facts {
    /// Adds the facts about the configuration, and updates the facts that depend on declarations.
    pub(super) fn add_configuration(&mut self, evidence: &ConfigurationEvidence) {
        for (name, value) in &evidence.facts {
            self.set(name, value.clone());
        }
        self.add_declarations(&evidence.declared);
        // An authorizer takes time before the function can run, so the response time does not show
        // whether the function was invoked. `timing` decides in the same way for a declared
        // authorizer.
        if matches!(
            evidence.declared.authorizer,
            Some(Authorizer::Lambda | Authorizer::Jwt | Authorizer::Iam)
        ) {
            self.set_text("invoked", "unclear");
        }
        self.update_plateau(&evidence.declared);
    }

    /// Compares the response time with the time limits again, because the configuration may have
    /// shown more limits.
    fn update_plateau(&mut self, declared: &AwsDeclarations) {
        let seconds = |name: &str| {
            let number = self.number(name)?;
            Duration::try_from_secs_f64(number).ok()
        };
        let door = self.text("front_door").and_then(FrontDoor::parse);
        let (Some(door), Some(time)) = (door, seconds("answer_time")) else {
            return;
        };
        let response = ResponseTime {
            time,
            network: seconds("phase.connect").unwrap_or_default(),
            prober_timed_out: self.text("fault") == Some(FaultKind::Timeout.as_str()),
            status: self.status(),
            learned: None,
        };
        let plateau = Plateau::find(door, declared, response);
        // The value of a learned limit is not among the facts, so it cannot be compared again. A
        // match with a learned limit is therefore kept, unless a limit that is known now matches.
        let is_learned = self.text("plateau") == Some(Plateau::Learned.as_str());
        if plateau != Plateau::None || !is_learned {
            self.set_text("plateau", plateau.as_str());
        }
    }

    /// Returns the status of the response; `None` without a response.
    fn status(&self) -> Option<u16> {
        let status = self.number("status")?;
        (0..=999_u16).find(|code| (f64::from(*code) - status).abs() < 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::Integration;

    /// Returns the facts of a 503 of an HTTP API after this response time.
    fn facts(seconds: f64, plateau: &str) -> Facts {
        let mut facts = Facts::defaults();
        facts.set_text("front_door", "http-api");
        facts.set_number("status", 503.0);
        facts.set_number("answer_time", seconds);
        facts.set_number("phase.connect", 0.01);
        facts.set_text("plateau", plateau);
        facts.set_text("invoked", "no");
        facts
    }

    fn with(declared: AwsDeclarations) -> ConfigurationEvidence {
        ConfigurationEvidence {
            facts: vec![("config.held", FactValue::Text("yes".to_owned()))],
            declared,
        }
    }

    #[test]
    fn a_timeout_of_the_configuration_is_a_known_limit() {
        let limit = |seconds| {
            with(AwsDeclarations {
                integration_timeout: Some(Duration::from_secs(seconds)),
                ..AwsDeclarations::default()
            })
        };
        for (time, before, configured, after) in [
            (6.1, "none", 6, "integration"),
            (6.1, "learned", 6, "integration"),
            (6.1, "none", 29, "none"),
            (6.1, "learned", 29, "learned"),
            // The default of 30 s does not apply.
            (30.1, "integration", 6, "none"),
        ] {
            let mut facts = facts(time, before);
            facts.add_configuration(&limit(configured));
            assert_eq!(facts.text("plateau"), Some(after), "{time} {before}");
            assert_eq!(facts.text("config.held"), Some("yes"));
        }
    }

    #[test]
    fn the_integration_and_the_authorizer_become_known() {
        let mut facts = facts(0.1, "none");
        facts.add_configuration(&with(AwsDeclarations {
            integration: Some(Integration::Lambda),
            ..AwsDeclarations::default()
        }));
        assert_eq!(facts.text("integration"), Some("lambda"));
        assert_eq!(facts.text("invoked"), Some("no"));
        facts.add_configuration(&with(AwsDeclarations {
            authorizer: Some(Authorizer::Jwt),
            ..AwsDeclarations::default()
        }));
        assert_eq!(facts.text("authorizer"), Some("jwt"));
        assert_eq!(facts.text("invoked"), Some("unclear"));
    }

    #[test]
    fn a_later_reading_does_not_withdraw_what_an_earlier_one_proved() {
        let evidence = |facts: &[(&'static str, &str)]| {
            let facts = facts.iter();
            let facts = facts.map(|(name, value)| (*name, FactValue::Text((*value).to_owned())));
            ConfigurationEvidence {
                facts: facts.collect(),
                declared: AwsDeclarations::default(),
            }
        };
        let denied = ("config.permission", "denied");
        let proof = evidence(&[denied, (HELD, "yes")]);
        let partial = evidence(&[denied, (HELD, "unknown")]);
        let more = ("config.function_state", "active");
        for (earlier, later, expected) in [
            (&proof, evidence(&[denied, more, (HELD, "yes")]), true),
            (&proof, evidence(&[denied, more, (HELD, "unknown")]), false),
            (&proof, evidence(&[more, (HELD, "yes")]), false),
            (&partial, evidence(&[denied, more, (HELD, "yes")]), true),
            (&partial, evidence(&[denied, (HELD, "no")]), false),
            // The API shows which function is invoked.
            (&partial, evidence(&[(DEPLOYED, "yes"), more]), true),
            (&proof, evidence(&[(DEPLOYED, "yes"), more]), false),
        ] {
            assert_eq!(later.may_replace(earlier), expected, "{later:?}");
        }
    }

    #[test]
    fn without_a_response_time_the_limit_is_unchanged() {
        let mut facts = Facts::defaults();
        facts.set_text("plateau", "client");
        facts.add_configuration(&with(AwsDeclarations::default()));
        assert_eq!(facts.text("plateau"), Some("client"));
    }
}
