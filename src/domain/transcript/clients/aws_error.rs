//! Reads the error code of an AWS service from the messages of AWS's SDKs and command-line tools,
//! and of other vendors' tools for S3.
//!
//! The forms are those of the SDKs for Java, Python (botocore), Go, Ruby, PHP, JavaScript and .NET,
//! of the AWS CLI and of s3cmd. The codes and the sentences are from AWS's lists "Common errors"
//! and "S3 error responses".

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::pages::known_body;
use crate::domain::transcript::pattern::{MAX_LINE, pattern};

/// An error that an AWS service returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) struct AwsError {
    /// The error code, such as `NoSuchKey`.
    pub(in crate::domain::transcript) code: String,
    pub(in crate::domain::transcript) status: u16,
    /// Whether the message states the status. Otherwise it is inferred from the code.
    pub(in crate::domain::transcript) is_status_stated: bool,
    /// Whether the status follows from the code or the message. Otherwise it is 400, the status of most
    /// errors.
    pub(in crate::domain::transcript) is_status_known: bool,
    /// Whether the service is S3 or a store with the same API.
    pub(in crate::domain::transcript) is_s3: bool,
}

/// A form of a message that states the code of an error.
struct Form {
    /// A text that every message in this form contains.
    sign: &'static str,
    /// The regular expression of the form. It has the group `code` and may have the groups
    /// `service` and `status`.
    expression: &'static str,
}

/// The forms of messages that contain the code of the error.
const FORMS: [Form; 9] = [
    // AWS SDK for Java, version 1.
    Form {
        sign: "Error Code: ",
        expression: r"\(Service: (?<service>[^;]{1,60}); Status Code: (?<status>[45]\d\d); Error Code: (?<code>[A-Za-z0-9][\w. ]{0,78});",
    },
    // AWS SDK for Java, version 2.
    Form {
        sign: "Status Code: ",
        expression: r"\b(?<code>[A-Z]\w{2,78}Exception): .*\(Service: (?<service>[^,]{1,60}), Status Code: (?<status>[45]\d\d), Request ID:",
    },
    // botocore and the AWS CLI.
    Form {
        sign: "An error occurred (",
        expression: r"\bAn error occurred \((?<code>[A-Za-z0-9.]{3,80})\) when calling the \w+ operation",
    },
    // Go, version 2.
    Form {
        sign: "operation error ",
        expression: r"\boperation error (?<service>[\w ]{2,60}): \w+, .*StatusCode: (?<status>[45]\d\d), RequestID: [^,]*,(?: HostID: [^,]*,)?(?: api error)? (?<code>[A-Z]\w{2,78})\b",
    },
    // Go, version 1.
    Form {
        sign: "status code: ",
        expression: r"\b(?<code>[A-Z]\w{2,78}): .*\bstatus code: (?<status>[45]\d\d), request id:",
    },
    // Ruby.
    Form {
        sign: "::Errors::",
        expression: r"\bAws::(?<service>\w{2,40})::Errors::(?<code>[A-Z]\w{2,78})\b",
    },
    // s3cmd.
    Form {
        sign: "S3 error: ",
        expression: r"\b(?<service>S3) error: (?<status>[45]\d\d) \((?<code>[A-Z]\w{2,78})\)",
    },
    // The XML document with which a service of the query protocol rejects a request because of its
    // credentials or signature.
    Form {
        sign: "Exception>",
        expression: r"^\W*<(?<code>(?:MissingAuthenticationToken|UnrecognizedClient|InvalidSignature|AccessDenied|ExpiredToken|IncompleteSignature)Exception)>",
    },
    // PHP, and programs that print the error as an object or a map.
    Form {
        sign: "ode",
        expression: r#"(?:\bcode|\bCode|/code|\berrorCode|__type)["']?\s*(?:[:=]>?)?\s*["'](?<code>(?:InvalidSignature|UnrecognizedClient|ExpiredToken|IncompleteSignature|MissingAuthenticationToken|Throttling|ProvisionedThroughputExceeded)Exception|NoSuchKey|NoSuchBucket|SignatureDoesNotMatch|InvalidAccessKeyId|InvalidClientTokenId|RequestTimeTooSkewed|ExpiredToken)["']"#,
    },
];

/// The compiled expressions of [`FORMS`], each with its sign.
static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    FORMS
        .iter()
        .filter_map(|form| Some((form.sign, pattern(form.expression)?)))
        .collect()
});

/// The texts of messages that name the error without its code, each with the code and whether the
/// service is S3.
const SENTENCES: [(&str, &str, bool); 13] = [
    (" is now earlier than ", "InvalidSignatureException", false),
    (
        "Signature not yet current: ",
        "InvalidSignatureException",
        false,
    ),
    (
        "The request signature we calculated does not match the signature you provided",
        "SignatureDoesNotMatch",
        false,
    ),
    (
        "The security token included in the request is expired",
        "ExpiredToken",
        false,
    ),
    (
        "The security token included in the request is invalid",
        "InvalidClientTokenId",
        false,
    ),
    ("The provided token has expired.", "ExpiredToken", false),
    (
        "The AWS Access Key Id you provided does not exist in our records",
        "InvalidAccessKeyId",
        true,
    ),
    (
        "The difference between the request time and the current time is too large",
        "RequestTimeTooSkewed",
        true,
    ),
    (
        "Credential should be scoped to a valid region",
        "InvalidSignatureException",
        false,
    ),
    ("The specified key does not exist", "NoSuchKey", true),
    ("The specified bucket does not exist", "NoSuchBucket", true),
    (
        " is not authorized to perform: ",
        "AccessDeniedException",
        false,
    ),
    ("Please reduce your request rate.", "SlowDown", true),
];

/// Error codes of services other than S3 whose responses have a status other than 400, each with
/// this status.
const STATUSES: [(&str, u16); 8] = [
    ("MissingAuthenticationToken", 403),
    ("MissingAuthenticationTokenException", 403),
    ("InvalidClientTokenId", 403),
    ("SignatureDoesNotMatch", 403),
    ("InvalidSignatureException", 403),
    ("ExpiredToken", 403),
    ("AccessDenied", 403),
    ("AccessDeniedException", 403),
];

/// Codes that only one service or all services use, each with the status of the response.
const UNIQUE: [(&str, u16); 23] = [
    ("PermanentRedirect", 301),
    ("TemporaryRedirect", 307),
    ("BucketAlreadyExists", 409),
    ("BucketAlreadyOwnedByYou", 409),
    ("BucketNotEmpty", 409),
    ("OperationAborted", 409),
    ("InvalidBucketState", 409),
    ("InvalidObjectState", 403),
    ("InvalidRange", 416),
    ("EntityTooLarge", 400),
    ("NotImplemented", 501),
    ("NoSuchEntity", 404),
    ("EntityAlreadyExists", 409),
    ("DeleteConflict", 409),
    ("ResourceConflictException", 409),
    ("TooManyRequestsException", 429),
    ("InternalFailure", 500),
    ("InternalServerError", 500),
    ("ServiceException", 500),
    ("ServiceUnavailable", 503),
    ("ThrottlingException", 400),
    ("ValidationException", 400),
    ("ProvisionedThroughputExceededException", 400),
];

fn of_any_service(code: &str) -> Option<u16> {
    let known = UNIQUE.iter().find(|(known, _)| *known == code)?;
    Some(known.1)
}

/// Returns the error that a line states; `None` for other lines and for lines longer than
/// `MAX_LINE`.
pub(in crate::domain::transcript) fn read(line: &str) -> Option<AwsError> {
    if line.len() > MAX_LINE {
        return None;
    }
    of_form(line).or_else(|| of_sentence(line))
}

fn of_form(line: &str) -> Option<AwsError> {
    let mut forms = COMPILED.iter().filter(|(sign, _)| line.contains(sign));
    let found = forms.find_map(|(_, form)| form.captures(line))?;
    let text = |name: &str| found.name(name).map(|part| part.as_str());
    let service = text("service").unwrap_or_default();
    let code = text("code")?.trim();
    let status = text("status").and_then(|status| status.parse().ok());
    Some(of_code(code, status, is_of_s3(service, line)))
}

/// Returns whether an error is from S3: `service` is S3, or the line names an operation of S3 or
/// the Java package of its exceptions.
fn is_of_s3(service: &str, line: &str) -> bool {
    const PARTS: [&str; 6] = [
        "s3.model.",
        " HeadObject ",
        " GetObject ",
        " PutObject ",
        " HeadBucket ",
        " ListObjectsV2 ",
    ];
    matches!(service, "Amazon S3" | "S3") || PARTS.iter().any(|part| line.contains(part))
}

/// Returns the error with this code. `stated` is the status that the message states, if any.
/// `is_s3` is whether the message names S3. If it does not, a code that only S3 uses, such as
/// `NoSuchKey`, still shows that the error is from S3.
fn of_code(code: &str, stated: Option<u16>, is_s3: bool) -> AwsError {
    // In the SDKs for Java, the name of an exception is the code with the suffix `Exception`. A
    // response to `HEAD` has no body and thus no code, so the AWS CLI and the SDKs for Java show
    // its status in place of the code.
    let bare = code.strip_suffix("Exception").unwrap_or(code);
    let number = code.get(..3).and_then(|digits| digits.parse().ok());
    let stated = stated.or(number);
    let of_store = known_body::status_of_code(bare);
    let is_s3 = is_s3 || code.starts_with("NoSuch") && of_store.is_some();
    let known = STATUSES.iter().find(|(known, _)| *known == code);
    let known = known.map(|(_, status)| *status);
    let inferred = if is_s3 { of_store } else { known };
    let inferred = inferred.or_else(|| of_any_service(code));
    AwsError {
        code: if is_s3 { bare } else { code }.to_owned(),
        status: stated.or(inferred).unwrap_or(400),
        is_status_stated: stated.is_some(),
        is_status_known: stated.or(inferred).is_some(),
        is_s3,
    }
}

fn of_sentence(line: &str) -> Option<AwsError> {
    let (text, code, is_s3) = SENTENCES.iter().find(|(text, _, _)| line.contains(text))?;
    // Other texts also contain ` is now earlier than ` or ` is not authorized to perform: `. A
    // message of AWS contains `Signature expired: ` with the former, and an ARN with the latter.
    if text.starts_with(" is now") && !line.contains("Signature expired: ") {
        return None;
    }
    if text.starts_with(" is not authorized") && !line.contains("arn:aws") {
        return None;
    }
    Some(of_code(code, None, *is_s3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_are_valid() {
        assert_eq!(COMPILED.len(), FORMS.len());
    }

    #[test]
    fn the_code_of_the_error_is_found() {
        for (line, expected) in [
            (
                "AmazonS3Exception: The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey; Request ID: x)",
                Some(("NoSuchKey", 404, true)),
            ),
            (
                "software.amazon.awssdk.services.s3.model.NoSuchKeyException: null (Service: S3, Status Code: 404, Request ID: x)",
                Some(("NoSuchKey", 404, true)),
            ),
            (
                "botocore.exceptions.ClientError: An error occurred (ExpiredTokenException) when calling the Invoke operation: x",
                Some(("ExpiredTokenException", 400, false)),
            ),
            (
                "fatal error: An error occurred (404) when calling the HeadObject operation: Key \"a\" does not exist",
                Some(("404", 404, true)),
            ),
            (
                "operation error S3: GetObject, https response error StatusCode: 403, RequestID: a, HostID: b, api error AccessDenied: Access Denied",
                Some(("AccessDenied", 403, true)),
            ),
            (
                "NoSuchBucket: The bucket is gone status code: 404, request id: a, host id: b",
                Some(("NoSuchBucket", 404, true)),
            ),
            (
                "Aws::S3::Errors::NoSuchKey (x):",
                Some(("NoSuchKey", 404, true)),
            ),
            (
                "ERROR: S3 error: 404 (NoSuchBucket): x",
                Some(("NoSuchBucket", 404, true)),
            ),
            (
                "message: 'Signature expired: 20251111T031244Z is now earlier than 20251111T031744Z (x)'",
                Some(("InvalidSignatureException", 403, false)),
            ),
            (
                ":cognitect.aws.error/code \"InvalidSignatureException\"}",
                Some(("InvalidSignatureException", 403, false)),
            ),
            ("the key does not exist", None),
            ("An error occurred (see below) when it started", None),
            ("Alice is not authorized to perform: the song", None),
            ("Spring is now earlier than it was", None),
        ] {
            let found = read(line);
            let found = found
                .as_ref()
                .map(|found| (found.code.as_str(), found.status, found.is_s3));
            assert_eq!(found, expected, "{line}");
        }
    }
}
