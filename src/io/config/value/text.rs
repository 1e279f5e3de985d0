//! Defines types for text: names, AWS identifiers and words from fixed sets.

use http::Method;
use toml::Value;

use super::checked;
use crate::io::config::habits;
use crate::io::config::wording::alternatives;
use crate::model::host_port::FRONT;
use crate::model::settings::{DriftPolicy, LogFormat};
use crate::model::target::{
    Authorizer, CloudWatchMetric, HttpChoice, Integration, IpVersion, MissingData,
};

checked! {
    /// The name of a location, at most 64 characters, because an alarm name contains this name and
    /// the name of a target, and CloudWatch limits an alarm name to 255 characters.
    Location(String) from String, |text| name(text, 64);

    /// The name of a target, at most 128 characters. Names that start with a parenthesis, such as
    /// `(heartbeat)`, are reserved.
    TargetNameText(String) from String, check_target_name;

    /// The value of a target's label.
    LabelText(String) from Value, |value| match value {
        Value::String(text) => Ok(text),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Err(format!(
            "the value of a label is text; write \"{value}\""
        )),
        _ => Err("the value of a label is text; put text in quotes".to_owned()),
    };

    /// The name of a layer: at most 32 letters, digits, hyphens and underscores. Other characters
    /// are not allowed, because the names of facts contain this name.
    LayerName(String) from String, |text: String| {
        let text = name(text, 32)?;
        if RESERVED_LAYERS.contains(&text.as_str()) {
            return Err(format!("the layer name {text:?} is reserved; choose another name"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let valid = text.chars().all(allowed);
        let example = "letters, digits, hyphens and underscores, such as \"origin\"";
        valid_or(valid, text, "a layer name", example)
    };

    /// The name of a maintenance window, which identifies the window in error messages. At most 128
    /// characters.
    WindowName(String) from String, |text| name(text, 128);

    /// The identifier of an AWS resource, such as an API id or the name of a function or log group.
    /// At most 1024 characters.
    Identifier(String) from String, |text| name(text, 1024);

    /// A user name for basic authentication or for a proxy. It cannot contain a colon, because in
    /// basic authentication, the first colon separates it from the password (RFC 7617).
    UserName(String) from Identifier, |Identifier(text)| {
        if text.contains(':') {
            return Err("a user name cannot contain a colon; remove the colon");
        }
        Ok(text)
    };

    /// An AWS region code, such as `eu-west-1`.
    Region(String) from String, |text: String| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = text.contains('-') && text.chars().all(allowed);
        valid_or(valid, text, "an AWS region", "a region code, such as \"eu-west-1\"")
    };

    /// The ARN of an alarm action.
    Arn(String) from String, |text: String| {
        let example = "the full ARN, such as \"arn:aws:sns:eu-west-1:123456789012:on-call\"";
        valid_or(is_arn(&text), text, "an ARN", example)
    };

    /// The ARN of an IAM role.
    RoleArn(String) from String, |text: String| {
        let example = "the full ARN, such as \"arn:aws:iam::123456789012:role/probecause\"";
        valid_or(is_arn(&text), text, "an ARN", example)
    };

    /// The value of `request.http`: the HTTP version that a probe uses.
    HttpWord(HttpChoice) from Value, |value: Value| {
        let text = match &value {
            Value::String(text) => text.to_ascii_lowercase(),
            other => other.to_string(),
        };
        match text.trim_start_matches("http/").trim_start_matches("http") {
            "any" if value.is_str() => Ok(HttpChoice::Any),
            "1.1" if text == "1.1" && value.is_str() => Ok(HttpChoice::Http1),
            "2" if text == "2" && value.is_str() => Ok(HttpChoice::Http2),
            "1" | "1.1" => Err("not a supported notation for the HTTP version; write \"1.1\""),
            "2" | "2.0" => Err("not a supported notation for the HTTP version; write \"2\""),
            _ => Err("not a supported HTTP version; write \"any\", \"1.1\" or \"2\""),
        }
    };

    /// A CloudWatch namespace: an ASCII text of at most 255 characters that does not start with
    /// `AWS/` or a colon.
    Namespace(String) from String, |text| {
        let text = name(text, 255)?;
        if text.starts_with("AWS/") || text.starts_with(':') || !text.is_ascii() {
            return Err(format!(
                "{text:?} is not allowed by CloudWatch; write an ASCII name that does not start \
                 with \"AWS/\" or a colon, such as \"Probecause\""
            ));
        }
        Ok(text)
    };

    /// A `tracing` filter, such as `info,probecause=debug`.
    LogFilter(String) from String, |text: String| {
        let parsed = tracing_subscriber::EnvFilter::builder().parse(&text);
        let valid = parsed.is_ok() && !text.trim().is_empty();
        valid_or(
            valid,
            text,
            "a log filter",
            "a filter such as \"info\" or \"info,probecause=debug\"",
        )
    };

    /// A route key of API Gateway, such as `GET /orders` or `$default`.
    Route(String) from String, |text: String| {
        let keyed = text.split_once(' ').is_some_and(|(method, path)| {
            method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/')
        });
        valid_or(
            keyed || text == "$default",
            text,
            "a route",
            "a route key such as \"GET /orders\" or \"$default\"",
        )
    };

    /// The absolute path that control requests use on the target's host.
    ControlPath(String) from String, |text: String| {
        // A URL parser treats a backslash as a slash, and two leading slashes as the start of a
        // host name.
        let refused = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        let valid = text.starts_with('/') && !text.starts_with("//") && !text.contains(refused);
        let example = "a path with the stage, such as \"/prod/ping\"";
        valid_or(valid, text, "an absolute path on the target's host", example)
    };

    /// An HTTP method in uppercase, other than `CONNECT`.
    HttpMethod(String) from String, |text: String| {
        let upper = text.to_ascii_uppercase();
        match Method::from_bytes(text.as_bytes()) {
            Ok(_) if upper == "CONNECT" => {
                Err("the method CONNECT is not supported; use another method, or set `proxy` to \
                     probe through a proxy".to_owned())
            }
            Ok(_) if upper != text => Err(format!("HTTP methods are uppercase; write {upper:?}")),
            Ok(_) => Ok(upper),
            Err(_) => Err(format!(
                "{text:?} is not an HTTP method; write a method such as \"GET\" or \"POST\""
            )),
        }
    };

    /// The value of `request.ip`: the IP version that a probe uses.
    IpVersionWord(IpVersion) from Value, |value: Value| {
        let plain = serde_json::to_value(&value).unwrap_or_default();
        let text = value.as_str().unwrap_or_default();
        choice(text, &[
            ("any", IpVersion::Any),
            ("4", IpVersion::V4),
            ("6", IpVersion::V6),
        ])
        .map_err(|message| match habits::ip_version(&plain) {
            Some(version) => {
                format!("not a supported notation for the IP version; write \"{version}\"")
            }
            None => message,
        })
    };

    /// The value of `log.format`: the format of log messages.
    LogFormatWord(LogFormat) from String, |text: String| choice(&text, &[
        ("human", LogFormat::Human),
        ("json", LogFormat::Json),
    ]);

    /// The value of `cloudwatch.drift`: whether the daemon reverts changes that others made to its
    /// alarms.
    DriftWord(DriftPolicy) from String, |text: String| choice(&text, &[
        ("mend", DriftPolicy::Mend),
        ("leave", DriftPolicy::Leave),
    ]);

    /// The value of `aws.integration`: the type of the backend behind the API.
    IntegrationWord(Integration) from String, |text: String| choice(&text, &[
        ("lambda", Integration::Lambda),
        ("http", Integration::Http),
        ("vpc-link", Integration::VpcLink),
    ]);

    /// The value of `aws.authorizer`: the type of the authorizer of the route.
    AuthorizerWord(Authorizer) from String, |text: String| choice(&text, &[
        ("none", Authorizer::None),
        ("lambda", Authorizer::Lambda),
        ("jwt", Authorizer::Jwt),
        ("iam", Authorizer::Iam),
    ]);

    /// The value of `alarm.missing`: how CloudWatch evaluates missing data.
    MissingDataWord(MissingData) from String, |text: String| choice(&text, &[
        ("ignore", MissingData::Ignore),
        ("breaching", MissingData::Breaching),
        ("not-breaching", MissingData::NotBreaching),
        ("missing", MissingData::Missing),
    ]);

    /// An item of `cloudwatch.metrics`: the name of a CloudWatch metric that the daemon publishes.
    MetricWord(CloudWatchMetric) from String, |text: String| {
        choice(&text, &CloudWatchMetric::ALL.map(|metric| (metric.as_str(), metric)))
    };
}

/// Reserved layer names. A layer's fact is named `layer.NAME`, and built-in facts such as
/// `layer.broken` already use these names.
const RESERVED_LAYERS: [&str; 4] = [FRONT, "broken", "next", "repeated"];

/// Reserved label names. The daemon's metrics already have labels with these names.
const RESERVED_LABELS: [&str; 12] = [
    "target",
    "location",
    "le",
    "phase",
    "cause",
    "certainty",
    "owner",
    "result",
    "reason",
    "state",
    "title",
    "version",
];

/// Checks that `label` is a valid Prometheus label name and is not reserved.
pub(in crate::io::config) fn check_label(label: &str) -> Result<(), String> {
    if RESERVED_LABELS.contains(&label) || label.starts_with("__") {
        return Err(format!(
            "the label {label:?} is reserved; choose another name"
        ));
    }
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.starts_with(first) && label.chars().all(rest) {
        return Ok(());
    }
    Err(format!(
        "{label:?} is not a Prometheus label name; write a name of letters, digits and \
         underscores that does not start with a digit, such as {}",
        habits::label_name(label)
    ))
}

/// Checks that `header` is a valid HTTP header name.
pub(in crate::io::config) fn check_header_name(header: &str) -> Result<(), String> {
    match http::HeaderName::from_bytes(header.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(
            "is not a header name; use only letters, digits and characters such as `-` and `_`"
                .to_owned(),
        ),
    }
}

/// Checks that a text has 1 to `max_chars` characters, no control characters, and no whitespace at
/// either end. The error does not quote the text.
fn name(text: String, max_chars: usize) -> Result<String, String> {
    let length = text.chars().count();
    if length == 0 {
        Err("is empty; write a name".to_owned())
    } else if length > max_chars {
        Err(format!(
            "is {length} characters long; use at most {max_chars}"
        ))
    } else if text.chars().any(char::is_control) {
        Err("contains a control character, such as a line break; remove it".to_owned())
    } else if text.trim() != text {
        Err("starts or ends with whitespace; remove it".to_owned())
    } else {
        Ok(text)
    }
}

fn valid_or(valid: bool, text: String, kind: &str, example: &str) -> Result<String, String> {
    if valid {
        return Ok(text);
    }
    Err(format!("{text:?} is not {kind}; write {example}"))
}

/// Returns whether the text has the format `arn:partition:service:region:account:resource`.
fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    parts.len() == 6 && parts[0] == "arn" && !parts[2].is_empty() && !parts[5].is_empty()
}

/// Checks that a target's name does not start with a parenthesis, is not `.` or `..`, and passes
/// the check of [`name`] with at most 128 characters.
pub(in crate::io::config) fn check_target_name(text: String) -> Result<String, String> {
    if text.starts_with('(') {
        let message = "starts with a parenthesis, which is reserved; choose another name";
        return Err(message.to_owned());
    }
    // Browsers remove a segment `.` or `..` from the path of a URL, even if it is percent-encoded,
    // so a link to a target with such a name would not work.
    if matches!(text.as_str(), "." | "..") {
        return Err(
            "is a dot segment, which browsers remove from URLs; choose another name".to_owned(),
        );
    }
    name(text, 128)
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words = alternatives(choices.iter().map(|(word, _)| format!("{word:?}")));
        format!("{text:?} is not supported; use {words}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_parts() {
        let check = |text: &str, valid: bool| assert_eq!(is_arn(text), valid, "{text:?}");
        check("arn:aws:sns:eu-west-1:123456789012:on-call", true);
        check(
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:page:live",
            true,
        );
        check("arn:aws:iam::123456789012:role/reader", true);
        check("arn:aws:sns:eu-west-1:123456789012:", false);
        check("arn:aws:sns", false);
        check("", false);
    }
}
