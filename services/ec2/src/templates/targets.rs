//! What policies know of the room: see [`crate::targets`].

use crate::kinds;
use crate::targets::{Found, Thing, there};
use crate::templates::lookup::find;
use crate::templates::records::LaunchTemplate;
use kiln_service_kit::Error;
use std::sync::Arc;

/// By its id.
pub const LAUNCH_TEMPLATE: Thing =
    Thing { kind: &kinds::LAUNCH_TEMPLATE, find: |cx, text| known(find(cx, Some(text), None)) };

/// By its name, which may look like an id.
pub const NAMED_LAUNCH_TEMPLATE: Thing =
    Thing { kind: &kinds::LAUNCH_TEMPLATE, find: |cx, text| known(find(cx, None, Some(text))) };

fn known(found: Result<Arc<LaunchTemplate>, Error>) -> Found {
    Ok(there(found)?.map(|template| (template.id.to_string(), template.tags.clone())))
}
