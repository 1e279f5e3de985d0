//! Parses the lines that HTTP clients print: error messages, wget's output and the dumps of curl's
//! `--trace`.

mod assertion;
pub(super) mod aws_error;
pub(super) mod client_gone;
mod form;
pub(super) mod message;
mod message_forms;
pub(super) mod prose;
pub(super) mod source_code;
mod tool_forms;
pub(super) mod trace;
mod unrelated;
pub(super) mod wget;
mod wget_words;
pub(super) mod wrapped;
