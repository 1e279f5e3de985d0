//! The conditions that a healthy response of a target must satisfy.

use std::time::Duration;

/// The conditions that a healthy response must satisfy. All of them must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// Inclusive ranges of status codes; the status must be in one of them. If empty, the range is
    /// 200 to 299.
    pub status: Vec<(u16, u16)>,
    /// Conditions on headers. Each consists of the lowercase name of a header and a condition.
    pub headers: Vec<(String, TextMatch)>,
    /// Conditions on the body.
    pub body: Vec<BodyMatch>,
    /// Duration above which a probe is degraded (`too-slow`), not failed; `None` means no limit.
    pub slower_than: Option<Duration>,
    /// Minimum number of days until the certificate expires. With fewer days, a probe is degraded
    /// (`certificate-expiring`). `None` means no minimum.
    pub certificate_days: Option<u32>,
}

/// A condition on the values of a header, or on its presence.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatch {
    /// At least one value of the header is equal to this text.
    Equals(String),
    /// At least one value of the header contains this text.
    Contains(String),
    /// The pattern matches anywhere in at least one value of the header.
    Regex(Pattern),
    /// No value of the header is equal to this text.
    Differs(String),
    /// No value of the header contains this text.
    Lacks(String),
    /// The pattern does not match anywhere in any value of the header.
    NoMatch(Pattern),
    /// The header must be present if `true`, and absent if `false`.
    Exists(bool),
}

/// A condition on the body.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyMatch {
    /// The body contains this text.
    Contains(String),
    /// The pattern matches anywhere in the body.
    Regex(Pattern),
    /// The body does not contain this text.
    Lacks(String),
    /// The pattern does not match anywhere in the body.
    NoMatch(Pattern),
    /// A condition on the values that the path selects in a JSON body.
    Json {
        /// The JSON path (RFC 9535).
        path: JsonPath,
        /// The condition on the selected values.
        test: JsonTest,
    },
}

/// A condition on the values that a JSON path selects.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// At least one selected value is equal to this value.
    Equals(serde_json::Value),
    /// At least one value is selected, and no selected value is equal to this value.
    Differs(serde_json::Value),
    /// At least one value is selected, and all selected values are numbers for which the comparison
    /// with this bound holds.
    Compares(Comparison, f64),
    /// At least one selected value is a string that contains this text.
    Contains(String),
    /// At least one value is selected, and no selected value is a string that contains this text.
    Lacks(String),
    /// At least one selected value is a string in which the pattern matches anywhere.
    Regex(Pattern),
    /// At least one value is selected, and no selected value is a string in which the pattern
    /// matches anywhere.
    NoMatch(Pattern),
    /// At least one value must be selected if `true`, and none if `false`.
    Exists(bool),
}

/// The operator that compares a number with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The number is less than the bound (`<`).
    Less,
    /// The number is less than or equal to the bound (`<=`).
    AtMost,
    /// The number is greater than the bound (`>`).
    Greater,
    /// The number is greater than or equal to the bound (`>=`).
    AtLeast,
}

/// A compiled regular expression. Two patterns are equal if their sources are equal.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::Regex);

/// A JSON path: the text in the configuration and its compiled form.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    /// The path as written in the configuration, with or without the leading `$.`.
    pub source: String,
    /// The compiled path.
    pub path: serde_json_path::JsonPath,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Comparison {
    /// Returns the operator as written in the configuration.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Returns whether the comparison of the number with the bound holds.
    #[must_use]
    pub fn is_met(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::AtMost => number <= bound,
            Self::Greater => number > bound,
            Self::AtLeast => number >= bound,
        }
    }
}
