//! The signatures of a body that comes in chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, with or
//! without trailing headers). Each one covers its chunk and the signature before it, beginning with
//! the head's own, so that no chunk can be left out, repeated or exchanged.

use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::{SigError, claim::Claim, keys::SigningKey};

/// Checks one chunk after the other.
pub struct ChunkSignatures {
    key: SigningKey,
    amz_date: String,
    scope: String,
    /// In hex; of the chunk before, or of the head.
    previous: String,
}

impl ChunkSignatures {
    pub(crate) fn new(claim: &Claim, key: SigningKey) -> Self {
        Self {
            key,
            amz_date: claim.amz_date.clone(),
            scope: claim.scope().to_owned(),
            previous: hex::encode(claim.signature),
        }
    }

    /// Checks the next chunk: the signature it came with against the SHA-256 of its data.
    pub fn chunk(&mut self, signature: &str, data: [u8; 32]) -> Result<(), SigError> {
        let nothing = hex::encode(Sha256::digest([]));
        self.check("AWS4-HMAC-SHA256-PAYLOAD", signature, &format!("{nothing}\n{}", hex::encode(data)))
    }

    /// Checks the trailing headers: their signature against the SHA-256 of `name:value\n` of each.
    pub fn trailers(&mut self, signature: &str, headers: &[u8]) -> Result<(), SigError> {
        self.check("AWS4-HMAC-SHA256-TRAILER", signature, &hex::encode(Sha256::digest(headers)))
    }

    fn check(&mut self, algorithm: &str, signature: &str, digests: &str) -> Result<(), SigError> {
        let text = format!("{algorithm}\n{}\n{}\n{}\n{digests}", self.amz_date, self.scope, self.previous);
        let mut given = [0u8; 32];
        hex::decode_to_slice(signature, &mut given).map_err(|_| SigError::SignatureDoesNotMatch)?;
        let mac = self.key.clone().chain_update(text);
        mac.verify_slice(&given).map_err(|_| SigError::SignatureDoesNotMatch)?;
        self.previous = signature.to_owned();
        Ok(())
    }
}
