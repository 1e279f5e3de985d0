//! The properties of good answers as JSON: a part of a baseline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::baseline::good_answers::{BodySizes, GoodAnswers, KnownValue, KnownValues};
use crate::domain::diagnosis::changes::Property;

/// The properties of the last good answers.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct GoodDocument {
    #[serde(default)]
    properties: Vec<PropertyDocument>,
    /// Status, least and most bytes of the bodies.
    sizes: Option<(u16, u64, u64)>,
}

/// The values of one property, each with the times of its first and last good answer.
#[derive(Serialize, Deserialize)]
struct PropertyDocument {
    property: String,
    values: Vec<(String, Timestamp, Timestamp)>,
    overflowed: Option<Timestamp>,
}

impl GoodDocument {
    /// Whether there was no good answer.
    pub(super) const fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.sizes.is_none()
    }
}

impl From<&GoodAnswers> for GoodDocument {
    fn from(good: &GoodAnswers) -> Self {
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

impl From<GoodDocument> for GoodAnswers {
    fn from(document: GoodDocument) -> Self {
        let mut good = Self::default();
        for read in document.properties {
            // A property that this release does not know is skipped.
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
