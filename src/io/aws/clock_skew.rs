//! Recognizes AWS calls that failed because this host's clock is wrong.
//!
//! AWS rejects a signature whose time differs from AWS's time by more than a few minutes. Some of
//! the error codes are the same as for wrong credentials, so the messages are examined, too.

use jiff::Timestamp;

/// If this host's clock caused the AWS error with this code and message, returns a text that says
/// how far the clock is off. Returns `None` if the error has another cause.
///
/// AWS's messages are "Signature expired: HOST_TIME is now earlier than LIMIT (AWS_TIME - 5 min.)"
/// and "Signature not yet current: HOST_TIME is still later than LIMIT (AWS_TIME + 5 min.)", as
/// recorded in github.com/convox/rack/issues/235 and github.com/aws/aws-sdk-js/issues/1652. The
/// codes are listed in the common errors of every AWS service.
pub(super) fn describe_clock_skew(code: &str, message: &str) -> Option<String> {
    const CODES: [&str; 3] = [
        "RequestTimeTooSkewed",
        "RequestExpired",
        "RequestInTheFuture",
    ];
    const PREFIXES: [&str; 2] = ["Signature expired: ", "Signature not yet current: "];
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| message.split_once(prefix).map(|(_, rest)| rest));
    if rest.is_none() && !CODES.iter().any(|known| code.contains(known)) {
        return None;
    }
    let difference = match rest.and_then(seconds_ahead) {
        Some(seconds) if seconds < 0 => format!("is {} behind AWS's", format_span(seconds)),
        Some(seconds) => format!("is {} ahead of AWS's", format_span(seconds)),
        None => "differs too much from AWS's".to_owned(),
    };
    Some(format!(
        "this host's clock {difference}; synchronize it with NTP"
    ))
}

/// Returns the number of seconds by which this host's clock is ahead of AWS's clock; negative if it
/// is behind. Returns `None` if a time cannot be parsed. `rest` is AWS's message, starting at
/// HOST_TIME.
fn seconds_ahead(rest: &str) -> Option<i64> {
    let host_time: Timestamp = rest.split_whitespace().next()?.parse().ok()?;
    let (_, aws_time) = rest.split_once('(')?;
    let aws_time: Timestamp = aws_time.split_whitespace().next()?.parse().ok()?;
    Some(host_time.as_second() - aws_time.as_second())
}

fn format_span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_described_with_the_difference() {
        for (code, message, expected) in [
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20151221T200419Z is now earlier than 20151221T201450Z \
                 (20151221T201950Z - 5 min.)",
                "this host's clock is 15 min 31 s behind AWS's",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20170731T092200Z is still later than \
                 20170731T092115Z (20170731T091615Z + 5 min.)",
                "this host's clock is 5 min 45 s ahead of AWS's",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20190305T002809Z is still later than \
                 20190304T214315Z (20190304T212815Z + 15 min.)",
                "this host's clock is 2 h 59 min ahead of AWS's",
            ),
            (
                "RequestExpired",
                "Request has expired.",
                "this host's clock differs too much from AWS's",
            ),
        ] {
            let text = describe_clock_skew(code, message).unwrap_or_default();
            assert_eq!(text.split("; ").next(), Some(expected), "{message}");
        }
    }

    #[test]
    fn a_wrong_secret_is_not_taken_for_a_wrong_clock() {
        // Source: github.com/mhart/aws4fetch/issues/73
        let message = "The request signature we calculated does not match the signature you \
                       provided. Check your AWS Secret Access Key and signing method.";
        assert_eq!(describe_clock_skew("SignatureDoesNotMatch", message), None);
    }
}
