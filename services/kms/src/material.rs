//! What keys encrypt with: made at random, sealed under the root key, opened for one call and wiped.

use crate::records::{Key as Kept, Material, RotatedBy};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_sealing::{Key, RootKey};
use kiln_service_kit::{Cx, Error, Scope};

/// What the root key's key for materials is for.
const PURPOSE: &str = "kms/material";

/// A material is of one key, and one of its materials.
fn bound(scope: &Scope, key: &str, material: &str) -> String {
    format!("{}|{}|{key}|{material}", scope.account, scope.region)
}

/// A new one for the key of that id.
pub fn new(cx: &Cx, scope: &Scope, key: &str, by: Option<RotatedBy>) -> Result<Material, Error> {
    let made = Key::new(cx.ids());
    let id = cx.ids().hex(64);
    let root = cx.part::<RootKey>()?.of(PURPOSE);
    let sealed = root.seal(cx.ids(), bound(scope, key, &id).as_bytes(), made.bytes());
    Ok(Material { id, sealed: STANDARD.encode(sealed), since: cx.now(), by })
}

/// Opens one of a key's.
pub fn open(cx: &Cx, scope: &Scope, key: &Kept, material: &Material) -> Result<Key, Error> {
    let damaged = || Error::internal(format!("material {} of key {} does not open with root.key", material.id, key.id));
    let sealed = STANDARD.decode(&material.sealed).map_err(|_| damaged())?;
    let root = cx.part::<RootKey>()?.of(PURPOSE);
    let opened = root.open(bound(scope, &key.id, &material.id).as_bytes(), &sealed).ok_or_else(damaged)?;
    Key::from_bytes(&opened).ok_or_else(damaged)
}
