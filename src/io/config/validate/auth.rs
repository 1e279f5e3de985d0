//! Reads `[target.auth]`: the credentials with which a probe authenticates to the endpoint. Exactly
//! one type of credentials is allowed.

use super::secret;
use crate::io::config::schema;
use crate::io::config::table::Value;
use crate::io::config::value::secret::SecretText;
use crate::io::config::value::text::{Identifier, UserName};
use crate::model::target::Auth;

/// Reads the `auth` table of a target or of `[defaults]`. The table of a target replaces the whole
/// table of `[defaults]`. Returns `None` after reporting an error.
pub(super) fn read(auth: &Value<'_>) -> Option<Auth> {
    let errors = auth.place.problems().error_count();
    let table = auth.table(schema::AUTH)?;
    let has_unknown_key = auth.place.problems().error_count() > errors;
    let kinds = [
        table.find("bearer").map(|value| bearer(&value)),
        table.find("basic").map(|value| basic(&value)),
        table.find("sigv4").map(|value| sigv4(&value)),
    ];
    let mut kinds = kinds.into_iter().flatten();
    match (kinds.next(), kinds.next()) {
        (Some(one), None) => one,
        // The error about the unknown key says what to write, so no second error is reported.
        (None, None) if has_unknown_key => None,
        _ => {
            auth.place
                .error("must contain exactly one of the keys `bearer`, `basic` and `sigv4`");
            None
        }
    }
}

fn bearer(value: &Value<'_>) -> Option<Auth> {
    let source = value.read::<SecretText>()?;
    let token = secret::for_header(&source, &value.place);
    value.place.check(token).map(Auth::Bearer)
}

fn basic(value: &Value<'_>) -> Option<Auth> {
    let table = value.table(schema::BASIC)?;
    let username = table.required::<UserName>("username", "username = \"probe\"");
    let source = table.required::<SecretText>("password", PASSWORD);
    let place = table.place_of("password");
    // Unlike a bearer token, a password is sent in Base64, so it may contain any character.
    let password = source.and_then(|source| place.check(secret::read(&source, &place)));
    Some(Auth::Basic {
        username: username?,
        password: password?,
    })
}

fn sigv4(value: &Value<'_>) -> Option<Auth> {
    let table = value.table(schema::SIGV4)?;
    let service = table.required::<Identifier>("service", "service = \"execute-api\"");
    let region = table.required::<Identifier>("region", "region = \"eu-west-1\"");
    Some(Auth::SigV4 {
        service: service?,
        region: region?,
    })
}

/// The example in the error about a missing password.
const PASSWORD: &str = "password = { file = \"PATH\" }";
