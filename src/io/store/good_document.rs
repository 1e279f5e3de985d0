//! The JSON document of the properties of good responses, which is part of a baseline's document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::baseline::good_responses::{BodySizes, GoodResponses, KnownValue, KnownValues};
use crate::domain::diagnosis::changes::Property;

/// The JSON document of [`GoodResponses`], the properties of the last good responses of a target.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct GoodDocument {
    #[serde(default)]
    properties: Vec<PropertyDocument>,
    /// The HTTP status of good responses, and the sizes in bytes of the shortest and the longest
    /// body.
    sizes: Option<(u16, u64, u64)>,
}

/// The JSON document of one property. Each value has the times of the first and the last good
/// response with this value.
#[derive(Serialize, Deserialize)]
struct PropertyDocument {
    property: String,
    values: Vec<(String, Timestamp, Timestamp)>,
    overflowed: Option<Timestamp>,
}

impl GoodDocument {
    /// Returns whether no good response is recorded.
    pub(super) const fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.sizes.is_none()
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
                overflowed: known.overflowed,
            }
        });
        Self {
            properties: properties.collect(),
            sizes: good
                .sizes
                .map(|sizes| (sizes.status, sizes.least, sizes.most)),
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
            let values = read.values.into_iter();
            let known = KnownValues {
                values: values
                    .map(|(value, first, last)| KnownValue { value, first, last })
                    .collect(),
                overflowed: read.overflowed,
            };
            good.known.insert(property, known);
        }
        good.sizes = document.sizes.map(|(status, least, most)| BodySizes {
            status,
            least,
            most,
        });
        good
    }
}
