//! What a copy is made of (`x-amz-copy-source`): an object, or a version of one, perhaps in another bucket.

use crate::conditions::Conditions;
use crate::copy_source;
use crate::errors;
use crate::operations::{bucket, in_any_region};
use crate::records::{Bucket, Object};
use crate::versions;
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// What a copy is made of.
pub struct Source {
    /// The bucket that it is in.
    pub place: Arc<Bucket>,
    pub key: String,
    pub object: Arc<Object>,
    /// Where its bucket has versions.
    pub version: Option<String>,
}

/// The object that a copy is made of; its bucket may be in another region.
pub fn find_source(
    cx: &Cx,
    text: &str,
    expected_owner: Option<&String>,
    conditions: Conditions<'_>,
) -> Result<Source, Error> {
    let (name, key, version) = copy_source::parse(text)?;
    let place = match bucket(cx, &name, expected_owner) {
        Err(error) if error.is("AuthorizationHeaderMalformed") => in_any_region(cx, &name, expected_owner)?,
        found => found?,
    };
    let object =
        versions::find(cx.store(), &place.name, &key, version.as_deref()).map_err(|error| match &*error.code {
            "MethodNotAllowed" => errors::invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            ),
            _ => error,
        })?;
    // Unlike a read, a copy that finds nothing new is refused.
    conditions.check(&object).map_err(|error| match error.status {
        304 => errors::precondition_failed("x-amz-copy-source-If-None-Match"),
        _ => error,
    })?;
    let version = place.versioning.map(|_| object.place.version.clone());
    Ok(Source { place, key, object, version })
}
