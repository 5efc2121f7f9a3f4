//! Writing a backup.

use crate::digest::Digest;
use crate::{About, BackupError, CONTENTS, Contents, HEAD, Held, STATE};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// zstd's own default: most of the bytes are layers, which are compressed already.
const LEVEL: i32 = 3;

/// A backup that is being written. Dropped before [`Writer::finish`], it leaves nothing.
pub struct Writer {
    tar: Option<tar::Builder<zstd::Encoder<'static, File>>>,
    contents: Contents,
    to: PathBuf,
    part: PathBuf,
}

impl Writer {
    /// Begins the backup `to`, readable by its owner only.
    ///
    /// # Errors
    /// Where there is a file of that name, or the place cannot be written to.
    pub fn begin(to: &Path, about: &About) -> Result<Self, BackupError> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        // One that a killed kiln left is nobody's; who writes to it now holds its lock.
        let options = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
        let file = options.open(&part).map_err(BackupError::io("write", &part))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BackupError::Busy(part.clone()),
            TryLockError::Error(error) => BackupError::io("lock", &part)(error),
        })?;
        let begun = || {
            file.set_len(0)?;
            file.set_permissions(Permissions::from_mode(0o600))
        };
        begun().map_err(BackupError::io("write", &part))?;
        let encoder = || {
            let mut encoder = zstd::Encoder::new(file, LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        let tar = tar::Builder::new(encoder().map_err(BackupError::io("write", &part))?);
        let mut writer = Self { tar: Some(tar), contents: Contents::default(), to: to.to_owned(), part };
        writer.bytes(HEAD, &json(about))?;
        Ok(writer)
    }

    fn tar(&mut self) -> &mut tar::Builder<zstd::Encoder<'static, File>> {
        self.tar.as_mut().expect("only the end takes it")
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let part = self.part.clone();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        self.tar().append_data(&mut header, name, bytes).map_err(BackupError::io("write", &part))
    }

    /// Adds the folder `name` of the state directory.
    pub fn folder(&mut self, name: &Path) -> Result<(), BackupError> {
        let part = self.part.clone();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o700);
        let name = Path::new(STATE).join(name);
        self.tar().append_data(&mut header, name, io::empty()).map_err(BackupError::io("write", &part))
    }

    /// Adds what `file` holds, which was opened at `from`, as `name` of the state directory; its bytes.
    ///
    /// # Errors
    /// [`BackupError::Changed`] when somebody writes to it meanwhile.
    pub fn file(&mut self, file: &mut File, from: &Path, name: &Path) -> Result<u64, BackupError> {
        self.read_twice(file, from, name, || ())
    }

    /// Once for the digest, once for the archive; `between` is for tests.
    pub(crate) fn read_twice(
        &mut self,
        file: &mut File,
        from: &Path,
        name: &Path,
        between: impl FnOnce(),
    ) -> Result<u64, BackupError> {
        let state = |file: &File| file.metadata().map(|m| (m.len(), m.mtime(), m.mtime_nsec()));
        let before = state(file).map_err(BackupError::io("look at", from))?;
        let (size, sha256) = Digest::of(file).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Changed(from.to_owned()),
            _ => BackupError::io("read", from)(error),
        })?;
        let mode = file.metadata().map_err(BackupError::io("look at", from))?.mode() & 0o777;
        let part = self.part.clone();
        between();
        file.rewind().map_err(BackupError::io("read", from))?;
        let added = self.tar().append_file(Path::new(STATE).join(name), file);
        let after = state(file).map_err(BackupError::io("look at", from))?;
        if before != after {
            return Err(BackupError::Changed(from.to_owned()));
        }
        added.map_err(BackupError::io("write", &part))?;
        let name = name.to_str().ok_or_else(|| {
            BackupError::io("name", from)(io::Error::new(ErrorKind::InvalidData, "its name is not UTF-8"))
        })?;
        self.contents.files.push(Held { name: name.to_owned(), size, mode, sha256 });
        Ok(size)
    }

    /// Ends it: all of it is on the disk before it has its name. Its size.
    pub fn finish(mut self) -> Result<u64, BackupError> {
        let contents = json(&self.contents);
        self.bytes(CONTENTS, &contents)?;
        let (to, part) = (self.to.clone(), self.part.clone());
        let tar = self.tar.take().expect("only the end takes it");
        let written = || {
            let file = tar.into_inner()?.finish()?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let named = |size| {
            match renameat2(AT_FDCWD, &part, AT_FDCWD, &to, RenameFlags::RENAME_NOREPLACE) {
                Err(nix::errno::Errno::EEXIST) => return Err(BackupError::Exists(to.clone())),
                renamed => renamed.map_err(|e| BackupError::io("write", &to)(e.into()))?,
            }
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder).and_then(|f| f.sync_all()).map_err(BackupError::io("write", folder))?;
            Ok(size)
        };
        let ended = written().map_err(BackupError::io("write", &part)).and_then(named);
        if ended.is_err() {
            self.discard();
        }
        ended
    }

    fn discard(&self) {
        // Who is told of a failure learns the file's name from it; one that stays is no backup.
        let _ = fs::remove_file(&self.part);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(tar) = self.tar.take() {
            self.discard();
            // Not ended: the last bytes of the archive are of no use.
            drop(tar);
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("names and numbers are JSON")
}
