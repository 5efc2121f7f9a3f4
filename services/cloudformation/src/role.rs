//! The role that a stack may act with instead of its creator.

use crate::errors::validation;
use kiln_iam_shapes::GetRoleRequest;
use kiln_service_kit::{Caller, CallerKind, Cx, Error};

const SESSION: &str = "AWSCloudFormation";

/// The caller that a role session of this platform's own is.
pub fn caller(owner: &Caller, role_arn: &str) -> Caller {
    let role = name(role_arn);
    Caller {
        account: owner.account.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{role}/{SESSION}", owner.account),
        user_id: format!("{role}:{SESSION}"),
        access_key: String::new(),
        kind: CallerKind::Role {
            role_name: role.to_owned(),
            session_name: SESSION.to_owned(),
            session_policies: vec![],
            session_tags: Default::default(),
            transitive_tags: vec![],
            source_identity: None,
        },
    }
}

/// Refuses a role that the caller may not pass or that is not there.
pub async fn check(cx: &Cx, role_arn: Option<&str>) -> Result<(), Error> {
    let Some(arn) = role_arn else { return Ok(()) };
    let bad = || validation(format!("Role {arn} is invalid or cannot be assumed"));
    if !arn.starts_with(&format!("arn:aws:iam::{}:role/", cx.account())) {
        return Err(bad());
    }
    let service = ("iam:PassedToService", "cloudformation.amazonaws.com".to_owned());
    cx.authorize("iam:PassRole", &[arn.to_owned()], &[service])?;
    let request = GetRoleRequest { role_name: name(arn).to_owned() };
    let answer = match cx.as_service("cloudformation.amazonaws.com").call(request).await {
        Ok(answer) => answer,
        Err(error) if error.is("NoSuchEntity") => return Err(bad()),
        Err(error) => return Err(error),
    };
    let trust = answer.role.and_then(|role| role.assume_role_policy_document);
    match trust.is_some_and(|trust| trust.contains("cloudformation.amazonaws.com")) {
        true => Ok(()),
        false => Err(bad()),
    }
}

/// The role's name: what follows its path.
fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
