//! A macro for enums in which each variant has a fixed string.
//!
//! The strings are part of interfaces (label values, JSON, rules, the store), so they are written
//! out and do not change when a variant is renamed. The macro generates the list of variants and
//! the conversions. Unlike the crate `strum`, the macro generates an array `ALL` and a `const fn`
//! `as_str`.

/// Declares an enum with `ALL`, `as_str`, `parse` and `Display`.
///
/// Each variant is written as `Variant = "text"`. The caller specifies the derives,
/// which must include `Clone` and `Copy`.
macro_rules! text_enum {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$attribute])*
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// All variants, in order of declaration.
            $visibility const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Returns the variant's string.
            #[must_use]
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Returns the variant with this string; `None` if no variant has it.
            #[must_use]
            $visibility fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use text_enum;

#[cfg(test)]
mod tests {
    text_enum! {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Color {
            Red = "red",
            DarkBlue = "dark-blue",
        }
    }

    #[test]
    fn every_variant_has_a_text_that_is_parsed_back() {
        assert_eq!(Color::ALL, [Color::Red, Color::DarkBlue]);
        assert_eq!(Color::DarkBlue.as_str(), "dark-blue");
        assert_eq!(Color::Red.to_string(), "red");
        assert_eq!(Color::parse("dark-blue"), Some(Color::DarkBlue));
        assert_eq!(Color::parse("DarkBlue"), None);
    }
}
