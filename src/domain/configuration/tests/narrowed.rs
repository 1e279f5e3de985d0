//! Tests of the selection of the parts of an API that matter to a target.

use super::super::evidence::evidence;
use super::super::findings::Held;
use super::super::serving::narrowed;
use super::*;

/// Returns the configuration with only the route that serves the target's request.
fn read(setup: &Setup) -> Configuration {
    let mut configuration = setup.read();
    configuration.api = configuration.api.map(|api| narrowed(&setup.target, api));
    configuration
}

/// Returns the value of `config.held` after this change of the setup.
fn held(mut setup: Setup, change: impl FnOnce(&mut Setup)) -> String {
    let before = read(&setup);
    let target = setup.target.clone();
    change(&mut setup);
    let found = evidence(&target, &read(&setup), Some(&before)).unwrap();
    let held = found.facts.iter().find(|(name, _)| *name == "config.held");
    held.unwrap().1.to_string()
}

#[test]
fn a_change_of_another_route_is_not_a_change() {
    let other = json!({
        "routeKey": "GET /carts", "target": "integrations/i1", "authorizationType": "NONE"
    });
    let add = |it: &mut Setup| it.routes.as_array_mut().unwrap().push(other);
    assert_eq!(held(Setup::http(), add), Held::Yes.as_str());
    let other = json!({ "id": "y", "path": "/carts", "resourceMethods": { "GET": {} } });
    let add = |it: &mut Setup| it.routes.as_array_mut().unwrap().push(other);
    assert_eq!(held(Setup::rest(), add), Held::Yes.as_str());
    let change = |it: &mut Setup| it.routes[0]["authorizationType"] = json!("AWS_IAM");
    assert_eq!(held(Setup::http(), change), Held::No.as_str());
    let remove = |it: &mut Setup| it.routes = json!([]);
    assert_eq!(held(Setup::http(), remove), Held::No.as_str());
}

#[test]
fn the_facts_are_the_same_with_one_route_as_with_all() {
    for mut setup in [Setup::http(), Setup::rest()] {
        let mut other = setup.routes[0].clone();
        other["routeKey"] = json!("$default");
        other["path"] = json!("/{proxy+}");
        setup.routes.as_array_mut().unwrap().push(other);
        let (all, one) = (setup.read(), read(&setup));
        assert_eq!(one.api.as_ref().unwrap().routes.len(), 1);
        assert_eq!(
            evidence(&setup.target, &all, None),
            evidence(&setup.target, &one, None)
        );
    }
}

#[test]
fn an_api_whose_route_is_not_known_is_kept_as_a_whole() {
    let mut setup = Setup::http();
    setup.target.url = url::Url::parse("https://api.example/orders").unwrap();
    let api = setup.parsed_api();
    assert_eq!(narrowed(&setup.target, api.clone()), api);
    let nothing = Configuration::default();
    assert_eq!(evidence(&setup.target, &nothing, None), None);
}
