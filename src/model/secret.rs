//! A secret that `Debug` does not print.
//!
//! The type wraps `secrecy::SecretString` and adds equality, because a reload compares
//! configurations to keep the state of unchanged targets.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A password, token or key. `Debug` prints `[secret]`; [`Secret::expose`] returns the text.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Creates a secret from its text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// Returns the secret's text, for the code that sends or verifies it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl std::hash::Hash for Secret {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_compared_and_is_not_printed() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(secret, Secret::new("hunter2".into()));
        assert_ne!(secret, Secret::new("hunter3".into()));
        assert_eq!(format!("{secret:?}"), "[secret]");
    }
}
