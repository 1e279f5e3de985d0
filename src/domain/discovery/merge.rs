//! Combines the previous list of targets with a new list that is not complete.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Discovery;

/// Returns a list with the unchanged targets of the old list, and those targets of the new list
/// that have neither their name, their URL nor their route in common with an old target. The new
/// list is not complete, so it must not remove or change a target, and must not add a second target
/// for a route whose custom domain could not be read. If one list is not TOML, returns the other.
#[must_use]
pub fn extended(old: &str, new: &str) -> String {
    let (Some(mut targets), Some(added)) = (targets(old), targets(new)) else {
        let is_list = targets(old).is_some();
        return if is_list { old } else { new }.to_owned();
    };
    let known: BTreeSet<String> = targets.iter().flat_map(identity).collect();
    let is_new = |target: &Value| !identity(target).iter().any(|one| known.contains(one));
    let added: Vec<Value> = added.into_iter().filter(is_new).collect();
    if added.is_empty() {
        return old.to_owned();
    }
    targets.extend(added);
    targets.sort_by_cached_key(|target| identity(target).into_iter().next());
    let mut table = Table::new();
    if !targets.is_empty() {
        table.insert("target".to_owned(), Value::Array(targets));
    }
    table.to_string()
}

/// Returns the text to append to the new file: the targets of the previous file that an incomplete
/// reading did not find. The text is empty if there are none. It does not contain targets that are
/// now only proposed.
#[must_use]
pub fn kept(old: &str, found: &Discovery) -> String {
    let all = found.targets.iter().chain(&found.proposals);
    let known: BTreeSet<&str> = all
        .flat_map(|one| [one.name.as_str(), one.url.as_str()])
        .collect();
    let is_missing = |target: &Value| {
        let has = |key: &str| {
            let text = target.get(key).and_then(Value::as_str);
            text.is_some_and(|text| known.contains(text))
        };
        !has("name") && !has("url")
    };
    let old = targets(old).unwrap_or_default();
    let missing: Vec<Value> = old.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.insert("target".to_owned(), Value::Array(missing));
    format!("\n# Targets of the previous file, kept because not everything was read.\n\n{table}")
}

/// Returns whether two lists have the same targets in the same order, ignoring comments. If a list
/// is not TOML, compares the texts.
#[must_use]
pub fn same_targets(one: &str, other: &str) -> bool {
    match (targets(one), targets(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Returns the targets of a list; `None` if it is not TOML.
fn targets(list: &str) -> Option<Vec<Value>> {
    let mut table: Table = list.parse().ok()?;
    match table.remove("target") {
        Some(Value::Array(targets)) => Some(targets),
        _ => Some(Vec::new()),
    }
}

/// Returns the texts that identify a target: its name, its URL and, if declared, its route.
fn identity(target: &Value) -> Vec<String> {
    let text = |key: &str| Some(target.get(key)?.as_str()?.to_owned());
    let own = ["name", "url"].into_iter().filter_map(text);
    own.chain(route(target)).collect()
}

/// Returns the declared API, stage and route of a target; `None` if one of them is not declared.
fn route(target: &Value) -> Option<String> {
    let aws = target.get("aws")?;
    let text = |key: &str| aws.get(key).and_then(Value::as_str);
    let api = text("api_id").or_else(|| text("api_name"))?;
    Some(format!("{api} {} {}", text("stage")?, text("route")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(targets: &[(&str, &str, &str)]) -> String {
        let tables = targets.iter().map(|(name, url, region)| {
            format!(
                "# A comment.\n[[target]]\nname = \"{name}\"\nurl = \"{url}\"\n[target.aws]\n\
                 region = \"{region}\"\n"
            )
        });
        tables.collect()
    }

    fn names(list: &str) -> Vec<(String, String)> {
        let found = targets(list).unwrap();
        let names = found.iter().map(|target| {
            let region = target["aws"]["region"].as_str().unwrap();
            (identity(target).remove(0), region.to_owned())
        });
        names.collect()
    }

    #[test]
    fn old_targets_stay_and_new_ones_are_added() {
        let old = list(&[("b", "https://b/", "old"), ("d", "https://d/", "old")]);
        let new = list(&[
            ("a", "https://a/", "new"),
            ("b", "https://b/", "new"),
            ("c", "https://d/", "new"),
        ]);
        let merged = extended(&old, &new);
        let expected = [("a", "new"), ("b", "old"), ("d", "old")];
        let expected = expected.map(|(name, region)| (name.to_owned(), region.to_owned()));
        assert_eq!(names(&merged), expected);
        assert_eq!(extended(&merged, &new), merged);
    }

    #[test]
    fn a_route_whose_domain_was_not_read_gets_no_second_target() {
        let target = |url: &str, api: &str| {
            format!(
                "# A comment.\n[[target]]\nname = \"{url}\"\nurl = \"https://{url}/\"\n[target.aws]\n\
                 {api} = \"a1\"\nstage = \"$default\"\nroute = \"GET /\"\n"
            )
        };
        for api in ["api_id", "api_name"] {
            let old = target("api.example", api);
            assert_eq!(extended(&old, &target("a1.example", api)), old);
        }
    }

    #[test]
    fn lists_that_differ_only_in_comments_have_the_same_targets() {
        let old = list(&[("a", "https://a/", "x"), ("b", "https://b/", "x")]);
        let merged = extended(&list(&[("a", "https://a/", "x")]), &old);
        assert_ne!(merged, old);
        assert!(same_targets(&merged, &old));
        for other in ["", "= broken", &list(&[("a", "https://a/", "x")])] {
            assert!(!same_targets(other, &old), "{other}");
        }
    }

    #[test]
    fn a_list_that_is_not_toml_is_replaced() {
        let valid = list(&[("a", "https://a/", "x")]);
        assert_eq!(extended("= broken", &valid), valid);
        assert_eq!(extended(&valid, "= broken"), valid);
        assert_eq!(extended("", ""), "");
    }
}
