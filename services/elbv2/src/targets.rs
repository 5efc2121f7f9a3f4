//! What the calls touch, for policies: what a request names, with the tags that it has, and what is to be made,
//! with those that it is to get. Calls that describe have no resource. Source: Service Authorization Reference,
//! "Actions, resources, and condition keys for Elastic Load Balancing V2", and the User Guide, "ELB API permissions to
//! tag resources during creation".

use crate::tags::{self, is_reserved};
use crate::{arns, records};
use kiln_elbv2_shapes::Tag;
use kiln_service_kit::{Cx, Error, Target, Touched};

/// How policies call the service.
const SERVICE: &str = "elasticloadbalancing";

/// Something that a request names. What is not there has a name all the same: the call itself says that it is not.
pub fn named(cx: &Cx, arn: &str) -> Result<Target, Error> {
    let tags: records::Tags = match arns::kind_of(arn) {
        Some(kind) => tags::kept(cx, kind, arn)?.unwrap_or_default(),
        None => vec![],
    };
    Ok(Target::new(arn).tagged(SERVICE, tags.iter().map(|(key, value)| (key, value))))
}

/// A load balancer or target group that is to be made.
pub fn created(cx: &Cx, operation: &str, kind: &str, name: &str, given: &[Tag]) -> Vec<Target> {
    let made = cx.arn(SERVICE, &format!("{kind}/{name}/*"));
    let mut targets = vec![with_given(Target::new(&made), given)];
    targets.extend(tagged_on_creation(operation, made, given));
    targets
}

/// A listener of a load balancer or a rule of a listener that is to be made: asked about what it is to be of.
pub fn created_of(cx: &Cx, operation: &str, parent: &str, below: String, given: &[Tag]) -> Touched {
    let mut targets = vec![with_given(named(cx, parent)?, given)];
    targets.extend(tagged_on_creation(operation, below + "*", given));
    Ok(targets)
}

/// Things that get tags.
pub fn tagged(cx: &Cx, arns: &[String], given: &[Tag]) -> Touched {
    arns.iter().map(|arn| Ok(with_given(named(cx, arn)?, given))).collect()
}

/// Things that lose tags.
pub fn untagged(cx: &Cx, arns: &[String], keys: &[String]) -> Touched {
    arns.iter()
        .map(|arn| Ok(keys.iter().fold(named(cx, arn)?, |target, key| target.with("aws:TagKeys", key))))
        .collect()
}

/// What is made with tags needs `elasticloadbalancing:AddTags` as well; those that services set are not the caller's.
fn tagged_on_creation(operation: &str, made: String, given: &[Tag]) -> Option<Target> {
    let own: Vec<Tag> = given.iter().filter(|tag| !is_reserved(&tag.key)).cloned().collect();
    if own.is_empty() {
        return None;
    }
    let target = Target::new(made).with("elasticloadbalancing:CreateAction", operation);
    Some(with_given(target, &own).by("elasticloadbalancing:AddTags"))
}

fn with_given(target: Target, given: &[Tag]) -> Target {
    target.given_tags(given.iter().map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or(""))))
}
