//! Instance profiles: how a role reaches an instance. Source: AWS IAM API Reference.

use super::account;
use super::named::named;
use super::roles;
use crate::holders;
use crate::records::{InstanceProfile, Role, key};
use crate::{errors, listing, names, tags};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateInstanceProfile: create_instance_profile(CreateInstanceProfileRequest), on named),
    operation!(GetInstanceProfile: get_instance_profile(GetInstanceProfileRequest), on named),
    operation!(ListInstanceProfiles: list_instance_profiles(ListInstanceProfilesRequest), on named),
    operation!(ListInstanceProfilesForRole: list_instance_profiles_for_role(ListInstanceProfilesForRoleRequest),
        on named),
    operation!(DeleteInstanceProfile: delete_instance_profile(DeleteInstanceProfileRequest), on named),
    operation!(AddRoleToInstanceProfile: add_role(AddRoleToInstanceProfileRequest), on named),
    operation!(RemoveRoleFromInstanceProfile: remove_role(RemoveRoleFromInstanceProfileRequest), on named),
    operation!(TagInstanceProfile: tag_instance_profile(TagInstanceProfileRequest), on named),
    operation!(UntagInstanceProfile: untag_instance_profile(UntagInstanceProfileRequest), on named),
    operation!(ListInstanceProfileTags: list_instance_profile_tags(ListInstanceProfileTagsRequest), on named),
];

fn find(tx: &Tx<'_>, cx: &Cx, name: &str) -> Result<InstanceProfile, Error> {
    let found = tx.get::<InstanceProfile>(&cx.global_scope(), &key(name))?;
    found.map(|profile| (*profile).clone()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::sender("NoSuchEntity", format!("Instance Profile {name} cannot be found.")).with_status(404)
}

fn get(cx: &Cx, name: &str) -> Result<InstanceProfile, Error> {
    let found = cx.store().get::<InstanceProfile>(&cx.global_scope(), &key(name))?;
    found.map(|profile| (*profile).clone()).ok_or_else(|| missing(name))
}

async fn change(
    cx: &Cx,
    name: &str,
    f: impl FnOnce(&mut InstanceProfile, &Tx<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let mut profile = find(tx, cx, name)?;
            f(&mut profile, tx)?;
            tx.put_if_changed(&cx.global_scope(), &key(name), profile)?;
            Ok(())
        })
        .await
}

/// As answers show it, with its role.
pub fn shown(cx: &Cx, profile: &InstanceProfile) -> Result<kiln_iam_shapes::InstanceProfile, Error> {
    let role = match &profile.role {
        Some(name) => cx.store().get::<Role>(&cx.global_scope(), &key(name))?,
        None => None,
    };
    Ok(kiln_iam_shapes::InstanceProfile {
        path: Some(profile.path.clone()),
        instance_profile_name: Some(profile.name.clone()),
        instance_profile_id: Some(profile.id.clone()),
        arn: Some(profile.arn.clone()),
        create_date: Some(profile.created),
        roles: role.iter().map(|role| roles::brief(role)).collect(),
        tags: tags::shown(&profile.tags),
    })
}

/// As listings show it. Source: AWS IAM API Reference, ListInstanceProfiles.
fn brief(cx: &Cx, profile: &InstanceProfile) -> Result<kiln_iam_shapes::InstanceProfile, Error> {
    Ok(kiln_iam_shapes::InstanceProfile { tags: vec![], ..shown(cx, profile)? })
}

async fn create_instance_profile(
    cx: &Cx,
    input: CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse, Error> {
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let name = input.instance_profile_name;
    let profile = InstanceProfile {
        arn: names::arn(cx, "instance-profile", &path, &name),
        id: names::unique_id(cx, "AIPA"),
        path,
        created: cx.now(),
        role: None,
        tags: tags::given(input.tags)?,
        name,
    };
    let made = profile.clone();
    cx.store()
        .write(|tx| {
            let scope = cx.global_scope();
            if tx.get::<InstanceProfile>(&scope, &key(&profile.name))?.is_some() {
                return Err(errors::exists("Instance Profile", &profile.name));
            }
            account::check_room::<InstanceProfile>(tx, cx)?;
            tx.put(&scope, &key(&profile.name), profile.clone())?;
            Ok(())
        })
        .await?;
    Ok(CreateInstanceProfileResponse { instance_profile: Some(shown(cx, &made)?) })
}

async fn get_instance_profile(cx: &Cx, input: GetInstanceProfileRequest) -> Result<GetInstanceProfileResponse, Error> {
    let profile = get(cx, &input.instance_profile_name)?;
    Ok(GetInstanceProfileResponse { instance_profile: Some(shown(cx, &profile)?) })
}

async fn list_instance_profiles(
    cx: &Cx,
    input: ListInstanceProfilesRequest,
) -> Result<ListInstanceProfilesResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let all = cx.store().list::<InstanceProfile>(&cx.global_scope())?;
    let found: Vec<_> = all.into_iter().map(|(_, p)| p).filter(|p| p.path.starts_with(&prefix)).collect();
    let (page, is_truncated, marker) = listing::page(found, |p| &p.name, input.marker.as_deref(), input.max_items)?;
    let instance_profiles = page.iter().map(|p| brief(cx, p)).collect::<Result<_, _>>()?;
    Ok(ListInstanceProfilesResponse { instance_profiles, is_truncated, marker })
}

async fn list_instance_profiles_for_role(
    cx: &Cx,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Error> {
    let role = holders::get::<Role>(cx, &input.role_name)?;
    let all = cx.store().list::<InstanceProfile>(&cx.global_scope())?;
    let holds = |p: &InstanceProfile| p.role.as_deref().is_some_and(|r| key(r) == key(&role.name));
    let found: Vec<_> = all.into_iter().map(|(_, p)| p).filter(|p| holds(p)).collect();
    let (page, is_truncated, marker) = listing::page(found, |p| &p.name, input.marker.as_deref(), input.max_items)?;
    let instance_profiles = page.iter().map(|p| brief(cx, p)).collect::<Result<_, _>>()?;
    Ok(ListInstanceProfilesForRoleResponse { instance_profiles, is_truncated, marker })
}

async fn delete_instance_profile(
    cx: &Cx,
    input: DeleteInstanceProfileRequest,
) -> Result<DeleteInstanceProfileResponse, Error> {
    cx.store()
        .write(|tx| {
            let profile = find(tx, cx, &input.instance_profile_name)?;
            if profile.role.is_some() {
                return Err(errors::in_use("remove roles from instance profile"));
            }
            tx.delete::<InstanceProfile>(&cx.global_scope(), &key(&profile.name));
            Ok(())
        })
        .await?;
    Ok(DeleteInstanceProfileResponse {})
}

async fn add_role(cx: &Cx, input: AddRoleToInstanceProfileRequest) -> Result<AddRoleToInstanceProfileResponse, Error> {
    let role = holders::get::<Role>(cx, &input.role_name)?;
    let service = ("iam:PassedToService", "ec2.amazonaws.com".to_owned());
    cx.authorize("iam:PassRole", &[role.arn], &[service])?;
    change(cx, &input.instance_profile_name, |profile, tx| {
        let role = holders::find::<Role>(tx, cx, &input.role_name)?;
        match &profile.role {
            Some(_) => Err(errors::limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")),
            None => {
                profile.role = Some(role.name);
                Ok(())
            }
        }
    })
    .await?;
    Ok(AddRoleToInstanceProfileResponse {})
}

async fn remove_role(
    cx: &Cx,
    input: RemoveRoleFromInstanceProfileRequest,
) -> Result<RemoveRoleFromInstanceProfileResponse, Error> {
    change(cx, &input.instance_profile_name, |profile, _| {
        let holds = profile.role.as_deref().is_some_and(|r| key(r) == key(&input.role_name));
        if !holds {
            return Err(errors::no_such("role", &input.role_name));
        }
        profile.role = None;
        Ok(())
    })
    .await?;
    Ok(RemoveRoleFromInstanceProfileResponse {})
}

async fn tag_instance_profile(cx: &Cx, input: TagInstanceProfileRequest) -> Result<TagInstanceProfileResponse, Error> {
    change(cx, &input.instance_profile_name, |profile, _| tags::add(&mut profile.tags, input.tags)).await?;
    Ok(TagInstanceProfileResponse {})
}

async fn untag_instance_profile(
    cx: &Cx,
    input: UntagInstanceProfileRequest,
) -> Result<UntagInstanceProfileResponse, Error> {
    change(cx, &input.instance_profile_name, |profile, _| {
        profile.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagInstanceProfileResponse {})
}

async fn list_instance_profile_tags(
    cx: &Cx,
    input: ListInstanceProfileTagsRequest,
) -> Result<ListInstanceProfileTagsResponse, Error> {
    let tags = tags::shown(&get(cx, &input.instance_profile_name)?.tags);
    let (tags, is_truncated, marker) = listing::page(tags, |t| &t.key, input.marker.as_deref(), input.max_items)?;
    Ok(ListInstanceProfileTagsResponse { tags, is_truncated, marker })
}
