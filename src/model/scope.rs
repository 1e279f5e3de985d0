//! The scope of an incident: one target, the prober itself, or a group of targets.
//!
//! The two scopes that are not targets appear as `(prober)` and `(group)` in JSON, in the store and
//! in the log. The configuration rejects target names that start with `(`.

use std::fmt;

use crate::model::target::TargetName;

/// The scope of an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A single target.
    Target(TargetName),
    /// A group of many targets that fail at the same time.
    Group,
    /// The prober itself, when its own problem makes probes fail.
    Prober,
}

const GROUP: &str = "(group)";
const PROBER: &str = "(prober)";

impl Scope {
    /// Parses the string that [`Scope::as_str`] returns. Any string other than `(group)` and
    /// `(prober)` is a target's name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            GROUP => Self::Group,
            PROBER => Self::Prober,
            name => Self::Target(TargetName::new(name)),
        }
    }

    /// Returns the target's name, `(group)` or `(prober)`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Target(name) => name.as_str(),
            Self::Group => GROUP,
            Self::Prober => PROBER,
        }
    }

    /// Returns the target's name; `None` if the scope is not a single target.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetName> {
        match self {
            Self::Target(name) => Some(name),
            Self::Group | Self::Prober => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_parsed_from_its_text() {
        let orders = TargetName::new("orders");
        for (scope, text) in [
            (Scope::Target(orders.clone()), "orders"),
            (Scope::Group, "(group)"),
            (Scope::Prober, "(prober)"),
        ] {
            assert_eq!(scope.to_string(), text);
            assert_eq!(Scope::parse(text), scope);
        }
        assert_eq!(Scope::Target(orders.clone()).target(), Some(&orders));
        assert_eq!(Scope::Group.target(), None);
    }
}
