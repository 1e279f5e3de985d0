//! Parses the lines that HTTP clients print: error messages, wget's output and the dumps of curl's
//! `--trace`.

pub(super) mod client_gone;
pub(super) mod message;
mod message_forms;
pub(super) mod source_code;
pub(super) mod trace;
pub(super) mod wget;
mod wget_words;
pub(super) mod wrapped;
