//! What policies know of the room: see [`crate::targets`].

use crate::images::image_lookup;
use crate::images::records::Snapshot;
use crate::kinds;
use crate::targets::{Thing, by_id, there};

/// The caller's own, public ones, and those that are shared with its account.
pub const IMAGE: Thing = Thing {
    kind: &kinds::IMAGE,
    find: |cx, text| Ok(there(image_lookup::find(cx, text))?.map(|(_, image)| (text.to_owned(), image.tags.clone()))),
};

pub const SNAPSHOT: Thing = Thing { kind: &kinds::SNAPSHOT, find: by_id::<Snapshot> };
