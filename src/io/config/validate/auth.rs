//! Reads `[target.auth]`: the credentials that a probe sends to the endpoint, of exactly one kind.

use super::secret;
use crate::io::config::table::Value;
use crate::io::config::value::secret::SecretText;
use crate::io::config::value::text::{Identifier, UserName};
use crate::model::target::Auth;

/// Reads the `auth` table of a target or of the defaults. The table of a target replaces the whole
/// table of the defaults.
pub(super) fn read(auth: &Value<'_>) -> Option<Auth> {
    let table = auth.table(&["bearer", "basic", "sigv4"])?;
    match (
        table.find("bearer"),
        table.find("basic"),
        table.find("sigv4"),
    ) {
        (Some(bearer), None, None) => {
            let source = bearer.read::<SecretText>()?;
            let token = secret::for_header(&source, &bearer.place);
            bearer.place.check(token).map(Auth::Bearer)
        }
        (None, Some(basic), None) => {
            let table = basic.table(&["username", "password"])?;
            let username = table.required::<UserName>("username", "username = \"probe\"");
            let source = table.required::<SecretText>("password", PASSWORD);
            let place = table.place_of("password");
            // A password is sent in Base64, so it may contain any character.
            let password = source.and_then(|source| place.check(secret::read(&source, &place)));
            Some(Auth::Basic {
                username: username?,
                password: password?,
            })
        }
        (None, None, Some(sigv4)) => {
            let table = sigv4.table(&["service", "region"])?;
            let service = table.required::<Identifier>("service", "service = \"execute-api\"");
            let region = table.required::<Identifier>("region", "region = \"eu-west-1\"");
            Some(Auth::SigV4 {
                service: service?,
                region: region?,
            })
        }
        _ => {
            auth.place
                .error("needs exactly one of bearer, basic and sigv4; write one of them");
            None
        }
    }
}

/// The forms of a password in the configuration, for the error about a missing one.
const PASSWORD: &str = "{ file = \"PATH\" }, { env = \"NAME\" } or { credential = \"NAME\" }";
