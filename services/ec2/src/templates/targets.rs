//! What policies know of the room: see [`crate::targets`].

use crate::kinds;
use crate::targets::{Thing, there};
use crate::templates::lookup::find;

/// By its id or its name.
pub const LAUNCH_TEMPLATE: Thing = Thing {
    kind: &kinds::LAUNCH_TEMPLATE,
    find: |cx, text| {
        let is_id = text.starts_with(kinds::LAUNCH_TEMPLATE.prefix);
        let found = if is_id { find(cx, Some(text), None) } else { find(cx, None, Some(text)) };
        Ok(there(found)?.map(|template| (template.id.to_string(), template.tags.clone())))
    },
};
