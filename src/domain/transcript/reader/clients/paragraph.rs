//! Joins the lines of a paragraph that a program wrapped at the width of its terminal: the text
//! below a heading of Terraform and `OpenTofu`, and the warnings and errors of Ansible.

use crate::domain::transcript::clients::message;
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::pages::page::leaves_page;
use crate::domain::transcript::reader::Reader;

/// Maximum number of lines of one paragraph.
const MAX_LINES: usize = 14;

/// Maximum length in bytes of a line of a paragraph.
const MAX_LINE: usize = 400;

/// Maximum number of lines from a heading of Terraform or `OpenTofu` to the paragraph below it.
const MAX_DISTANCE: usize = 12;

/// Prefixes of the warnings and errors of Ansible.
const ANSIBLE: [&str; 3] = ["[WARNING]: ", "[ERROR]: ", "ERROR! "];

/// The paragraph that is being joined, and the heading above the next paragraph.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript::reader) struct Paragraph {
    /// The lines that were read, each with its number and its time of day in seconds since
    /// midnight (`None` if the line has no time).
    lines: Vec<(String, usize, Option<f64>)>,
    /// The number of the line with the heading; zero if there is none.
    heading: usize,
    /// Whether an empty line was read since the heading.
    is_below: bool,
}

impl Paragraph {
    /// Returns whether a line may start a paragraph. If the line is a heading, records its number
    /// and returns false, because the paragraph starts below the heading.
    fn starts(&mut self, line: &str, number: usize) -> bool {
        if line.starts_with("Error: ") || line.starts_with("Warning: ") {
            (self.heading, self.is_below) = (number, false);
            return false;
        }
        if ANSIBLE.iter().any(|start| line.starts_with(start)) {
            return true;
        }
        let is_near = self.heading > 0 && number <= self.heading + MAX_DISTANCE;
        if is_near && is_blank(line) {
            self.is_below = true;
            return false;
        }
        let starts = is_near && self.is_below && !line.starts_with([' ', '\t', '{', '[', '<']);
        if starts {
            self.heading = 0;
        }
        starts
    }

    /// Returns whether a line may belong to the paragraph that was started.
    fn fits(&self, line: &str) -> bool {
        let bare = without_number(line);
        !is_blank(line)
            && !line.starts_with([' ', '\t', '{', '<'])
            && line.len() <= MAX_LINE
            && self.lines.len() < MAX_LINES
            && !ANSIBLE.iter().any(|start| bare.starts_with(start))
            && !leaves_page(line)
    }
}

impl Reader {
    /// Adds a line to the paragraph that is being joined, or starts a paragraph. Returns whether
    /// the line belongs to a paragraph.
    pub(in crate::domain::transcript::reader) fn join_paragraph_line(
        &mut self,
        line: &str,
        stamp: Option<f64>,
        number: usize,
    ) -> bool {
        if !self.paragraph.lines.is_empty() {
            if self.paragraph.fits(line) {
                self.paragraph.lines.push((line.to_owned(), number, stamp));
                return true;
            }
            self.end_paragraph();
        }
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        let is_free = self.page.is_none() && self.dump.is_none() && !self.object.is_open();
        if !is_outside || !is_free || self.wrapped.is_some() || self.is_write_out() {
            return false;
        }
        let starts = line.len() <= MAX_LINE && self.paragraph.starts(line, number);
        if starts {
            self.paragraph.lines.push((line.to_owned(), number, stamp));
        }
        starts
    }

    /// Ends the paragraph that is being joined, and reads it. The lines that are not part of a
    /// wrapped message are read one by one.
    pub(in crate::domain::transcript::reader) fn end_paragraph(&mut self) {
        let mut lines = std::mem::take(&mut self.paragraph.lines);
        if let Some((count, text)) = joined(&lines) {
            let (_, number, stamp) = lines[0];
            self.plain(&text, stamp, number);
            lines.drain(..count);
        }
        for (line, number, stamp) in lines {
            self.plain(&line, stamp, number);
        }
    }
}

/// Returns the number of lines of the wrapped message at the start of `lines`, and the message in
/// one line; `None` if the lines do not start with a wrapped message.
fn joined(lines: &[(String, usize, Option<f64>)]) -> Option<(usize, String)> {
    let has_numbers = has_numbers(lines);
    let bare: Vec<&str> = lines
        .iter()
        .map(|(line, _, _)| {
            if has_numbers {
                without_number(line)
            } else {
                line
            }
        })
        .map(str::trim)
        .collect();
    (2..=bare.len()).rev().find_map(|count| {
        let part = &bare[..count];
        if !is_wrapped(part) {
            return None;
        }
        let text = part.join(" ");
        message::read(&text).is_some().then_some((count, text))
    })
}

/// Returns whether each line but the last is so long that the first word of the next line would not
/// fit on it.
fn is_wrapped(lines: &[&str]) -> bool {
    let length = |text: &str| text.chars().count();
    let width = lines.iter().map(|line| length(line)).max().unwrap_or(0);
    lines.windows(2).all(|pair| {
        let word = pair[1].split(' ').next().unwrap_or_default();
        length(pair[0]) + 1 + length(word) > width
    })
}

/// Returns whether there are at least three lines and all but the first start with consecutive
/// numbers, as in a log that was copied from the page of a CI job with line numbers.
fn has_numbers(lines: &[(String, usize, Option<f64>)]) -> bool {
    let number = |line: &str| -> Option<usize> {
        let digits = line.len() - without_number(line).len();
        line[..digits].parse().ok()
    };
    let numbers = lines.iter().skip(1).map(|(line, _, _)| number(line));
    let numbers: Option<Vec<usize>> = numbers.collect();
    numbers.is_some_and(|it| it.len() > 1 && it.windows(2).all(|pair| pair[0] + 1 == pair[1]))
}

fn without_number(line: &str) -> &str {
    line.trim_start_matches(|letter: char| letter.is_ascii_digit())
}

/// Returns whether a line is empty, apart from the vertical line that Terraform draws on the left.
fn is_blank(line: &str) -> bool {
    line.trim_matches(['\u{2502}', ' ', '\t']).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<usize> {
        let lines = text.lines().enumerate();
        let lines: Vec<_> = lines
            .map(|(at, line)| (line.to_owned(), at + 1, None))
            .collect();
        joined(&lines).map(|(count, _)| count)
    }

    #[test]
    fn only_full_lines_are_joined() {
        let wrapped = "Could not read the list, please try again: Get\n\
            \"https://registry.example.com/v1/x\": net/http: request\ncanceled while waiting";
        assert_eq!(count(wrapped), Some(3));
        let short = "It failed.\nGet \"https://registry.example.com/v1/x\": EOF\nSorry.";
        assert_eq!(count(short), None);
        let numbered = "[WARNING]: - a.role was NOT installed successfully: (HTTP\n\
            12Code: 503, Message: Service Unavailable)\n13ERROR! - you can use --x";
        assert_eq!(count(numbered), Some(2));
    }
}
