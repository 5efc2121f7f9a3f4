//! Temporary credentials for a user itself, and whose an access key is. Source: AWS Security Token
//! Service API Reference, GetSessionToken and GetAccessKeyInfo.

use crate::records::begin;
use kiln_service_kit::{CallerKind, Cx, Error, Operation, operation};
use kiln_sts_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetSessionToken: get_session_token(GetSessionTokenRequest), open),
    operation!(GetAccessKeyInfo: get_access_key_info(GetAccessKeyInfoRequest), on everything),
];

/// 12 hours, unless asked for less or more.
const USER_SECONDS: i32 = 12 * 60 * 60;
/// The root user's last an hour at most.
const ROOT_SECONDS: i32 = 60 * 60;

/// Needs no permission.
async fn get_session_token(cx: &Cx, input: GetSessionTokenRequest) -> Result<GetSessionTokenResponse, Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Error::not_built("sts:GetSessionToken with an MFA device"));
    }
    let caller = cx.caller();
    let seconds = match &caller.kind {
        _ if caller.access_key.starts_with("ASIA") => return Err(with_session_credentials()),
        CallerKind::Root => input.duration_seconds.unwrap_or(ROOT_SECONDS).min(ROOT_SECONDS),
        CallerKind::User { .. } => input.duration_seconds.unwrap_or(USER_SECONDS),
        CallerKind::Role { .. } | CallerKind::Service { .. } => return Err(with_session_credentials()),
    };
    let credentials = begin(cx, caller.clone(), seconds).await?;
    Ok(GetSessionTokenResponse { credentials: Some(credentials) })
}

fn with_session_credentials() -> Error {
    Error::sender("AccessDenied", "Cannot call GetSessionToken with session credentials").with_status(403)
}

async fn get_access_key_info(cx: &Cx, input: GetAccessKeyInfoRequest) -> Result<GetAccessKeyInfoResponse, Error> {
    let found = match cx.platform().access() {
        Some(access) => access.credential(&input.access_key_id)?,
        None => None,
    };
    let found = found.ok_or_else(|| {
        let text = format!("No account is known for the access key {}.", input.access_key_id);
        Error::sender("ValidationError", text)
    })?;
    Ok(GetAccessKeyInfoResponse { account: Some(found.caller.account) })
}
