//! A target that was found in an account, and the reasons not to probe it without a review.

use std::time::Duration;

use url::Url;

use super::account::Account;
use crate::domain::function_name::FunctionName;
use crate::model::hash::fnv1a;
use crate::model::target::AwsDeclarations;

/// A target that was found in an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name. It is unique among the candidates of a [`Discovery`](super::Discovery).
    pub name: String,
    /// The URL. In a proposal, it may contain placeholders, such as `{id}`.
    pub url: String,
    /// The HTTP method.
    pub method: String,
    /// The timeout of probes. `None` if the default timeout is at least 5 s longer than the
    /// integration timeout, or if the integration timeout is not known.
    pub timeout: Option<Duration>,
    /// The declarations of the AWS resources behind the URL.
    pub aws: AwsDeclarations,
    /// Why the target is only proposed. If there are no reasons, the target is probed.
    pub reasons: Vec<String>,
}

/// The default timeout of a probe.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(35);

/// Minimum time by which a probe's timeout exceeds the integration timeout. A probe needs this time
/// to connect and to receive the response.
const MARGIN: Duration = Duration::from_secs(5);

impl Candidate {
    /// Creates a candidate. Its name is derived from the method and the URL, and is not yet unique.
    pub(super) fn new(
        method: &str,
        url: String,
        aws: AwsDeclarations,
        mut reasons: Vec<String>,
    ) -> Self {
        // The URL parser removes some control characters, such as line breaks, without an error.
        if url.chars().any(char::is_control) || Url::parse(&url).is_err() {
            reasons.push("the URL is not valid".to_owned());
        }
        let needed = aws.integration_timeout.map(|limit| limit + MARGIN);
        Self {
            name: derived_name(method, &url),
            url,
            method: method.to_owned(),
            timeout: needed.filter(|needed| *needed > DEFAULT_TIMEOUT),
            aws,
            reasons,
        }
    }

    /// Returns whether the target is probed without a review.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Maximum length of a derived name in characters. With an appended number, such as ` (2)`, a name
/// has at most 128 characters.
const MAX_NAME: usize = 120;

/// Length of the end of a shortened name in characters: `~` and a hash of 16 digits.
const HASH_LENGTH: usize = 17;

/// Returns the name of a target: the method unless it is GET, then host, port and path. A scheme
/// other than https is kept. The slash at the end is omitted only for the root path, because
/// `/orders` and `/orders/` are two routes. A name that is too long is cut and ends with a hash of
/// the whole name, so that it is the same whichever other targets are found.
fn derived_name(method: &str, url: &str) -> String {
    let is_root = url.ends_with('/') && url.matches('/').count() == 3;
    let place = url.strip_prefix("https://").unwrap_or(url);
    let place = match place.strip_suffix('/') {
        Some(host) if is_root => host,
        _ => place,
    };
    let name = match method {
        "GET" => place.to_owned(),
        _ => format!("{method} {place}"),
    };
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    let start: String = name.chars().take(MAX_NAME - HASH_LENGTH).collect();
    format!("{start}~{:016x}", fnv1a(&name))
}

/// Returns the declarations that all targets of an account share.
pub(super) fn common_declarations(account: &Account) -> AwsDeclarations {
    AwsDeclarations {
        region: declared(&account.region),
        role_arn: account.role_arn.as_deref().and_then(declared),
        external_id: account.external_id.as_deref().and_then(declared),
        ..AwsDeclarations::default()
    }
}

/// Adds a function with its version or alias and its timeout to the declarations. `function` is its
/// name, ARN or invocation URI. Adds nothing if `function` is `None` or cannot be parsed, or if the
/// function belongs to another account or Region: evidence would be read about the function with
/// the same name in this account and Region.
pub(super) fn declare_function(
    aws: &mut AwsDeclarations,
    function: Option<&str>,
    account: &Account,
) {
    let function = function.filter(|text| !is_foreign(text, account));
    let Some(FunctionName { name, qualifier }) = function.and_then(FunctionName::parse) else {
        return;
    };
    aws.function_timeout = account.function_timeouts.get(&name).copied();
    aws.qualifier = qualifier;
    aws.function = Some(name);
}

/// Returns whether the ARN of a function names another account or Region than the one that was
/// read.
pub(super) fn is_foreign(function: &str, account: &Account) -> bool {
    let Some((owner, _)) = function.split_once(":function:") else {
        return false;
    };
    // `owner` is `…:lambda:REGION:ACCOUNT`, or only `ACCOUNT` in a partial ARN.
    let mut parts = owner.rsplit(':');
    let (id, region) = (parts.next(), parts.next());
    let is_other_account = account.id.is_some() && id != account.id.as_deref();
    is_other_account || region.is_some_and(|region| region != account.region)
}

/// Returns the text if the configuration accepts it as the identifier of a resource; `None`
/// otherwise.
pub(super) fn declared(text: &str) -> Option<String> {
    let length = text.chars().count();
    let valid =
        (1..=1024).contains(&length) && text.trim() == text && !text.chars().any(char::is_control);
    valid.then(|| text.to_owned())
}
