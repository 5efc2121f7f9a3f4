//! Taking an object's bytes: to a file, hashed on the way, held against every digest that the caller
//! gave. Whatever fails, nothing stays.

use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::errors;
use crate::files::{ObjectFiles, Staged};
use crate::records::Piece;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use kiln_service_kit::{Blob, ByteStream, Cx, Error};
use md5::{Digest, Md5};

/// The largest object in one piece, and the largest part: 5 GiB.
pub const LARGEST: u64 = 5 << 30;

/// What the caller said of the bytes.
#[derive(Default)]
pub struct Promised {
    /// `Content-MD5`.
    pub md5: Option<String>,
    pub checksum: Option<Checksum>,
    /// The algorithm to use where no checksum was given.
    pub algorithm: Option<Algorithm>,
}

/// Bytes that lie in a file. The file goes with this, unless it is kept.
pub struct Received {
    pub staged: Staged,
    pub piece: Piece,
    pub md5: [u8; 16],
    pub checksum: Checksum,
}

/// The [`Promised`] of a request.
macro_rules! promised {
    ($input:expr) => {{
        use crate::checksum::Algorithm::*;
        crate::described::refuse(&[
            ("ChecksumSHA512", $input.checksum_sha512.is_some()),
            ("ChecksumMD5", $input.checksum_md5.is_some()),
            ("ChecksumXXHASH64", $input.checksum_xxhash64.is_some()),
            ("ChecksumXXHASH3", $input.checksum_xxhash3.is_some()),
            ("ChecksumXXHASH128", $input.checksum_xxhash128.is_some()),
        ])?;
        crate::receive::one_of([
            (Crc32, &$input.checksum_crc32),
            (Crc32c, &$input.checksum_crc32_c),
            (Crc64Nvme, &$input.checksum_crc64_nvme),
            (Sha1, &$input.checksum_sha1),
            (Sha256, &$input.checksum_sha256),
        ])?
    }};
}
pub(crate) use promised;

/// The one checksum that was given, of all that could be.
pub fn one_of<const N: usize>(given: [(Algorithm, &Option<String>); N]) -> Result<Option<Checksum>, Error> {
    let mut all = given.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value.as_ref()?)));
    let Some((algorithm, value)) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        let text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(errors::invalid_request(text));
    }
    Ok(Some(Checksum { algorithm, value: value.clone() }))
}

/// The body of a request: from the wire, or as another service gave it.
pub fn body(cx: &Cx, given: Option<Blob>) -> ByteStream {
    let piped = cx.streams().and_then(|streams| streams.take_incoming());
    piped.unwrap_or_else(|| {
        let bytes = given.map(|blob| blob.0).unwrap_or_default();
        futures_util::stream::once(async move { Ok(bytes.into()) }).boxed()
    })
}

/// Takes all bytes, to a file on the disk.
pub async fn receive(cx: &Cx, mut body: ByteStream, promised: Promised) -> Result<Received, Error> {
    let wanted_md5 = promised.md5.map(|md5| STANDARD.decode(md5).ok().filter(|bytes| bytes.len() == 16));
    let wanted_md5 = wanted_md5.map(|md5| md5.ok_or_else(errors::invalid_digest)).transpose()?;
    // Named in the head, and its value comes after the body.
    let trailing = cx.streams().and_then(|streams| streams.announced());
    let trailing = match trailing {
        None => None,
        Some(name) => {
            let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == name);
            Some(known.ok_or_else(|| Error::not_built(format!("s3: the trailing header {name}")))?)
        }
    };
    if let Some(said) = &promised.checksum
        && !said.is_well_formed()
    {
        return Err(errors::invalid_checksum(&said.algorithm.header()));
    }
    if cx.streams().and_then(|streams| streams.length()).is_some_and(|length| length > LARGEST) {
        return Err(errors::too_large(LARGEST));
    }
    let given = promised.checksum.as_ref().map(|checksum| checksum.algorithm);
    let algorithm = given.or(trailing).or(promised.algorithm).unwrap_or(Algorithm::Crc64Nvme);
    let mut staged = cx.part::<ObjectFiles>()?.stage(cx.ids()).await?;
    let (mut md5, mut hasher) = (Md5::new(), Hasher::new(algorithm));
    while let Some(data) = body.next().await {
        let data = data?;
        if staged.size() + data.len() as u64 > LARGEST {
            return Err(errors::too_large(LARGEST));
        }
        md5.update(&data);
        hasher.update(&data);
        staged.write(&data).await?;
    }
    let (md5, checksum): ([u8; 16], _) = (md5.finalize().into(), hasher.finish());
    if wanted_md5.is_some_and(|wanted| wanted != md5) {
        return Err(errors::bad_digest("Content-MD5"));
    }
    let said = match (promised.checksum, trailing) {
        (Some(said), _) => Some(said.value),
        (None, Some(algorithm)) => {
            let value = cx.streams().and_then(|streams| streams.trailer(&algorithm.header()));
            let text = "The request contained trailing data that was not well-formed or did not conform to our published schema.";
            Some(value.ok_or_else(|| Error::sender("MalformedTrailerError", text))?)
        }
        (None, None) => None,
    };
    if said.is_some_and(|said| said != checksum.value) {
        return Err(errors::bad_digest(algorithm.name()));
    }
    let piece = staged.finish().await?;
    Ok(Received { staged, piece, md5, checksum })
}
