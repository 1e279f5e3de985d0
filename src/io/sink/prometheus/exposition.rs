//! Writes samples in Prometheus's text exposition format.
//!
//! Label values are escaped, because users choose target names, labels and titles. A target's
//! labels are rendered when the target is configured, and not at each scrape.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

use crate::model::target::Target;

/// A writer that appends the samples of one metric family to a string.
#[derive(Debug)]
pub(super) struct SampleWriter<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> SampleWriter<'a> {
    /// Creates a writer for the family `name` that appends to `out`.
    pub(super) const fn new(out: &'a mut String, name: &'static str) -> Self {
        Self { out, name }
    }

    /// Writes a sample with rendered labels, such as the output of [`label_block`].
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.sample_with(labels, &[], value);
    }

    /// Writes a sample with rendered labels and the additional labels `more`.
    pub(super) fn sample_with(&mut self, labels: &str, more: &[(&str, &str)], value: impl Display) {
        self.sample_part("", labels, more, value);
    }

    /// Writes a sample with `suffix` appended to the family's name, such as `_sum` for the sum of a
    /// histogram.
    pub(super) fn sample_part(
        &mut self,
        suffix: &str,
        labels: &str,
        more: &[(&str, &str)],
        value: impl Display,
    ) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        self.out.push('{');
        self.out.push_str(labels);
        for (place, (name, text)) in more.iter().enumerate() {
            if place > 0 || !labels.is_empty() {
                self.out.push(',');
            }
            pair_into(self.out, name, text);
        }
        self.out.push_str("} ");
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
        self.out.push('\n');
    }
}

/// Renders a target's labels without braces: `target`, `location`, then the configured labels with
/// the names `names`, in this order. A label that the target does not set has an empty value.
pub(super) fn label_block(target: &Target, location: &str, names: &BTreeSet<&str>) -> Box<str> {
    let mut out = String::new();
    pair_into(&mut out, "target", target.name.as_str());
    out.push(',');
    pair_into(&mut out, "location", location);
    for name in names {
        out.push(',');
        let value = target.labels.get(*name).map_or("", String::as_str);
        pair_into(&mut out, name, value);
    }
    out.into_boxed_str()
}

fn pair_into(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    escape_into(out, value);
    out.push('"');
}

fn escape_into(out: &mut String, value: &str) {
    if !value
        .bytes()
        .any(|byte| matches!(byte, b'\\' | b'"' | b'\n'))
    {
        out.push_str(value);
        return;
    }
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_in_label_values_are_escaped() {
        let mut out = String::new();
        let mut writer = SampleWriter::new(&mut out, "up");
        writer.sample_with("", &[("path", "C:\\new\n\"line\" ü")], 1.5);
        assert_eq!(out, "up{path=\"C:\\\\new\\n\\\"line\\\" ü\"} 1.5\n");
    }
}
