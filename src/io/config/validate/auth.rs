//! Credentials for the endpoint: exactly one kind, each secret from a file or variable.

use super::secret;
use super::text::filled;
use crate::io::config::document::Site;
use crate::io::config::file::{AuthTable, SecretSource};
use crate::io::config::layer::Found;
use crate::io::config::problem::Problems;
use crate::model::secret::Secret;
use crate::model::target::Auth;

/// The credentials, if the table is there. A target's own table hides the default one.
pub(super) fn read(found: Option<Found<'_, AuthTable>>, problems: &mut Problems) -> Option<Auth> {
    let Found { value: table, site } = found?;
    match (&table.bearer, &table.basic, &table.sigv4) {
        (Some(source), None, None) => {
            let site = site.key("bearer");
            let token = header_secret(source, &site, problems)?;
            Some(Auth::Bearer(token))
        }
        (None, Some(basic), None) => {
            let site = site.key("basic");
            let username = required(basic.username.as_ref(), &site.key("username"), problems);
            let password =
                required_secret(basic.password.as_ref(), &site.key("password"), problems);
            let username = username.filter(|name| {
                // RFC 7617: the first colon ends the name.
                let good = !name.contains(':');
                if !good {
                    let message = "a user name for basic authentication has no colon; remove it";
                    problems.error(site.key("username").problem(message));
                }
                good
            });
            Some(Auth::Basic {
                username: username?,
                password: password?,
            })
        }
        (None, None, Some(sigv4)) => {
            let site = site.key("sigv4");
            let service = required(sigv4.service.as_ref(), &site.key("service"), problems);
            let region = required(sigv4.region.as_ref(), &site.key("region"), problems);
            Some(Auth::SigV4 {
                service: service?,
                region: region?,
            })
        }
        _ => {
            problems.error(site.problem(
                "needs exactly one kind of credentials; keep one of bearer, basic and sigv4",
            ));
            None
        }
    }
}

fn required(value: Option<&String>, site: &Site<'_>, problems: &mut Problems) -> Option<String> {
    let message = match value.map(|text| filled(text)) {
        Some(Ok(text)) => return Some(text),
        Some(Err(message)) => message,
        None => "is missing; add it".to_owned(),
    };
    problems.error(site.problem(message));
    None
}

fn header_secret(
    source: &SecretSource,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<Secret> {
    secret::for_header(source, site)
        .map_err(|message| problems.error(site.problem(message)))
        .ok()
}

/// A password is sent in Base64, so it may hold any character.
fn required_secret(
    source: Option<&SecretSource>,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Option<Secret> {
    let read = match source {
        Some(source) => secret::read(source, site),
        None => Err(
            "is missing; add { file = \"PATH\" }, { env = \"NAME\" } or { credential = \"NAME\" }"
                .to_owned(),
        ),
    };
    read.map_err(|message| problems.error(site.problem(message)))
        .ok()
}
