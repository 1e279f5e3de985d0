//! The JSON document of the properties of good responses, which is part of a baseline's document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::baseline::good_responses::{
    BodySizes, FirstFailure, GoodResponses, KnownValue, KnownValues, PropertyValue,
};
use crate::domain::diagnosis::changes::Property;

/// The JSON document of [`GoodResponses`], the properties of the last good responses of a target.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct GoodDocument {
    #[serde(default)]
    properties: Vec<PropertyDocument>,
    /// The HTTP status of the last good response, and the sizes in bytes of the shortest and the
    /// longest body since good responses have had this status; `None` before the first good
    /// response.
    sizes: Option<(u16, u64, u64)>,
    /// The first failure since the last good response; `None` if no probe has failed since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_failure: Option<FailureDocument>,
}

/// The JSON document of the first failure since the last good response.
#[derive(Serialize, Deserialize)]
struct FailureDocument {
    began: Timestamp,
    /// The properties of the failed probe: for each property, its name, the host and port of the
    /// last hop, and its value.
    values: Vec<(String, String, String)>,
}

/// The JSON document of one property. Each value has the timestamps of the first and the last good
/// response with this value.
#[derive(Serialize, Deserialize)]
struct PropertyDocument {
    property: String,
    values: Vec<(String, Timestamp, Timestamp)>,
    /// For each value, the host and port of the last hop, in the order of `values`. A value without
    /// a hop is ignored.
    #[serde(default)]
    hops: Vec<String>,
    /// The timestamp at which a recent value was last dropped, because there were too many values;
    /// `None` if no recent value was dropped yet.
    overflowed: Option<Timestamp>,
}

impl GoodDocument {
    /// Returns whether neither a good response nor a failure is recorded.
    pub(super) const fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.sizes.is_none() && self.first_failure.is_none()
    }
}

impl From<&GoodResponses> for GoodDocument {
    fn from(good: &GoodResponses) -> Self {
        let properties = good.known.iter().map(|(property, known)| {
            let values = known.values.iter();
            PropertyDocument {
                property: property.as_str().to_owned(),
                values: values
                    .map(|one| (one.value.clone(), one.first, one.last))
                    .collect(),
                hops: known.values.iter().map(|one| one.hop.clone()).collect(),
                overflowed: known.overflowed,
            }
        });
        let first_failure = good.first_failure.as_ref().map(|first| {
            let values = first.values.iter().cloned();
            let values = values.map(|one| (one.property.as_str().to_owned(), one.hop, one.value));
            FailureDocument {
                began: first.began,
                values: values.collect(),
            }
        });
        Self {
            properties: properties.collect(),
            sizes: good
                .sizes
                .map(|sizes| (sizes.status, sizes.least, sizes.most)),
            first_failure,
        }
    }
}

impl From<GoodDocument> for GoodResponses {
    fn from(document: GoodDocument) -> Self {
        let mut good = Self::default();
        for read in document.properties {
            // A property that this release does not support is skipped.
            let Some(property) = Property::parse(&read.property) else {
                continue;
            };
            let values = read.values.into_iter().zip(read.hops);
            let known = KnownValues {
                values: values
                    .map(|((value, first, last), hop)| KnownValue {
                        hop,
                        value,
                        first,
                        last,
                    })
                    .collect(),
                overflowed: read.overflowed,
            };
            good.known.insert(property, known);
        }
        good.first_failure = document.first_failure.map(|first| FirstFailure {
            began: first.began,
            values: first
                .values
                .into_iter()
                .filter_map(property_value)
                .collect(),
        });
        good.sizes = document.sizes.map(|(status, least, most)| BodySizes {
            status,
            least,
            most,
        });
        good
    }
}

fn property_value((property, hop, value): (String, String, String)) -> Option<PropertyValue> {
    Some(PropertyValue {
        property: Property::parse(&property)?,
        hop,
        value,
    })
}

/// Returns properties of good responses with a value in every field.
#[cfg(test)]
pub(super) fn example() -> GoodResponses {
    let known = KnownValues {
        values: vec![KnownValue {
            hop: "a.example:443".to_owned(),
            value: "192.0.2.1".to_owned(),
            first: Timestamp::UNIX_EPOCH,
            last: Timestamp::UNIX_EPOCH,
        }],
        overflowed: Some(Timestamp::UNIX_EPOCH),
    };
    let mut good = GoodResponses::default();
    good.known.insert(Property::Address, known);
    good.first_failure = Some(FirstFailure {
        began: Timestamp::UNIX_EPOCH,
        values: vec![PropertyValue {
            property: Property::Address,
            hop: "a.example:443".to_owned(),
            value: "192.0.2.2".to_owned(),
        }],
    });
    good.sizes = Some(BodySizes {
        status: 200,
        least: 10,
        most: 12,
    });
    good
}
