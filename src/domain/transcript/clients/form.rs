//! Describes a form in which an error message states a status. `message_forms` and `tool_forms`
//! list the forms.

/// A form of a message that states a status. The first group of `expression` captures the status,
/// and the second group, if there is one, captures the text after the status.
pub(super) struct Form {
    /// A text that every line in this form contains. `expression`, which is slower to test, is
    /// tested only on lines with this text.
    pub(super) sign: &'static str,
    pub(super) expression: &'static str,
    /// Whether the form counts only if the line is an error message (see `message_forms::status`).
    pub(super) needs_error: bool,
    /// Whether the line may be a sentence instead of an error message.
    pub(super) is_weak: bool,
}
