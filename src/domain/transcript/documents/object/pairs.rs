//! Reads names and values from the dump of an object, in the notation of several languages.
//!
//! JavaScript: `server: 'x', 'content-type': [ 'y' ]`, `'a' => { name: 'a', value: 'b' }`;
//! Python: `{'Server': 'x'}`, `[('server', 'x')]`; `PowerShell`: `{[Server, x], [Date, y]}`;
//! Go: `map[Server:[x] Date:[y]]`; Java: `{server=[x], date=[y]}`; .NET: `Server: x`.

use crate::domain::transcript::exchange::response::header_of;

/// Returns the lowercase names and the values in a part of a dump.
pub(super) fn read(text: &str) -> Vec<(String, String)> {
    let text = text.trim().trim_end_matches(',');
    if !text.contains(['\'', '"', '`']) && !text.contains("[") {
        let plain = header_of(text).filter(|(_, value)| !value.is_empty());
        return plain
            .map(|(name, value)| (name, value.to_owned()))
            .into_iter()
            .collect();
    }
    if text.contains("=[") && !text.contains(['\'', '"']) {
        return java_map(text);
    }
    if text.contains("[") && !text.contains(['\'', '"']) {
        let go = go_map(text);
        return if go.is_empty() {
            read_powershell(text)
        } else {
            go
        };
    }
    read_quoted(text)
}

/// Maximum number of pairs read from one line.
const MAX_PAIRS: usize = 200;

/// Reads the pairs of a Go map: `map[Name:[value] Name:[value value]]`.
pub(super) fn go_map(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.split_once("map[").map_or(text, |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once(":[") {
        let name = name.trim_start_matches([']', ' ']);
        let end = after
            .find("] ")
            .or_else(|| after.find("]]"))
            .unwrap_or(after.len());
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_name || pairs.len() == MAX_PAIRS {
            break;
        }
        pairs.push((name.to_ascii_lowercase(), after[..end].to_owned()));
        rest = &after[end..];
    }
    pairs
}

/// Reads the pairs of a Java map: `{name=[value], name=[value, value]}`.
fn java_map(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("=[") {
        let name = before.rsplit(['{', ' ', ',']).next().unwrap_or_default();
        let end = after.find(']').unwrap_or(after.len());
        pairs.push((name.to_ascii_lowercase(), after[..end].to_owned()));
        rest = &after[end..];
        if pairs.len() == MAX_PAIRS {
            break;
        }
    }
    pairs
}

/// Reads the pairs of a `PowerShell` dictionary: `{[Name, value], [Name, value]}`.
fn read_powershell(text: &str) -> Vec<(String, String)> {
    let parts = text.split('[').skip(1).take(MAX_PAIRS);
    parts
        .filter_map(|part| {
            let (name, value) = part.split_once(", ")?;
            let (value, _) = value.split_once(']')?;
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_name.then(|| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect()
}

/// Reads pairs of a name and a value, each quoted or bare.
fn read_quoted(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut name: Option<String> = None;
    let mut header: Option<String> = None;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let (token, after) = match letter {
            '\'' | '"' | '`' => string(rest),
            letter if letter.is_ascii_alphanumeric() || "-_$.".contains(letter) => {
                let length = rest
                    .bytes()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_$.".contains(byte))
                    .count();
                (rest[..length].to_owned(), &rest[length..])
            }
            // An object or a tuple starts or ends here, so the current name has no scalar value.
            '{' | '}' | ')' => {
                name = None;
                rest = &rest[1..];
                continue;
            }
            letter => {
                rest = &rest[letter.len_utf8()..];
                continue;
            }
        };
        rest = after;
        // This is the prefix of a bytes literal in Python.
        if token == "b" && rest.starts_with(['\'', '"']) {
            continue;
        }
        let next = rest.trim_start();
        if next.starts_with(':') || next.starts_with("=>") {
            name = Some(token);
        } else if let Some(name) = name.take() {
            match name.as_str() {
                "name" | "Name" | "key" | "Key" => header = Some(token),
                "value" | "Value" => {
                    pairs.extend(
                        header
                            .take()
                            .map(|header| (header.to_ascii_lowercase(), token)),
                    );
                }
                _ => pairs.push((name.to_ascii_lowercase(), token)),
            }
        } else if next.starts_with(',')
            && text.contains("('") | text.contains("(b'") | text.contains("(\"")
        {
            name = Some(token);
        }
        if pairs.len() == MAX_PAIRS {
            break;
        }
    }
    pairs
}

/// Returns the quoted string at the start of a text, with its escape sequences decoded and without
/// its quotes, and the text after the string. A string without a closing quote ends at the end of
/// the text.
pub(super) fn string(text: &str) -> (String, &str) {
    let mut letters = text.char_indices();
    let Some((_, quote)) = letters.next() else {
        return (String::new(), text);
    };
    let mut out = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next().map(|(_, next)| next) {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(next) => out.push(next),
                None => {}
            },
            letter if letter == quote => return (out, &text[at + letter.len_utf8()..]),
            letter => out.push(letter),
        }
    }
    (out, "")
}

/// Converts an object in the notation of JavaScript or Python to JSON text. Puts names and strings
/// in double quotes, and replaces literals such as `None`.
pub(in crate::domain::transcript) fn to_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match letter {
            '\'' | '"' | '`' => {
                let (token, after) = string(rest);
                push_string(&mut out, &token);
                rest = after;
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' || letter == '$' => {
                let length = rest
                    .bytes()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte))
                    .count();
                let word = &rest[..length];
                rest = &rest[length..];
                match word {
                    word if rest.starts_with(':') => push_string(&mut out, word),
                    "undefined" | "None" => out.push_str("null"),
                    "True" => out.push_str("true"),
                    "False" => out.push_str("false"),
                    word => out.push_str(word),
                }
            }
            letter => {
                out.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    out
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_in_every_notation() {
        for text in [
            "server: 'x', 'content-type': 'y'",
            "{'Server': 'x', 'Content-Type': 'y'}",
            "Headers([('server', 'x'), ('content-type', 'y')])",
            "[(b'Server', b'x'), (b'Content-Type', b'y')]",
            "\"server\": \"x\", \"content-type\": [\"y\"],",
            "server: [ 'x' ], 'content-type': [ 'y' ]",
            "'server' => { name: 'server', value: 'x' }, 'b' => { name: 'content-type', value: 'y' }",
            "{\"name\": \"Server\", \"value\": \"x\"}, {\"name\": \"Content-Type\", \"value\": \"y\"}",
            "{[Server, x], [Content-Type, y]}",
            "map[Server:[x] Content-Type:[y]]",
            "{ {server=[x], content-type=[y]} }",
        ] {
            let expected = [("server", "x"), ("content-type", "y")];
            let found = read(text);
            let found: Vec<_> = found
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(
            read("Date: Tue, 20 May 2025"),
            [("date".to_owned(), "Tue, 20 May 2025".to_owned())]
        );
    }

    #[test]
    fn objects_become_json() {
        for (text, json) in [
            (
                "{ message: 'Internal \"x\"' }",
                "{ \"message\": \"Internal \\\"x\\\"\" }",
            ),
            (
                "{'a': None, 'b': True, c: undefined, d: 1}",
                "{\"a\": null, \"b\": true, \"c\": null, \"d\": 1}",
            ),
        ] {
            assert_eq!(to_json(text), json);
        }
    }
}
