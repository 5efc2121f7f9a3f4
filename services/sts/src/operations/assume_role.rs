//! AssumeRole: a role's rights for a while, if the role's trust policy and the caller's own
//! policies say so. Source: AWS Security Token Service API Reference.

use crate::inherited::Inherited;
use crate::records::begin;
use kiln_iam_shapes::{GetPolicyRequest, GetRoleRequest, Role};
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Caller, CallerKind, Cx, Error, Operation, ResourcePolicy, Scope, operation, regions};
use kiln_sts_shapes::*;
use percent_encoding::percent_decode_str;

/// The row asks for no permission: the decision needs the role's trust policy, which the handler
/// reads.
pub const OPERATIONS: &[Operation] = &[operation!(AssumeRole: assume_role(AssumeRoleRequest), open)];

const DEFAULT_SECONDS: i32 = 3_600;
/// A role assumed with a role's credentials.
const CHAINED_SECONDS: i32 = 3_600;
/// Session policies together. Source: AWS IAM User Guide, "IAM and AWS STS quotas".
const POLICY_CHARACTERS: usize = 2_048;
const POLICY_ARNS: usize = 10;

async fn assume_role(cx: &Cx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
    refuse_unbuilt(&input)?;
    let (account, name) = target(&input.role_arn)?;
    let caller = cx.caller();
    if caller.kind == CallerKind::Root && !cx.platform().is_open() {
        return Err(denied("Roles may not be assumed by root accounts.".to_owned()));
    }
    // The role's account answers, whoever asks; what the asker may do is decided below.
    let there = Cx::new(
        cx.platform().clone(),
        Scope::new(account, cx.region()),
        Caller::service("sts.amazonaws.com", account),
        cx.request_id(),
    );
    let role = match there.call(GetRoleRequest { role_name: name.to_owned() }).await {
        Ok(found) => found.role.filter(|role| role.arn.as_deref() == Some(input.role_arn.as_str())),
        Err(error) if error.is("NoSuchEntity") => None,
        Err(error) => return Err(error),
    };
    // As for a role that does not trust the caller: who may not assume it learns nothing of it.
    let role = role.ok_or_else(|| {
        let (who, arn) = (&caller.arn, &input.role_arn);
        denied(format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"))
    })?;
    let session = Inherited::of(cx, &input)?;
    authorize(cx, &input, account, &role, &session)?;
    let seconds = duration(cx, &input, &role)?;
    let packed_policy_size = check_session_policies(&there, &input).await?;

    let role_id = role.role_id.as_deref().ok_or_else(|| Error::internal("iam answered a role without an id"))?;
    let session_name = &input.role_session_name;
    let assumed = Caller {
        account: account.to_owned(),
        arn: format!("arn:{}:sts::{account}:assumed-role/{name}/{session_name}", cx.partition()),
        user_id: format!("{role_id}:{session_name}"),
        access_key: String::new(),
        kind: CallerKind::Role {
            role_name: name.to_owned(),
            session_name: session_name.clone(),
            session_policies: input
                .policy
                .into_iter()
                .chain(input.policy_arns.into_iter().filter_map(|p| p.arn))
                .collect(),
            session_tags: session.tags,
            transitive_tags: session.transitive,
            source_identity: session.source_identity.clone(),
        },
    };
    let user = AssumedRoleUser { assumed_role_id: Some(assumed.user_id.clone()), arn: Some(assumed.arn.clone()) };
    let credentials = begin(cx, assumed, seconds).await?;
    Ok(AssumeRoleResponse {
        credentials: Some(credentials),
        assumed_role_user: Some(user),
        packed_policy_size,
        source_identity: session.source_identity,
    })
}

fn denied(text: String) -> Error {
    Error::sender("AccessDenied", text).with_status(403)
}

fn refuse_unbuilt(input: &AssumeRoleRequest) -> Result<(), Error> {
    let given = [
        (input.serial_number.is_some() || input.token_code.is_some(), "an MFA device"),
        (!input.provided_contexts.is_empty(), "ProvidedContexts"),
    ];
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(Error::not_built(format!("sts:AssumeRole with {what}"))),
        None => Ok(()),
    }
}

/// Account and name in a role's ARN.
fn target(arn: &str) -> Result<(&str, &str), Error> {
    let parts = regions::global_part(arn, "iam").and_then(|rest| rest.split_once(":role/"));
    let digits = |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    match parts.map(|(account, path)| (account, path.rsplit('/').next().unwrap_or(path))) {
        Some((account, name)) if digits(account) && !name.is_empty() => Ok((account, name)),
        _ => Err(Error::sender("ValidationError", format!("{arn} is invalid"))),
    }
}

/// Asks the trust policy and the caller's own policies.
fn authorize(cx: &Cx, input: &AssumeRoleRequest, account: &str, role: &Role, session: &Inherited) -> Result<(), Error> {
    let encoded = role.assume_role_policy_document.as_deref();
    let encoded = encoded.ok_or_else(|| Error::internal("iam answered a role without a trust policy"))?;
    let document = percent_decode_str(encoded)
        .decode_utf8()
        .map_err(|e| Error::failed("read the trust policy that iam answered", e))?;
    let mut keys: Vec<(&str, String)> = vec![("sts:RoleSessionName", input.role_session_name.clone())];
    if let Some(id) = &input.external_id {
        keys.push(("sts:ExternalId", id.clone()));
    }
    if let Some(who) = &session.source_identity {
        keys.push(("sts:SourceIdentity", who.clone()));
    }
    keys.extend(input.transitive_tag_keys.iter().map(|key| ("sts:TransitiveTagKeys", key.clone())));
    let request_tags: Vec<(String, String)> =
        input.tags.iter().map(|tag| (format!("aws:RequestTag/{}", tag.key), tag.value.clone())).collect();
    keys.extend(request_tags.iter().map(|(key, value)| (key.as_str(), value.clone())));
    keys.extend(input.tags.iter().map(|tag| ("aws:TagKeys", tag.key.clone())));
    let trust =
        ResourcePolicy { name: &input.role_arn, document: Some(&document), trust: true, needed: false, account };
    cx.authorize_by("sts:AssumeRole", &input.role_arn, &keys, trust)?;
    if !input.tags.is_empty() {
        cx.authorize_by("sts:TagSession", &input.role_arn, &keys, trust)?;
    }
    if session.source_identity.is_some() {
        cx.authorize_by("sts:SetSourceIdentity", &input.role_arn, &keys, trust)?;
    }
    Ok(())
}

fn duration(cx: &Cx, input: &AssumeRoleRequest, role: &Role) -> Result<i32, Error> {
    let seconds = input.duration_seconds.unwrap_or(DEFAULT_SECONDS);
    let too_long = |text: &str| Err(Error::sender("ValidationError", text));
    if matches!(cx.caller().kind, CallerKind::Role { .. }) && seconds > CHAINED_SECONDS {
        return too_long(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        );
    }
    if role.max_session_duration.is_some_and(|most| seconds > most) {
        return too_long("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    }
    Ok(seconds)
}

/// Refuses session policies that cannot be; how much of the room they take, in per cent.
async fn check_session_policies(there: &Cx, input: &AssumeRoleRequest) -> Result<Option<i32>, Error> {
    if let Some(text) = &input.policy {
        let malformed = |e: kiln_policy::MalformedPolicy| Error::sender("MalformedPolicyDocument", e.message);
        Document::parse(text, DocumentKind::Identity).map_err(malformed)?;
    }
    if input.policy_arns.len() > POLICY_ARNS {
        return Err(Error::sender("ValidationError", format!("At most {POLICY_ARNS} PolicyArns can be given.")));
    }
    let arns: Vec<&String> = input.policy_arns.iter().filter_map(|policy| policy.arn.as_ref()).collect();
    for arn in &arns {
        there.call(GetPolicyRequest { policy_arn: (*arn).clone() }).await?;
    }
    let used = input.policy.as_ref().map_or(0, |text| text.chars().count())
        + arns.iter().map(|arn| arn.len()).sum::<usize>()
        + input.tags.iter().map(|tag| tag.key.len() + tag.value.len()).sum::<usize>();
    if used == 0 {
        return Ok(None);
    }
    let percent = (used * 100).div_ceil(POLICY_CHARACTERS);
    if percent > 100 {
        let text = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(Error::sender("PackedPolicyTooLarge", text));
    }
    Ok(i32::try_from(percent).ok())
}
