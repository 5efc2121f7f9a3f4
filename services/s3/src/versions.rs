//! Versions of objects: what a put or a delete does to those that are there, and how one is found.
//!
//! ```text
//! latest of a key:   an object, or a delete marker, under the key
//! put, delete:       set the latest aside ─► versions, each under its own id
//! delete a version:  the latest of those left takes the place of a latest that is gone
//! ```
//! Where versions were never kept, nothing is set aside: what is replaced or deleted is gone. Where they
//! are suspended, only the version `null` is replaced so.

use crate::errors;
use crate::records::{Bucket, Kept, Marker, NULL, Object, Piece, Place, Version, Versioning, version_id, within};
use crate::walk::{self, Span};
use kiln_service_kit::{Error, IdSource, Scope, Store, StoreError, Timestamp, Tx};
use std::ops::Bound;
use std::sync::Arc;

/// As long as those of AWS.
const ID_LENGTH: usize = 32;

/// What a put or a delete left.
#[derive(Default)]
pub struct Changed {
    /// The version that was made or removed, where the bucket has versions.
    pub version: Option<String>,
    /// Whether that is a delete marker.
    pub marker: bool,
    /// Whether an object or a marker is gone for good.
    pub removed: bool,
    /// Files that no record names any more.
    pub unused: Vec<Piece>,
}

/// Checks the form of a version's id that a caller gave.
pub fn check_id(version: Option<&str>) -> Result<(), Error> {
    let good = |id: &str| id == NULL || (id.len() == ID_LENGTH && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    match version.filter(|id| !good(id)) {
        Some(other) => Err(errors::invalid_argument("versionId", other, "Invalid version id specified")),
        None => Ok(()),
    }
}

/// An object: the latest, or that version of it.
pub fn find(store: &Store, bucket: &str, key: &str, version: Option<&str>) -> Result<Arc<Object>, Error> {
    check_id(version)?;
    let scope = within(bucket);
    let latest = store.get::<Object>(&scope, key)?;
    let marker = if latest.is_none() { store.get::<Marker>(&scope, key)? } else { None };
    match version {
        None => latest.ok_or_else(|| match marker {
            Some(marker) => errors::behind_a_marker(errors::no_such_key(key), &marker.place.version),
            None => errors::no_such_key(key),
        }),
        Some(version) => {
            if let Some(latest) = latest.filter(|latest| latest.place.version == version) {
                return Ok(latest);
            }
            if let Some(marker) = marker.filter(|marker| marker.place.version == version) {
                return Err(errors::is_a_marker(version, marker.modified));
            }
            let row = store.get::<Version>(&scope, &version_id(key, version))?.filter(|row| row.key == key);
            match row.map(|row| row.what.clone()) {
                Some(Kept::Object(object)) => Ok(Arc::new(*object)),
                Some(Kept::Marker(marker)) => Err(errors::is_a_marker(version, marker.modified)),
                None => Err(errors::no_such_version(key, version)),
            }
        }
    }
}

/// An object of a key inside a transaction: the latest, or that version of it; no marker is one.
pub fn of_key(tx: &Tx<'_>, bucket: &str, key: &str, version: Option<&str>) -> Result<Option<Arc<Object>>, Error> {
    let scope = within(bucket);
    let latest = tx.get::<Object>(&scope, key)?;
    let Some(version) = version else { return Ok(latest) };
    if let Some(latest) = latest.filter(|latest| latest.place.version == version) {
        return Ok(Some(latest));
    }
    let row = tx.get::<Version>(&scope, &version_id(key, version))?.filter(|row| row.key == key);
    Ok(match row.map(|row| row.what.clone()) {
        Some(Kept::Object(object)) => Some(Arc::new(*object)),
        _ => None,
    })
}

/// Changes an object's record, whichever version it is.
pub fn change(
    tx: &mut Tx<'_>,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    change: impl FnOnce(&mut Object),
) -> Result<(), Error> {
    let scope = within(bucket);
    if let Some(latest) = tx.get::<Object>(&scope, key)?
        && version.is_none_or(|version| version == latest.place.version)
    {
        let mut latest = Object::clone(&latest);
        change(&mut latest);
        tx.put(&scope, key, latest)?;
        return Ok(());
    }
    let Some(version) = version else { return Err(errors::no_such_key(key)) };
    let id = version_id(key, version);
    let row = tx.get::<Version>(&scope, &id)?.filter(|row| row.key == key);
    let Some(Kept::Object(mut object)) = row.map(|row| row.what.clone()) else {
        return Err(errors::no_such_version(key, version));
    };
    change(&mut object);
    tx.put(&scope, &id, Version { key: key.to_owned(), what: Kept::Object(object) })?;
    Ok(())
}

/// Puts an object in the place of its key's latest.
pub fn put(tx: &mut Tx<'_>, bucket: &Bucket, key: &str, mut object: Object, ids: &IdSource) -> Result<Changed, Error> {
    let (place, unused) = make_room(tx, bucket, key, ids)?;
    let version = bucket.versioning.map(|_| place.version.clone());
    object.place = place;
    tx.put(&within(&bucket.name), key, object)?;
    Ok(Changed { version, unused, ..Default::default() })
}

/// Deletes the latest of a key, which leaves a marker where versions are kept.
pub fn delete(tx: &mut Tx<'_>, bucket: &Bucket, key: &str, now: Timestamp, ids: &IdSource) -> Result<Changed, Error> {
    let (place, unused) = make_room(tx, bucket, key, ids)?;
    if bucket.versioning.is_none() {
        return Ok(Changed { removed: !unused.is_empty(), unused, ..Default::default() });
    }
    let version = Some(place.version.clone());
    tx.put(&within(&bucket.name), key, Marker { place, modified: now })?;
    Ok(Changed { version, marker: true, removed: false, unused })
}

/// Takes the latest of a key away, to where the bucket's versions are kept, and says where in their row
/// the next one stands.
fn make_room(tx: &mut Tx<'_>, bucket: &Bucket, key: &str, ids: &IdSource) -> Result<(Place, Vec<Piece>), Error> {
    let scope = within(&bucket.name);
    let latest = take_latest(tx, &scope, key)?;
    let number = latest.as_ref().map_or(1, |latest| latest.place().number + 1);
    let version = match bucket.versioning {
        Some(Versioning::Enabled) => ids.hex(ID_LENGTH),
        Some(Versioning::Suspended) | None => NULL.to_owned(),
    };
    let mut unused = vec![];
    if version == NULL {
        let row = version_id(key, NULL);
        if let Some(row) = tx.get::<Version>(&scope, &row)? {
            unused.extend(pieces(&row.what));
        }
        tx.delete::<Version>(&scope, &row);
    }
    match latest {
        Some(latest) if latest.place().version == version => unused.extend(pieces(&latest)),
        Some(latest) => {
            let id = version_id(key, &latest.place().version);
            tx.put(&scope, &id, Version { key: key.to_owned(), what: latest })?;
        }
        None => {}
    }
    Ok((Place { version, number }, unused))
}

fn take_latest(tx: &mut Tx<'_>, scope: &Scope, key: &str) -> Result<Option<Kept>, StoreError> {
    if let Some(object) = tx.get::<Object>(scope, key)? {
        tx.delete::<Object>(scope, key);
        return Ok(Some(Kept::Object(Box::new(Object::clone(&object)))));
    }
    let Some(marker) = tx.get::<Marker>(scope, key)? else { return Ok(None) };
    tx.delete::<Marker>(scope, key);
    Ok(Some(Kept::Marker(Marker::clone(&marker))))
}

fn pieces(what: &Kept) -> Vec<Piece> {
    match what {
        Kept::Object(object) => object.pieces.clone(),
        Kept::Marker(_) => vec![],
    }
}

/// Deletes one version for good. One that is not there is deleted already.
pub fn delete_version(tx: &mut Tx<'_>, bucket: &Bucket, key: &str, version: &str) -> Result<Changed, Error> {
    let scope = within(&bucket.name);
    let latest = match tx.get::<Object>(&scope, key)? {
        Some(object) => Some(object.place.clone()),
        None => tx.get::<Marker>(&scope, key)?.map(|marker| marker.place.clone()),
    };
    let gone = if latest.is_some_and(|latest| latest.version == version) {
        let gone = take_latest(tx, &scope, key)?;
        promote(tx, &scope, key)?;
        gone
    } else {
        let id = version_id(key, version);
        let row = tx.get::<Version>(&scope, &id)?.filter(|row| row.key == key);
        if row.is_some() {
            tx.delete::<Version>(&scope, &id);
        }
        row.map(|row| row.what.clone())
    };
    Ok(Changed {
        version: Some(version.to_owned()),
        marker: matches!(gone, Some(Kept::Marker(_))),
        removed: gone.is_some(),
        unused: gone.as_ref().map(pieces).unwrap_or_default(),
    })
}

/// Makes the last of a key's versions its latest.
fn promote(tx: &mut Tx<'_>, scope: &Scope, key: &str) -> Result<(), Error> {
    let of_key = tx.by_key::<Version>(scope, "key", key)?.into_iter();
    let Some((id, row)) = of_key.max_by_key(|(_, row)| row.what.place().number) else { return Ok(()) };
    tx.delete::<Version>(scope, &id);
    match row.what.clone() {
        Kept::Object(object) => tx.put(scope, key, *object)?,
        Kept::Marker(marker) => tx.put(scope, key, marker)?,
    };
    Ok(())
}

/// Versions of a bucket from a key on, in the order of their keys, of each key the latest first, and whether
/// it is the latest; of some `limit` keys.
pub fn from(store: &Store, scope: &Scope, from: Bound<&str>, limit: usize) -> Result<Span<(Kept, bool)>, Error> {
    let objects = walk::by_id::<Object>(store, scope, from, limit)?;
    let markers = walk::by_id::<Marker>(store, scope, from, limit)?;
    let older = walk::by_key::<Version>(store, scope, from, limit)?;
    // Behind the end of one of them the others are not all.
    let upto = [objects.upto, markers.upto, older.upto].into_iter().flatten().min();
    let objects =
        objects.rows.into_iter().map(|(key, object)| (key, (Kept::Object(Box::new(Object::clone(&object))), true)));
    let markers = markers.rows.into_iter().map(|(key, marker)| (key, (Kept::Marker(Marker::clone(&marker)), true)));
    let older = older.rows.into_iter().map(|(key, (_, row))| (key, (row.what.clone(), false)));
    let mut rows: Vec<(Arc<str>, (Kept, bool))> = objects.chain(markers).chain(older).collect();
    rows.retain(|(key, _)| upto.as_ref().is_none_or(|upto| key <= upto));
    rows.sort_by(|(a_key, (a, _)), (b_key, (b, _))| (a_key, b.place().number).cmp(&(b_key, a.place().number)));
    Ok(Span { rows, upto })
}
