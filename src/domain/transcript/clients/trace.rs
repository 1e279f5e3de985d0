//! Reads the dumps of curl's `--trace-ascii` and `--trace`.
//!
//! A dump has sections, each with a title such as `<= Recv header, 34 bytes (0x22)`. Each line of a
//! section has an offset and the data, as text or as hexadecimal numbers and text. The text form
//! splits long lines and does not show line ends, so the offsets determine where a line of the data
//! ends.

/// The kind of a section of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) enum Kind {
    SentHeader,
    ReceivedHeader,
    ReceivedData,
    /// Sent data, or TLS records.
    Other,
}

/// A section of a trace that is being read.
#[derive(Clone, Debug)]
pub(in crate::domain::transcript) struct Dump {
    pub(in crate::domain::transcript) kind: Kind,
    text: Vec<u8>,
    /// Whether the lines of the section contain the data as hexadecimal numbers, too; `None` before
    /// the first line with data.
    is_hex: Option<bool>,
}

/// Maximum length in bytes of the data kept for a section. A line that would exceed this length is
/// dropped.
const MAX_SECTION: usize = 1 << 20;

impl Dump {
    /// Returns the section that a line starts; `None` if the line does not start a section.
    pub(in crate::domain::transcript) fn start(line: &str) -> Option<Self> {
        let kind = match line.get(..8)? {
            "=> Send " if line.starts_with("=> Send header") => Kind::SentHeader,
            "=> Send " => Kind::Other,
            "<= Recv " if line.starts_with("<= Recv header") => Kind::ReceivedHeader,
            "<= Recv " if line.starts_with("<= Recv data") => Kind::ReceivedData,
            "<= Recv " => Kind::Other,
            _ => return None,
        };
        line.contains(" bytes (").then_some(Self {
            kind,
            text: Vec::new(),
            is_hex: None,
        })
    }

    /// Reads a line of data. Returns whether the line belongs to the section.
    pub(in crate::domain::transcript) fn data(&mut self, line: &str) -> bool {
        if line.trim().is_empty() {
            return true;
        }
        let digits = line
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
            .count();
        let Some(data) = line[digits..].strip_prefix(':') else {
            return false;
        };
        let Ok(offset) = usize::from_str_radix(&line[..digits], 16) else {
            return false;
        };
        if digits < 4 || !(data.is_empty() || data.starts_with(' ')) {
            return false;
        }
        let data = data.get(1..).unwrap_or_default();
        if self.text.len() + data.len() > MAX_SECTION {
            return true;
        }
        let bytes = hex(data).filter(|_| self.is_hex != Some(false));
        if !data.is_empty() {
            self.is_hex.get_or_insert(bytes.is_some());
        }
        if let Some(bytes) = bytes {
            self.text.extend(bytes);
            return true;
        }
        // If the offset is two bytes larger than the length of the data so far, the previous line
        // had a line end, which the text form does not show.
        if offset == self.text.len() + 2 {
            self.text.extend(b"\r\n");
        }
        self.text.extend(data.bytes());
        true
    }

    /// Returns the data of the section as text.
    pub(in crate::domain::transcript) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// Returns the bytes of a line of `--trace`, which shows up to 16 bytes as hexadecimal numbers and
/// then again as text. Returns `None` for other lines.
fn hex(data: &str) -> Option<Vec<u8>> {
    let numbers = data.get(..data.len().min(HEX_COLUMNS))?;
    let words: Vec<&str> = numbers
        .split(' ')
        .take_while(|word| word.len() == 2)
        .collect();
    let shown = data.get(HEX_COLUMNS..)?;
    let bytes: Option<Vec<u8>> = words
        .iter()
        .map(|word| u8::from_str_radix(word, 16).ok())
        .collect();
    bytes.filter(|bytes| !bytes.is_empty() && bytes.len() == shown.chars().count())
}

/// Width in characters of the hexadecimal numbers of a line: 16 numbers, each with a space after
/// it.
const HEX_COLUMNS: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut lines = text.lines();
        let mut dump = Dump::start(lines.next().unwrap()).unwrap();
        for line in lines {
            assert!(dump.data(line), "{line}");
        }
        dump.text()
    }

    #[test]
    fn lines_are_joined_by_their_offsets() {
        assert_eq!(
            read("=> Send header, 44 bytes (0x2c)\n0000: GET / HTTP/1.1\n0010: Host: x\n0019:"),
            "GET / HTTP/1.1\r\nHost: x\r\n"
        );
        let long = "a".repeat(64);
        assert_eq!(
            read(&format!(
                "<= Recv data, 66 bytes (0x42)\n0000: {long}\n0040: bc"
            )),
            format!("{long}bc")
        );
    }

    #[test]
    fn hexadecimal_dumps_give_the_exact_bytes() {
        assert_eq!(
            read(
                "<= Recv header, 17 bytes (0x11)\n\
                 0000: 48 54 54 50 2f 31 2e 31 20 35 30 33 20 4f 6f 0d HTTP/1.1 503 Oo.\n\
                 0010: 0a                                              ."
            ),
            "HTTP/1.1 503 Oo\r\n"
        );
    }

    #[test]
    fn other_lines_are_no_data() {
        let mut dump = Dump::start("<= Recv data, 5 bytes (0x5)").unwrap();
        for line in ["== Info: x", "abc", "00: x", "0000x"] {
            assert!(!dump.data(line), "{line}");
        }
        assert!(Dump::start("<= Recv nothing").is_none());
    }
}
