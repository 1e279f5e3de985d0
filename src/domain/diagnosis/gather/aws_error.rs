//! Reads the error code that an AWS service states in the body of a response.
//!
//! The services use several formats: XML of the query protocol (STS, SQS and others), XML of EC2,
//! and JSON with the member `__type`. The fact `aws_error` contains the code of any of these
//! formats. The XML of S3 is left to the rules, because object stores of other vendors use it too.
//! A header with an error type, such as `x-amzn-errortype`, is a separate fact.

use crate::domain::diagnosis::fact::Facts;

/// The facts that may contain the error code of an AWS service, one per format.
const CODES: [&str; 3] = [
    "body.xml.ErrorResponse.Error.Code",
    "body.xml.Response.Errors.Error.Code",
    "body.json.__type",
];

/// Maximum length of an error code in bytes.
const MAX_CODE: usize = 80;

impl Facts {
    /// Adds the error code of an AWS service. The facts about the body must already be set.
    pub(super) fn add_aws_error(&mut self) {
        let code = CODES.iter().find_map(|fact| code(self.text(fact)?));
        if let Some(code) = code.map(str::to_owned) {
            self.set_text("aws_error", &code);
        }
    }
}

/// Returns the error code without its namespace, such as `ThrottlingException` for
/// `com.amazon.coral.service#ThrottlingException`; `None` if the text is empty, too long, or has
/// characters that error codes do not have.
fn code(text: &str) -> Option<&str> {
    let code = text.rsplit('#').next().unwrap_or(text).trim();
    let is_of_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let is_code = !code.is_empty() && code.len() <= MAX_CODE && code.chars().all(is_of_code);
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::Response;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let mut facts = Facts::default();
        facts.add_body(&Response::of(403, &[], body));
        facts.add_aws_error();
        assert_eq!(facts.text("aws_error"), expected, "{body}");
    }

    #[test]
    fn each_format_of_an_aws_service_has_a_code() {
        let query = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
                     <Error>\n    <Type>Sender</Type>\n    <Code>ExpiredToken</Code>\n  </Error>\n\
                     </ErrorResponse>";
        check(query, Some("ExpiredToken"));
        let ec2 = "<?xml version=\"1.0\"?>\n<Response><Errors><Error>\
                   <Code>RequestLimitExceeded</Code><Message>Slow</Message></Error></Errors><RequestID>u</RequestID></Response>";
        check(ec2, Some("RequestLimitExceeded"));
        let json = r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException"}"#;
        check(json, Some("UnrecognizedClientException"));
        check(r#"{"__type":"AccessDenied"}"#, Some("AccessDenied"));
    }

    #[test]
    fn other_bodies_have_no_code_of_an_aws_service() {
        check("<Error><Code>NoSuchKey</Code></Error>", None);
        check(r#"{"__type":"shop.Order with a note"}"#, None);
        check(r#"{"type":"AccessDenied"}"#, None);
        check(r#"{"__type":7}"#, None);
        check(
            "<ErrorResponse><Error><Code> </Code></Error></ErrorResponse>",
            None,
        );
        check("", None);
    }
}
