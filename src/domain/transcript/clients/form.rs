//! Describes a form in which an error message states a status. `message_forms` and `tool_forms`
//! list the forms.

/// A form of a message that states a status.
pub(super) struct Form {
    /// A text that every line in this form contains. Lines without the text are skipped quickly.
    pub(super) sign: &'static str,
    pub(super) expression: &'static str,
    /// Whether the form counts only if the line is an error message (see `message_forms::status`).
    pub(super) needs_error: bool,
    /// Whether the line may be a sentence instead of an error message.
    pub(super) is_weak: bool,
}
