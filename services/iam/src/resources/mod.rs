//! CloudFormation types, one file each.

mod access_key;
mod group;
mod inline_policy;
mod instance_profile;
mod managed_policy;
mod membership;
mod policy;
mod role;
mod service_linked_role;
mod target;
mod user;

use crate::records::key;
use kiln_iam_shapes::Tag;
use kiln_service_kit::{Cx, Error, Record, ResourceRequest, ResourceType};
use std::sync::Arc;
use target::Target;

/// All of them.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(role::RoleType),
        Arc::new(service_linked_role::ServiceLinkedRoleType),
        Arc::new(instance_profile::InstanceProfileType),
        Arc::new(user::UserType),
        Arc::new(access_key::AccessKeyType),
        Arc::new(group::GroupType),
        Arc::new(policy::PolicyType),
        Arc::new(managed_policy::ManagedPolicyType),
        Arc::new(membership::UserToGroupAdditionType),
        Arc::new(inline_policy::InlinePolicyType(Target::Role)),
        Arc::new(inline_policy::InlinePolicyType(Target::User)),
        Arc::new(inline_policy::InlinePolicyType(Target::Group)),
    ]
}

/// Whether a thing with a name that the template chose was made by an earlier try of this creation.
pub(crate) async fn made_before<R: Record>(cx: &Cx, request: &ResourceRequest, name: &str) -> Result<bool, Error> {
    request.made_before(cx, |tx| Ok(tx.get::<R>(&cx.global_scope(), &key(name))?.is_some())).await
}

/// Tags of a request in iam's form.
pub(crate) fn tags(request: &ResourceRequest) -> Vec<Tag> {
    // Tags whose keys begin with aws: belong to AWS; iam refuses them from callers, and the engine
    // finds its own things by their generated names.
    let own = request.all_tags().into_iter().filter(|(key, _)| !key.starts_with("aws:"));
    own.map(|(key, value)| Tag { key, value }).collect()
}

/// The keys of tags that an update takes away.
pub(crate) fn removed_tags(request: &ResourceRequest) -> Vec<String> {
    request.removed_tags().into_iter().filter(|key| !key.starts_with("aws:")).collect()
}

/// What is there; none when it is not.
pub(crate) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.is("NoSuchEntity") => Ok(None),
        other => other.map(Some),
    }
}

/// All items of a listing, page by page.
macro_rules! listed {
    ($cx:expr, $request:expr, $items:ident) => {{
        let (mut request, mut all) = ($request, vec![]);
        loop {
            let page = $cx.call(request.clone()).await?;
            all.extend(page.$items);
            if page.is_truncated != Some(true) {
                break all;
            }
            request.marker = page.marker;
        }
    }};
}
pub(crate) use listed;

/// Tags as they are read.
pub(crate) fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    tags.into_iter().map(|tag| (Some(tag.key), Some(tag.value)))
}

/// Gone already is as good as removed.
pub(crate) fn gone_is_fine<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if !error.is("NoSuchEntity") => Err(error),
        _ => Ok(()),
    }
}
