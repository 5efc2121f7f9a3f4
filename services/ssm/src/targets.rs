//! What calls touch, for policies: parameters, with the tags that they have and those that the request
//! gives them. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS
//! Systems Manager".

use crate::records::Parameter;
use crate::{images, name};
use kiln_service_kit::{Cx, Error, Target, Touched};
use kiln_ssm_shapes::Tag;

/// A parameter, or the path of several, by name or ARN.
pub fn parameter(cx: &Cx, written: &str) -> Result<Target, Error> {
    let target = Target::new(arn_of(cx, written));
    // Under the name as it is kept: an ARN does not tell whether it begins with a slash.
    let bare = target.arn.split_once(":parameter/").map_or("", |(_, bare)| bare).to_owned();
    for kept in [format!("/{bare}"), bare] {
        if let Some(parameter) = cx.store().get::<Parameter>(cx.scope(), &kept)? {
            return Ok(target.tagged("ssm", &parameter.tags));
        }
    }
    Ok(target)
}

/// Each of several.
pub fn parameters(cx: &Cx, names: &[String]) -> Touched {
    names.iter().map(|name| parameter(cx, name)).collect()
}

/// A parameter that is given tags.
pub fn given(cx: &Cx, name: &str, tags: &[Tag]) -> Result<Target, Error> {
    Ok(parameter(cx, name)?.given_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

/// A parameter that loses tags.
pub fn taken(cx: &Cx, name: &str, keys: &[String]) -> Result<Target, Error> {
    Ok(keys.iter().fold(parameter(cx, name)?, |target, key| target.with("aws:TagKeys", key)))
}

/// The ARN that policies are matched against, for one name as the caller wrote it.
fn arn_of(cx: &Cx, written: &str) -> String {
    match name::Pointer::parse(cx, written) {
        Ok(pointer) if images::is_public(&pointer.name) => images::arn(cx, &pointer.name),
        Ok(pointer) => name::arn(cx, &pointer.name),
        // Refused by the operation itself; until then it matches no policy but `*`.
        Err(_) => name::arn(cx, written),
    }
}
