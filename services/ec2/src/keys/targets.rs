//! What policies know of the room: see [`crate::targets`].

use crate::keys::records::KeyPair;
use crate::kinds;
use crate::targets::{Found, Thing, first};
use kiln_service_kit::Cx;

/// By its name, which policies know it by too.
pub const KEY_PAIR: Thing = Thing { kind: &kinds::KEY_PAIR, find: |cx, text| known(cx, |key| key.name == text) };

/// By its id; a name may look like one.
pub const KEY_PAIR_BY_ID: Thing = Thing { kind: &kinds::KEY_PAIR, find: |cx, text| known(cx, |key| *key.id == *text) };

fn known(cx: &Cx, is: impl Fn(&KeyPair) -> bool) -> Found {
    Ok(first::<KeyPair>(cx, is)?.map(|(_, key)| (key.name.clone(), key.tags.clone())))
}
