//! CopyObject: the bytes of an object to another file, with its own description or a new one.

use super::{bucket, check_key, quoted, still_there, told_version};
use crate::checksum::Algorithm;
use crate::conditions::{check_conditions, check_write, source_conditions};
use crate::described::{check_settings, described, show_checksum};
use crate::encryption::source_key;
use crate::errors;
use crate::files::ObjectFiles;
use crate::integrity::Promised;
use crate::kms::{self, encryption_asked, show_encryption};
use crate::lifecycle::expires;
use crate::notifications::{Event, Thing, tell};
use crate::receive::{self, LARGEST};
use crate::records::{NULL, Object, within};
use crate::source::find_source;
use crate::targets::{Said, of_copied, of_written, said};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(CopyObject: copy_object(CopyObjectRequest),
        on |cx, r| of_copied(cx, of_written(cx, &r.bucket, &r.key, Said { copy: Some((&r.copy_source, &r.metadata_directive)), ..said!(r) })?, &r.copy_source))];

async fn copy_object(cx: &Cx, input: CopyObjectRequest) -> Result<CopyObjectResponse, Error> {
    let to = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_key(&input.key)?;
    check_settings!(cx, &to, input);
    source_key!(input).of_a_read()?;
    check_conditions(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let expected = input.expected_source_bucket_owner.as_ref();
    let from = find_source(cx, &input.copy_source, expected, source_conditions!(input))?;
    let object = &from.object;
    if object.size > LARGEST {
        let text = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(errors::invalid_request(text));
    }
    let replace = input.metadata_directive.as_deref() == Some("REPLACE");
    let new_tags = input.tagging_directive.as_deref() == Some("REPLACE");
    let latest = cx.store().get::<Object>(&within(&to.name), &input.key)?;
    let onto_itself = latest.is_some_and(|latest| latest.place == object.place);
    // To ask for an encryption or a storage class is a change to S3, also where it is what holds.
    let changes = replace || new_tags || input.server_side_encryption.is_some() || input.storage_class.is_some();
    if from.place.name == to.name && from.key == input.key && onto_itself && !changes {
        let text = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(errors::invalid_request(text));
    }
    let described = if replace { described!(input) } else { object.described.clone() };
    let tags = if new_tags { crate::tagging::from_header(input.tagging.as_deref())? } else { object.tags.clone() };
    // One of its parts' checksums says nothing of the copy, which has no parts.
    let kept = object.checksum.as_ref().map(|checksum| checksum.algorithm);
    let algorithm = input.checksum_algorithm.as_deref().and_then(Algorithm::named).or(kept);
    let files = cx.part::<ObjectFiles>()?;
    let method = kms::method(cx, &to, encryption_asked!(input))?;
    let opened = kms::open(cx, &from.place, object.kms.as_ref()).await?;
    let (seal, kms) = kms::begin(cx, &to, &input.key, method).await?;
    let bytes = files.read(&object.pieces, &opened, 0, object.size).await?;
    let received = receive::receive(cx, bytes, Promised::default(), algorithm, &seal).await?;
    let copy = Object {
        size: object.size,
        etag: kms::etag(cx, received.md5, kms.as_ref()),
        modified: cx.now(),
        pieces: vec![received.piece],
        parts: 0,
        described,
        checksum: Some(received.checksum.clone()),
        tags,
        place: Default::default(),
        upload: None,
        made_of: vec![],
        kms,
    };
    let kms = copy.kms.clone();
    let expiration = expires(&to, &input.key, &copy);
    let mut result = CopyObjectResult {
        e_tag: Some(quoted(&copy.etag)),
        last_modified: Some(copy.modified),
        checksum_type: Some(received.checksum.kind().to_owned()),
        ..Default::default()
    };
    show_checksum!(result, received.checksum);
    let changed = cx
        .store()
        .write(|tx| {
            let to = still_there(tx, &to.name)?;
            check_write(tx, &to.name, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            let (size, etag) = (Some(copy.size), copy.etag.clone());
            let changed = versions::put(tx, &to, &input.key, copy, cx.ids())?;
            let thing = Thing { key: &input.key, size, etag: Some(&etag), version: changed.version.as_deref() };
            tell(tx, cx, &to, Event::Copied, &thing)?;
            Ok::<_, Error>(changed)
        })
        .await?;
    received.staged.keep();
    files.remove(&changed.unused).await;
    let mut answer = CopyObjectResponse {
        copy_object_result: Some(result),
        copy_source_version_id: from.version.filter(|version| version != NULL),
        version_id: told_version(changed.version),
        expiration,
        ssekms_encryption_context: kms::told_context(kms.as_ref()),
        ..Default::default()
    };
    show_encryption!(answer, kms.as_ref());
    Ok(answer)
}
