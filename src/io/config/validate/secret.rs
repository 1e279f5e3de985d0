//! Reads secrets from files, environment variables and credentials of the service manager.
//!
//! A credential (`LoadCredential=` of systemd) is a file that only the service can read.
//! Messages name the file or the variable, never a character of what is in it.

use std::path::{Component, Path, PathBuf};

use super::disk::read_file;
use crate::io::config::document::Site;
use crate::io::config::file::SecretSource;
use crate::model::secret::Secret;

/// Longer than any token or password; a larger file is the wrong file.
const MAX_SECRET: u64 = 64 * 1024;

/// The secret without the line break that editors leave at the end.
pub(super) fn read(source: &SecretSource, site: &Site<'_>) -> Result<Secret, String> {
    let (text, shown) = match source {
        SecretSource::File(file) => file_text(&site.relative(file))?,
        SecretSource::Env(name) => (variable(name)?, format!("the variable {name}")),
        SecretSource::Credential(name) => file_text(&credential(name)?)?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty; put the secret into it"));
    }
    Ok(Secret::new(text.to_owned()))
}

/// The secret, if it can be sent in a header.
pub(super) fn for_header(source: &SecretSource, site: &Site<'_>) -> Result<Secret, String> {
    let secret = read(source, site)?;
    if http::HeaderValue::from_str(secret.expose()).is_err() {
        return Err(
            "the secret has a character that no header may carry, such as a line break; \
             keep it to one line"
                .to_owned(),
        );
    }
    Ok(secret)
}

/// A file's text, and what to call it.
fn file_text(path: &Path) -> Result<(String, String), String> {
    let bytes = read_file(path, MAX_SECRET)?;
    let shown = path.display().to_string();
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{shown} is not UTF-8 text; name the file of the secret"))?;
    Ok((text, shown))
}

/// Where the service manager has put a credential.
fn credential(name: &str) -> Result<PathBuf, String> {
    // A name, as `LoadCredential=` takes it, never a way out of the directory. It is not
    // shown: it could be the secret itself, in the wrong place.
    let mut parts = Path::new(name).components();
    let plain = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    if !plain || name.contains('/') {
        return Err(
            "this cannot be the name of a credential; write the one that \
                    LoadCredential= has before its colon"
                .to_owned(),
        );
    }
    match std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(Path::new(&folder).join(name))
            .filter(|path| path.exists())
            .ok_or_else(|| {
                let folder = folder.display();
                format!("{folder} has no credential of this name; load one by LoadCredential=")
            }),
        None => Err(
            "the variable CREDENTIALS_DIRECTORY is not set; give the service \
             LoadCredential=NAME:PATH, or set the variable to a folder with a file of that name"
                .to_owned(),
        ),
    }
}

fn variable(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("this cannot be the name of a variable; write env = \"NAME\"".to_owned());
    }
    // Whoever mistakes `env` for the place of the secret must not read it in a log.
    let looks_like_a_name = name.len() <= MAX_SHOWN_NAME
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let shown = if looks_like_a_name {
        format!("the variable {name}")
    } else {
        "the variable named here (hidden, lest it is the secret itself)".to_owned()
    };
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => {
            format!("{shown} is not set; set it where the daemon starts")
        }
        std::env::VarError::NotUnicode(_) => {
            format!("{shown} is not UTF-8 text; set it anew")
        }
    })
}

/// Names of variables are shorter; tokens are often longer.
const MAX_SHOWN_NAME: usize = 40;
