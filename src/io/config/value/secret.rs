//! Where a secret is read from, and header values, which may be secrets.

use toml::Value;

use super::checked;

/// Where a secret is read from.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum SecretSource {
    /// A file.
    File(String),
    /// An environment variable.
    Env(String),
    /// A name in the service manager's `CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A header value: plain text, or a secret.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum HeaderValue {
    /// As written.
    Plain(String),
    /// Read from elsewhere.
    Secret(SecretSource),
}

/// The message about a secret that is written in the configuration.
pub(in crate::io::config) const SECRET_FORM: &str = "secrets cannot be written here; use \
     { file = \"PATH\" }, { env = \"NAME\" } or { credential = \"NAME\" }";

checked! {
    /// A secret, which cannot be written in place.
    SecretText(SecretSource) from Value, secret_source;

    /// A header value.
    HeaderText(HeaderValue) from Value, |value| match value {
        Value::String(text) => Ok(HeaderValue::Plain(text)),
        table @ Value::Table(_) => secret_source(table).map(HeaderValue::Secret),
        _ => Err(
            "a header value is text, { file = \"PATH\" }, { env = \"NAME\" } or \
             { credential = \"NAME\" }; put text in quotes",
        ),
    };
}

fn secret_source(value: Value) -> Result<SecretSource, &'static str> {
    match single_text(value) {
        Some((key, path)) if key == "file" => Ok(SecretSource::File(path)),
        Some((key, name)) if key == "env" => Ok(SecretSource::Env(name)),
        Some((key, name)) if key == "credential" => Ok(SecretSource::Credential(name)),
        _ => Err(SECRET_FORM),
    }
}

/// The key and text of a table that has one key with a text; `None` for any other value.
pub(super) fn single_text(value: Value) -> Option<(String, String)> {
    let Value::Table(table) = value else {
        return None;
    };
    let mut entries = table.into_iter();
    match (entries.next(), entries.next()) {
        (Some((key, Value::String(text))), None) => Some((key, text)),
        _ => None,
    }
}
