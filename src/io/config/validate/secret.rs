//! Reads secrets from files, environment variables and credentials of the service manager.
//!
//! A credential (`LoadCredential=` in systemd) is a file that only the service can read. Messages
//! contain the name of the file or variable, unless this name may be the secret itself. They never
//! contain any part of a secret.

use std::path::{Component, Path, PathBuf};

use crate::io::config::document::KeyLocation;
use crate::io::config::named_file::read_file;
use crate::io::config::value::secret::SecretSource;
use crate::model::secret::Secret;

/// Maximum size of a secret file in bytes. No token or password is this long, so the path of a
/// larger file is probably wrong.
const MAX_SECRET: u64 = 64 * 1024;

/// Maximum length in bytes of the name of an environment variable in a message. A longer name is
/// hidden, because it may be a token in the wrong place.
const MAX_SHOWN_NAME: usize = 40;

/// Reads a secret from its source. Removes line breaks at the end, because editors add them to
/// files. If secrets are skipped, only checks the name of the source, and returns an empty secret.
pub(super) fn read(source: &SecretSource, place: &KeyLocation<'_>) -> Result<Secret, String> {
    if place.problems().skips_secrets() {
        return check_source(source).map(|()| Secret::new(String::new()));
    }
    let (text, shown) = match source {
        SecretSource::File(file) => file_text(&place.relative(file))?,
        SecretSource::Env(name) => (variable(name)?, format!("the variable {name}")),
        SecretSource::Credential(name) => file_text(&credential(name)?)?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty; put the secret into it"));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Checks the name of the variable or credential that contains a secret, without reading the
/// secret. The path of a file is not checked.
fn check_source(source: &SecretSource) -> Result<(), String> {
    match source {
        SecretSource::File(_) => Ok(()),
        SecretSource::Env(name) => check_variable(name),
        SecretSource::Credential(name) => check_credential(name),
    }
}

/// Reads a secret that is sent in a header. Returns an error if the secret contains a character
/// that is not allowed in a header.
pub(super) fn for_header(source: &SecretSource, place: &KeyLocation<'_>) -> Result<Secret, String> {
    let secret = read(source, place)?;
    if http::HeaderValue::from_str(secret.expose()).is_err() {
        return Err(
            "the secret contains a character that is not allowed in a header, such as a line \
             break; remove that character from the secret"
                .to_owned(),
        );
    }
    Ok(secret)
}

/// Reads a file that contains a secret. Returns the text of the file, and its path for messages.
fn file_text(path: &Path) -> Result<(String, String), String> {
    let bytes = read_file(path, MAX_SECRET)?;
    let shown = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|_| {
        format!("{shown} is not UTF-8 text; set the path of the file that contains the secret")
    })?;
    Ok((text, shown))
}

/// Returns the path of a credential file. Errors do not contain `name`, because the configuration
/// may contain the secret itself instead of the name.
fn credential(name: &str) -> Result<PathBuf, String> {
    check_credential(name)?;
    match std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty()) {
        Some(directory) => Some(Path::new(&directory).join(name))
            .filter(|path| path.exists())
            .ok_or_else(|| {
                let directory = directory.display();
                format!(
                    "{directory} contains no credential with this name; add \
                     `LoadCredential=NAME:PATH` to the systemd service"
                )
            }),
        None => Err(
            "the variable CREDENTIALS_DIRECTORY is not set; add `LoadCredential=NAME:PATH` to the \
             systemd service, or set the variable to a directory that contains the file NAME"
                .to_owned(),
        ),
    }
}

fn check_credential(name: &str) -> Result<(), String> {
    let mut parts = Path::new(name).components();
    let plain = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    if !plain || name.contains('/') {
        return Err(
            "not the name of a credential; write the NAME from `LoadCredential=NAME:PATH`"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_variable(name: &str) -> Result<(), String> {
    let bare = name
        .trim_start_matches(['$', '{', '('])
        .trim_end_matches(['}', ')']);
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with('$') && bare.len() <= MAX_SHOWN_NAME && bare.chars().all(allowed) {
        return Err(format!(
            "the name of a variable must not contain `$`, braces or parentheses; write `env = \
             {bare:?}`"
        ));
    }
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("not the name of a variable; write `env = \"NAME\"`".to_owned());
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    check_variable(name)?;
    // The configuration may contain the secret itself instead of the name of the variable.
    // Therefore, a text that does not look like a name is hidden.
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let shown = if name.len() <= MAX_SHOWN_NAME && name.chars().all(allowed) {
        format!("the variable {name}")
    } else {
        "the variable (name hidden, because it could be the secret)".to_owned()
    };
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => {
            format!("{shown} is not set; set it in the environment of the daemon")
        }
        std::env::VarError::NotUnicode(_) => {
            format!("{shown} is not UTF-8 text; set it to UTF-8 text")
        }
    })
}
