//! The instance profile's role: its name from iam, its credentials from sts, as service
//! `ec2.amazonaws.com` with the instance's id as session name.

use super::world::{ACTS_AS, World};
use crate::instances::records::ProfileAssociation;
use kiln_iam_shapes::{GetInstanceProfileRequest, Role};
use kiln_service_kit::{Cx, Error, Platform, Timestamp};
use kiln_sts_shapes::{AssumeRoleRequest, Credentials};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// New credentials are made when the old ones have this long to live. AWS promises at least five
/// minutes; SDKs begin to ask again 15 minutes before the end.
const RENEW: Duration = Duration::from_secs(20 * 60);

/// Credentials of an instance, and of which role.
struct Session {
    /// A role made anew under the same name is another, and the old one's keys are nobody's.
    role_id: Option<String>,
    made: Timestamp,
    ends: Timestamp,
    credentials: Credentials,
}

/// Sessions that still live, by instance.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Session>>);

/// The role in the profile; nothing when the profile is gone or has none.
async fn role(cx: &Cx, profile: &ProfileAssociation) -> Result<Option<Role>, Error> {
    match cx.call(GetInstanceProfileRequest { instance_profile_name: profile.name().to_owned() }).await {
        Ok(found) => {
            // Another profile may have taken the name.
            let same = found.instance_profile.filter(|p| p.instance_profile_id.as_deref() == Some(profile.id.as_str()));
            Ok(same.and_then(|p| p.roles.into_iter().next()))
        }
        Err(error) if error.is("NoSuchEntity") => Ok(None),
        Err(error) => Err(error),
    }
}

fn of(platform: &Arc<Platform>, world: &World) -> Cx {
    Cx::for_service(platform.clone(), world.scope.clone(), ACTS_AS)
}

/// The name of the instance's role.
pub async fn name(platform: &Arc<Platform>, world: &World) -> Result<Option<String>, Error> {
    let Some(profile) = &world.instance.profile else { return Ok(None) };
    Ok(role(&of(platform, world), profile).await?.and_then(|role| role.role_name))
}

/// `iam/info`.
pub async fn info(platform: &Arc<Platform>, world: &World) -> Result<Option<Json>, Error> {
    let Some(profile) = &world.instance.profile else { return Ok(None) };
    let found = role(&of(platform, world), profile).await?.is_some();
    Ok(Some(json!({
        "Code": if found { "Success" } else { "InstanceProfileNotFound" },
        "LastUpdated": profile.at.iso8601(),
        "InstanceProfileArn": profile.arn,
        "InstanceProfileId": profile.id,
    })))
}

impl Sessions {
    /// `iam/security-credentials/ROLE`; nothing when that is not the instance's role, or when sts
    /// is not part of this server.
    pub async fn credentials(
        &self,
        platform: &Arc<Platform>,
        world: &World,
        wanted: &str,
    ) -> Result<Option<Json>, Error> {
        let (cx, instance) = (of(platform, world), world.instance.id.to_string());
        let Some(profile) = &world.instance.profile else { return Ok(None) };
        let Some(role) = role(&cx, profile).await?.filter(|role| role.role_name.as_deref() == Some(wanted)) else {
            return Ok(None);
        };
        let role_arn = role.arn.ok_or_else(|| Error::internal("iam answered a role without an ARN"))?;
        if let Some(shown) = self.kept(&instance, &role.role_id, cx.now()) {
            return Ok(Some(shown));
        }
        let asked = AssumeRoleRequest { role_arn, role_session_name: instance.clone(), ..AssumeRoleRequest::default() };
        let made = cx.now();
        let answer = match cx.call(asked).await {
            Ok(answer) => answer,
            Err(error) if error.is("NotImplemented") => return Ok(None),
            Err(error) if error.is("AccessDenied") => {
                return Ok(Some(json!({
                    "Code": "AssumeRoleUnauthorizedAccess",
                    "Message": format!("EC2 cannot assume the role {wanted}. Does its trust policy name {ACTS_AS}?"),
                    "LastUpdated": made.iso8601(),
                })));
            }
            Err(error) => return Err(error),
        };
        let credentials =
            answer.credentials.ok_or_else(|| Error::internal("sts answered AssumeRole without credentials"))?;
        let ends = credentials.expiration.ok_or_else(|| Error::internal("sts answered credentials without an end"))?;
        let session = Session { role_id: role.role_id, made, ends, credentials };
        let shown = session.shown();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, session| session.ends > made);
        kept.insert(instance, session);
        Ok(Some(shown))
    }

    fn kept(&self, instance: &str, role_id: &Option<String>, now: Timestamp) -> Option<Json> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = kept.get(instance)?;
        (session.role_id == *role_id && session.ends > now + RENEW).then(|| session.shown())
    }
}

impl Session {
    fn shown(&self) -> Json {
        json!({
            "Code": "Success",
            "LastUpdated": self.made.iso8601(),
            "Type": "AWS-HMAC",
            "AccessKeyId": self.credentials.access_key_id,
            "SecretAccessKey": self.credentials.secret_access_key,
            "Token": self.credentials.session_token,
            "Expiration": self.ends.iso8601(),
        })
    }
}
