//! Defines types for single values, which are checked while they are deserialized.
//!
//! Each type wraps the type that the settings use: a [`time::PositiveDuration`] contains a
//! [`Duration`](std::time::Duration), and a [`text::Arn`] contains a `String`. An error says what
//! is wrong with the value and what to write. The caller adds the location. Rules about several
//! values are in `validate`.

pub(super) mod address;
pub(super) mod expect;
pub(super) mod number;
pub(super) mod secret;
pub(super) mod text;
pub(super) mod time;
pub(super) mod url;

use serde::de::DeserializeOwned;

/// A value that is checked while it is deserialized.
pub(super) trait Checked: DeserializeOwned {
    /// The type of the value in the settings.
    type Inner;

    /// Returns the checked value.
    fn into_inner(self) -> Self::Inner;
}

impl Checked for bool {
    type Inner = Self;

    fn into_inner(self) -> Self {
        self
    }
}

impl Checked for String {
    type Inner = Self;

    fn into_inner(self) -> Self {
        self
    }
}

/// Defines types that deserialize a value of the type `Written` and convert it to `Inner` with a
/// function. The function returns an error if the value is invalid.
///
/// The syntax is `Name(Inner) from Written, function;`.
macro_rules! checked {
    ($($(#[$doc:meta])* $name:ident($inner:ty) from $written:ty, $check:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::io::config) struct $name($inner);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let written = <$written>::deserialize(deserializer)?;
                ($check)(written).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl crate::io::config::value::Checked for $name {
            type Inner = $inner;

            fn into_inner(self) -> $inner {
                self.0
            }
        }
    )+};
}

use checked;
