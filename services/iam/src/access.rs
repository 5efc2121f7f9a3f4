//! Answers about credentials and rights, asked at every call.
//!
//! ```text
//! access key id ── one read by id ──> secret, user          (gateway: is the signature right?)
//! caller + action + resources ── the caller's policies, parsed once ── kiln_policy ──> allowed or why not
//! ```
//!
//! Nothing is scanned: a key is found by its id, a user by its name, and both say where to go on.
//! Temporary credentials are the sts service's, which puts itself in front of this.

use crate::last_used::Uses;
use crate::parsed::Parsed;
use crate::records::{AccessKey, Role, User, everywhere, key};
use crate::rights::Rights;
use crate::secrets::{self, Secrets};
use kiln_policy::{Policies, Policy, Principal, Request, ResourcePolicies, evaluate};
use kiln_protocol::Protocol;
use kiln_service_kit::{
    Access, Caller, CallerKind, Credential, Cx, Error, Grant, Platform, RootCredential, Scope, Store,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use time::OffsetDateTime;

/// Installs the answers in the platform.
pub fn start(platform: Arc<Platform>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    Box::pin(async move {
        let root = platform.part::<RootCredential>()?;
        let secrets = Secrets::new(platform.part()?);
        secrets::seal_all(&platform).await?;
        let account = platform.home().account.to_string();
        let store = platform.store().clone();
        let uses = Uses::new(store.clone(), platform.clock().clone());
        platform.set_access(Arc::new(IamAccess {
            root,
            account,
            store,
            everywhere: everywhere(),
            parsed: Parsed::default(),
            secrets,
            uses,
        }));
        Ok(())
    })
}

struct IamAccess {
    root: RootCredential,
    account: String,
    store: Store,
    /// Kept, since it is asked for at every request.
    everywhere: Scope,
    parsed: Parsed,
    secrets: Secrets,
    uses: Uses,
}

impl Access for IamAccess {
    fn credential(&self, access_key: &str) -> Result<Option<Credential>, Error> {
        let found = |secret: &str, active: bool, caller: Caller| {
            Some(Credential { secret: secret.to_owned(), session_token: None, expires: None, active, caller })
        };
        if access_key == self.root.access_key {
            return Ok(found(&self.root.secret, true, Caller::root(&self.account)));
        }
        let Some(key) = self.store.get::<AccessKey>(&self.everywhere, access_key)? else { return Ok(None) };
        let Some(user) = self.store.get::<User>(&Scope::new(key.account.as_str(), ""), &key.user)? else {
            return Ok(None);
        };
        let caller = Caller {
            account: key.account.clone(),
            arn: user.arn.clone(),
            user_id: user.id.clone(),
            access_key: key.id.clone(),
            kind: CallerKind::User { name: user.name.clone() },
        };
        Ok(found(&self.secrets.secret(&key)?, key.active, caller))
    }

    fn exists(&self, caller: &Caller) -> Result<bool, Error> {
        let scope = Scope::new(caller.account.as_str(), "");
        let id = caller.user_id.split(':').next().unwrap_or(&caller.user_id);
        Ok(match &caller.kind {
            CallerKind::Root | CallerKind::Service { .. } => true,
            CallerKind::User { name } => self.store.get::<User>(&scope, &key(name))?.is_some_and(|user| user.id == id),
            CallerKind::Role { role_name, .. } => {
                self.store.get::<Role>(&scope, &key(role_name))?.is_some_and(|role| role.id == id)
            }
        })
    }

    fn names_somebody(&self, arn: &str) -> Result<bool, Error> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, service, "", account, resource] = parts[..] else { return Ok(false) };
        let Some((kind, path)) = resource.split_once('/') else { return Ok(false) };
        let scope = Scope::new(account, "");
        let named = key(path.rsplit('/').next().unwrap_or(path));
        Ok(match (service, kind) {
            ("iam", "user") => self.store.get::<User>(&scope, &named)?.is_some_and(|user| user.arn == arn),
            ("iam", "role") => self.store.get::<Role>(&scope, &named)?.is_some_and(|role| role.arn == arn),
            ("sts", "assumed-role") => {
                let Some((role, _)) = path.split_once('/') else { return Ok(false) };
                self.store.get::<Role>(&scope, &key(role))?.is_some()
            }
            _ => false,
        })
    }

    fn used(&self, caller: &Caller, service: &str, region: &str) {
        self.uses.by(caller, service, region);
    }

    fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error> {
        refuse_session_token(cx.caller(), grant.action)?;
        let (principal, rights) = self.principal(cx, grant)?;
        let mut request = circumstances(cx, principal, grant)?;
        request = request.principal_tags(rights.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let on_resource = match &grant.resource_policy {
            None => None,
            Some(policy) => {
                request = request.of_account(policy.account);
                let kind =
                    if policy.trust { kiln_policy::DocumentKind::Trust } else { kiln_policy::DocumentKind::Resource };
                let document = policy.document.map(|document| self.parsed.get(document, kind)).transpose()?;
                document.map(|document| (policy.name, document))
            }
        };
        let on_resource: Vec<Policy<'_>> =
            on_resource.iter().map(|(name, document)| Policy { name, document }).collect();
        let trust = grant.resource_policy.is_some_and(|policy| policy.trust);
        let needed = grant.resource_policy.is_some_and(|policy| policy.needed);
        let decision = rights.with(|policies| {
            let resource = ResourcePolicies { policies: &on_resource, trust, needed };
            evaluate(&request, &Policies { resource, ..policies })
        });
        tracing::debug!(target: "kiln::access", decision = %decision.explain(&request));
        if decision.is_allowed() {
            return Ok(());
        }
        Err(denied(cx, grant.action, &decision.denied_message(&request)))
    }
}

impl IamAccess {
    /// The caller in the words of policies, and what it may do.
    fn principal(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(Principal, Rights), Error> {
        let caller = cx.caller();
        let (arn, account, id) = (caller.arn.clone(), caller.account.clone(), caller.user_id.clone());
        let scope = Scope::new(account.as_str(), "");
        // Somebody whose user or role was removed meanwhile may do nothing.
        let gone = || {
            let text = format!("User: {} is not authorized to perform: {}", caller.arn, grant.action);
            Error::sender("AccessDenied", text).with_status(403)
        };
        match &caller.kind {
            CallerKind::Root => Ok((Principal::Root { account }, Rights::default())),
            CallerKind::Service { name } => Ok((Principal::Service(name.clone()), Rights::default())),
            CallerKind::User { name } => {
                let rights = Rights::of_user(&self.store, &self.parsed, &scope, name)?;
                let rights = rights.filter(|(user, _)| *user == id).ok_or_else(gone)?.1;
                Ok((Principal::User { arn, account, name: name.clone(), id }, rights))
            }
            CallerKind::Role { role_name, session_policies, session_tags, .. } => {
                let found = Rights::of_role(&self.store, &self.parsed, &scope, role_name)?;
                let role_id = id.split(':').next().unwrap_or(&id).to_owned();
                // A service that was given a role's ARN (a stack) takes on the role anew at each call,
                // and names it by name; a session from outside is of the role it began with.
                let by_name = |role: &Role| caller.access_key.is_empty() && role.name == role_id;
                let (role, mut rights) =
                    found.filter(|(role, _)| role.id == role_id || by_name(role)).ok_or_else(gone)?;
                if caller.access_key.is_empty() {
                    // No request came with its credentials, and yet it is used.
                    let service = grant.action.split(':').next().unwrap_or_default();
                    self.uses.by_role(&account, role_name, &role.id, service, cx.region());
                }
                rights.limit_to_session(&self.store, &self.parsed, session_policies)?;
                rights.tags.extend(session_tags.iter().cloned());
                Ok((Principal::Session { arn, role_arn: role.arn.clone(), account, id }, rights))
            }
        }
    }
}

/// What GetSessionToken gives cannot be used for iam, nor for sts beyond AssumeRole and
/// GetCallerIdentity. Source: AWS STS API Reference, GetSessionToken.
fn refuse_session_token(caller: &Caller, action: &str) -> Result<(), Error> {
    let temporary = caller.access_key.starts_with("ASIA") && matches!(caller.kind, CallerKind::User { .. });
    let closed = action.starts_with("iam:") && action != "iam:PassRole"
        || action.starts_with("sts:") && !matches!(action, "sts:AssumeRole" | "sts:TagSession");
    if temporary && closed {
        let text = "The security token included in the request is invalid";
        return Err(Error::sender("InvalidClientTokenId", text).with_status(403));
    }
    Ok(())
}

/// The question with the condition keys that every request has.
fn circumstances(cx: &Cx, principal: Principal, grant: &Grant<'_>) -> Result<Request, Error> {
    let now = OffsetDateTime::from_unix_timestamp(cx.now().0.div_euclid(1_000))
        .map_err(|e| Error::failed("read the clock", e))?;
    let mut request = Request::new(principal, grant.action, grant.resources.to_vec())
        .at(now)
        .with("aws:SecureTransport", "false")
        .with("aws:ViaAWSService", cx.via_service().is_some().to_string());
    if let Some(service) = cx.via_service() {
        request = request.with("aws:CalledVia", service).with("aws:CalledViaFirst", service);
        request = request.with("aws:CalledViaLast", service);
    }
    if !cx.region().is_empty() {
        request = request.with("aws:RequestedRegion", cx.region());
    }
    // An address in a network is told from the same one elsewhere, as AWS does for calls that come by an
    // endpoint in the VPC. Source: AWS IAM User Guide, "AWS global condition context keys".
    match (cx.source_ip(), cx.source_vpc()) {
        (Some(address), Some(vpc)) => {
            request = request.with("aws:VpcSourceIp", address.to_string()).with("aws:SourceVpc", vpc);
        }
        (Some(address), None) => request = request.from_address(address),
        (None, _) => {}
    }
    // Whom a service acts for: its policies' answer to a deputy that anybody can send.
    if let CallerKind::Service { .. } = &cx.caller().kind {
        request = request.with("aws:SourceAccount", &cx.caller().account);
        if let Some(arn) = cx.source_arn() {
            request = request.with("aws:SourceArn", arn);
        }
    }
    if let CallerKind::Role { source_identity: Some(who), .. } = &cx.caller().kind {
        request = request.with("aws:SourceIdentity", who);
    }
    if cx.caller().access_key.starts_with("ASIA") {
        request = request.with("aws:MultiFactorAuthPresent", "false");
    }
    // A key given several times has several values.
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, value) in grant.context {
        keys.entry(key).or_default().push(value);
    }
    for (key, values) in keys {
        request = request.with_all(key, &values);
    }
    Ok(request)
}

/// The refusal in the form of the service asked.
fn denied(cx: &Cx, action: &str, message: &str) -> Error {
    let prefix = action.split(':').next().unwrap_or(action);
    let service = cx.platform().services().iter().find(|s| s.model.action_prefix() == prefix);
    let protocol = service.map(|service| cx.protocol_of(service.model));
    match protocol {
        Some(Protocol::Ec2) => {
            let text = format!("You are not authorized to perform this operation. {message}");
            Error::sender("UnauthorizedOperation", text).with_status(403)
        }
        Some(Protocol::Json10 | Protocol::Json11 | Protocol::Cbor) => Error::sender("AccessDeniedException", message),
        Some(Protocol::RestJson) => Error::sender("AccessDeniedException", message).with_status(403),
        _ => Error::sender("AccessDenied", message).with_status(403),
    }
}
