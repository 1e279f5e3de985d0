//! Determines who made a change: a role, an IAM user, the root user, an AWS service or another
//! account.
//!
//! Access keys, account ids, addresses and the names of role sessions are never used. The name of a
//! session is often the email address of a person.

use serde_json::Value;

/// The name that is shown if an event does not tell who made the change.
const UNKNOWN: &str = "unknown";

/// Returns the name of the role, IAM user or AWS service in the `userIdentity` of a CloudTrail
/// event. Returns `root` for the root user, `another account` for another AWS account, and
/// [`UNKNOWN`] in all other cases.
pub(super) fn who(identity: Option<&Value>) -> String {
    let name = identity.and_then(|identity| {
        let text = |key: &str| identity.get(key).and_then(Value::as_str);
        match text("type")? {
            "Root" => Some("root"),
            "IAMUser" => text("userName").and_then(name),
            "AssumedRole" | "Role" | "FederatedUser" => {
                let issuer = identity.pointer("/sessionContext/sessionIssuer/userName");
                let issuer = issuer.and_then(Value::as_str).and_then(name);
                issuer.or_else(|| text("arn").and_then(role_in))
            }
            "AWSService" => text("invokedBy").and_then(name),
            "AWSAccount" => Some("another account"),
            _ => None,
        }
    });
    name.unwrap_or(UNKNOWN).to_owned()
}

/// Returns the name of the role in the ARN of a session,
/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; `None` if the ARN does not have this form.
fn role_in(arn: &str) -> Option<&str> {
    let (_, role) = arn.split_once(":assumed-role/")?;
    let (role, _) = role.split_once('/')?;
    name(role)
}

/// Returns the text if it can be the name of a role, user or service: at most 128 characters that
/// IAM allows in names.
fn name(text: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let valid = (1..=128).contains(&text.len()) && text.chars().all(allowed);
    valid.then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_roles_users_and_services_are_named() {
        let issuer = json!({ "sessionIssuer": { "type": "Role", "userName": "deploy-role" } });
        let session = "arn:aws:sts::123456789012:assumed-role/deploy-role/jane@example.com";
        for (identity, expected) in [
            (
                json!({ "type": "AssumedRole", "arn": session, "sessionContext": issuer,
                        "principalId": "AROAEXAMPLE:jane@example.com" }),
                "deploy-role",
            ),
            (
                json!({ "type": "AssumedRole", "arn": session }),
                "deploy-role",
            ),
            (
                json!({ "type": "IAMUser", "userName": "alice", "accessKeyId": "AKIAEXAMPLE" }),
                "alice",
            ),
            (
                json!({ "type": "Root", "accountId": "123456789012" }),
                "root",
            ),
            (
                json!({ "type": "AWSService", "invokedBy": "cloudformation.amazonaws.com" }),
                "cloudformation.amazonaws.com",
            ),
            (
                json!({ "type": "AWSAccount", "accountId": "123456789012" }),
                "another account",
            ),
            (
                json!({ "type": "SAMLUser", "userName": "jane@example.com" }),
                "unknown",
            ),
            (
                json!({ "type": "IdentityCenterUser", "principalId": "x" }),
                "unknown",
            ),
            (
                json!({ "type": "IAMUser", "userName": "a b\u{1b}[2J" }),
                "unknown",
            ),
            (json!({ "type": "IAMUser" }), "unknown"),
            (json!({}), "unknown"),
        ] {
            assert_eq!(who(Some(&identity)), expected, "{identity}");
        }
        assert_eq!(who(None), "unknown");
    }
}
