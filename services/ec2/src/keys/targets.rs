//! What policies know of the room: see [`crate::targets`].

use crate::keys::records::KeyPair;
use crate::kinds;
use crate::targets::{Thing, first};

/// By its name or its id; policies know its name.
pub const KEY_PAIR: Thing = Thing {
    kind: &kinds::KEY_PAIR,
    find: |cx, text| {
        let found = first::<KeyPair>(cx, |key| key.name == text || *key.id == *text)?;
        Ok(found.map(|(_, key)| (key.name.clone(), key.tags.clone())))
    },
};
