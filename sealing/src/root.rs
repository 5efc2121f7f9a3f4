//! The key of a state directory that all sealed secrets of its database hang on: keys of KMS, secrets of access keys.
//! It lies beside the database in a file of its own, readable by its owner only: a copy of the database alone gives
//! nothing away, a copy of the whole state directory does.

use crate::Key;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ids::IdSource;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The root key of a platform; the server installs it as a part.
#[derive(Clone, Debug)]
pub struct RootKey(Arc<Key>);

impl RootKey {
    /// Where it lies in a state directory.
    pub const FILE: &str = "root.key";

    /// A new one, for a platform without a disk.
    pub fn new(ids: &IdSource) -> Self {
        Self(Arc::new(Key::new(ids)))
    }

    /// Reads the key of a state directory; none where there is none. `Err` is a line for the terminal.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, String> {
        let path = state_dir.join(Self::FILE);
        match std::fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => Key::from_bytes(&bytes).map(|key| Some(Self(Arc::new(key)))).ok_or_else(|| {
                format!(
                    "{} is damaged: restore it. Without it neither the keys of KMS nor the users' access keys open",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("failed to read {}: {error}", path.display())),
        }
    }

    /// Makes the key of a state directory in which nothing is sealed yet.
    pub fn make(state_dir: &Path, ids: &IdSource) -> Result<Self, String> {
        let path = state_dir.join(Self::FILE);
        let made = Self::new(ids);
        made.write(&path).map_err(|e| format!("failed to write {}: {e}", path.display()))?;
        Ok(made)
    }

    /// On the disk, name and all, before anything is sealed under it.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let next = path.with_extension("key.next");
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
        file.write_all(self.0.bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, path)?;
        match path.parent() {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// The key for one purpose, e.g. `iam/access-key`: what is sealed for another does not open with it.
    pub fn of(&self, purpose: &str) -> Key {
        self.0.derived(b"kiln purpose 1", purpose.as_bytes())
    }

    /// A text sealed for a purpose and bound to a name, in base64.
    pub fn seal_text(&self, ids: &IdSource, purpose: &str, name: &str, text: &str) -> String {
        STANDARD.encode(self.of(purpose).seal(ids, name.as_bytes(), text.as_bytes()))
    }

    /// Opens what [`RootKey::seal_text`] made; none where it is not that.
    pub fn open_text(&self, purpose: &str, name: &str, sealed: &str) -> Option<String> {
        let opened = self.of(purpose).open(name.as_bytes(), &STANDARD.decode(sealed).ok()?)?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_stays_and_is_private() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ids = IdSource::seeded(1);
        assert!(RootKey::read(dir.path()).expect("looked").is_none(), "reading makes none");
        let sealed = RootKey::make(dir.path(), &ids).expect("made").seal_text(&ids, "test", "ada", "hunter2");
        let again = RootKey::read(dir.path()).expect("read again").expect("there");
        assert_eq!(again.open_text("test", "ada", &sealed).as_deref(), Some("hunter2"));
        assert_eq!(again.open_text("test", "eve", &sealed), None);
        assert_eq!(again.open_text("other", "ada", &sealed), None);
        let file = dir.path().join(RootKey::FILE);
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "short").expect("written");
        assert!(RootKey::read(dir.path()).expect_err("damaged").contains("root.key is damaged"));
    }
}
