//! When access keys and roles were last used. Source: AWS IAM API Reference, GetAccessKeyLastUsed and
//! RoleLastUsed.

use super::named::named;
use crate::errors;
use crate::records::{AccessKey, LastUsed, Role, User, everywhere};
use kiln_iam_shapes::{AccessKeyLastUsed, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse, RoleLastUsed};
use kiln_service_kit::{Cx, Error, Operation, RootCredential, Scope, Timestamp, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetAccessKeyLastUsed: get_access_key_last_used(GetAccessKeyLastUsedRequest), on named)];

/// Uses of roles are told of for so long.
const TOLD_OF_ROLES_MS: i64 = 400 * 24 * 60 * 60 * 1_000;

async fn get_access_key_last_used(
    cx: &Cx,
    input: GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse, Error> {
    let id = &input.access_key_id;
    if *id == cx.platform().part::<RootCredential>()?.access_key {
        return Err(Error::not_built("iam:GetAccessKeyLastUsed for the root user"));
    }
    let missing = || errors::missing(format!("The Access Key with id {id} cannot be found."));
    let found = cx.store().get::<AccessKey>(&everywhere(), id)?;
    let found = found.filter(|key| key.account == cx.account()).ok_or_else(missing)?;
    let user = cx.store().get::<User>(&Scope::new(cx.account(), ""), &found.user)?.ok_or_else(missing)?;
    let used = cx.store().get::<LastUsed>(&everywhere(), id)?;
    let or_none = |text: Option<&String>| Some(text.cloned().unwrap_or_else(|| "N/A".to_owned()));
    Ok(GetAccessKeyLastUsedResponse {
        user_name: Some(user.name.clone()),
        access_key_last_used: Some(AccessKeyLastUsed {
            last_used_date: used.as_ref().map(|used| used.at),
            service_name: or_none(used.as_ref().map(|used| &used.service)),
            region: or_none(used.as_ref().map(|used| &used.region)),
        }),
    })
}

/// Of a role; empty where nobody used it.
pub fn of_role(cx: &Cx, role: &Role) -> Result<RoleLastUsed, Error> {
    let since = Timestamp(cx.now().0 - TOLD_OF_ROLES_MS);
    let used = cx.store().get::<LastUsed>(&everywhere(), &role.id)?.filter(|used| used.at >= since);
    Ok(match used {
        Some(used) => RoleLastUsed { last_used_date: Some(used.at), region: Some(used.region.clone()) },
        None => RoleLastUsed::default(),
    })
}
