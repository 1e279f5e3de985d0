//! Parses responses that a text contains as JSON documents (including HAR files) or as printed
//! objects of a program.

pub(super) mod json_doc;
pub(super) mod object;
