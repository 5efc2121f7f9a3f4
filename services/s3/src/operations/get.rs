//! GetObject and HeadObject: conditions, ranges, and the bytes.

use super::{bucket, matches, quoted};
use crate::checksum::Checksum;
use crate::described::show_checksum;
use crate::encryption::{customer_key, not_said_again};
use crate::errors;
use crate::files::ObjectFiles;
use crate::operations::multipart::MOST_PARTS;
use crate::records::Object;
use crate::versions;
use futures_util::TryStreamExt;
use kiln_s3_shapes::*;
use kiln_service_kit::{Blob, Cx, Error, Operation, Timestamp, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetObject: get_object(GetObjectRequest)), operation!(HeadObject: head_object(HeadObjectRequest))];

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
            server_side_encryption: Some("AES256".to_owned()),
            parts_count: $input.part_number.filter(|_| object.parts > 0).map(|_| object.parts as i32),
            version_id: $bucket.versioning.map(|_| object.place.version.clone()),
            tag_count: (!object.tags.is_empty()).then_some(object.tags.len() as i32),
            ..Default::default()
        };
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
    Conditions {
        if_match: input.if_match.as_deref(),
        if_none_match: input.if_none_match.as_deref(),
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    }
    .check(&object)?;
    let range = input.range.as_deref().filter(|_| is_still_it(cx, &object));
    let span = Span::of(&object, range, input.part_number)?;
    let mut answer = shown!(GetObjectResponse, bucket, input, &object, &span);
    let bytes = cx.part::<ObjectFiles>()?.read(&object.pieces, span.from, span.to).await?;
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
    Conditions {
        if_match: input.if_match.as_deref(),
        if_none_match: input.if_none_match.as_deref(),
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    }
    .check(&object)?;
    let range = input.range.as_deref().filter(|_| is_still_it(cx, &object));
    let span = Span::of(&object, range, input.part_number)?;
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

/// The conditions of a read.
#[derive(Default)]
pub struct Conditions<'c> {
    pub if_match: Option<&'c str>,
    pub if_none_match: Option<&'c str>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

impl Conditions<'_> {
    /// By tag first: where that holds, the time of the same kind is not asked. HTTP's times are whole seconds.
    pub fn check(&self, object: &Object) -> Result<(), Error> {
        let changed_after = |time: Timestamp| object.modified.epoch_seconds() > time.epoch_seconds();
        match (self.if_match, self.unmodified_since) {
            (Some(wanted), _) if !matches(wanted, &object.etag) => return Err(errors::precondition_failed("If-Match")),
            (None, Some(time)) if changed_after(time) => {
                return Err(errors::precondition_failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let not_modified = || errors::not_modified(&object.etag, object.modified.http_date());
        match (self.if_none_match, self.modified_since) {
            (Some(unwanted), _) if matches(unwanted, &object.etag) => Err(not_modified()),
            (None, Some(time)) if !changed_after(time) => Err(not_modified()),
            _ => Ok(()),
        }
    }
}

/// The bytes that are asked for.
#[derive(Debug, PartialEq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
    /// Asked for as a part, even if that is all.
    pub part: bool,
}

impl Span {
    /// By range or by part number. A range that is no range is not looked at, as HTTP wants it.
    fn of(object: &Object, range: Option<&str>, part: Option<i32>) -> Result<Self, Error> {
        if let Some(number) = part {
            if range.is_some() {
                return Err(errors::invalid_request("Cannot specify both Range header and partNumber query parameter"));
            }
            if !(1..=MOST_PARTS).contains(&number) {
                let text = "Part number must be an integer between 1 and 10000, inclusive";
                return Err(errors::invalid_argument("partNumber", &number.to_string(), text));
            }
            let at = usize::try_from(number - 1).ok().filter(|at| *at < object.parts.max(1));
            let at = at.ok_or_else(|| errors::invalid_part_number(number, object.parts.max(1)))?;
            let size = |pieces: &[crate::records::Piece]| pieces.iter().map(|piece| piece.size).sum::<u64>();
            let (from, to) = (size(&object.pieces[..at]), size(&object.pieces[..=at]));
            return Ok(Self { from, to, part: from < to });
        }
        let whole = Self { from: 0, to: object.size, part: false };
        match range {
            Some(text) => Ok(Self::within(text, object.size)?.unwrap_or(whole)),
            None => Ok(whole),
        }
    }

    /// What `bytes=…` asks of so many; nothing where it is no such text.
    pub fn within(text: &str, size: u64) -> Result<Option<Self>, Error> {
        let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
            return Ok(None);
        };
        let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
            (Ok(from), Ok(to)) if from <= to => (from, size.min(to.saturating_add(1))),
            (Ok(from), Err(_)) if to.is_empty() => (from, size),
            (Err(_), Ok(last)) if from.is_empty() => (size.saturating_sub(last), size),
            _ => return Ok(None),
        };
        if from >= to {
            return Err(errors::invalid_range(text, size));
        }
        Ok(Some(Self { from, to, part: true }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let of = |text| Span::within(text, 10);
        let part = |from, to| Some(Span { from, to, part: true });
        assert_eq!(of("bytes=0-3").unwrap(), part(0, 4));
        assert_eq!(of("bytes=5-99").unwrap(), part(5, 10));
        assert_eq!(of("bytes=7-").unwrap(), part(7, 10));
        assert_eq!(of("bytes=-4").unwrap(), part(6, 10));
        assert_eq!(of("bytes=-99").unwrap(), part(0, 10));
        for ignored in ["bytes=3-1", "items=0-3", "bytes=0-1,3-4", "bytes=a-b"] {
            assert_eq!(of(ignored).unwrap(), None, "{ignored}");
        }
        for beyond in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
            assert_eq!(of(beyond).unwrap_err().code, "InvalidRange", "{beyond}");
        }
    }
}
