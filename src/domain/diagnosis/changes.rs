//! Adds the facts that compare a failure with the last good responses. `baseline::good_responses`
//! makes the comparison.

use crate::domain::diagnosis::fact::Facts;
use crate::model::text_enum::text_enum;

text_enum! {
    /// A property of a failed probe that is compared with the last good responses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Property {
        /// The IP address that the probe connected to, or tried to connect to.
        Address = "address",
        /// The serial number and the issuer of the server's certificate.
        Certificate = "certificate",
        /// The `server` header of the response.
        Server = "server",
        /// The HTTP version of the response.
        Protocol = "protocol",
        /// The number of redirects and the final URL.
        Redirects = "redirects",
        /// The size of the response body.
        BodySize = "body_size",
    }
}

/// The result of comparing one property of a failure with the last good responses.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// A good response had the same value (a similar one for [`Property::BodySize`]), and the value
    /// did not replace another value within the hour before the first failure.
    Same,
    /// The value differs from that of the last good responses, or it replaced another value within
    /// the hour before the first failure.
    Changed {
        /// The value of the last good responses before the change.
        was: String,
        /// The value of the failed probe.
        now: String,
        /// Time from the change to the first failure in seconds; `None` if the value changed after
        /// the first failure or at an unknown time, and always for [`Property::BodySize`].
        seconds_before: Option<f64>,
    },
}

impl Facts {
    /// Adds the facts `changed.*`: which of the compared properties changed, how, and when.
    pub fn add_changes(&mut self, compared: &[(Property, Comparison)]) {
        let mut words = Vec::new();
        for (property, comparison) in compared {
            let fact = format!("changed.{property}");
            let Comparison::Changed {
                was,
                now,
                seconds_before,
            } = comparison
            else {
                self.set_text(&fact, "no");
                continue;
            };
            self.set_text(&fact, "yes");
            if let Some(seconds) = seconds_before
                && *property != Property::BodySize
            {
                self.set_number(&format!("{fact}.seconds_before"), *seconds);
            }
            let name = property.as_str().replace('_', " ");
            words.push(format!("{name} {was} → {now}{}", when(*seconds_before)));
        }
        if !words.is_empty() {
            self.set_text("changed.what", &words.join("; "));
        }
    }
}

/// Returns the time of a change in words, to be appended to a phrase; empty if the change came
/// after the first failure or its time is unknown.
fn when(seconds_before: Option<f64>) -> String {
    match seconds_before {
        None => String::new(),
        Some(seconds) if seconds < 1.0 => " at the first failure".to_owned(),
        Some(seconds) if seconds < 90.0 => format!(" {seconds:.0} s before the first failure"),
        Some(seconds) => {
            let minutes = (seconds / 60.0).round();
            format!(" {minutes} min before the first failure")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(seconds_before: Option<f64>) -> Comparison {
        Comparison::Changed {
            was: "a".to_owned(),
            now: "b".to_owned(),
            seconds_before,
        }
    }

    #[test]
    fn every_comparison_is_a_fact_and_changes_are_described() {
        let mut facts = Facts::default();
        facts.add_changes(&[
            (Property::Address, changed(Some(120.0))),
            (Property::Certificate, changed(Some(0.0))),
            (Property::Server, Comparison::Same),
            (Property::Protocol, changed(None)),
            (Property::Redirects, changed(Some(61.0))),
            (Property::BodySize, changed(None)),
        ]);
        for (fact, text) in [
            ("changed.address", "yes"),
            ("changed.certificate", "yes"),
            ("changed.server", "no"),
            ("changed.protocol", "yes"),
            ("changed.redirects", "yes"),
            ("changed.body_size", "yes"),
            (
                "changed.what",
                "address a → b 2 min before the first failure; \
                 certificate a → b at the first failure; protocol a → b; \
                 redirects a → b 61 s before the first failure; body size a → b",
            ),
        ] {
            assert_eq!(facts.text(fact), Some(text), "{fact}");
        }
        assert_eq!(facts.number("changed.address.seconds_before"), Some(120.0));
        assert_eq!(
            facts.number("changed.certificate.seconds_before"),
            Some(0.0)
        );
        assert_eq!(facts.get("changed.protocol.seconds_before"), None);
    }

    #[test]
    fn without_a_change_nothing_is_described() {
        let mut facts = Facts::default();
        facts.add_changes(&[(Property::Address, Comparison::Same)]);
        assert_eq!(facts.text("changed.address"), Some("no"));
        assert_eq!(facts.get("changed.what"), None);
    }
}
