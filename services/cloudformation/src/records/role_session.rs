//! Who acts for a stack that has a role: a session of this platform's own.

use kiln_service_kit::{Caller, CallerKind};

/// The session's name.
pub const SESSION: &str = "AWSCloudFormation";

/// The caller that a role session of this platform's own is.
pub fn caller(owner: &Caller, role_arn: &str) -> Caller {
    let role = role_name(role_arn);
    let partition = role_arn.split(':').nth(1).unwrap_or("aws");
    Caller {
        account: owner.account.clone(),
        arn: format!("arn:{partition}:sts::{}:assumed-role/{role}/{SESSION}", owner.account),
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

/// The role's name: what follows its path.
pub fn role_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
