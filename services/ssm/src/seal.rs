//! SecureString values as they were kept before there was KMS (`secure.rs`), and as an older state directory still has
//! them: sealed with ChaCha20-Poly1305 under a key that lies beside the database in a file of its own. They are opened
//! here; nothing is sealed so any more.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use kiln_service_kit::{Error, IdSource};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const NONCE: usize = 12;

/// The key of all secrets of this platform; the server installs it as a part.
#[derive(Clone)]
pub struct SealingKey([u8; 32]);

impl SealingKey {
    /// Where it lies in a state directory.
    pub const FILE: &str = "ssm.key";

    /// Reads the key of a state directory, or makes it at the first start. `Err` is a line for the
    /// terminal.
    pub fn open(state_dir: &Path, ids: &IdSource) -> Result<Self, String> {
        let path = state_dir.join(Self::FILE);
        match std::fs::read(&path) {
            Ok(bytes) => bytes.try_into().map(Self).map_err(|_| {
                format!(
                    "{} is damaged: restore it, or remove it and all SecureString parameters with it",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::new(ids);
                key.write(&path).map_err(|e| format!("failed to write {}: {e}", path.display()))?;
                Ok(key)
            }
            Err(error) => Err(format!("failed to read {}: {error}", path.display())),
        }
    }

    /// A new key, for a platform without a disk.
    pub fn new(ids: &IdSource) -> Self {
        Self(ids.bytes(32).try_into().expect("32 bytes were asked for"))
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let next = path.with_extension("key.next");
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
        file.write_all(&self.0)?;
        file.sync_all()?;
        std::fs::rename(&next, path)
    }

    /// Seals a value for a name, as an earlier version did: under another name it does not open.
    #[cfg(test)]
    pub fn seal(&self, ids: &IdSource, name: &str, value: &str) -> Result<Vec<u8>, Error> {
        let mut sealed = ids.bytes(NONCE);
        let payload = Payload { msg: value.as_bytes(), aad: name.as_bytes() };
        let cipher = ChaCha20Poly1305::new(Key::from_slice(&self.0));
        let text = cipher
            .encrypt(Nonce::from_slice(&sealed), payload)
            .map_err(|_| Error::internal(format!("failed to seal parameter {name}")))?;
        sealed.extend(text);
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] made.
    pub fn open_sealed(&self, name: &str, sealed: &[u8]) -> Result<String, Error> {
        let damaged = || Error::internal(format!("the sealed value of parameter {name} does not open with this key"));
        if sealed.len() < NONCE {
            return Err(damaged());
        }
        let (nonce, text) = sealed.split_at(NONCE);
        let cipher = ChaCha20Poly1305::new(Key::from_slice(&self.0));
        let value = cipher
            .decrypt(Nonce::from_slice(nonce), Payload { msg: text, aad: name.as_bytes() })
            .map_err(|_| damaged())?;
        String::from_utf8(value).map_err(|_| damaged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_and_is_private_and_binds_the_name() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ids = IdSource::seeded(1);
        let one = SealingKey::open(dir.path(), &ids).expect("made");
        let sealed = one.seal(&ids, "/db/password", "hunter2").expect("sealed");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        let two = SealingKey::open(dir.path(), &ids).expect("read again");
        assert_eq!(two.open_sealed("/db/password", &sealed).expect("opened"), "hunter2");
        assert!(two.open_sealed("/other", &sealed).is_err());
        let mode = std::fs::metadata(dir.path().join(SealingKey::FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
