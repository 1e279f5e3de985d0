//! Holds the heading of an error page that a browser shows as text.

/// The first part of a page, which counts only if another part of the page follows.
#[derive(Clone, Debug)]
pub(in crate::domain::transcript) struct Heading {
    /// The number of the line with the heading.
    pub(in crate::domain::transcript) line: usize,
    /// The status that the heading states or implies.
    pub(in crate::domain::transcript) status: u16,
    /// The reason in the heading.
    pub(in crate::domain::transcript) text: String,
    /// The code of Cloudflare in the heading.
    pub(in crate::domain::transcript) code: Option<u16>,
}
