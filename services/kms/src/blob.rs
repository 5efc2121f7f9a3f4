//! Ciphertext blobs: they name the key that opens them, so that Decrypt needs to be told none.
//!
//! ```text
//! version 1 │ account 12 digits │ key id 16 bytes │ number of the material 4 bytes │ sealed (kiln-sealing)
//! ```
//! All before the sealed part is associated data of it, with the encryption context: nothing of it can be changed.
//! AWS's blobs are opaque too and have another form: neither opens the other's.

use crate::names;

use kiln_sealing::{Key, Zeroizing};
use kiln_service_kit::{IdSource, Map};

const VERSION: u8 = 1;
const ACCOUNT: usize = 12;
/// 1 + 12 + 16 + 4 bytes.
const HEAD: usize = 1 + ACCOUNT + 16 + 4;

/// What a blob says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub account: String,
    pub key: String,
    /// Which of the key's materials, from 0.
    pub material: u32,
}

impl Head {
    fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![VERSION];
        bytes.extend(<[u8; ACCOUNT]>::try_from(self.account.as_bytes()).ok()?);
        bytes.extend(names::uuid(&self.key)?);
        bytes.extend(self.material.to_be_bytes());
        Some(bytes)
    }
}

/// Reads the head of a blob; none where it is not one of these.
pub fn head(blob: &[u8]) -> Option<Head> {
    let (head, _) = blob.split_at_checked(HEAD)?;
    let (version, rest) = head.split_first()?;
    let (account, rest) = rest.split_at(ACCOUNT);
    let (key, material) = rest.split_at(16);
    if *version != VERSION || !account.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(Head {
        account: String::from_utf8(account.to_vec()).ok()?,
        key: names::of_uuid(key.try_into().ok()?),
        material: u32::from_be_bytes(material.try_into().ok()?),
    })
}

/// Head and context as they are bound: each part with its length, so that no two contexts read the same.
fn bound(head: &[u8], context: &Map<String>) -> Vec<u8> {
    let mut bound = head.to_vec();
    for part in context.iter().flat_map(|(key, value)| [key, value]) {
        bound.extend((part.len() as u64).to_be_bytes());
        bound.extend(part.as_bytes());
    }
    bound
}

/// Encrypts; none where the head is not of a key.
pub fn seal(ids: &IdSource, key: &Key, head: &Head, context: &Map<String>, text: &[u8]) -> Option<Vec<u8>> {
    let mut blob = head.bytes()?;
    let sealed = key.seal(ids, &bound(&blob, context), text);
    blob.extend(sealed);
    Some(blob)
}

/// Decrypts; none where it was changed, or bound to another context.
pub fn open(key: &Key, blob: &[u8], context: &Map<String>) -> Option<Zeroizing<Vec<u8>>> {
    let (head, sealed) = blob.split_at_checked(HEAD)?;
    key.open(&bound(head, context), sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Map<String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_blob_names_its_key_and_opens_in_its_context_only() {
        let ids = IdSource::seeded(1);
        let key = Key::new(&ids);
        let head =
            Head { account: "111122223333".into(), key: "1234abcd-12ab-34cd-56ef-1234567890ab".into(), material: 7 };
        let given = context(&[("a", "bc"), ("d", "")]);
        let blob = seal(&ids, &key, &head, &given, &[9; 4096]).expect("a key");
        assert!(blob.len() <= 6144, "the longest plaintext makes a ciphertext that Decrypt takes: {}", blob.len());
        assert_eq!(super::head(&blob), Some(head));
        assert_eq!(open(&key, &blob, &given).expect("opens").as_slice(), [9; 4096]);
        for other in [context(&[]), context(&[("ab", "c"), ("d", "")]), context(&[("a", "bcd"), ("", "")])] {
            assert!(open(&key, &blob, &other).is_none(), "{other:?}");
        }
        for at in 0..HEAD + 4 {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(open(&key, &changed, &given).is_none(), "byte {at}");
        }
        assert_eq!(super::head(b"no blob"), None);
    }
}
