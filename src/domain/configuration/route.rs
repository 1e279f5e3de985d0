//! Selects the route of an API that serves a request.
//!
//! An HTTP API prefers the most specific match: a literal segment to a parameter, a parameter to a
//! greedy parameter, a declared method to `ANY`, and any of these to `$default`. AWS does not
//! document which of two routes wins if each is more specific in one respect, so the result is then
//! [`Match::Unclear`]. A REST API selects the resource by the path first, and then the method.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>.

use super::Route;

/// The result of the selection of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The index of the route that serves the request.
    Found(usize),
    /// No route serves the request.
    NoRoute,
    /// It is not known which route AWS selects.
    Unclear,
}

/// The key of the route of an HTTP API that serves every request that no other route matches.
const DEFAULT: &str = "$default";

/// The method that matches every method for which the path has no route.
const ANY: &str = "ANY";

/// Ranks of the match of a segment with a greedy parameter, a parameter or a literal. A match with
/// a higher rank is more specific.
const GREEDY: u8 = 0;
const PARAMETER: u8 = 1;
const LITERAL: u8 = 2;

/// Selects the route of an HTTP API. The path begins with `/` and does not contain the stage.
pub(super) fn of_http_api(routes: &[Route], method: &str, path: &str) -> Match {
    let default = routes.iter().position(|route| route.key == DEFAULT);
    let default = default.map_or(Match::NoRoute, Match::Found);
    let others: Vec<(usize, &str, &str)> = routes
        .iter()
        .enumerate()
        .filter_map(|(index, route)| {
            let (declared, template) = route.key.split_once(' ')?;
            Some((index, declared, template))
        })
        .collect();
    if others.is_empty() {
        return default;
    }
    // It is not documented whether a slash at the end of a template counts.
    let ends_with_slash = others
        .iter()
        .any(|(_, _, template)| template.len() > 1 && template.ends_with('/'));
    let Some(segments) = segments(path).filter(|_| !ends_with_slash) else {
        return Match::Unclear;
    };
    let fits: Vec<(usize, Vec<u8>)> = others
        .into_iter()
        .filter(|(_, declared, _)| *declared == method || *declared == ANY)
        .filter_map(|(index, declared, template)| {
            let mut ranks = fit(template, &segments)?;
            ranks.push(u8::from(declared == method));
            Some((index, ranks))
        })
        .collect();
    match most_specific(&fits) {
        Match::NoRoute => default,
        found => found,
    }
}

/// Selects the method of a REST API. The path begins with `/` and does not contain the stage.
pub(super) fn of_rest_api(paths: &[String], routes: &[Route], method: &str, path: &str) -> Match {
    let Some(segments) = segments(path) else {
        return Match::Unclear;
    };
    let fits: Vec<(usize, Vec<u8>)> = paths
        .iter()
        .enumerate()
        .filter_map(|(index, template)| Some((index, fit(template, &segments)?)))
        .collect();
    let index = match most_specific(&fits) {
        Match::Found(index) => index,
        other => return other,
    };
    let Some(template) = paths.get(index) else {
        return Match::Unclear;
    };
    let of_method = |method: &str| {
        routes
            .iter()
            .position(|route| route.key.split_once(' ') == Some((method, template.as_str())))
    };
    match of_method(method).or_else(|| of_method(ANY)) {
        Some(index) => Match::Found(index),
        None if fits.len() == 1 => Match::NoRoute,
        // It is not documented whether a less specific resource serves the request.
        None => Match::Unclear,
    }
}

/// Returns the segments of a path; `None` if it is not documented how AWS compares the path: with
/// escaped characters, empty segments, or a slash at the end.
fn segments(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/')?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let plain = segments
        .iter()
        .all(|segment| !segment.is_empty() && !segment.contains('%'));
    plain.then_some(segments)
}

/// Returns how specifically the template matches each segment of the path; `None` if it does not
/// match. A greedy parameter matches at least one segment.
fn fit(template: &str, segments: &[&str]) -> Option<Vec<u8>> {
    let parts: Vec<&str> = template
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let mut ranks = Vec::with_capacity(segments.len() + 1);
    for (index, part) in parts.iter().enumerate() {
        let segment = segments.get(index)?;
        let is_parameter = part.starts_with('{') && part.ends_with('}');
        if is_parameter && part.ends_with("+}") {
            ranks.resize(segments.len(), GREEDY);
            return Some(ranks);
        }
        if is_parameter {
            ranks.push(PARAMETER);
        } else if part == segment {
            ranks.push(LITERAL);
        } else {
            return None;
        }
    }
    (parts.len() == segments.len()).then_some(ranks)
}

/// Returns the match that is at least as specific as every other match in every rank. Returns
/// [`Match::NoRoute`] if there are no matches, and [`Match::Unclear`] if none is the most specific.
/// Each item of `fits` is an index with the ranks of its match.
fn most_specific(fits: &[(usize, Vec<u8>)]) -> Match {
    if fits.is_empty() {
        return Match::NoRoute;
    }
    let wins = |ranks: &[u8], other: &[u8]| ranks.iter().zip(other).all(|(one, two)| one >= two);
    fits.iter()
        .find(|(_, ranks)| fits.iter().all(|(_, other)| wins(ranks, other)))
        .map_or(Match::Unclear, |(index, _)| Match::Found(*index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&str]) -> Vec<Route> {
        keys.iter()
            .map(|key| Route {
                key: (*key).to_owned(),
                backend: None,
                timeout: None,
                authorizer: None,
                rejects_all: false,
            })
            .collect()
    }

    /// Returns the key of the selected route, or the reason why there is none.
    fn name(found: Match, routes: &[Route]) -> &str {
        match found {
            Match::Found(index) => &routes[index].key,
            Match::NoRoute => "none",
            Match::Unclear => "unclear",
        }
    }

    fn check(keys: &[&str], request: &str, expected: &str) {
        let routes = routes(keys);
        let (method, path) = request.split_once(' ').unwrap();
        let found = of_http_api(&routes, method, path);
        assert_eq!(name(found, &routes), expected, "{request} of {keys:?}");
    }

    /// The routes of AWS's example.
    const EXAMPLE: &[&str] = &[
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "ANY /{proxy+}",
        "$default",
    ];

    #[test]
    fn the_most_specific_route_of_an_http_api_wins() {
        check(EXAMPLE, "GET /pets/dog/1", "GET /pets/dog/1");
        check(EXAMPLE, "GET /pets/dog/2", "GET /pets/dog/{id}");
        check(EXAMPLE, "GET /pets/cat/1", "GET /pets/{proxy+}");
        check(EXAMPLE, "POST /test/5", "ANY /{proxy+}");
        check(EXAMPLE, "GET /", "$default");
        check(
            &["GET /orders", "ANY /orders"],
            "GET /orders",
            "GET /orders",
        );
        check(
            &["GET /orders", "ANY /orders"],
            "PUT /orders",
            "ANY /orders",
        );
        check(
            &["GET /{proxy+}", "GET /orders"],
            "GET /orders",
            "GET /orders",
        );
        check(&["GET /"], "GET /", "GET /");
        check(&["$default"], "GET /a%2Fb/", "$default");
    }

    #[test]
    fn a_request_without_a_route_has_none() {
        check(&["GET /orders"], "GET /order", "none");
        check(&["GET /orders"], "POST /orders", "none");
        check(&["GET /orders"], "GET /orders/1", "none");
        check(&["GET /orders/{id}"], "GET /orders", "none");
        check(&["GET /orders/{proxy+}"], "GET /orders", "none");
        check(&[], "GET /orders", "none");
    }

    #[test]
    fn an_undocumented_choice_is_unclear() {
        check(&["ANY /orders", "GET /{proxy+}"], "GET /orders", "unclear");
        check(&["GET /a/{x}", "GET /{y}/b"], "GET /a/b", "unclear");
        check(&["GET /orders"], "GET /orders/", "unclear");
        check(&["GET /orders/"], "GET /orders", "unclear");
        check(&["GET /orders", "$default"], "GET /or%64ers", "unclear");
        check(&["GET /orders"], "GET //orders", "unclear");
    }

    #[test]
    fn a_rest_api_selects_the_resource_before_the_method() {
        let paths = ["/", "/orders", "/orders/{id}", "/{proxy+}", "/only/{x}"].map(str::to_owned);
        let routes = routes(&[
            "GET /orders",
            "ANY /orders/{id}",
            "ANY /{proxy+}",
            "GET /only/{x}",
        ]);
        for (request, expected) in [
            ("GET /orders", "GET /orders"),
            ("PUT /orders/1", "ANY /orders/{id}"),
            ("GET /other/path", "ANY /{proxy+}"),
            // The resource has no such method; whether `/{proxy+}` serves it is not documented.
            ("PUT /orders", "unclear"),
            ("GET /", "none"),
            ("GET /orders/", "unclear"),
        ] {
            let (method, path) = request.split_once(' ').unwrap();
            let found = of_rest_api(&paths, &routes, method, path);
            assert_eq!(name(found, &routes), expected, "{request}");
        }
        let found = of_rest_api(&paths[..3], &routes, "PUT", "/orders");
        assert_eq!(found, Match::NoRoute);
        let found = of_rest_api(&paths[..3], &routes, "GET", "/other");
        assert_eq!(found, Match::NoRoute);
    }
}
