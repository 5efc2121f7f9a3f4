//! Reading a backup: into a folder beside what is to be, all of it checked, then into place.

use crate::digest::{BLOCK, Digest};
use crate::{About, BackupError, CONTENTS, Contents, FORMAT, HEAD, Held, STATE};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Where a backup lies while it is read; a state directory that has it was not restored to the end.
pub const RESTORING: &str = ".restoring";
/// The largest list of contents that is read: some 3,000,000 files.
const MOST_CONTENTS: u64 = 512 << 20;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    pub about: About,
    pub files: usize,
    /// Bytes of all files, holes included.
    pub bytes: u64,
}

/// Restores the backup `from` into the state directory `to`, which must be empty or not there. `progress` is
/// told how much of the backup is read, in bytes.
///
/// # Errors
/// The backup is damaged, of a later version or none, `to` is not empty, another restore writes to it, or the disk
/// is full. Then `to` is as it was. But after [`BackupError::HalfPlaced`] it has a part of the backup in it, and is
/// cut off ([`is_cut_off`]); and when only the last flush failed, which the error says, all of it.
pub fn restore(from: &Path, to: &Path, progress: &dyn Fn(u64)) -> Result<Restored, BackupError> {
    let file = File::open(from).map_err(BackupError::io("read", from))?;
    // Until the end, however that comes.
    let (made, _alone) = alone_in(to, lock)?;
    let restored = into_empty(from, &file, to, progress);
    if made && matches!(&restored, Err(error) if !matches!(error, BackupError::HalfPlaced { .. })) {
        // The reason is told; one that others put something into meanwhile stays.
        let _ = fs::remove_dir(to);
    }
    restored
}

fn into_empty(from: &Path, file: &File, to: &Path, progress: &dyn Fn(u64)) -> Result<Restored, BackupError> {
    check_empty(to)?;
    let staging = to.join(RESTORING);
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(BackupError::io("remove", &staging)(error));
        }
        _ => make_folder(&staging)?,
    }
    let restored = Reader { from, to: &staging, contents: Contents::default() }.all(file, progress);
    let placed = restored.and_then(|restored| place(&staging, to, &File::sync_all).map(|()| restored));
    if matches!(&placed, Err(error) if !matches!(error, BackupError::HalfPlaced { .. })) {
        // The reason is told; what cannot be cleared away is no state directory.
        let _ = fs::remove_dir_all(&staging);
    }
    placed
}

/// Makes it if it is missing, and locks it; whether it was made.
pub(crate) fn alone_in<L>(
    to: &Path,
    lock: impl FnOnce(&Path) -> Result<L, BackupError>,
) -> Result<(bool, L), BackupError> {
    let made = make_if_missing(to)?;
    let locked = lock(to);
    // One that somebody else restores into is that one's.
    if made && matches!(&locked, Err(error) if !matches!(error, BackupError::Restoring(_))) {
        // The reason is told; one that others put something into meanwhile stays.
        let _ = fs::remove_dir(to);
    }
    Ok((made, locked?))
}

/// Whether it was made.
fn make_if_missing(to: &Path) -> Result<bool, BackupError> {
    if let Some(above) = to.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(BackupError::io("make", to)(error)),
    }
}

/// Sees that nobody else restores into it.
fn lock(to: &Path) -> Result<File, BackupError> {
    let folder = File::open(to).map_err(BackupError::io("look into", to))?;
    folder.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => BackupError::Restoring(to.to_owned()),
        TryLockError::Error(error) => BackupError::io("lock", to)(error),
    })?;
    // One that gave up may have removed it and a third made it again in between.
    let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    let mine = folder.metadata().map_err(BackupError::io("look at", to))?;
    match fs::metadata(to) {
        Ok(there) if same(&there, &mine) => Ok(folder),
        Ok(_) => Err(BackupError::Restoring(to.to_owned())),
        Err(error) => Err(BackupError::io("look at", to)(error)),
    }
}

fn check_empty(to: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(to).map_err(BackupError::io("look into", to))? {
        let name = entry.map_err(BackupError::io("look into", to))?.file_name();
        // A file system has it; and a restore that was cut off before it put anything in place.
        if name != "lost+found" && name != RESTORING {
            let found = name.to_string_lossy().into_owned();
            return Err(BackupError::NotEmpty { path: to.to_owned(), found });
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(BackupError::io("make", path))
}

/// Moves what was read up to where it is to be, once all of it is on the disk. `flush` makes what was done to a folder
/// last; it is another one in tests.
pub(crate) fn place(staging: &Path, to: &Path, flush: &dyn Fn(&File) -> io::Result<()>) -> Result<(), BackupError> {
    let ready = || {
        let folder = File::open(to)?;
        nix::unistd::syncfs(&folder)?;
        let mut names = fs::read_dir(staging)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        let mode = folder.metadata()?.permissions();
        // Only now: what lay open with nothing in it may stay so.
        folder.set_permissions(Permissions::from_mode(0o700))?;
        Ok((folder, names, mode))
    };
    let (folder, names, mode) = ready().map_err(BackupError::io("write", to))?;
    let mut moved = 0;
    let put = || {
        for name in names {
            fs::rename(staging.join(&name), to.join(&name))?;
            moved += 1;
        }
        flush(&folder)?;
        // Last: until it is gone, no kiln takes the directory for a whole one.
        fs::remove_dir(staging)
    };
    match put() {
        Err(error) if moved == 0 => {
            folder.set_permissions(mode).map_err(BackupError::io("open again", to))?;
            return Err(BackupError::io("write", to)(error));
        }
        placed => placed.map_err(|source| BackupError::HalfPlaced { path: to.to_owned(), source })?,
    }
    // All of it is in place: after a crash of the host a restore may at most look cut off.
    flush(&folder).map_err(BackupError::io("flush the whole backup in", to))
}

struct Reader<'r> {
    from: &'r Path,
    to: &'r Path,
    contents: Contents,
}

impl Reader<'_> {
    fn not_ours(&self, why: impl ToString) -> BackupError {
        BackupError::NotABackup { path: self.from.to_owned(), why: why.to_string() }
    }

    fn damaged(&self, at: &str, why: impl ToString) -> BackupError {
        BackupError::Damaged { path: self.from.to_owned(), at: at.to_owned(), why: why.to_string() }
    }

    fn all(mut self, file: &File, progress: &dyn Fn(u64)) -> Result<Restored, BackupError> {
        let decoder = zstd::Decoder::new(file).map_err(|e| self.not_ours(e))?;
        let mut archive = tar::Archive::new(decoder);
        let mut about: Option<About> = None;
        let mut listed: Option<Contents> = None;
        let mut last = "its beginning".to_owned();
        for entry in archive.entries().map_err(|e| self.not_ours(e))? {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) if about.is_none() => return Err(self.not_ours(error)),
                Err(error) => return Err(self.damaged(&format!("what follows {last}"), error)),
            };
            progress((&*file).stream_position().unwrap_or(0));
            let path = entry.path().map_err(|e| self.damaged(&last, e))?.into_owned();
            let name = path.to_str().ok_or_else(|| self.damaged(&last, "a name is not UTF-8"))?.to_owned();
            if about.is_none() {
                about = Some(self.head(&name, &mut entry)?);
            } else if listed.is_some() {
                return Err(self.damaged(&name, "something follows the list of contents"));
            } else if name == CONTENTS {
                let mut text = vec![];
                entry.take(MOST_CONTENTS).read_to_end(&mut text).map_err(|e| self.damaged(CONTENTS, e))?;
                listed = Some(serde_json::from_slice(&text).map_err(|e| self.damaged(CONTENTS, e))?);
            } else {
                self.entry(&path, &name, &mut entry)?;
            }
            last = name;
        }
        let about = about.ok_or_else(|| self.not_ours("it is empty"))?;
        let listed = listed.ok_or_else(|| self.damaged(&last, "it ends here, before its list of contents"))?;
        self.compare(listed)?;
        // To the end, where zstd's own checksum stands.
        let mut decoder = archive.into_inner();
        io::copy(&mut decoder, &mut io::sink()).map_err(|e| self.damaged("its end", e))?;
        let (files, bytes) = (self.contents.files.len(), self.contents.files.iter().map(|f| f.size).sum());
        Ok(Restored { about, files, bytes })
    }

    fn head(&self, name: &str, entry: &mut impl Read) -> Result<About, BackupError> {
        if name != HEAD {
            return Err(self.not_ours(format!("it begins with {name:?}")));
        }
        let mut text = vec![];
        entry.take(64 << 10).read_to_end(&mut text).map_err(|e| self.damaged(HEAD, e))?;
        let about: About = serde_json::from_slice(&text).map_err(|e| self.not_ours(e))?;
        if about.format > FORMAT {
            let (found, kiln) = (about.format, about.kiln);
            return Err(BackupError::Newer { path: self.from.to_owned(), found, kiln });
        }
        Ok(about)
    }

    fn entry<R: Read>(&mut self, path: &Path, name: &str, entry: &mut tar::Entry<'_, R>) -> Result<(), BackupError> {
        let below = path.strip_prefix(STATE).ok().filter(|way| way.components().all(is_plain));
        let below = below.ok_or_else(|| self.damaged(name, "it leads out of the state directory"))?;
        let to = self.to.join(below);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            return make_folder(&to);
        }
        if !(kind.is_file() || kind.is_gnu_sparse()) {
            return Err(self.damaged(name, "it is neither a file nor a folder"));
        }
        let mode = entry.header().mode().map_err(|e| self.damaged(name, e))? & 0o777;
        if let Some(above) = to.parent() {
            make_folder(above)?;
        }
        let (size, sha256) = self.file(&to, name, mode, entry)?;
        let below = below.to_string_lossy().into_owned();
        self.contents.files.push(Held { name: below, size, mode, sha256 });
        Ok(())
    }

    fn file(&self, to: &Path, name: &str, mode: u32, from: &mut impl Read) -> Result<(u64, String), BackupError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(to);
        let mut file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.damaged(name, "it is in there twice"),
            _ => BackupError::io("write", to)(error),
        })?;
        let mut digest = Digest::default();
        let mut buffer = vec![0; BLOCK];
        loop {
            let read = fill(from, &mut buffer).map_err(|e| self.damaged(name, e))?;
            let block = &buffer[..read];
            let written = match digest.block(block) {
                true => file.write_all(block),
                false => file.seek(SeekFrom::Current(read as i64)).map(|_| ()),
            };
            written.map_err(BackupError::io("write", to))?;
            if read < BLOCK {
                break;
            }
        }
        let (size, sha256) = digest.finish();
        let ended = file.set_len(size).and_then(|()| file.set_permissions(Permissions::from_mode(mode)));
        ended.map_err(BackupError::io("write", to))?;
        Ok((size, sha256))
    }

    /// What was read must be what the list says, no more and no less.
    fn compare(&self, listed: Contents) -> Result<(), BackupError> {
        let mut read = self.contents.files.iter();
        for wanted in listed.files {
            match read.next() {
                Some(found) if *found == wanted => {}
                Some(found) if found.name == wanted.name => {
                    return Err(self.damaged(&wanted.name, "its bytes are not those that were written"));
                }
                _ => return Err(self.damaged(&wanted.name, "it is missing")),
            }
        }
        match read.next() {
            None => Ok(()),
            Some(more) => Err(self.damaged(&more.name, "the list of contents does not have it")),
        }
    }
}

fn is_plain(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}

/// Fills the buffer, less at the end only.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a restore into this state directory was cut off; then its backup is to be restored once more.
pub fn is_cut_off(state_dir: &Path) -> bool {
    let staging: PathBuf = state_dir.join(RESTORING);
    staging.is_dir()
}
