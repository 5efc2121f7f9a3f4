//! GetObject and HeadObject: conditions, ranges, and the bytes.

use super::{bucket, quoted};
use crate::checksum::Checksum;
use crate::conditions::read_conditions;
use crate::described::show_checksum;
use crate::encryption::{customer_key, not_said_again};
use crate::errors;
use crate::files::ObjectFiles;
use crate::kms::{self, show_encryption};
use crate::lifecycle::expires;
use crate::records::Object;
use crate::span::Span;
use crate::targets::of_read;
use crate::versions;
use futures_util::TryStreamExt;
use kiln_s3_shapes::*;
use kiln_service_kit::{Blob, Cx, Error, Operation, Timestamp, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetObject: get_object(GetObjectRequest), on |cx, r| of_read(cx, &r.bucket, &r.key, &r.version_id)),
    operation!(HeadObject: head_object(HeadObjectRequest), on |cx, r| of_read(cx, &r.bucket, &r.key, &r.version_id)),
];

/// What another service may hold of an object in memory.
const MOST_HELD: u64 = 64 << 20;

/// What both operations answer, which are two types with the same fields.
macro_rules! shown {
    ($answer:ident, $bucket:expr, $input:expr, $object:expr, $span:expr) => {{
        let (object, span): (&Object, &Span) = ($object, $span);
        let described = &object.described;
        let mut answer = $answer {
            accept_ranges: Some("bytes".to_owned()),
            last_modified: Some(object.modified),
            content_length: Some((span.to - span.from) as i64),
            content_range: span.part.then(|| format!("bytes {}-{}/{}", span.from, span.to - 1, object.size)),
            e_tag: Some(quoted(&object.etag)),
            cache_control: $input.response_cache_control.clone().or(described.cache_control.clone()),
            content_disposition: $input.response_content_disposition.clone().or(described.content_disposition.clone()),
            content_encoding: $input.response_content_encoding.clone().or(described.content_encoding.clone()),
            content_language: $input.response_content_language.clone().or(described.content_language.clone()),
            content_type: $input
                .response_content_type
                .clone()
                .or(described.content_type.clone())
                .or(Some("binary/octet-stream".to_owned())),
            expires: $input.response_expires.or(described.expires),
            metadata: described.metadata.clone(),
            parts_count: $input.part_number.filter(|_| object.parts > 0).map(|_| object.parts as i32),
            version_id: $bucket.versioning.map(|_| object.place.version.clone()),
            tag_count: (!object.tags.is_empty()).then_some(object.tags.len() as i32),
            ..Default::default()
        };
        show_encryption!(answer, object.kms.as_ref());
        if $input.version_id.is_none() {
            answer.expiration = expires(&$bucket, &$input.key, object);
        }
        if let Some(checksum) = checksum_of(object, span, $input.part_number)
            && $input.checksum_mode.as_deref() == Some("ENABLED")
        {
            show_checksum!(answer, checksum);
            answer.checksum_type = object.checksum.as_ref().map(|checksum| checksum.kind().to_owned());
        }
        answer
    }};
}

async fn get_object(cx: &Cx, input: GetObjectRequest) -> Result<GetObjectResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_overridden!(cx, input);
    not_said_again(cx)?;
    customer_key!(input).of_a_read()?;
    let object = versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    read_conditions!(input).check(&object)?;
    let range = input.range.as_deref().filter(|_| is_still_it(cx, &object));
    let span = Span::of(&object, range, input.part_number)?;
    let mut answer = shown!(GetObjectResponse, bucket, input, &object, &span);
    let seal = kms::open(cx, &bucket, object.kms.as_ref()).await?;
    let bytes = cx.part::<ObjectFiles>()?.read(&object.pieces, &seal, span.from, span.to).await?;
    match cx.streams() {
        Some(streams) => streams.set_outgoing(bytes),
        None if span.to - span.from > MOST_HELD => return Err(errors::too_large(MOST_HELD)),
        None => {
            let add = |mut all: Vec<u8>, data: bytes::Bytes| async move {
                all.extend_from_slice(&data);
                Ok(all)
            };
            answer.body = Some(Blob(bytes.try_fold(vec![], add).await?));
        }
    }
    Ok(answer)
}

async fn head_object(cx: &Cx, input: HeadObjectRequest) -> Result<HeadObjectResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    check_overridden!(cx, input);
    not_said_again(cx)?;
    customer_key!(input).of_a_read()?;
    let object = versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    read_conditions!(input).check(&object)?;
    let range = input.range.as_deref().filter(|_| is_still_it(cx, &object));
    let span = Span::of(&object, range, input.part_number)?;
    if input.checksum_mode.as_deref() == Some("ENABLED") {
        // A checksum tells of the bytes, so that it takes the right to read them.
        kms::open(cx, &bucket, object.kms.as_ref()).await?;
    }
    Ok(shown!(HeadObjectResponse, bucket, input, &object, &span))
}

/// The headers of the answer that a request asks for: such as HTTP can have, and not from anybody.
macro_rules! check_overridden {
    ($cx:expr, $input:expr) => {
        check_headers(
            $cx,
            [
                ("response-cache-control", &$input.response_cache_control),
                ("response-content-disposition", &$input.response_content_disposition),
                ("response-content-encoding", &$input.response_content_encoding),
                ("response-content-language", &$input.response_content_language),
                ("response-content-type", &$input.response_content_type),
            ],
        )?
    };
}
use check_overridden;

fn check_headers(cx: &Cx, asked: [(&'static str, &Option<String>); 5]) -> Result<(), Error> {
    for (name, value) in asked.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        if is_unsigned(cx) {
            let text = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(errors::invalid_request(text));
        }
        if value.chars().any(|c| c > '\u{ff}' || (c.is_control() && c != '\t')) {
            let text = "Header value cannot be represented using ISO-8859-1.";
            return Err(errors::invalid_argument(name, value, text));
        }
    }
    Ok(())
}

/// Whether the object is still the one that a range is asked of (`If-Range`, RFC 9110): if not, all of it is
/// answered. S3's model does not name the header.
fn is_still_it(cx: &Cx, object: &Object) -> bool {
    let Some(wanted) = cx.streams().and_then(|said| said.header("if-range")) else { return true };
    match Timestamp::parse(wanted) {
        Ok(time) => time.epoch_seconds() == object.modified.epoch_seconds(),
        // A weak tag does not vouch for bytes.
        Err(_) => wanted == quoted(&object.etag),
    }
}

/// The checksum of what is answered: of all the object, or of the part that was asked for by its number.
fn checksum_of<'o>(object: &'o Object, span: &Span, part: Option<i32>) -> Option<&'o Checksum> {
    match part.and_then(|number| usize::try_from(number - 1).ok()) {
        Some(at) if object.parts > 0 => object.made_of.get(at)?.checksum.as_ref(),
        _ => object.checksum.as_ref().filter(|_| span.from == 0 && span.to == object.size),
    }
}

/// In open mode whoever signs is no stranger, however wrong the signature.
fn is_unsigned(cx: &Cx) -> bool {
    cx.streams().is_some_and(|said| said.header("authorization").is_none()) && cx.caller().access_key.is_empty()
}
