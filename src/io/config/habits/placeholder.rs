//! Finds variables and template expressions, which other tools replace but this program does not.

/// The opening mark and the closing mark of each kind of expression, and the text that is displayed
/// for an expression other than a plain variable. This text contains only the marks, because the
/// text between the marks may contain a secret, such as a default value.
const MARKS: [(&str, &str, &str); 6] = [
    ("${", "}", "${…}"),
    ("$(", ")", "$(…)"),
    ("$[", "]", "$[…]"),
    ("{{", "}}", "{{…}}"),
    ("<%", "%>", "<%…%>"),
    ("%{", "}", "%{…}"),
];

/// A variable or expression in a text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::io::config) struct Placeholder {
    /// The expression as shown in messages, such as `${HOST}` for `${HOST:-x}`.
    pub(in crate::io::config) shown: String,
    /// The name of the variable, or `NAME` if the expression is not a plain variable.
    pub(in crate::io::config) variable: String,
}

/// Returns the first expression in marks such as `${…}`, or else the first variable without marks,
/// such as `$HOST`. Returns `None` if the text contains neither.
pub(in crate::io::config) fn placeholder(text: &str) -> Option<Placeholder> {
    let marks = MARKS.iter().filter_map(|(open, close, shown)| {
        let start = text.find(open)?;
        let rest = &text[start + open.len()..];
        let inner = &rest[..rest.find(close)?];
        Some((start, found(open, close, inner, shown)))
    });
    marks
        .min_by_key(|(start, _)| *start)
        .map(|(_, found)| found)
        .or_else(|| bare(text))
}

/// Finds a variable or expression in a URL, including `{name}`, `<name>` and `%name%`.
pub(in crate::io::config) fn placeholder_in_url(text: &str) -> Option<Placeholder> {
    let between = |mark: &str, close: &str, shown: &str| {
        let start = text.find(mark)? + mark.len();
        let inner = &text[start..start + text[start..].find(close)?];
        is_name(inner).then(|| found(mark, close, inner, shown))
    };
    placeholder(text)
        .or_else(|| between("{", "}", "{…}"))
        .or_else(|| between("<", ">", "<…>"))
        .or_else(|| percent_signs(text))
}

/// Finds `%NAME%` in a URL. Ignores the text between two percent signs that both start
/// percent-encoded bytes.
fn percent_signs(text: &str) -> Option<Placeholder> {
    let is_escape = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    text.match_indices('%').find_map(|(start, _)| {
        let inner = &text[start + 1..];
        let inner = &inner[..inner.find('%')?];
        let is_encoded = is_escape(start) && is_escape(start + 1 + inner.len());
        (!is_encoded && is_name(inner)).then(|| found("%", "%", inner, "%…%"))
    })
}

fn found(open: &str, close: &str, inner: &str, shown: &str) -> Placeholder {
    // A default value after the name (`${HOST:-x}`) is not shown.
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name = &inner[..end.unwrap_or(inner.len())];
    let is_variable = open == "${" && is_name(name);
    if is_variable || is_name(inner) && !open.starts_with("$(") {
        let name = if is_variable { name } else { inner };
        return Placeholder {
            shown: format!("{open}{name}{close}"),
            variable: name.to_owned(),
        };
    }
    Placeholder {
        shown: shown.to_owned(),
        variable: "NAME".to_owned(),
    }
}

/// Finds a variable without braces, such as `$HOST`. Its name must be in upper case and have at
/// least two characters.
fn bare(text: &str) -> Option<Placeholder> {
    text.match_indices('$').find_map(|(start, _)| {
        let before = text[..start].chars().next_back();
        let rest = &text[start + 1..];
        let end = rest.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        let is_free = before.is_none_or(|c| !c.is_ascii_alphanumeric());
        (is_free && name.len() > 1 && is_name(name)).then(|| Placeholder {
            shown: format!("${name}"),
            variable: name.to_owned(),
        })
    })
}

fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 40 && text.starts_with(first) && text.chars().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = placeholder_in_url(text).map(|found| found.shown);
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn variables_and_expressions_are_found_without_their_content() {
        check("https://${HOST}/", Some("${HOST}"));
        check("https://${HOST:-hunter2}/", Some("${HOST}"));
        check("https://$HOST/a", Some("$HOST"));
        check("https://$(cat hunter2)/", Some("$(…)"));
        check("https://$(HOST)/", Some("$(…)"));
        check("https://{{ .Values.host }}/", Some("{{…}}"));
        check("https://{{host}}/", Some("{{host}}"));
        check("https://<%= host %>/", Some("<%…%>"));
        check("https://%{HOST}/", Some("%{HOST}"));
        check("https://{host}/", Some("{host}"));
        check("https://<host>/", Some("<host>"));
        check("https://%HOST%/", Some("%HOST%"));
        check("https://a.example/%20/%DATE%/", Some("%DATE%"));
    }

    #[test]
    fn what_a_url_may_contain_is_no_variable() {
        check("https://example.com/$metadata?$filter=a", None);
        check("https://example.com/a%20b%2Fc", None);
        check("https://example.com/a%20and%20b", None);
        check("https://example.com/caf%C3%A9", None);
        check("https://example.com/?q=%E2%82%AC", None);
        check("https://example.com/%D0%B0%AB%CD", None);
        check("https://example.com/?price=5$", None);
    }
}
