//! Writing a backup.

use crate::digest::Digest;
use crate::{About, BackupError, CONTENTS, Contents, HEAD, Held, STATE};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// zstd's own default: most of the bytes are layers, which are compressed already.
const LEVEL: i32 = 3;

/// Whether the backup is still wanted. It is asked with every block, and last before it gets its name.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// Takes bytes for as long as the backup is wanted, so that a large file ends as soon as a small one.
struct Asked<W> {
    to: W,
    goes_on: GoesOn,
}

impl<W: io::Write> io::Write for Asked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        still(&self.goes_on)?;
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn still(goes_on: &GoesOn) -> io::Result<()> {
    match goes_on() {
        true => Ok(()),
        false => Err(io::Error::other("nobody wants it any more")),
    }
}

type Archive = tar::Builder<Asked<zstd::Encoder<'static, File>>>;

/// A backup that is being written. Dropped before [`Writer::finish`], it leaves nothing.
pub struct Writer {
    tar: Option<Archive>,
    goes_on: GoesOn,
    contents: Contents,
    to: PathBuf,
    part: PathBuf,
}

impl Writer {
    /// Begins the backup `to`, readable by its owner only. Every step is [`BackupError::GivenUp`] once `goes_on`
    /// says no.
    ///
    /// # Errors
    /// Where there is a file of that name, or the place cannot be written to.
    pub fn begin(to: &Path, about: &About, goes_on: GoesOn) -> Result<Self, BackupError> {
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
        let encoder = encoder().map_err(BackupError::io("write", &part))?;
        let tar = Some(tar::Builder::new(Asked { to: encoder, goes_on: goes_on.clone() }));
        let mut writer = Self { tar, goes_on, contents: Contents::default(), to: to.to_owned(), part };
        writer.bytes(HEAD, &json(about))?;
        Ok(writer)
    }

    fn tar(&mut self) -> &mut Archive {
        self.tar.as_mut().expect("only the end takes it")
    }

    /// What a failure while `doing` something to `path` is: the end that was asked for, or the system's.
    fn failed(&self, doing: &'static str, path: &Path, error: io::Error) -> BackupError {
        match (self.goes_on)() {
            true => BackupError::io(doing, path)(error),
            false => BackupError::GivenUp(self.to.clone()),
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        let added = self.tar().append_data(&mut header, name, bytes);
        added.map_err(|error| self.failed("write", &self.part, error))
    }

    /// Adds the folder `name` of the state directory.
    pub fn folder(&mut self, name: &Path) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o700);
        let name = Path::new(STATE).join(name);
        let added = self.tar().append_data(&mut header, name, io::empty());
        added.map_err(|error| self.failed("write", &self.part, error))
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
        let (size, sha256) = Digest::of(file, || still(&self.goes_on)).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Changed(from.to_owned()),
            _ => self.failed("read", from, error),
        })?;
        let mode = file.metadata().map_err(BackupError::io("look at", from))?.mode() & 0o777;
        between();
        file.rewind().map_err(BackupError::io("read", from))?;
        let added = self.tar().append_file(Path::new(STATE).join(name), file);
        let after = state(file).map_err(BackupError::io("look at", from))?;
        if before != after {
            return Err(BackupError::Changed(from.to_owned()));
        }
        added.map_err(|error| self.failed("write", &self.part, error))?;
        let name = name.to_str().ok_or_else(|| {
            BackupError::io("name", from)(io::Error::new(ErrorKind::InvalidData, "its name is not UTF-8"))
        })?;
        self.contents.files.push(Held { name: name.to_owned(), size, mode, sha256 });
        Ok(size)
    }

    /// Ends it: all of it is on the disk before it has its name. Its size. From when it has its name on, it is made,
    /// whether it is still wanted or not.
    ///
    /// # Errors
    /// Then there is none.
    pub fn finish(self) -> Result<u64, BackupError> {
        self.finish_with(|| (), File::sync_all)
    }

    /// `named` is called once it has its name, and `flush` makes that last; both are for tests.
    pub(crate) fn finish_with(
        mut self,
        named: impl FnOnce(),
        flush: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<u64, BackupError> {
        let contents = json(&self.contents);
        self.bytes(CONTENTS, &contents)?;
        let tar = self.tar.take().expect("only the end takes it");
        let ended = self.end(tar, named, flush);
        if ended.is_err() {
            self.discard();
        }
        ended
    }

    fn end(
        &self,
        tar: Archive,
        named: impl FnOnce(),
        flush: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<u64, BackupError> {
        let written = || {
            let file = tar.into_inner()?.to.finish()?;
            still(&self.goes_on)?;
            file.sync_all()?;
            // The last time: flushing takes as long as there is to flush.
            still(&self.goes_on)?;
            Ok((file.metadata()?.len(), file))
        };
        // Locked until the end: whoever comes for the same name finds it taken.
        let (size, _locked) = written().map_err(|error| self.failed("write", &self.part, error))?;
        let to = &self.to;
        let above = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(above).map_err(BackupError::io("look into", above))?;
        match renameat2(AT_FDCWD, &self.part, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
            Err(nix::errno::Errno::EEXIST) => return Err(BackupError::Exists(to.clone())),
            renamed => renamed.map_err(|e| BackupError::io("write", to)(e.into()))?,
        }
        named();
        flush(&folder).map_err(|error| {
            // A name that may be gone after the host's crash is none. Where it cannot be taken back either, the
            // failure names its folder.
            let _ = fs::remove_file(to);
            BackupError::io("flush", above)(error)
        })?;
        Ok(size)
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
