//! As whom a call is made where the note names a role: a session of it, which the noting service may begin only while the
//! role trusts it for the thing that tells. No credentials are made: nobody but this attempt uses the session.

use kiln_iam_shapes::GetRoleRequest;
use kiln_service_kit::{Arn, Caller, CallerKind, Cx, Error, Grant, ResourcePolicy, Scope};

/// The context of a session of the role, for a service and one of its things; `cx` is in the thing's account.
///
/// # Errors
/// There is no such role, or it does not trust the service for that thing: `AccessDenied`.
pub async fn may_assume(cx: &Cx, service: &str, source_arn: &str, role: &str) -> Result<Cx, Error> {
    let denied = || {
        let text = format!("{service} is not authorized to perform: sts:AssumeRole on resource: {role}");
        Error::sender("AccessDenied", text).with_status(403)
    };
    let arn: Arn = role.parse().map_err(|_| denied())?;
    let name = arn.resource().rsplit('/').next().unwrap_or_default().to_owned();
    let there = Scope::new(arn.account(), cx.region());
    let itself = Cx::for_service(cx.platform().clone(), there, service).on_behalf_of(source_arn);
    let found = match itself.call(GetRoleRequest { role_name: name.clone() }).await {
        Ok(answer) => answer.role.filter(|found| found.arn.as_deref() == Some(role)).ok_or_else(denied)?,
        Err(error) if error.is("NoSuchEntity") => return Err(denied()),
        Err(error) => return Err(error),
    };
    let encoded = found.assume_role_policy_document;
    let encoded = encoded.ok_or_else(|| Error::internal("iam answered a role without its trust policy"))?;
    let document = percent_encoding::percent_decode_str(&encoded)
        .decode_utf8()
        .map_err(|_| Error::internal("iam answered a trust policy that is no text"))?;
    let access = cx.platform().access();
    let access = access.ok_or_else(|| Error::internal("nobody of this platform can decide about trust"))?;
    let session = "kiln-delivery";
    let trust =
        ResourcePolicy { name: role, document: Some(&document), trust: true, needed: false, account: arn.account() };
    access.authorize(
        &itself,
        &Grant {
            action: "sts:AssumeRole",
            resources: &[role.to_owned()],
            context: &[
                ("aws:SourceArn", source_arn.to_owned()),
                ("aws:SourceAccount", cx.account().to_owned()),
                ("sts:RoleSessionName", session.to_owned()),
            ],
            resource_policy: Some(trust),
        },
    )?;
    let id = found.role_id.ok_or_else(|| Error::internal("iam answered a role without an id"))?;
    let caller = Caller {
        account: arn.account().to_owned(),
        arn: format!("arn:{}:sts::{}:assumed-role/{name}/{session}", cx.partition(), arn.account()),
        user_id: format!("{id}:{session}"),
        access_key: String::new(),
        kind: CallerKind::Role {
            role_name: name,
            session_name: session.to_owned(),
            session_policies: vec![],
            session_tags: vec![],
            transitive_tags: vec![],
            source_identity: None,
        },
    };
    Ok(Cx::new(cx.platform().clone(), cx.scope().clone(), caller, cx.request_id()))
}
