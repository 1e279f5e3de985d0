//! Parses responses that a text shows as data: JSON documents, HAR files, and dumps of the objects
//! of a program.

pub(super) mod json_doc;
pub(super) mod object;
