//! Holds the heading of an error page whose text was copied from a browser.

/// The heading of an error page in text that was copied from a browser. The heading counts as a
/// response only if another part of the page follows.
#[derive(Clone, Debug)]
pub(in crate::domain::transcript) struct Heading {
    /// The number of the line with the heading.
    pub(in crate::domain::transcript) line: usize,
    /// The status that the heading states or implies.
    pub(in crate::domain::transcript) status: u16,
    /// The reason in the heading; for a page of Cloudflare, the whole line.
    pub(in crate::domain::transcript) text: String,
    /// The error code of Cloudflare in the heading; `None` for other pages.
    pub(in crate::domain::transcript) code: Option<u16>,
}
