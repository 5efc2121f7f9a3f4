//! Signing keys: derived from the secret by day, region and service, and cached.
//!
//! The cache is keyed by the credential as the client wrote it
//! (`AKID/20260131/eu-west-1/sts/aws4_request`), so a look-up allocates nothing. An entry also
//! remembers the secret it came from and is only used for that same secret: a rotated or
//! re-created key can never be verified with an old one. Day-old entries go when room is needed;
//! the bound is what keeps a flood of made-up scopes from growing it.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

/// An HMAC with the signing key already absorbed, ready to be cloned and fed.
pub(crate) type SigningKey = Hmac<Sha256>;

/// 4 regions × 16 services × 16 callers = 1,024; an entry is about 400 bytes.
const MOST_KEYS: usize = 1024;

/// The parts of a credential scope a key depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub day: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn step(mac: Hmac<Sha256>, data: &[u8]) -> Hmac<Sha256> {
    keyed(&mac.chain_update(data).finalize().into_bytes())
}

/// kSecret → kDate → kRegion → kService → kSigning.
pub(crate) fn derive(secret: &str, scope: Scope<'_>) -> SigningKey {
    let mut first = Vec::with_capacity(4 + secret.len());
    first.extend_from_slice(b"AWS4");
    first.extend_from_slice(secret.as_bytes());
    let day = step(keyed(&first), scope.day.as_bytes());
    let region = step(day, scope.region.as_bytes());
    let service = step(region, scope.service.as_bytes());
    step(service, b"aws4_request")
}

struct Kept {
    secret: Box<str>,
    day: Box<str>,
    key: SigningKey,
}

/// A bounded map from credential to derived key.
#[derive(Default)]
pub(crate) struct KeyCache {
    kept: Mutex<HashMap<Box<str>, Kept>>,
}

impl KeyCache {
    /// The signing key for this credential and secret, derived on first use.
    pub fn get(&self, credential: &str, secret: &str, scope: Scope<'_>) -> SigningKey {
        if let Some(kept) = self.kept.lock().get(credential)
            && *kept.secret == *secret
        {
            return kept.key.clone();
        }
        let key = derive(secret, scope);
        let mut map = self.kept.lock();
        if map.len() >= MOST_KEYS {
            map.retain(|_, kept| *kept.day >= *scope.day);
            if map.len() >= MOST_KEYS {
                map.clear();
            }
        }
        map.insert(credential.into(), Kept { secret: secret.into(), day: scope.day.into(), key: key.clone() });
        key
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.kept.lock().len()
    }
}
