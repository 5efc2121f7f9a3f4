//! What Auto Scaling's calls touch, for policies. Source: Service Authorization Reference, "Actions,
//! resources, and condition keys for Amazon EC2 Auto Scaling".

use crate::records::{Group, LaunchConfiguration, Member};
use kiln_autoscaling_shapes::Tag;
use kiln_service_kit::{Cx, Error, Target, Touched};

/// A group by its name, with its tags.
pub fn group(cx: &Cx, name: &str) -> Result<Target, Error> {
    let Some(group) = cx.store().get::<Group>(cx.scope(), name)? else {
        return Ok(Target::new(cx.arn("autoscaling", &format!("autoScalingGroup:*:autoScalingGroupName/{name}"))));
    };
    let tags = group.tags.iter().map(|tag| (&tag.key, &tag.value));
    Ok(Target::new(group.arn(cx.region(), cx.account())).tagged("autoscaling", tags))
}

/// A group that is to be made, with the tags that it is to get.
pub fn created(cx: &Cx, name: &str, tags: &[Tag]) -> Result<Target, Error> {
    Ok(group(cx, name)?.given_tags(tags.iter().map(given)))
}

/// The group that an instance is in; none for one that is in none.
pub fn group_of(cx: &Cx, instance: &str) -> Touched {
    match cx.store().get::<Member>(cx.scope(), instance)? {
        Some(member) => Ok(vec![group(cx, &member.group)?]),
        None => Ok(vec![]),
    }
}

/// The groups whose tags are given or taken.
pub fn tagged(cx: &Cx, tags: &[Tag]) -> Touched {
    let mut names: Vec<&str> = tags.iter().map(|tag| tag.resource_id.as_deref().unwrap_or("")).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| created(cx, name, tags)).collect()
}

fn given(tag: &Tag) -> (&str, &str) {
    (&tag.key, tag.value.as_deref().unwrap_or(""))
}

/// A launch configuration by its name.
pub fn configuration(cx: &Cx, name: &str) -> Result<Target, Error> {
    let arn = match cx.store().get::<LaunchConfiguration>(cx.scope(), name)? {
        Some(found) => found.arn(cx.region(), cx.account()),
        None => cx.arn("autoscaling", &format!("launchConfiguration:*:launchConfigurationName/{name}")),
    };
    Ok(Target::new(arn))
}
