//! Selects the stage variables in the URIs of Lambda functions that integrations call. Other
//! variables may contain secrets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::discovery::account::Route;

/// Prefix of a reference to a stage variable. The reference ends with `}`.
const START: &str = "${stageVariables.";

/// Returns the names of the stage variables in the function URIs of these routes.
pub(super) fn used(routes: &[Route]) -> Vec<String> {
    let backends = routes.iter().filter_map(|route| route.backend.as_ref());
    let uris = backends.filter_map(|backend| backend.function_uri.as_deref());
    let names = uris.flat_map(|uri| {
        let references = uri.split(START).skip(1);
        references.filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
    });
    names.collect()
}

/// Returns the variables of a stage whose names are in `used`.
pub(super) fn kept(variables: Option<&Value>, used: &[String]) -> BTreeMap<String, String> {
    let values = used.iter().filter_map(|name| {
        let value = variables?.get(name)?.as_str()?;
        Some((name.clone(), value.to_owned()))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::discovery::account::{Authorization, Backend};

    #[test]
    fn only_variables_in_the_uri_of_a_function_are_kept() {
        let route = |uri: &str| Route {
            key: "GET /".to_owned(),
            authorization: Authorization::None,
            api_key_required: false,
            required_parameters: Vec::new(),
            backend: Some(Backend {
                function_uri: Some(uri.to_owned()),
                ..Backend::default()
            }),
        };
        let used = used(&[
            route("arn:x:${stageVariables.name}:${stageVariables.alias}"),
            route("arn:x:orders"),
            route("arn:x:${stageVariables.broken"),
        ]);
        assert_eq!(used, ["name", "alias"]);
        let variables = json!({ "name": "orders", "alias": 3, "password": "hunter2" });
        let kept = kept(Some(&variables), &used);
        assert_eq!(
            kept,
            BTreeMap::from([("name".to_owned(), "orders".to_owned())])
        );
    }
}
