//! Recognizes bodies of responses that a text shows without the headers above them, and infers
//! their status.

pub(super) mod heading;
pub(super) mod known_body;
pub(super) mod page;
