//! Reads a Lambda function, and the number of concurrent executions that Lambda allows in the
//! account.

use crate::domain::configuration::Lookup;
use crate::domain::configuration::function::{
    Concurrency, Function, FunctionRef, FunctionSettings, Policy, account_concurrency,
};
use crate::domain::diagnosis::aws::permission::Invocation;
use crate::io::aws::read::Service;
use crate::io::evidence::operation::Operation;

use super::parts::{PartReader, Resource, found};

/// Reads a function. Its policy is read only if there is an `invocation` that the policy must
/// allow. Returns `None` if the function is not in the Region of the reads, because AWS would
/// respond that it does not exist.
pub(super) async fn read_function(
    parts: &mut PartReader<'_>,
    reference: &FunctionRef,
    invocation: Option<&Invocation>,
) -> Option<Function> {
    let place = reference.place.as_ref();
    if place.is_some_and(|place| place.region != parts.region()) {
        return None;
    }
    let name = identifier(reference);
    let name = name.as_str();
    let qualifier = reference.qualifier.as_deref();
    let query: Vec<(&str, &str)> = qualifier.map(|it| ("Qualifier", it)).into_iter().collect();
    let path = ["2015-03-31", "functions", name, "configuration"];
    let operation = Operation::GetFunctionConfiguration;
    let answer = parts
        .get(resource(operation, &reference.name, &path, &query))
        .await;
    let settings = match answer {
        Some(Lookup::Found(answer)) => FunctionSettings::parse(&answer).map(Lookup::Found),
        Some(Lookup::Missing) => Some(Lookup::Missing),
        None => None,
    };
    let mut function = Function {
        reference: reference.clone(),
        settings,
        policy: None,
        concurrency: None,
    };
    // A function that does not exist has neither a policy nor a concurrency setting.
    if function.settings == Some(Lookup::Missing) {
        return Some(function);
    }
    if invocation.is_some() {
        let path = ["2015-03-31", "functions", name, "policy"];
        let answer = parts
            .get(resource(
                Operation::GetPolicy,
                &reference.name,
                &path,
                &query,
            ))
            .await;
        function.policy = match answer {
            Some(Lookup::Found(answer)) => Policy::parse(&answer, invocation).map(Lookup::Found),
            Some(Lookup::Missing) => Some(Lookup::Missing),
            None => None,
        };
    }
    let path = ["2019-09-30", "functions", name, "concurrency"];
    let operation = Operation::GetFunctionConcurrency;
    let answer = parts
        .get(resource(operation, &reference.name, &path, &[]))
        .await;
    function.concurrency = found(answer).and_then(|answer| Concurrency::parse(&answer));
    Some(function)
}

/// Reads the number of concurrent executions that Lambda allows in the account and Region; `None`
/// if it cannot be read.
pub(super) async fn read_account_limit(parts: &mut PartReader<'_>) -> Option<u64> {
    // The path of this operation ends with a slash, so its last segment is empty.
    let path = ["2016-08-19", "account-settings", ""];
    let answer = parts
        .get(resource(Operation::GetAccountSettings, "", &path, &[]))
        .await;
    found(answer).and_then(|answer| account_concurrency(&answer))
}

/// Returns the ARN of the function without its qualifier, or the name if the ARN is not known.
fn identifier(reference: &FunctionRef) -> String {
    match &reference.place {
        Some(place) => format!(
            "arn:{}:lambda:{}:{}:function:{}",
            place.partition, place.region, place.account, reference.name
        ),
        None => reference.name.clone(),
    }
}

const fn resource<'a>(
    operation: Operation,
    name: &'a str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
) -> Resource<'a> {
    Resource {
        service: Service::Lambda,
        operation,
        name,
        path,
        query,
    }
}
