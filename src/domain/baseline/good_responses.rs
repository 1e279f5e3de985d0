//! Records the properties of a target's last good responses, and compares failed probes with them.
//!
//! A property may have several values at the same time, such as the addresses of a host name. The
//! most recent values are therefore kept, each with the timestamps of the first and last good
//! response that had this value. A property with too many values changes too often and is not
//! compared.
//!
//! A probe that follows redirects has several hops, one per request. All properties except the
//! redirects belong to the last hop, so they are compared only with good responses whose last hop
//! had the same host and port.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::domain::diagnosis::changes::{Comparison, Property};
use crate::domain::diagnosis::condition::is_plain_text;
use crate::model::observation::Observation;
use crate::model::target::shown_url;

/// The properties of the last good responses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoodResponses {
    /// The most recent values of every property, except the body size, which is in `sizes`.
    pub known: BTreeMap<Property, KnownValues>,
    /// The range of the body sizes of good responses; `None` before the first good response.
    pub sizes: Option<BodySizes>,
    /// The first failed probe since the last good response; `None` if no probe has failed since
    /// then.
    pub first_failure: Option<FirstFailure>,
}

/// The first failed probe after a good response.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstFailure {
    /// The time at which the probe started.
    pub began: Timestamp,
    /// The properties of the failed probe; empty if they are unknown.
    pub values: Vec<PropertyValue>,
}

/// The value of one property in one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyValue {
    /// The property.
    pub property: Property,
    /// The host and port of the final URL, after redirects. Empty for the property `redirects`,
    /// which does not belong to a single hop, and for an invalid URL.
    pub hop: String,
    /// The value as text.
    pub value: String,
}

/// The most recent values of one property.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownValues {
    /// The values in the order of their first good response; at most `MAX_VALUES`.
    pub values: Vec<KnownValue>,
    /// The timestamp at which a recently seen value was last dropped, because there were too many
    /// values; `None` if no such value was dropped yet.
    pub overflowed: Option<Timestamp>,
}

/// One value of a property.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownValue {
    /// The host and port of the final URL, after redirects; empty for the property `redirects` and
    /// for an invalid URL.
    pub hop: String,
    /// The value as text.
    pub value: String,
    /// The time when the first good response with this value was received.
    pub first: Timestamp,
    /// The time when the last good response with this value was received.
    pub last: Timestamp,
}

/// The range of the body sizes of good responses with the same status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySizes {
    /// The status of the responses.
    pub status: u16,
    /// The size of the shortest body in bytes.
    pub least: u64,
    /// The size of the longest body in bytes.
    pub most: u64,
}

/// Maximum number of values that are kept per property.
const MAX_VALUES: usize = 8;

/// Maximum length of a property's value, in characters.
const MAX_LENGTH: usize = 160;

/// Time for which a property is not compared after it had more than [`MAX_VALUES`] values within a
/// period of this length.
const UNSTABLE: SignedDuration = SignedDuration::from_hours(24);

/// Maximum time between the first good response with a changed value and the first failure. If more
/// time passed, the change is not reported.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// Factor by which a body must be shorter than the shortest good body, or longer than the longest
/// one, to count as changed. Smaller differences do not count, because good bodies vary in size.
const SIZE_FACTOR: u64 = 2;

impl GoodResponses {
    /// Records the properties of a good response.
    pub(super) fn observe_good(&mut self, observation: &Observation, now: Timestamp) {
        self.first_failure = None;
        for value in values(observation, |_| false) {
            self.known
                .entry(value.property)
                .or_default()
                .add(value, now);
        }
        if let Some(response) = &observation.response {
            let (status, size) = (response.status, response.body_bytes);
            let known = self.sizes.filter(|sizes| sizes.status == status);
            let known = known.map_or((size, size), |sizes| (sizes.least, sizes.most));
            self.sizes = Some(BodySizes {
                status,
                least: known.0.min(size),
                most: known.1.max(size),
            });
        }
    }

    /// Records a failed probe if it is the first since the last good response. Returns whether the
    /// probe was recorded.
    pub(super) fn observe_failure(&mut self, observation: &Observation) -> bool {
        let is_first = self.first_failure.is_none();
        if is_first {
            self.first_failure = Some(FirstFailure {
                began: observation.started,
                values: self.values(observation),
            });
        }
        is_first
    }

    /// Records that the first failure was at `began` or shortly before, if no failure is recorded.
    /// The properties of the failure are not known.
    pub(super) fn resume_failure(&mut self, began: Timestamp) {
        self.first_failure.get_or_insert_with(|| FirstFailure {
            began,
            values: Vec::new(),
        });
    }

    /// Compares a failed probe with the last good responses. Returns a result for each property
    /// that can be compared.
    pub(super) fn compare(&self, observation: &Observation) -> Vec<(Property, Comparison)> {
        let mut compared = Vec::new();
        for value in self.values(observation) {
            let property = value.property;
            let comparison = self.judge(value, observation);
            compared.extend(comparison.map(|comparison| (property, comparison)));
        }
        let size = self.compare_size(observation);
        compared.extend(size.map(|comparison| (Property::BodySize, comparison)));
        compared
    }

    /// Returns the property values of a failed probe. If the probe attempted several addresses, an
    /// address of an earlier good response is preferred.
    fn values(&self, observation: &Observation) -> Vec<PropertyValue> {
        let addresses = self.known.get(&Property::Address);
        let is_known = |address: &str| {
            let mut known = addresses.iter().flat_map(|known| &known.values);
            known.any(|one| one.value == address)
        };
        values(observation, is_known)
    }

    fn judge(&self, seen: PropertyValue, observation: &Observation) -> Option<Comparison> {
        let known = self.known.get(&seen.property)?;
        let first = self.first_failure.as_ref();
        let first_failure = first.map_or(observation.started, |first| first.began);
        let unstable = |at| first_failure.duration_since(at) < UNSTABLE;
        if known.overflowed.is_some_and(unstable) {
            return None;
        }
        let of_hop = || known.values.iter().filter(|one| one.hop == seen.hop);
        let newest = of_hop().max_by_key(|one| one.last)?;
        let Some(current) = of_hop().find(|one| one.value == seen.value) else {
            let from_first = first.is_none_or(|first| first.values.contains(&seen));
            return Some(Comparison::Changed {
                was: newest.value.clone(),
                now: seen.value,
                seconds_before: from_first.then_some(0.0),
            });
        };
        let before = first_failure.duration_since(current.first);
        let replaced = of_hop().filter(|one| one.last < current.first);
        let replaced = replaced.max_by_key(|one| one.last);
        match replaced.filter(|_| before <= RECENT) {
            Some(replaced) => Some(Comparison::Changed {
                was: replaced.value.clone(),
                now: seen.value,
                seconds_before: Some(before.as_secs_f64().max(0.0)),
            }),
            None => Some(Comparison::Same),
        }
    }

    /// Compares the body size with the body sizes of good responses. Returns `None` if there is no
    /// complete response or no good response yet, or if the status or the host and port of the
    /// final URL differ from those of the last good response.
    fn compare_size(&self, observation: &Observation) -> Option<Comparison> {
        let response = observation.response.as_ref()?;
        let sizes = self.sizes.filter(|sizes| sizes.status == response.status)?;
        let servers = self.known.get(&Property::Server)?.values.iter();
        let newest = servers.max_by_key(|one| one.last)?;
        if observation.fault.is_some() || newest.hop != last_hop(observation) {
            return None;
        }
        let size = response.body_bytes;
        let usual = sizes.least / SIZE_FACTOR..=sizes.most.saturating_mul(SIZE_FACTOR);
        if usual.contains(&size) {
            return Some(Comparison::Same);
        }
        let was = if sizes.least == sizes.most {
            format!("{} bytes", sizes.least)
        } else {
            format!("{} to {} bytes", sizes.least, sizes.most)
        };
        Some(Comparison::Changed {
            was,
            now: format!("{size} bytes"),
            seconds_before: None,
        })
    }
}

impl KnownValues {
    fn add(&mut self, seen: PropertyValue, now: Timestamp) {
        let mut known = self.values.iter_mut();
        let is_same = |known: &&mut KnownValue| known.value == seen.value && known.hop == seen.hop;
        if let Some(known) = known.find(is_same) {
            known.last = now;
            return;
        }
        if self.values.len() >= MAX_VALUES {
            let oldest = self.values.iter().enumerate();
            let oldest = oldest.min_by_key(|(_, known)| known.last);
            if let Some((index, dropped)) = oldest.map(|(index, known)| (index, known.last)) {
                if now.duration_since(dropped) < UNSTABLE {
                    self.overflowed = Some(now);
                }
                self.values.remove(index);
            }
        }
        self.values.push(KnownValue {
            hop: seen.hop,
            value: seen.value,
            first: now,
            last: now,
        });
    }
}

/// Returns the property values that an observation contains. If there are several addresses, the
/// first address for which `prefer` returns `true` is used, or else the first address.
fn values(observation: &Observation, prefer: impl Fn(&str) -> bool) -> Vec<PropertyValue> {
    let hop = last_hop(observation);
    let mut values = Vec::new();
    let mut add = |property, value| {
        let hop = match property {
            Property::Redirects => String::new(),
            _ => hop.clone(),
        };
        values.push(PropertyValue {
            property,
            hop,
            value,
        });
    };
    let attempted = observation.attempted.iter();
    let addresses = observation.remote.iter().chain(attempted);
    let mut addresses: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
    addresses.sort_by_key(|address| !prefer(address));
    if let Some(address) = addresses.into_iter().next() {
        add(Property::Address, address);
    }
    let chain = observation.tls.as_ref().map(|tls| tls.chain.as_slice());
    if let Some(leaf) = chain.and_then(<[_]>::first) {
        let value = format!("{} of {}", leaf.serial, leaf.issuer);
        add(Property::Certificate, short(&value));
    }
    if let Some(response) = &observation.response {
        let server = response.header("server").unwrap_or("(none)");
        // A server may repeat data of the request, such as a token, in its `server` header. A value
        // that does not look like a name and version is therefore replaced.
        let is_public = server == "(none)" || is_plain_text(server);
        add(
            Property::Server,
            if is_public { server } else { "(other)" }.to_owned(),
        );
        let version = response.version.as_str();
        add(Property::Protocol, format!("HTTP/{version}"));
        let url = Url::parse(&observation.final_url);
        let url = url.map_or_else(|_| String::new(), |url| shown_url(&url));
        let path = match observation.redirects {
            0 => "none".to_owned(),
            count => format!("{count} to {url}"),
        };
        add(Property::Redirects, short(&path));
    }
    values
}

/// Returns the host and port of the last hop, the request for the final URL after redirects; empty
/// if this URL is invalid.
fn last_hop(observation: &Observation) -> String {
    let url = Url::parse(&observation.final_url).ok();
    let host_port = url.as_ref().and_then(|url| {
        let port = url.port_or_known_default()?;
        Some(short(&format!("{}:{port}", url.host_str()?)))
    });
    host_port.unwrap_or_default()
}

/// Returns the text without control characters, truncated to [`MAX_LENGTH`] characters.
fn short(text: &str) -> String {
    let printable = text.chars().filter(|letter| !letter.is_control());
    printable.take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests;
