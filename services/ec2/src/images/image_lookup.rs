//! Which images a caller sees: its own, the public ones, and those shared with its account.

use crate::errors::invalid_value;
use crate::images::records::{Image, ImageState, Snapshot, public_scope};
use crate::kinds;
use kiln_ids::ImageId;
use kiln_service_kit::{Cx, Error, Scope};
use kiln_ssm_shapes::GetParametersRequest;
use std::sync::Arc;

/// An image and the scope it is kept in.
pub type Found = (Scope, Arc<Image>);

/// Every image the caller may launch, by id.
pub fn visible(cx: &Cx) -> Result<Vec<Found>, Error> {
    let all = cx.store().list_everywhere::<Image>()?;
    let mut seen: Vec<Found> = all
        .into_iter()
        .filter(|(scope, _, image)| sees(cx, scope, image))
        .map(|(scope, _, image)| (scope, image))
        .collect();
    seen.sort_by(|a, b| a.1.id.cmp(&b.1.id));
    Ok(seen)
}

fn sees(cx: &Cx, scope: &Scope, image: &Image) -> bool {
    let shared = image.public || image.launch_accounts.iter().any(|account| account == cx.account());
    scope == cx.scope() || *scope == public_scope() || (*scope.region == *cx.region() && shared)
}

/// The image of that id, if the caller sees it.
pub fn find(cx: &Cx, id: &str) -> Result<Found, Error> {
    kinds::IMAGE.parse::<ImageId>(id)?;
    for scope in [cx.scope().clone(), public_scope()] {
        if let Some(image) = cx.store().get::<Image>(&scope, id)? {
            return Ok((scope, image));
        }
    }
    visible(cx)?.into_iter().find(|(_, image)| *image.id == *id).ok_or_else(|| none(id))
}

/// The images of those ids; the refusal names all that are not there.
pub fn all_of(cx: &Cx, ids: &[String]) -> Result<Vec<Found>, Error> {
    let (mut found, mut missing) = (vec![], vec![]);
    for id in ids {
        match find(cx, id) {
            Ok(image) => found.push(image),
            Err(error) if error.is(kinds::IMAGE.not_found) => missing.push(id.as_str()),
            Err(error) => return Err(error),
        }
    }
    match missing.as_slice() {
        [] => Ok(found),
        [one] => Err(none(one)),
        more => {
            Err(Error::sender(kinds::IMAGE.not_found, format!("The image ids '[{}]' do not exist", more.join(", "))))
        }
    }
}

/// What stands before the name of an SSM parameter that holds an image's id.
const ALIAS: &str = "resolve:ssm:";

/// The id that a request means: itself, or what the SSM parameter it names holds now. The caller
/// must be allowed to read the parameter.
pub async fn resolved(cx: &Cx, given: &str) -> Result<String, Error> {
    let Some(name) = given.strip_prefix(ALIAS) else { return Ok(given.to_owned()) };
    let request = GetParametersRequest { names: vec![name.to_owned()], ..Default::default() };
    let found = cx.call(request).await?.parameters.into_iter().next();
    let value = found.and_then(|parameter| parameter.value);
    value.filter(|value| kinds::IMAGE.check(value).is_ok()).ok_or_else(|| {
        invalid_value(format!("Value ({given}) for parameter imageId is invalid: it does not resolve to an AMI ID."))
    })
}

/// The image of that id, if an instance can be launched from it now, with its name at the driver.
pub fn launchable(cx: &Cx, id: &str) -> Result<(Arc<Image>, String), Error> {
    let (_, image) = find(cx, id)?;
    match (image.state, &image.machine_image) {
        (ImageState::Available, Some(machine_image)) => Ok((image.clone(), machine_image.clone())),
        _ => Err(Error::sender(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{id}' is not available: its state is {}.", image.state.name()),
        )),
    }
}

/// There is no such image, as AWS says it.
pub fn none(id: &str) -> Error {
    Error::sender(kinds::IMAGE.not_found, format!("The image id '[{id}]' does not exist"))
}

/// The snapshot behind an image.
pub fn snapshot_of(cx: &Cx, scope: &Scope, image: &Image) -> Result<Option<Arc<Snapshot>>, Error> {
    Ok(cx.store().get::<Snapshot>(scope, &image.snapshot)?)
}
