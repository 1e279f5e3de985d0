//! Reads one source file: its imports, macros, length, and head comment.
//!
//! Scans the text without parsing it. Comments, literals and test items are replaced by
//! blanks, which keeps line numbers; every path (with `use` groups expanded) is read from
//! the rest.

/// One file of the crate.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path relative to the project, with forward slashes: `src/io/sink/page.rs`.
    pub(crate) path: String,
    /// Module path: `["io", "sink", "page"]`; empty for `lib.rs` and `main.rs`.
    pub(crate) module: Vec<String>,
    /// Whether the file starts with a `//!` comment.
    pub(crate) has_head_comment: bool,
    /// All lines: code, comments and tests.
    pub(crate) lines: usize,
    /// Lines of code, without blank lines, comments and tests.
    pub(crate) code_lines: usize,
    /// Paths outside tests, each with its line number.
    pub(crate) paths: Vec<(usize, Vec<String>)>,
    /// Macros called outside tests, each with its line number.
    pub(crate) macros: Vec<(usize, String)>,
    /// Modules declared under `#[cfg(test)]`; their files are not code.
    pub(crate) test_modules: Vec<String>,
}

impl Source {
    /// Reads a file of the crate whose root folder is `root`, such as `src`.
    pub(crate) fn read(root: &str, path: &str, text: &str) -> Self {
        let (code, test_modules) = without_tests(&without_comments(text));
        let tokens = tokens(&code);
        let (paths, macros) = paths(&tokens);
        let module = module(root, path);
        Self {
            path: path.to_owned(),
            paths: paths
                .into_iter()
                .map(|(line, path)| (line, absolute(&module, path, root == "src")))
                .collect(),
            module,
            has_head_comment: text.starts_with("//!"),
            lines: text.lines().count(),
            code_lines: code.lines().filter(|line| !line.trim().is_empty()).count(),
            macros,
            test_modules,
        }
    }

    /// Paths into this crate; each starts with `crate`.
    pub(crate) fn inner_paths(&self) -> impl Iterator<Item = &(usize, Vec<String>)> {
        let inner = |path: &[String]| path.len() > 1 && path[0] == "crate";
        self.paths.iter().filter(move |(_, path)| inner(path))
    }

    /// The folder of the crate that the file is in; `main.rs` counts as part of `cli`.
    pub(crate) fn layer(&self) -> Option<&str> {
        match (self.module.first(), self.path.as_str()) {
            (Some(layer), _) => Some(layer),
            (None, "src/main.rs") => Some("cli"),
            (None, _) => None,
        }
    }
}

fn module(root: &str, path: &str) -> Vec<String> {
    let inner = path.strip_prefix(root).unwrap_or(path);
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    let last = parts.last().map_or("", String::as_str);
    if last == "mod" || (parts.len() == 1 && (last == "lib" || last == "main")) {
        parts.pop();
    }
    parts
}

/// Rewrites `super::`, `self::` and, inside the library, `probecause::` to `crate::`.
fn absolute(module: &[String], path: Vec<String>, library: bool) -> Vec<String> {
    let climbs = path.iter().take_while(|part| *part == "super").count();
    let begins = match path.first().map(String::as_str) {
        Some("super") => module.len().saturating_sub(climbs),
        Some("self") => module.len(),
        Some("probecause") if library => 0,
        _ => return path,
    };
    let rest = path.into_iter().skip(climbs.max(1));
    std::iter::once("crate".to_owned())
        .chain(module[..begins].iter().cloned())
        .chain(rest)
        .collect()
}

/// Replaces comments by blanks and literals by quotes; line breaks stay.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, fill) = if rest.starts_with(b"//") {
            (
                rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
                ' ',
            )
        } else if rest.starts_with(b"/*") {
            (block_comment(rest), ' ')
        } else if let Some(length) = literal(rest, at.checked_sub(1).map(|before| bytes[before])) {
            (length, '"')
        } else {
            out.push(if bytes[at].is_ascii() {
                bytes[at] as char
            } else {
                '_'
            });
            at += 1;
            continue;
        };
        for &byte in &rest[..length] {
            out.push(if byte == b'\n' { '\n' } else { fill });
        }
        at += length;
    }
    out
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// Length in bytes of the string or character literal at the start of `rest`, if any.
fn literal(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let prefix = rest
        .iter()
        .take_while(|&&b| b == b'b' || b == b'c' || b == b'r')
        .count();
    if prefix > 0 && (in_word || prefix > 2) {
        return None;
    }
    let body = &rest[prefix..];
    let hashes = body.iter().take_while(|&&b| b == b'#').count();
    if rest[..prefix].contains(&b'r') && body.get(hashes) == Some(&b'"') {
        let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
        let inner = &body[hashes + 1..];
        let end = inner.windows(close.len()).position(|part| part == close)?;
        return Some(prefix + hashes + 1 + end + close.len());
    }
    match body.first()? {
        b'"' => Some(prefix + quoted(body, b'"')?),
        // A lifetime has no closing quote after one character.
        b'\'' if body.get(1) == Some(&b'\\') => Some(prefix + quoted(body, b'\'')?),
        b'\'' => {
            let character = std::str::from_utf8(body).ok()?.chars().nth(1)?;
            let end = 1 + character.len_utf8();
            (body.get(end) == Some(&b'\'')).then_some(prefix + end + 1)
        }
        _ => None,
    }
}

fn quoted(body: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    while *body.get(at)? != quote {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    Some(at + 1)
}

/// Replaces every item under `#[cfg(test)]` by blanks; returns the modules declared so.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    let mut modules = Vec::new();
    while let Some(begin) = out.find(MARK) {
        let item = &out[begin + MARK.len()..];
        let stop = item.find(['{', ';']).unwrap_or(item.len());
        let mut end = stop + 1;
        if item[stop..].starts_with('{') {
            let mut depth = 0_usize;
            for (at, byte) in item.bytes().enumerate().skip(stop) {
                depth = match byte {
                    b'{' => depth + 1,
                    b'}' => depth - 1,
                    _ => depth,
                };
                if depth == 0 {
                    end = at + 1;
                    break;
                }
            }
        } else if let Some((_, name)) = item[..stop].rsplit_once("mod ") {
            modules.push(name.trim().to_owned());
        }
        let end = (begin + MARK.len() + end).min(out.len());
        let blank: String = out[begin..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(begin..end, &blank);
    }
    (out, modules)
}

/// Splits code into words, `::`, and single characters, each with its line number.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            tokens.push((number, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

type Paths = Vec<(usize, Vec<String>)>;

fn paths(tokens: &[(usize, &str)]) -> (Paths, Vec<(usize, String)>) {
    let mut paths = Vec::new();
    let mut macros = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = tokens[at];
        if !is_word(token) {
            at += 1;
        } else if tokens.get(at + 1).is_some_and(|next| next.1 == "!") {
            macros.push((line, token.to_owned()));
            at += 2;
        } else {
            at = path(tokens, at, &[], &mut paths);
        }
    }
    (paths, macros)
}

/// Reads the path that starts at token `begin`, with its group expanded; returns the index
/// of the token after it.
fn path(tokens: &[(usize, &str)], begin: usize, prefix: &[String], out: &mut Paths) -> usize {
    let line = tokens[begin].0;
    let mut parts = prefix.to_vec();
    parts.push(tokens[begin].1.to_owned());
    let mut at = begin + 1;
    while tokens.get(at).is_some_and(|token| token.1 == "::") {
        match tokens.get(at + 1) {
            Some((_, word)) if is_word(word) => parts.push((*word).to_owned()),
            Some((_, "{")) => return group(tokens, at + 2, &parts, out),
            // Turbofish or glob: the path as far as it is known.
            _ => break,
        }
        at += 2;
    }
    if parts.len() > 1 {
        out.push((line, parts));
    }
    at
}

fn group(tokens: &[(usize, &str)], begin: usize, prefix: &[String], out: &mut Paths) -> usize {
    let mut at = begin;
    while let Some(&(line, token)) = tokens.get(at) {
        match token {
            "}" => return at + 1,
            "self" => out.push((line, prefix.to_vec())),
            "as" => at += 1,
            word if is_word(word) => {
                at = path(tokens, at, prefix, out);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}
