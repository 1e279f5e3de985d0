//! Reads Application Load Balancers: their listeners, the rules that forward requests, and the
//! functions in target groups.

use std::collections::BTreeMap;

use super::calls::{Calls, Part, endless};
use super::xml::Element;
use crate::domain::discovery::account::{Listener, ListenerRule, LoadBalancer};
use crate::io::aws::read::{ReadError, Service};

/// The version of the API of Elastic Load Balancing.
const VERSION: &str = "2015-12-01";

/// Maximum number of pages of a list.
const MAX_PAGES: usize = 500;

/// The ARNs of the functions in target groups, by the ARN of the target group.
type Functions = BTreeMap<String, String>;

/// Reads all Application Load Balancers. A load balancer that cannot be read completely is omitted,
/// and recorded as not read unless it was deleted during the read.
pub(super) async fn read(calls: &mut Calls<'_>) -> Vec<LoadBalancer> {
    calls.report("the list of load balancers".to_owned());
    let listed = list(calls, "DescribeLoadBalancers", &[], "LoadBalancers").await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            calls.record("load balancers", &error, Part::Details);
            return Vec::new();
        }
    };
    let is_application = |one: &Element| one.text(&["Type"]) == Some("application");
    let balancers: Vec<Element> = listed.into_iter().filter(is_application).collect();
    if balancers.is_empty() {
        return Vec::new();
    }
    let functions = functions(calls).await;
    let total = balancers.len();
    let mut read = Vec::new();
    for (index, balancer) in balancers.iter().enumerate() {
        let name = balancer.text(&["LoadBalancerName"]).unwrap_or_default();
        let title = format!("load balancer {name}");
        calls.report(format!("{title}, {} of {total}", index + 1));
        match listeners(calls, balancer, &functions).await {
            Ok(listeners) => read.extend(parse_balancer(balancer, listeners)),
            Err(error) => calls.record_one(&title, &error, Part::Details),
        }
    }
    read
}

/// Reads the Lambda functions in target groups. A target group that cannot be read is omitted, and
/// recorded as not read unless it was deleted meanwhile.
async fn functions(calls: &mut Calls<'_>) -> Functions {
    calls.report("target groups with functions".to_owned());
    let mut functions = Functions::new();
    let groups = list(calls, "DescribeTargetGroups", &[], "TargetGroups").await;
    let groups = groups.unwrap_or_else(|error| {
        calls.record("target groups", &error, Part::Details);
        Vec::new()
    });
    let with_functions = groups
        .iter()
        .filter(|group| group.text(&["TargetType"]) == Some("lambda"));
    let arns: Vec<&str> = with_functions
        .filter_map(|group| group.text(&["TargetGroupArn"]))
        .collect();
    for arn in arns {
        let parameters = [("TargetGroupArn", arn)];
        let name = "TargetHealthDescriptions";
        match list(calls, "DescribeTargetHealth", &parameters, name).await {
            Ok(targets) => {
                let mut ids = targets.iter().filter_map(|it| it.text(&["Target", "Id"]));
                functions.extend(ids.next().map(|id| (arn.to_owned(), id.to_owned())));
            }
            Err(error) => calls.record_one("functions in target groups", &error, Part::Details),
        }
    }
    functions
}

/// Reads the listeners of a load balancer, and the rules of each listener.
async fn listeners(
    calls: &mut Calls<'_>,
    balancer: &Element,
    functions: &Functions,
) -> Result<Vec<Listener>, ReadError> {
    let arn = balancer.text(&["LoadBalancerArn"]).unwrap_or_default();
    let parameters = [("LoadBalancerArn", arn)];
    let found = list(calls, "DescribeListeners", &parameters, "Listeners").await?;
    let mut listeners = Vec::new();
    for listener in &found {
        let arn = listener.text(&["ListenerArn"]).unwrap_or_default();
        let rules = list(calls, "DescribeRules", &[("ListenerArn", arn)], "Rules").await?;
        let rules = rules.iter().filter_map(|rule| parse_rule(rule, functions));
        listeners.extend(parse_listener(listener, rules.collect()));
    }
    Ok(listeners)
}

/// Calls `action` until all pages are read. Returns the items of the list `name` in the pages.
async fn list(
    calls: &mut Calls<'_>,
    action: &str,
    parameters: &[(&str, &str)],
    name: &str,
) -> Result<Vec<Element>, ReadError> {
    let mut items = Vec::new();
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut all = parameters.to_vec();
        all.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let document = calls
            .query((Service::LoadBalancing, action), VERSION, &all)
            .await?;
        let root = Element::parse(&document);
        let mut root = root.ok_or_else(|| {
            ReadError::Malformed(format!("{action}: the response is not complete XML"))
        })?;
        let result = format!("{action}Result");
        let next = root.text(&[&result, "NextMarker"]).map(str::to_owned);
        items.extend(root.take_list(&[&result, name]));
        if next.is_none() {
            return Ok(items);
        }
        if next == marker {
            break;
        }
        marker = next;
    }
    Err(endless(action))
}

fn parse_balancer(balancer: &Element, listeners: Vec<Listener>) -> Option<LoadBalancer> {
    Some(LoadBalancer {
        dns_name: balancer.text(&["DNSName"])?.to_owned(),
        internal: balancer.text(&["Scheme"]) == Some("internal"),
        listeners,
    })
}

fn parse_listener(listener: &Element, rules: Vec<ListenerRule>) -> Option<Listener> {
    let https = match listener.text(&["Protocol"])? {
        "HTTPS" => true,
        "HTTP" => false,
        _ => return None,
    };
    let port = listener.text(&["Port"])?.parse().ok()?;
    Some(Listener { https, port, rules })
}

/// Parses a rule; `None` if it does not forward requests, if it authenticates users first, or if
/// it has conditions that a plain GET request may not meet.
fn parse_rule(rule: &Element, functions: &Functions) -> Option<ListenerRule> {
    let mut parsed = ListenerRule::default();
    for condition in rule.list(&["Conditions"]) {
        let field = condition.text(&["Field"])?;
        let config = match field {
            "host-header" => "HostHeaderConfig",
            "path-pattern" => "PathPatternConfig",
            "http-request-method" => "HttpRequestMethodConfig",
            _ => return None,
        };
        let mut values = condition.texts(&[config, "Values"]);
        if values.is_empty() {
            values = condition.texts(&["Values"]);
        }
        // A condition without values uses regular expressions, so the rule is skipped.
        values.first()?;
        match field {
            "host-header" => parsed.hosts = values,
            "path-pattern" => parsed.paths = values,
            _ => {
                values.iter().find(|method| *method == "GET")?;
            }
        }
    }
    let actions = rule.list(&["Actions"]);
    let forwards = |action: &Element| action.text(&["Type"]) == Some("forward");
    let forward = actions.first().filter(|_| actions.iter().all(forwards))?;
    let groups = forward.list(&["ForwardConfig", "TargetGroups"]).iter();
    let groups = groups.filter_map(|group| group.text(&["TargetGroupArn"]));
    let mut groups = groups.chain(forward.text(&["TargetGroupArn"]));
    parsed.function = groups.find_map(|group| functions.get(group).cloned());
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(conditions: &str, actions: &str) -> Option<ListenerRule> {
        let document = format!(
            "<member><Conditions>{conditions}</Conditions><Actions>{actions}</Actions></member>"
        );
        let functions = Functions::from([("arn:group".to_owned(), "arn:function".to_owned())]);
        parse_rule(&Element::parse(&document).unwrap(), &functions)
    }

    const FORWARD: &str = "<member><Type>forward</Type><TargetGroupArn>arn:group</TargetGroupArn>\
                           </member>";

    #[test]
    fn a_rule_has_hosts_paths_and_a_function() {
        let conditions = "<member><Field>host-header</Field><HostHeaderConfig><Values>\
                          <member>a.example.com</member></Values></HostHeaderConfig></member>\
                          <member><Field>path-pattern</Field><Values><member>/a*</member>\
                          <member>/b</member></Values></member>";
        let rule = rule(conditions, FORWARD).unwrap();
        assert_eq!(rule.hosts, ["a.example.com"]);
        assert_eq!(rule.paths, ["/a*", "/b"]);
        assert_eq!(rule.function.as_deref(), Some("arn:function"));
    }

    #[test]
    fn rules_that_a_plain_request_does_not_reach_are_omitted() {
        let condition = |field: &str, value: &str| {
            format!(
                "<member><Field>{field}</Field><Values><member>{value}</member></Values></member>"
            )
        };
        let redirect = "<member><Type>redirect</Type></member>";
        let login = format!("<member><Type>authenticate-oidc</Type></member>{FORWARD}");
        for (conditions, actions, expected) in [
            (String::new(), FORWARD, true),
            (condition("http-request-method", "GET"), FORWARD, true),
            (condition("http-request-method", "POST"), FORWARD, false),
            (condition("source-ip", "10.0.0.0/8"), FORWARD, false),
            (
                "<member><Field>path-pattern</Field></member>".to_owned(),
                FORWARD,
                false,
            ),
            (String::new(), redirect, false),
            (String::new(), login.as_str(), false),
        ] {
            let rule = rule(&conditions, actions);
            assert_eq!(rule.is_some(), expected, "{conditions} {actions}");
        }
    }

    #[test]
    fn only_http_and_https_listeners_are_kept() {
        for (protocol, expected) in [("HTTP", Some(false)), ("HTTPS", Some(true)), ("TCP", None)] {
            let document =
                format!("<member><Protocol>{protocol}</Protocol><Port>8080</Port></member>");
            let listener = parse_listener(&Element::parse(&document).unwrap(), Vec::new());
            let found = listener.map(|listener| (listener.https, listener.port));
            assert_eq!(found, expected.map(|https| (https, 8080)));
        }
    }
}
