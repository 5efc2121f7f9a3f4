//! PutObject: the bytes to a file, then the record.

use super::{bucket, check_key, quoted, still_there, told_version};
use crate::checksum::Algorithm;
use crate::conditions::{check_conditions, check_write};
use crate::described::{check_settings, described, refuse, show_checksum};
use crate::files::ObjectFiles;
use crate::integrity::Promised;
use crate::kms::{self, encryption_asked, show_encryption};
use crate::lifecycle::expires;
use crate::notifications::{Event, Thing, tell};
use crate::receive::{self, given_checksum};
use crate::records::Object;
use crate::targets::{of_written, said};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(PutObject: put_object(PutObjectRequest), on |cx, r| of_written(cx, &r.bucket, &r.key, said!(r)))];

async fn put_object(cx: &Cx, input: PutObjectRequest) -> Result<PutObjectResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_key(&input.key)?;
    check_settings!(cx, &bucket, input);
    check_conditions(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    refuse(&[("WriteOffsetBytes", input.write_offset_bytes.is_some())])?;
    let tags = crate::tagging::from_header(input.tagging.as_deref())?;
    let promised = Promised::of_call(cx, input.content_md5.as_deref(), given_checksum!(input))?;
    let otherwise = input.checksum_algorithm.as_deref().and_then(Algorithm::named);
    let described = described!(input);
    let method = kms::method(cx, &bucket, encryption_asked!(input))?;
    let (seal, kms) = kms::begin(cx, &bucket, &input.key, method).await?;
    let received = receive::receive(cx, receive::body(cx, input.body), promised, otherwise, &seal).await?;
    let object = Object {
        size: received.piece.size,
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
    let mut answer = PutObjectResponse {
        e_tag: Some(quoted(&object.etag)),
        checksum_type: Some(received.checksum.kind().to_owned()),
        ssekms_encryption_context: kms::told_context(object.kms.as_ref()),
        ..Default::default()
    };
    show_encryption!(answer, object.kms.as_ref());
    answer.expiration = expires(&bucket, &input.key, &object);
    show_checksum!(answer, received.checksum);
    let changed = cx
        .store()
        .write(|tx| {
            let bucket = still_there(tx, &bucket.name)?;
            check_write(tx, &bucket.name, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            let (size, etag) = (Some(object.size), object.etag.clone());
            let changed = versions::put(tx, &bucket, &input.key, object, cx.ids())?;
            let thing = Thing { key: &input.key, size, etag: Some(&etag), version: changed.version.as_deref() };
            tell(tx, cx, &bucket, Event::Put, &thing)?;
            Ok::<_, Error>(changed)
        })
        .await?;
    received.staged.keep();
    cx.part::<ObjectFiles>()?.remove(&changed.unused).await;
    answer.version_id = told_version(changed.version);
    Ok(answer)
}
