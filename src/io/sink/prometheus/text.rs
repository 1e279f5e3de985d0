//! The text exposition format, line by line: labels, escaping, values.
//!
//! Everything that a user may write (target names, label values, titles) goes through
//! [`escape_into`]; the labels of a target are rendered once, when it is configured.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

use crate::model::target::Target;

/// Appends the samples of one family.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Lines<'a> {
    /// Lines of the family `name`, appended to `out`.
    pub(super) const fn new(out: &'a mut String, name: &'static str) -> Self {
        Self { out, name }
    }

    /// One sample with a block of labels already rendered.
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.labelled(labels, &[], value);
    }

    /// One sample with further labels.
    pub(super) fn labelled(&mut self, labels: &str, more: &[(&str, &str)], value: impl Display) {
        self.part("", labels, more, value);
    }

    /// One sample of a part of a histogram, such as `_sum`.
    pub(super) fn part(
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

/// A target's own labels, without braces: `target`, `location`, then `names` in order.
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
    fn what_would_end_a_label_is_escaped() {
        let mut out = String::new();
        let mut lines = Lines::new(&mut out, "up");
        lines.labelled("", &[("path", "C:\\new\n\"line\" ü")], 1.5);
        assert_eq!(out, "up{path=\"C:\\\\new\\n\\\"line\\\" ü\"} 1.5\n");
    }
}
