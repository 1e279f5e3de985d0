//! Values with a form of their own: durations, sizes, moments, secrets, tests on a text.
//!
//! They keep the text as written; whether a duration is one is judged in `validate`,
//! beside the other problems. What is refused here is the wrong type alone, in words that
//! show the right one and never quote the value, which could be a secret.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Value;

/// A duration as written, such as `"1m 30s"`.
#[derive(Clone, Debug)]
pub(in crate::io::config) struct DurationText(pub(in crate::io::config) String);

/// A size as written, such as `"64KB"`.
#[derive(Clone, Debug)]
pub(in crate::io::config) struct SizeText(pub(in crate::io::config) String);

/// A date with time, or a time of day: a TOML one, or the same as text.
#[derive(Clone, Debug)]
pub(in crate::io::config) struct MomentText(pub(in crate::io::config) String);

/// Where a secret is read from.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum SecretSource {
    File(String),
    Env(String),
    /// A name in the service manager's `CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A header value: plain, or a secret.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum HeaderValue {
    Plain(String),
    Secret(SecretSource),
}

/// A status or a range of them, as written.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum StatusItem {
    Code(i64),
    Text(String),
}

/// A shard's index: a number, or `"auto"`.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum IndexItem {
    Number(i64),
    Text(String),
}

/// A test on a text.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum TextTest {
    Equals(String),
    Contains(String),
    Regex(String),
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Integer(number) => Err(D::Error::custom(format!(
                "a duration is a text with its unit; write \"{number}s\" for {number} seconds"
            ))),
            _ => Err(D::Error::custom(
                "a duration is a text with its unit; write \"10s\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Integer(number) => Err(D::Error::custom(format!(
                "a size is a text with its unit; write \"{number}B\" for {number} bytes"
            ))),
            _ => Err(D::Error::custom(
                "a size is a text with its unit; write \"64KB\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for MomentText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Datetime(moment) => Ok(Self(moment.to_string())),
            _ => Err(D::Error::custom(
                "not a time; write 2026-05-01T22:00:00Z for a moment or \"22:00\" for a time of day",
            )),
        }
    }
}

const SECRET_FORM: &str = "a secret never stands in the configuration; write { file = \"PATH\" }, \
                           { env = \"NAME\" } or { credential = \"NAME\" }";

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        secret_source(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Plain(text)),
            table @ Value::Table(_) => secret_source(table)
                .map(Self::Secret)
                .map_err(D::Error::custom),
            _ => Err(D::Error::custom(
                "a header value is a text, { file = \"PATH\" }, { env = \"NAME\" } or \
                 { credential = \"NAME\" }; put it in quotes",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for StatusItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Integer(code) => Ok(Self::Code(code)),
            Value::String(text) => Ok(Self::Text(text)),
            _ => Err(D::Error::custom(
                "a status is written 200, \"2xx\" or \"200-204\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for IndexItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Integer(number) => Ok(Self::Number(number)),
            Value::String(text) => Ok(Self::Text(text)),
            _ => Err(D::Error::custom("an index is written 0 or \"auto\"")),
        }
    }
}

impl<'de> Deserialize<'de> for TextTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str =
            "write \"text\" for equality, { contains = \"part\" } or { regex = \"pattern\" }";
        let table = match Value::deserialize(deserializer)? {
            Value::String(text) => return Ok(Self::Equals(text)),
            Value::Table(table) => table,
            _ => return Err(D::Error::custom(FORM)),
        };
        match one_text(table) {
            Some((key, text)) if key == "contains" => Ok(Self::Contains(text)),
            Some((key, text)) if key == "regex" => Ok(Self::Regex(text)),
            _ => Err(D::Error::custom(FORM)),
        }
    }
}

fn secret_source(value: Value) -> Result<SecretSource, &'static str> {
    let Value::Table(table) = value else {
        return Err(SECRET_FORM);
    };
    match one_text(table) {
        Some((key, path)) if key == "file" => Ok(SecretSource::File(path)),
        Some((key, name)) if key == "env" => Ok(SecretSource::Env(name)),
        Some((key, name)) if key == "credential" => Ok(SecretSource::Credential(name)),
        _ => Err(SECRET_FORM),
    }
}

/// The one key of a table and its text; nothing if there are more, or another type.
fn one_text(table: toml::Table) -> Option<(String, String)> {
    let mut entries = table.into_iter();
    match (entries.next(), entries.next()) {
        (Some((key, Value::String(text))), None) => Some((key, text)),
        _ => None,
    }
}
