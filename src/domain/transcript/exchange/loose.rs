//! Reads the output of curl's `-w` if no headers precede it, and the body above this output.

use super::Exchange;
use super::response::RawResponse;
use crate::domain::transcript::body::without_labels;
use crate::domain::transcript::time::clocks::Clock;
use crate::domain::transcript::time::trailer::{self, Trailer};

/// Maximum number of lines after the output of `-w`, such as a prompt or a sentence, that are
/// skipped.
const MAX_AFTER: usize = 40;

/// Maximum length of [`Exchange::loose`] in bytes if the command has no option `-w`.
const MAX_LOOSE: usize = 4_096;

/// Maximum length of [`Exchange::loose`] in bytes if the command has the option `-w`. The output
/// may then contain a body.
const MAX_OUTPUT: usize = 65_536;

/// The output of a command: the body, the values that curl's `-w` printed, and the text after them.
#[derive(Debug, PartialEq)]
struct Output<'a> {
    body: &'a str,
    trailer: Trailer,
    /// The text after the values that `-w` printed.
    after: &'a str,
}

impl Exchange {
    /// Adds a line of unrecognized output to [`Exchange::loose`]. A line that would exceed the
    /// maximum length is dropped.
    pub(in crate::domain::transcript) fn unrecognized(&mut self, line: &str) {
        let command = self.command.as_ref();
        let has_output = command.is_some_and(|command| command.write_out.is_some());
        let limit = if has_output { MAX_OUTPUT } else { MAX_LOOSE };
        if self.loose.len() + line.len() < limit {
            self.loose.push_str(line);
            self.loose.push('\n');
        }
    }

    /// Reads the unrecognized output of a command as the output of curl's `-w`.
    pub(in crate::domain::transcript) fn read_loose_output(&mut self) {
        let Some(command) = &mut self.command else {
            return;
        };
        let (hides_body, prints_file) = (command.hides_body, command.prints_file);
        // The format is removed, so that `settle` does not search the body for the output of `-w`
        // again.
        let format = command.write_out.take();
        let text = std::mem::take(&mut self.loose);
        let output = split(&text, format.as_deref());
        if let Some(time) = output.trailer.time {
            self.times.set(Clock::Client, time);
        }
        let Some(status) = output.trailer.status else {
            return;
        };
        let body = match (hides_body, prints_file) {
            (false, _) if format.is_some() => output.body.trim(),
            (true, true) => output.after.trim(),
            _ => "",
        };
        let mut response = RawResponse::of_status(status, None);
        response.is_cut = body.is_empty();
        response.raw_body(body);
        self.response = Some(response);
    }
}

/// Splits the output of a command into the body, the values that `-w` printed, and the text after
/// these values.
fn split<'a>(text: &'a str, format: Option<&str>) -> Output<'a> {
    let text = text.trim_end();
    let mut end = text.len();
    for _ in 0..=MAX_AFTER {
        let Some(format) = format else { break };
        if let Some((at, trailer)) = trailer::by_format(&text[..end], format)
            && trailer != Trailer::default()
        {
            return Output {
                body: &text[..at],
                trailer,
                after: &text[end..],
            };
        }
        let Some(at) = text[..end].rfind('\n') else {
            break;
        };
        end = at;
    }
    let (body, _) = without_labels(text);
    // Without `-w`, labels such as `code="503"` are part of the body.
    let trailer = match format {
        Some(_) => trailer::labeled(text),
        None => by_variables(text),
    };
    Output {
        body,
        trailer,
        after: "",
    }
}

/// Returns the values in the lines that contain the name of a variable of `-w`, such as
/// `time_total`.
fn by_variables(text: &str) -> Trailer {
    let names = ["time_total", "http_code", "response_code"];
    let has_name = |line: &&str| names.iter().any(|name| line.contains(name));
    trailer::labeled(&text.lines().filter(has_name).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_above_the_output_of_write_out_is_split_off() {
        for (text, format, body, status) in [
            (
                "{}\n503 0.1\n",
                "\\n%{http_code} %{time_total}\\n",
                "{}",
                503,
            ),
            ("{\"a\":1}502", "%{http_code}\\n", "{\"a\":1}", 502),
            (
                "no\nHTTP 403\n\nWhy?\n$",
                "\\nHTTP %{http_code}\\n",
                "no",
                403,
            ),
            ("503", "%{http_code}", "", 503),
            (
                "<p>no</p>\nstatus: 503\ntime_total: 1.5",
                "?",
                "<p>no</p>",
                503,
            ),
        ] {
            let output = split(text, Some(format));
            let found = (output.body.trim(), output.trailer.status);
            assert_eq!(found, (body, Some(status)), "{text}");
        }
    }

    #[test]
    fn labels_without_write_out_are_body() {
        for (text, status) in [
            ("requests_total{code=\"503\"} 12", None),
            ("Status 429: slow down.", None),
            ("http_code: 503\ntime_total: 1.5", Some(503)),
        ] {
            assert_eq!(split(text, None).trailer.status, status, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_printed_after_the_status_is_the_body() {
        let output = split("503\n{\"a\":1}", Some("%{http_code}\\n"));
        assert_eq!(output.after.trim(), "{\"a\":1}");
    }
}
