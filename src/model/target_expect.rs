//! What a healthy response of a target looks like.

use std::time::Duration;

/// What a healthy response must satisfy; all conditions apply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// Inclusive ranges of status codes; the status must be in one of them.
    pub status: Vec<(u16, u16)>,
    /// Conditions on headers, by lowercase name.
    pub headers: Vec<(String, TextMatch)>,
    /// Conditions on the body.
    pub body: Vec<BodyMatch>,
    /// A probe that takes longer is degraded (`too-slow`), not failed.
    pub slower_than: Option<Duration>,
    /// A certificate with fewer days left makes the probe degraded (`certificate-expiring`).
    pub certificate_days: Option<u32>,
}

/// A condition on a header value.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatch {
    /// The value is equal to this text.
    Equals(String),
    /// The value contains this text.
    Contains(String),
    /// The pattern matches anywhere in the value.
    Regex(Pattern),
    /// No value is equal to this text.
    Differs(String),
    /// No value contains this text.
    Lacks(String),
    /// The pattern matches no value.
    NoMatch(Pattern),
    /// There is a header of this name, or there is none.
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
        /// The RFC 9535 path.
        path: JsonPath,
        /// The condition.
        test: JsonTest,
    },
}

/// A condition on the values that a JSON path selects.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// One of the values is equal to this one.
    Equals(serde_json::Value),
    /// None of the values is equal to this one, and there is a value.
    Differs(serde_json::Value),
    /// All values are numbers that compare like this, and there is a value.
    Compares(Comparison, f64),
    /// One of the values is a text that contains this one.
    Contains(String),
    /// The pattern matches anywhere in one of the values, which is a text.
    Regex(Pattern),
    /// There is a value, or there is none.
    Exists(bool),
}

/// How a number compares with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
}

/// A compiled regular expression. Two are equal if their sources are.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::Regex);

/// A compiled JSON path.
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
    /// The sign, as in the configuration.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether a number compares like this with the bound.
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
