//! Reads Lambda functions: their timeouts and their URLs.
//!
//! AWS returns the environment variables of functions, too, which may contain secrets. Therefore,
//! each page is dropped once the names, the timeouts and the account have been read from it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::calls::{Calls, MARKER, Pages, Part};
use super::fields::{account_of, text};
use crate::domain::discovery::account::FunctionUrl;
use crate::io::aws::read::{ReadError, Service};

/// The query parameter that sets the maximum number of items in a page.
const PAGE: &[(&str, &str)] = &[("MaxItems", "50")];

/// Reads the functions. Returns their timeouts by function name, and the id of their account;
/// `None` if there are no functions or they cannot be read.
pub(super) async fn timeouts(
    calls: &mut Calls<'_>,
) -> (BTreeMap<String, Duration>, Option<String>) {
    calls.report("the list of functions".to_owned());
    let request = Pages {
        service: Service::Lambda,
        operation: "ListFunctions",
        path: &["2015-03-31", "functions", ""],
        query: PAGE,
        token: MARKER,
    };
    let mut timeouts = BTreeMap::new();
    let mut account = None;
    let each = |page: &Value| {
        timeouts.extend(members(page, "Functions").filter_map(timeout));
        let known = account.take();
        account = known.or_else(|| members(page, "Functions").find_map(owner));
    };
    if let Err(error) = calls.pages(&request, each).await {
        calls.record("timeouts of functions", &error, Part::Details);
    }
    (timeouts, account)
}

/// Reads the URLs of functions. After a failure, the URLs of the remaining functions are not read.
pub(super) async fn urls(calls: &mut Calls<'_>, functions: &[String]) -> Vec<FunctionUrl> {
    let total = functions.len();
    let mut urls = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        calls.report(format!(
            "URLs of the function {function}, {} of {total}",
            index + 1
        ));
        let request = Pages {
            service: Service::Lambda,
            operation: "ListFunctionUrlConfigs",
            path: &["2021-10-31", "functions", function.as_str(), "urls"],
            query: PAGE,
            token: MARKER,
        };
        let each = |page: &Value| {
            urls.extend(members(page, "FunctionUrlConfigs").filter_map(function_url));
        };
        match calls.pages(&request, each).await {
            // `NotFound` means that the function was deleted during the reading.
            Ok(()) | Err(ReadError::NotFound(_)) => {}
            Err(error) => {
                calls.record("URLs of functions", &error, Part::Details);
                break;
            }
        }
    }
    urls
}

fn members<'a>(page: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    page.get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn timeout(function: &Value) -> Option<(String, Duration)> {
    let seconds = function.get("Timeout")?.as_u64()?;
    let name = text(function, "FunctionName")?.to_owned();
    (seconds > 0).then(|| (name, Duration::from_secs(seconds)))
}

/// Returns the id of the account of a function; `None` if its ARN contains no account id.
fn owner(function: &Value) -> Option<String> {
    account_of(text(function, "FunctionArn")?)
}

fn function_url(config: &Value) -> Option<FunctionUrl> {
    Some(FunctionUrl {
        url: text(config, "FunctionUrl")?.to_owned(),
        function: text(config, "FunctionArn")?.to_owned(),
        iam: text(config, "AuthType") != Some("NONE"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_timeouts_are_kept_and_nothing_else() {
        let page = json!({ "Functions": [
            {
                "FunctionName": "orders", "Timeout": 29,
                "Environment": { "Variables": { "KEY": "hunter2" } },
            },
            { "FunctionName": "broken" },
        ] });
        let found: Vec<_> = members(&page, "Functions").filter_map(timeout).collect();
        assert_eq!(found, [("orders".to_owned(), Duration::from_secs(29))]);
    }

    #[test]
    fn a_url_needs_a_signature_unless_it_is_public() {
        for (kind, iam) in [("NONE", false), ("AWS_IAM", true), ("", true)] {
            let config =
                json!({ "FunctionUrl": "https://x/", "FunctionArn": "a", "AuthType": kind });
            assert_eq!(
                function_url(&config).map(|url| url.iam),
                Some(iam),
                "{kind}"
            );
        }
    }
}
