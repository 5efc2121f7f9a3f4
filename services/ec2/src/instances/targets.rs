//! What policies know of the room, and all that a launch touches: see [`crate::targets`].

use crate::firewall::targets::{NAMED_SECURITY_GROUP, SECURITY_GROUP};
use crate::images::image_lookup;
use crate::images::records::Image;
use crate::images::targets::{IMAGE, SNAPSHOT};
use crate::instances::records::{Instance, Volume};
use crate::interfaces::targets::NETWORK_INTERFACE;
use crate::keys::targets::KEY_PAIR;
use crate::kinds;
use crate::networks::targets::SUBNET;
use crate::passing;
use crate::targets::{Names, Thing, by_id, by_id_or, tagged_on_creation, there};
use crate::templates::merge::with_template;
use crate::templates::targets::{LAUNCH_TEMPLATE, NAMED_LAUNCH_TEMPLATE};
use kiln_ec2_shapes::{IamInstanceProfileSpecification, RunInstancesRequest};
use kiln_iam_shapes::GetInstanceProfileRequest;
use kiln_protocol::stored;
use kiln_service_kit::{BoxFuture, Cx, Error, Target, Touched};

/// By its id, or by the association of its profile.
pub const INSTANCE: Thing = Thing {
    kind: &kinds::INSTANCE,
    find: |cx, text| {
        by_id_or::<Instance>(cx, text, |instance| instance.profile.as_ref().is_some_and(|profile| *profile.id == *text))
    },
};

pub const VOLUME: Thing = Thing { kind: &kinds::VOLUME, find: by_id::<Volume> };

/// A launch touches everything it uses and makes, its launch template's share included.
pub fn launching<'a>(cx: &'a Cx, request: &'a RunInstancesRequest) -> BoxFuture<'a, Touched> {
    Box::pin(touched_by(cx, request))
}

async fn touched_by(cx: &Cx, request: &RunInstancesRequest) -> Touched {
    // A template that cannot be used is refused by the call itself.
    let merged = there(with_template(cx, request.clone()))?.unwrap_or_else(|| request.clone());
    let given = stored::to_json(&merged);
    let interfaces = &merged.network_interfaces;

    let mut targets = vec![];
    let image = image_lookup::resolved(cx, merged.image_id.as_deref().unwrap_or("*")).await?;
    targets.push(IMAGE.named(cx, &image)?);
    let mut instance =
        INSTANCE.made(cx, &given).with("ec2:InstanceType", merged.instance_type.as_deref().unwrap_or("m1.small"));
    let of_image = |image: &Image| if image.imds_v2 { "required" } else { "optional" };
    let tokens = match merged.metadata_options.as_ref().and_then(|options| options.http_tokens.as_deref()) {
        Some(given) => Some(given),
        None => there(image_lookup::find(cx, &image))?.map(|(_, image)| of_image(&image)),
    };
    if let Some(tokens) = tokens {
        instance = instance.with("ec2:MetadataHttpTokens", tokens);
    }
    targets.push(instance);
    targets.push(VOLUME.made(cx, &given));
    for id in merged.block_device_mappings.names() {
        targets.push(SNAPSHOT.named(cx, id)?);
    }
    let attached: Vec<&str> = interfaces.iter().flat_map(|each| each.network_interface_id.names()).collect();
    for id in &attached {
        targets.push(NETWORK_INTERFACE.named(cx, id)?);
    }
    if attached.is_empty() || attached.len() < interfaces.len() {
        targets.push(NETWORK_INTERFACE.made(cx, &given));
        let inside = interfaces.iter().flat_map(|each| each.subnet_id.names());
        let subnets: Vec<&str> = merged.subnet_id.names().into_iter().chain(inside).collect();
        let inside = interfaces.iter().flat_map(|each| each.groups.names());
        let groups: Vec<&str> = merged.security_group_ids.names().into_iter().chain(inside).collect();
        let by_name = merged.security_groups.names();
        for id in &subnets {
            targets.push(SUBNET.named(cx, id)?);
        }
        for id in &groups {
            targets.push(SECURITY_GROUP.named(cx, id)?);
        }
        for name in &by_name {
            targets.push(NAMED_SECURITY_GROUP.named(cx, name)?);
        }
        // The default one, whichever it is.
        for (thing, none) in [(SUBNET, subnets.is_empty()), (SECURITY_GROUP, groups.is_empty() && by_name.is_empty())] {
            if none {
                targets.push(Target::new(thing.arn(cx, "*")));
            }
        }
    }
    for name in merged.key_name.names() {
        targets.push(KEY_PAIR.named(cx, name)?);
    }
    if let Some(template) = &request.launch_template {
        for id in template.launch_template_id.names() {
            targets.push(LAUNCH_TEMPLATE.named(cx, id)?);
        }
        for name in template.launch_template_name.names() {
            targets.push(NAMED_LAUNCH_TEMPLATE.named(cx, name)?);
        }
    }
    targets.extend(tagged_on_creation(cx, "RunInstances", &given));
    targets.extend(roles_passed(cx, merged.iam_instance_profile.as_ref()).await?);
    Ok(targets)
}

/// The role that a launch hands to its instance: whoever launches must be allowed to pass it.
async fn roles_passed(cx: &Cx, profile: Option<&IamInstanceProfileSpecification>) -> Result<Vec<Target>, Error> {
    let Some(given) = profile.and_then(|profile| profile.name.as_ref().or(profile.arn.as_ref())) else {
        return Ok(vec![]);
    };
    let name = given.rsplit('/').next().unwrap_or(given).to_owned();
    let request = GetInstanceProfileRequest { instance_profile_name: name };
    // A profile that is not there is refused by the call itself.
    let answer = there(cx.as_service("ec2.amazonaws.com").call(request).await)?;
    let found = answer.and_then(|answer| answer.instance_profile);
    let roles = found.map(|profile| profile.roles).unwrap_or_default().into_iter().filter_map(|role| role.arn);
    let target = |arn: String| {
        let keys = passing::conditions(cx, "*").map(|(key, value)| (key.to_owned(), value)).into();
        Target { keys, ..Target::new(arn).by("iam:PassRole") }
    };
    Ok(roles.map(target).collect())
}
