//! Parses the names and ARNs with which AWS identifies a Lambda function.
//!
//! Integrations, CloudTrail and users write the same function as a name, a partial or full ARN, or
//! an invocation URI. The Region and the account in an ARN are not kept.

/// A Lambda function with its version or alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionName {
    /// The name of the function.
    pub name: String,
    /// The version or alias; `None` if there is none, or for `$LATEST`.
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// Parses a function's name, partial ARN, ARN or invocation URI. Returns `None` if the text has
    /// another form, such as a URI with a stage variable that is not resolved.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let tail = match text.split_once(":function:") {
            Some((_, tail)) => tail,
            None => text.strip_prefix("function:").unwrap_or(text),
        };
        let tail = tail.strip_suffix("/invocations").unwrap_or(tail);
        let (name, qualifier) = match tail.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (tail, None),
        };
        let qualifier = qualifier.filter(|qualifier| *qualifier != "$LATEST");
        let valid = is_word(name) && qualifier.is_none_or(is_word);
        valid.then(|| Self {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }
}

/// Returns whether the text can be the name of a function, version or alias.
fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=140).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_function_is_parsed() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:";
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/";
        for (text, expected) in [
            ("orders".to_owned(), Some(("orders", None))),
            ("orders:live".to_owned(), Some(("orders", Some("live")))),
            ("orders:$LATEST".to_owned(), Some(("orders", None))),
            ("my-function:7".to_owned(), Some(("my-function", Some("7")))),
            ("function:orders".to_owned(), Some(("orders", None))),
            (
                "123456789012:function:orders".to_owned(),
                Some(("orders", None)),
            ),
            (format!("{arn}my-function"), Some(("my-function", None))),
            (
                format!("{arn}my-function:live"),
                Some(("my-function", Some("live"))),
            ),
            (
                format!("{arn}function:live"),
                Some(("function", Some("live"))),
            ),
            (
                format!("{uri}{arn}orders:live/invocations"),
                Some(("orders", Some("live"))),
            ),
            (
                format!("{uri}{arn}orders/invocations"),
                Some(("orders", None)),
            ),
            (
                format!("{uri}{arn}orders:${{stageVariables.alias}}/invocations"),
                None,
            ),
            (format!("{arn}${{stageVariables.name}}"), None),
            ("https://example.com/orders".to_owned(), None),
            (String::new(), None),
        ] {
            let found = FunctionName::parse(&text);
            let found = found.as_ref();
            let found = found.map(|it| (it.name.as_str(), it.qualifier.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
