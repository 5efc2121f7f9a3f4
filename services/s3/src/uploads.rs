//! Uploads in parts, as they are kept until they are ended, and the numbers of their parts.

use crate::errors;
use crate::records::{Part, Piece, Upload, part_id, within};
use kiln_service_kit::{Error, Scope, Store, Tx};
use std::sync::Arc;

/// Numbers of parts go from 1 to here.
pub const MOST_PARTS: i32 = 10_000;

/// The upload of that id, if it is of that key.
pub fn upload(store: &Store, bucket: &str, key: &str, id: &str) -> Result<Arc<Upload>, Error> {
    let found = store.get::<Upload>(&within(bucket), id)?.filter(|upload| upload.key == key);
    found.ok_or_else(|| errors::no_such_upload(id))
}

/// An upload's parts with their numbers, in order.
pub fn parts_of(rows: Vec<(Arc<str>, Arc<Part>)>, upload: &str) -> Vec<(i32, Arc<Part>)> {
    let number = |id: &str| id.strip_prefix(upload)?.strip_prefix('/')?.parse().ok();
    rows.into_iter().filter_map(|(id, part)| Some((number(&id)?, part))).collect()
}

/// Gives an upload up, with its parts; the files that were theirs.
pub fn remove(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Vec<Piece>, Error> {
    if !tx.delete::<Upload>(scope, id) {
        return Err(errors::no_such_upload(id));
    }
    let mut pieces = vec![];
    for (number, part) in parts_of(tx.list_prefix::<Part>(scope, &format!("{id}/"))?, id) {
        tx.delete::<Part>(scope, &part_id(id, number));
        pieces.push(part.piece.clone());
    }
    Ok(pieces)
}

/// Whether a part can have that number.
pub fn check_number(number: i32) -> Result<(), Error> {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    let text = "Part number must be an integer between 1 and 10000, inclusive";
    Err(errors::invalid_argument("partNumber", &number.to_string(), text))
}

/// How S3 calls the kind of checksum that the object will have.
pub fn checksum_type(full_object: bool) -> &'static str {
    if full_object { "FULL_OBJECT" } else { "COMPOSITE" }
}
