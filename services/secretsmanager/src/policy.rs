//! Resource policies of secrets: what is taken for one, and what is said of one that is not. How one is weighed against the
//! caller's own policies is the kit's (`service-kit/src/target.rs`).

use crate::errors::malformed_policy;
use crate::names;
use crate::public::each;
use crate::records::Secret;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error, Owned, Scope, regions};
use serde_json::Value as Json;

/// Condition keys that a request has in AWS and not here: a statement that denies by one would let in.
const NOT_BUILT: [&str; 11] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:principalservicenameslist",
    "aws:referer",
    "aws:tokenissuetime",
    "aws:useragent",
    "secretsmanager:resource/allowrotationlambdaarn",
    "secretsmanager:secretprimaryregion",
];

/// The policy that a text is, as JSON.
pub fn check(cx: &Cx, text: &str) -> Result<Json, Error> {
    let json: Json =
        serde_json::from_str(text).map_err(|_| malformed_policy("This resource policy contains invalid Json"))?;
    let document = Document::parse(text, DocumentKind::Resource);
    let document = document.map_err(|wrong| malformed_policy(wrong.message.to_string()))?;
    for statement in each(json.get("Statement")) {
        for element in ["Principal", "NotPrincipal"] {
            let kinds = statement.get(element).and_then(Json::as_object).into_iter().flatten();
            for (_, named) in kinds.filter(|(kind, _)| *kind == "AWS") {
                each(Some(named)).into_iter().filter_map(Json::as_str).try_for_each(|who| principal(cx, who))?;
            }
        }
    }
    for key in document.context_keys() {
        if NOT_BUILT.contains(&key.to_ascii_lowercase().as_str()) {
            return Err(Error::not_built(format!("secretsmanager: the condition key {key} in a resource policy")));
        }
    }
    Ok(json)
}

/// Whoever is named must be there.
fn principal(cx: &Cx, who: &str) -> Result<(), Error> {
    let account = regions::global_part(who, "iam").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(who);
    if who == "*" || (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(());
    }
    let access = cx.platform().access().ok_or_else(|| Error::internal("nobody of this platform knows principals"))?;
    match access.names_somebody(who)? {
        true => Ok(()),
        false => Err(malformed_policy("This resource policy contains an unsupported principal.")),
    }
}

/// Whose a secret is, with its policy.
pub fn owned(cx: &Cx, scope: &Scope, secret: &Secret) -> Owned {
    let policy = secret.policy.as_deref().map(Into::into);
    Owned { account: scope.account.to_string(), name: names::arn(cx, scope, secret), policy }
}
