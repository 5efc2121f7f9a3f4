//! Checking a claim against the secret its access key belongs to.

use hmac::Mac;
use time::OffsetDateTime;

use crate::{
    ChunkSignatures, SigError,
    canonical::{Inputs, mac_of},
    claim::{Claim, Kind, Payload},
    is_s3,
    keys::{KeyCache, SigningKey, derive},
    parts::RequestParts,
};

/// How far a client's clock may be off: 5 minutes, 15 for S3.
fn allowed_skew(service: &str) -> i64 {
    if is_s3(service) { 900 } else { 300 }
}

/// Verifies signatures and remembers derived signing keys. One per gateway, shared.
#[derive(Default)]
pub struct Verifier {
    keys: KeyCache,
}

impl Verifier {
    /// A verifier with an empty key cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the claim made by [`crate::parse`] against this request, secret and time.
    pub fn verify(
        &self,
        claim: &Claim,
        request: &RequestParts<'_>,
        secret: &str,
        now: OffsetDateTime,
    ) -> Result<(), SigError> {
        let key = || self.keys.get(&claim.credential, secret, claim.key_scope());
        check(claim, request, now, key)
    }

    /// What checks the chunks of a streamed body, after the claim of its head was verified.
    pub fn chunk_signatures(&self, claim: &Claim, secret: &str) -> ChunkSignatures {
        ChunkSignatures::new(claim, self.keys.get(&claim.credential, secret, claim.key_scope()))
    }

    #[cfg(test)]
    pub(crate) fn cached_keys(&self) -> usize {
        self.keys.len()
    }
}

/// Like [`Verifier::verify`], deriving the signing key anew.
pub fn verify(claim: &Claim, request: &RequestParts<'_>, secret: &str, now: OffsetDateTime) -> Result<(), SigError> {
    check(claim, request, now, || derive(secret, claim.key_scope()))
}

fn check(
    claim: &Claim,
    request: &RequestParts<'_>,
    now: OffsetDateTime,
    key: impl FnOnce() -> SigningKey,
) -> Result<(), SigError> {
    check_time(claim, now)?;
    check_signed_headers(claim, request)?;
    let payload = payload_line(claim, request)?;
    let inputs = Inputs { service: &claim.service, signed_headers: &claim.signed_headers, payload: &payload };
    mac_of(request, &inputs, &claim.amz_date, claim.scope(), key())
        // Constant-time.
        .verify_slice(&claim.signature)
        .map_err(|_| SigError::SignatureDoesNotMatch)
}

fn check_time(claim: &Claim, now: OffsetDateTime) -> Result<(), SigError> {
    let age = (now - claim.signed_at).whole_seconds();
    let skew = allowed_skew(&claim.service);
    let (good_for, presigned) = match claim.kind {
        Kind::Presigned { expires: Some(seconds) } => (seconds, true),
        Kind::Presigned { expires: None } => (skew, true),
        Kind::Header => (skew, false),
    };
    if age > good_for {
        let signed = claim.signed_at;
        return Err(SigError::Expired { signed, now, seconds: good_for, presigned });
    }
    if age < -skew {
        return Err(SigError::NotYetCurrent { signed: claim.signed_at, now, seconds: skew });
    }
    Ok(())
}

/// `host` and every `x-amz-*` header present must be signed: an unsigned one could be added or
/// changed on the way.
fn check_signed_headers(claim: &Claim, request: &RequestParts<'_>) -> Result<(), SigError> {
    let signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    if !signed("host") {
        return Err(SigError::UnsignedHeader("host".into()));
    }
    match request.headers.keys().map(http::HeaderName::as_str).find(|name| name.starts_with("x-amz-") && !signed(name))
    {
        Some(name) => Err(SigError::UnsignedHeader(name.into())),
        None => Ok(()),
    }
}

/// The last line of the canonical request, after checking that the body is what it says.
fn payload_line(claim: &Claim, request: &RequestParts<'_>) -> Result<String, SigError> {
    let s3 = is_s3(&claim.service);
    match &claim.payload {
        Payload::Unsigned if s3 => Ok("UNSIGNED-PAYLOAD".into()),
        Payload::Unsigned => Err(SigError::PayloadMarker("UNSIGNED-PAYLOAD".into())),
        Payload::Streaming(marker) if s3 => Ok(marker.clone()),
        Payload::Streaming(marker) => Err(SigError::PayloadMarker(marker.clone())),
        Payload::Unstated if s3 && matches!(claim.kind, Kind::Presigned { .. }) => Ok("UNSIGNED-PAYLOAD".into()),
        Payload::Unstated => match request.body.digest() {
            Some(digest) => Ok(hex::encode(digest)),
            // Nothing vouches for a body that nobody has read.
            None if s3 => Err(SigError::MissingPayloadDigest),
            None => Err(SigError::BodyMismatch),
        },
        Payload::Digest(stated) => {
            let mut bytes = [0u8; 32];
            let well_formed = hex::decode_to_slice(stated, &mut bytes).is_ok();
            match request.body.digest() {
                _ if !well_formed && s3 => Err(SigError::PayloadMarker(stated.clone())),
                _ if !well_formed => Err(SigError::BodyMismatch),
                Some(digest) if digest != bytes => Err(SigError::BodyMismatch),
                _ => Ok(stated.clone()),
            }
        }
    }
}
