//! Taking an object's bytes: to a file, hashed on the way, held against every digest that the caller
//! gave. Whatever fails, nothing stays.

use crate::checksum::{Algorithm, Checksum};
use crate::errors;
use crate::files::{ObjectFiles, Seal, Staged};
use crate::integrity::{Check, Promised};
use crate::records::Piece;
use futures_util::StreamExt;
use kiln_service_kit::{Blob, ByteStream, Cx, Error};

/// The largest object in one piece, and the largest part: 5 GiB.
pub const LARGEST: u64 = 5 << 30;

/// Bytes that lie in a file. The file goes with this, unless it is kept.
pub struct Received {
    pub staged: Staged,
    pub piece: Piece,
    pub md5: [u8; 16],
    pub checksum: Checksum,
}

/// The one checksum that a request gives.
macro_rules! given_checksum {
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
pub(crate) use given_checksum;

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

/// Takes all bytes, to a file on the disk, sealed so. `otherwise` is the checksum to keep where none was promised.
pub async fn receive(
    cx: &Cx,
    mut body: ByteStream,
    promised: Promised,
    otherwise: Option<Algorithm>,
    seal: &Seal,
) -> Result<Received, Error> {
    if cx.streams().and_then(|streams| streams.length()).is_some_and(|length| length > LARGEST) {
        return Err(errors::too_large(LARGEST));
    }
    let mut staged = cx.part::<ObjectFiles>()?.stage(cx.ids(), seal).await?;
    let mut check = Check::new(promised, otherwise.unwrap_or(Algorithm::Crc64Nvme));
    while let Some(data) = body.next().await {
        let data = data?;
        if staged.size() + data.len() as u64 > LARGEST {
            return Err(errors::too_large(LARGEST));
        }
        check.update(&data);
        staged.write(&data).await?;
    }
    let (md5, checksum) = check.finish(cx.streams().map(|streams| &**streams))?;
    let piece = staged.finish().await?;
    Ok(Received { staged, piece, md5, checksum })
}
