//! Determines when the certificate chains of a probe expire. The first request and every request
//! after a redirect have one chain each, if they use TLS.

use jiff::Timestamp;

use super::{Unmet, UnmetKind};
use crate::model::observation::Observation;
use crate::model::target::Expectations;

/// Number of seconds per day.
const DAY: i64 = 86_400;

/// Returns the number of days until the earliest expiry among the certificate chains of the probe,
/// including those after redirects, rounded down. The number is negative after the expiry. Returns
/// `None` if no expiry is known, for example because no request used TLS.
#[must_use]
pub fn days(observation: &Observation, now: Timestamp) -> Option<i64> {
    first_expiry(observation, now).map(|(_, days)| days)
}

/// Returns the host whose certificate chain expires first, and the number of days until then,
/// rounded down; `None` if no expiry is known.
fn first_expiry(observation: &Observation, now: Timestamp) -> Option<(String, i64)> {
    let url = url::Url::parse(&observation.final_url).ok();
    let last = url
        .as_ref()
        .and_then(url::Url::host_str)
        .unwrap_or_default();
    let earlier = observation.earlier_tls.iter();
    let earlier = earlier.map(|hop| (hop.host.as_str(), &hop.tls));
    let hops = earlier.chain(observation.tls.as_ref().map(|tls| (last, tls)));
    let expiries = hops.filter_map(|(host, tls)| Some((host, tls.expiry()?)));
    let (host, first) = expiries.min_by_key(|(_, expiry)| *expiry)?;
    let days = (first.as_second() - now.as_second()).div_euclid(DAY);
    Some((host.to_owned(), days))
}

/// Returns the unmet expectation if a certificate chain expires in less than `certificate_days`
/// days; otherwise `None`.
pub(super) fn check(
    expectations: &Expectations,
    observation: &Observation,
    now: Timestamp,
) -> Option<Unmet> {
    let wanted = expectations.certificate_days?;
    let (host, left) = first_expiry(observation, now)?;
    let expires = if left < 0 {
        format!("has expired; at least {wanted} days must be left")
    } else {
        format!("expires in {left} days, less than {wanted} days")
    };
    (left < i64::from(wanted)).then(|| Unmet {
        kind: UnmetKind::CertificateExpiring,
        detail: format!("the certificate chain of `{host}` {expires}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Certificate, EarlierTls, TlsFacts};

    fn tls(chain: &[i64], path: Option<i64>) -> TlsFacts {
        let at = |days: i64| Timestamp::from_second(days * DAY).unwrap();
        let certificate = |days: &i64| Certificate {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            names: Vec::new(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: at(*days),
        };
        TlsFacts {
            version: None,
            chain: chain.iter().map(certificate).collect(),
            path_expiry: path.map(at),
        }
    }

    #[test]
    fn the_verified_path_of_every_hop_is_judged() {
        let expect = Expectations {
            certificate_days: Some(14),
            ..Expectations::default()
        };
        let detail = |observation: &Observation| {
            let unmet = check(&expect, observation, Timestamp::UNIX_EPOCH);
            unmet.map(|unmet| unmet.detail)
        };
        // An expired certificate outside of the verified path is ignored.
        let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://last.example/");
        observation.tls = Some(tls(&[90, -100], Some(90)));
        assert_eq!(detail(&observation), None);
        assert_eq!(days(&observation, Timestamp::UNIX_EPOCH), Some(90));
        observation.earlier_tls = vec![EarlierTls {
            host: "first.example".to_owned(),
            tls: tls(&[5], Some(5)),
        }];
        let first = "the certificate chain of `first.example` expires in 5 days, less than 14 days";
        assert_eq!(detail(&observation).as_deref(), Some(first));
        observation.tls = Some(tls(&[3], None));
        let last = "the certificate chain of `last.example` expires in 3 days, less than 14 days";
        assert_eq!(detail(&observation).as_deref(), Some(last));
        // A target may accept an expired certificate.
        observation.tls = Some(tls(&[-3], None));
        let expired = "the certificate chain of `last.example` has expired; at least 14 days must be \
                       left";
        assert_eq!(detail(&observation).as_deref(), Some(expired));
    }
}
