//! Sealing: how bytes that nobody may read lie on disk, and the key that all such keys hang on.
//!
//! ```text
//! root.key (32 bytes, 0600) ── for a purpose ──> Key ── for one message ──> AES-256-GCM
//!                                                 ▲
//!                      a key of KMS, itself sealed under one of root.key's
//! ```
//! A message is sealed with AES-256-GCM under a key of its own, made by HMAC-SHA-256 from the key and 16 random bytes,
//! with a nonce of 12 random bytes more. Two messages would have to meet in all 28 to share key and nonce: at 2^64
//! messages under one key the chance is below 2^-96, so that no key has to be counted and none wears out. What the
//! message is bound to (a name, a context) is associated data: elsewhere it does not open.
//!
//! ```text
//! sealed: salt 16 │ nonce 12 │ text │ tag 16
//! ```
//! docs/decisions/0025-keys.md says what was turned down.

mod opened;
mod root;

pub use opened::Opened;
pub use root::RootKey;
pub use zeroize::Zeroizing;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use kiln_ids::IdSource;
use sha2::Sha256;

const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;

/// What a sealed message is longer than its text: 16 + 12 + 16 = 44 bytes.
pub const OVERHEAD: usize = SALT + NONCE + TAG;

/// 32 secret bytes that seal and open; wiped when it is let go of.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// How many bytes a key has.
    pub const LENGTH: usize = 32;

    /// A new one.
    pub fn new(ids: &IdSource) -> Self {
        let bytes = Zeroizing::new(ids.bytes(Self::LENGTH));
        Self::from_bytes(&bytes).expect("as many bytes were asked for")
    }

    /// The key that these bytes are; none where they are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::LENGTH]);
        if bytes.len() != Self::LENGTH {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// Its bytes, to be sealed under another.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Another key, of which nothing leads back to this one.
    fn derived(&self, purpose: &[u8], from: &[u8]) -> Self {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(self.bytes()).expect("HMAC takes keys of any length");
        // The purposes have no zero in them: where one ends is clear.
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(from);
        let mut made = mac.finalize().into_bytes();
        let key = Self::from_bytes(&made).expect("SHA-256 gives 32 bytes");
        zeroize::Zeroize::zeroize(made.as_mut_slice());
        key
    }

    fn cipher(&self, salt: &[u8]) -> Aes256Gcm {
        let key = self.derived(b"kiln message 1", salt);
        Aes256Gcm::new(key.bytes().into())
    }

    /// Seals `text`, to be opened with the same `bound` only.
    pub fn seal(&self, ids: &IdSource, bound: &[u8], text: &[u8]) -> Vec<u8> {
        let mut sealed = ids.bytes(SALT + NONCE);
        let cipher = self.cipher(&sealed[..SALT]);
        let nonce = Nonce::clone_from_slice(&sealed[SALT..]);
        // It refuses texts of 64 GiB and more alone.
        let made = cipher.encrypt(&nonce, Payload { msg: text, aad: bound }).expect("no text here is that long");
        sealed.extend(made);
        sealed
    }

    /// Opens what [`Key::seal`] made; none where it is not that, or was bound to something else.
    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() < OVERHEAD {
            return None;
        }
        let (salt, rest) = sealed.split_at(SALT);
        let (nonce, made) = rest.split_at(NONCE);
        let opened = self.cipher(salt).decrypt(Nonce::from_slice(nonce), Payload { msg: made, aad: bound });
        opened.ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_with_the_same_key_and_bound_to_the_same_only() {
        let ids = IdSource::seeded(1);
        let (key, other) = (Key::new(&ids), Key::new(&ids));
        let sealed = key.seal(&ids, b"of ada", b"hunter2");
        assert_eq!(sealed.len(), 7 + OVERHEAD);
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, key.seal(&ids, b"of ada", b"hunter2"), "never the same twice");
        assert_eq!(key.open(b"of ada", &sealed).expect("opens").as_slice(), b"hunter2");
        assert!(key.open(b"of eve", &sealed).is_none());
        assert!(other.open(b"of ada", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(key.open(b"of ada", &damaged).is_none(), "byte {at}");
        }
        assert!(key.open(b"of ada", &sealed[..OVERHEAD - 1]).is_none());
        assert_eq!(key.open(b"", &key.seal(&ids, b"", b"")).expect("opens").as_slice(), b"");
    }
}
