//! Decodes the bytes of a file to text: UTF-8 or UTF-16, with or without a byte order mark.
//!
//! `PowerShell` 5.1 writes redirected output as UTF-16, and editors on Windows add a byte order
//! mark to UTF-8. Bytes that are invalid in the encoding become U+FFFD, and an odd last byte of
//! UTF-16 is dropped, so decoding cannot fail.

use std::borrow::Cow;

/// Number of bytes at the start of a file that are examined to recognize UTF-16 without a byte
/// order mark.
const SAMPLE: usize = 512;

/// Decodes the bytes of a file to text.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ if zeros(bytes, 1) => Cow::Owned(utf16(bytes, u16::from_le_bytes)),
        _ if zeros(bytes, 0) => Cow::Owned(utf16(bytes, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Returns whether most bytes at even (`first` = 0) or odd (`first` = 1) positions are zero and
/// most other bytes are not, as in UTF-16 with Latin letters.
fn zeros(bytes: &[u8], first: usize) -> bool {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let share = |first: usize| {
        let places = sample.iter().skip(first).step_by(2);
        let all = places.len();
        (places.filter(|byte| **byte == 0).count(), all)
    };
    let ((zero, all), (other, _)) = (share(first), share(1 - first));
    all > 1 && zero * 2 > all && other * 8 < all
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "HTTP/1.1 503 \u{20ac}\n";
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            [&[0xFF, 0xFE], little.as_slice()].concat(),
            [&[0xFE, 0xFF], big.as_slice()].concat(),
            little,
            big,
        ] {
            assert_eq!(decode(&bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        assert_eq!(decode(b"a\xFFb"), "a\u{FFFD}b");
        assert_eq!(decode(b"\xFF\xFE\x00\xD8\x41"), "\u{FFFD}");
        assert_eq!(decode(b""), "");
        assert_eq!(decode(&[0; 3]), "\0\0\0");
    }
}
