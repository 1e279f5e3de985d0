//! Reads `name`, `url` and `urls` of a `[[target]]`, which describe one or more endpoints.
//!
//! With `urls`, each URL is a separate target. Its name is derived from the URL, so reordering the
//! list does not rename a target.

use std::collections::BTreeMap;

use url::Url;

use super::secret;
use crate::io::config::document::KeyLocation;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::secret::SecretText;
use crate::io::config::value::text::{TargetNameText, check_target_name};
use crate::io::config::value::url::{HttpUrl, parse_url};
use crate::model::settings::CloudWatchSettings;

/// The name and URL of a target, with the location of the name in the configuration.
pub(super) struct Endpoint<'a> {
    /// The name of the target, or `?` if the name is missing or invalid.
    pub(super) name: String,
    /// The URL of the endpoint, or a placeholder if the URL is missing, invalid or not read.
    pub(super) url: Url,
    /// The location of the name, or of the URL from which the name is derived. If there is no
    /// usable endpoint, the location of the target.
    pub(super) place: KeyLocation<'a>,
}

/// Reads the endpoints of a target. Returns at least one endpoint, even after errors, so that the
/// other tables of the target are checked.
pub(super) fn read<'a>(table: &Table<'a>, cloudwatch: &CloudWatchSettings) -> Vec<Endpoint<'a>> {
    let endpoints = match (table.find("urls"), table.find("url")) {
        (Some(urls), None) => several(table, &urls),
        (Some(urls), Some(_)) => {
            urls.place
                .error("cannot be combined with `url`; write all URLs in `urls`");
            Vec::new()
        }
        (None, _) => {
            let name = table.required::<TargetNameText>("name", "name = \"orders\"");
            if !table.has("url") {
                let example = "is missing; add it, for example `url = \"https://example.com/\"`";
                table.place_of("url").error(example);
            }
            let url = table.find("url").and_then(|value| url_of(&value));
            let place = table.place_of("name");
            vec![(name, url, place)]
        }
    };
    let endpoints = endpoints.into_iter().filter_map(|(name, url, place)| {
        let name = name.filter(|name| accepted(name, &place, cloudwatch));
        Some(Endpoint {
            name: name.unwrap_or_else(|| "?".to_owned()),
            url: url.or_else(any_url)?,
            place,
        })
    });
    let mut endpoints: Vec<Endpoint<'a>> = endpoints.collect();
    if endpoints.is_empty() {
        let placeholder = any_url().map(|url| Endpoint {
            name: "?".to_owned(),
            url,
            place: table.place().clone(),
        });
        endpoints.extend(placeholder);
    }
    endpoints
}

/// Returns a placeholder for a URL that is unknown. The placeholder is never probed. The result
/// is never `None`, because the placeholder is a valid URL.
pub(super) fn any_url() -> Option<Url> {
    Url::parse("http://localhost/").ok()
}

/// Reads a URL, written as text or as a table that names the file, variable or credential that
/// contains the URL. If the URL is invalid, reports an error and returns `None`. If secrets are
/// skipped, returns a placeholder for such a table.
pub(super) fn url_of(value: &Value<'_>) -> Option<Url> {
    if !value.is_table() {
        return value.read::<HttpUrl>();
    }
    let source = value.read::<SecretText>()?;
    let secret = value.place.check(secret::read(&source, &value.place))?;
    if value.place.problems().skips_secrets() {
        return any_url();
    }
    let text = secret.expose().trim();
    value.place.check(parse_url(text).map_err(|_| {
        "the file, variable or credential does not contain a valid http or https URL, or the URL \
         contains a user name or password; write a full URL such as https://example.com/health"
            .to_owned()
    }))
}

type Named<'a> = (Option<String>, Option<Url>, KeyLocation<'a>);

/// Reads `urls` and derives a name from each URL. Returns the name, the URL and the location of
/// each item. An invalid name or URL is reported and is `None` in the result.
fn several<'a>(table: &Table<'a>, urls: &Value<'a>) -> Vec<Named<'a>> {
    let prefix = table.get::<TargetNameText>("name");
    if urls.is_empty() {
        urls.place
            .error("the list contains no URL; add one, for example `[\"https://example.com/\"]`");
    }
    let items = urls.items().into_iter();
    items
        .map(|item| {
            let url = url_of(&item);
            let name = url.as_ref().map(|url| derived_name(prefix.as_deref(), url));
            let name = name.and_then(|name| item.place.check(check_target_name(name)));
            (name, url, item.place)
        })
        .collect()
}

/// Returns the name of a target from `urls`: the prefix, then host, port and path of the URL. The
/// query is omitted, because it may contain a secret.
fn derived_name(prefix: Option<&str>, url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    let prefix = prefix
        .map(|prefix| format!("{prefix} "))
        .unwrap_or_default();
    format!("{prefix}{host}{port}{path}")
}

fn accepted(name: &str, place: &KeyLocation<'_>, cloudwatch: &CloudWatchSettings) -> bool {
    let is_accepted = !cloudwatch.enabled || name.is_ascii() && !name.starts_with(':');
    if !is_accepted {
        place.error(
            "a target name is a CloudWatch dimension value, which must be ASCII and must not start \
             with a colon; rename the target",
        );
    }
    is_accepted
}

/// Reports each target name that is used more than once, at both locations.
pub(super) fn report_duplicates<'a, 'p>(
    endpoints: impl Iterator<Item = (&'p str, &'p KeyLocation<'a>)>,
) where
    'a: 'p,
{
    let mut seen = BTreeMap::new();
    for (name, place) in endpoints.filter(|(name, _)| *name != "?") {
        let Some(first) = seen.get(name) else {
            seen.insert(name, place);
            continue;
        };
        for (here, there) in [(*first, place), (place, *first)] {
            here.error(format!(
                "{name:?} is also the name of the target at {}; give each target a unique name",
                there.file_and_line()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_name_has_host_port_and_path_but_no_query() {
        for (url, prefix, name) in [
            ("https://a.example/", None, "a.example"),
            (
                "https://a.example:8443/health/",
                Some("shop"),
                "shop a.example:8443/health",
            ),
            ("http://a.example/x?token=hunter2", None, "a.example/x"),
            ("http://[::1]:80/", None, "[::1]"),
        ] {
            assert_eq!(derived_name(prefix, &Url::parse(url).unwrap()), name);
        }
    }
}
