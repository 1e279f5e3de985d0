//! A secret that cannot be printed by accident.
//!
//! Wraps `secrecy` so that two configurations can be compared (a reload keeps the
//! state of unchanged targets) while no log, page, metric or panic can show the text.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A password, token or key. `Debug` shows `[secret]`; only [`Secret::expose`] tells.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
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
    fn a_secret_compares_but_never_prints() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(secret, Secret::new("hunter2".into()));
        assert_ne!(secret, Secret::new("hunter3".into()));
        assert_eq!(format!("{secret:?}"), "[secret]");
    }
}
