//! Defines types for the sources of secrets and for header values, which may be secrets.

use toml::Value;

use super::checked;

/// The source from which a secret is read.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum SecretSource {
    /// The path of a file that contains the secret.
    File(String),
    /// The name of an environment variable that contains the secret.
    Env(String),
    /// The name of a file in the service manager's `CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A header value: plain text, or a secret.
#[derive(Clone, Debug)]
pub(in crate::io::config) enum HeaderValue {
    /// Plain text, sent as written.
    Plain(String),
    /// A secret, which is read from the given source.
    Secret(SecretSource),
}

/// The error message for a value that is not the source of a secret, such as the secret itself.
pub(in crate::io::config) const SECRET_FORM: &str = "secrets cannot be written here; use \
     `{ file = \"PATH\" }`, `{ env = \"NAME\" }` or `{ credential = \"NAME\" }`";

checked! {
    /// The source of a secret. The secret itself must not be written in the configuration.
    SecretText(SecretSource) from Value, secret_source;

    /// A header value: plain text, or the source of a secret.
    HeaderText(HeaderValue) from Value, |value| match value {
        Value::String(text) => Ok(HeaderValue::Plain(text)),
        table @ Value::Table(_) => secret_source(table).map(HeaderValue::Secret),
        _ => Err(
            "a header value is text, `{ file = \"PATH\" }`, `{ env = \"NAME\" }` or \
             `{ credential = \"NAME\" }`; put text in quotes",
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

/// Returns the key and the text of a table with exactly one entry, whose value is text. Returns
/// `None` for any other value.
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
