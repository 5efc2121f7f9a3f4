//! Reading a backup: into a folder beside what is to be, all of it checked, then into place.

use crate::digest::{BLOCK, Digest};
use crate::{About, BackupError, CONTENTS, Contents, FORMAT, HEAD, Held, STATE};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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
/// The backup is damaged, of a later version or none, `to` is not empty, or the disk is full. Then `to` is as it
/// was.
pub fn restore(from: &Path, to: &Path, progress: &dyn Fn(u64)) -> Result<Restored, BackupError> {
    let file = File::open(from).map_err(BackupError::io("read", from))?;
    let made = prepare(to)?;
    let staging = to.join(RESTORING);
    let restored = Reader { from, to: &staging, contents: Contents::default() }.all(&file, progress);
    let placed = restored.and_then(|restored| place(&staging, to).map(|()| restored));
    if placed.is_err() {
        // The reason is told; what cannot be cleared away is no state directory.
        let _ = fs::remove_dir_all(&staging);
        if made {
            let _ = fs::remove_dir(to);
        }
    }
    placed
}

/// Makes the directory or sees that it is empty; whether it was made.
fn prepare(to: &Path) -> Result<bool, BackupError> {
    let made = match fs::read_dir(to) {
        Ok(entries) => {
            for entry in entries {
                let name = entry.map_err(BackupError::io("look into", to))?.file_name();
                // A file system has it; and a restore that was cut off before it put anything in place.
                if name != "lost+found" && name != RESTORING {
                    let found = name.to_string_lossy().into_owned();
                    return Err(BackupError::NotEmpty { path: to.to_owned(), found });
                }
            }
            fs::set_permissions(to, fs::Permissions::from_mode(0o700)).map_err(BackupError::io("close", to))?;
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(to)?;
            true
        }
        Err(error) => return Err(BackupError::io("look into", to)(error)),
    };
    let staging = to.join(RESTORING);
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(BackupError::io("remove", &staging)(error));
        }
        _ => make_folder(&staging)?,
    }
    Ok(made)
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(BackupError::io("make", path))
}

/// Moves what was read up to where it is to be, once all of it is on the disk.
fn place(staging: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = BackupError::io("write", to);
    let moved = || {
        let folder = File::open(to)?;
        nix::unistd::syncfs(&folder)?;
        for entry in fs::read_dir(staging)? {
            let entry = entry?;
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
        folder.sync_all()?;
        // Last: until it is gone, no kiln takes the directory for a whole one.
        fs::remove_dir(staging)?;
        folder.sync_all()
    };
    moved().map_err(failed)
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
        let ended = file.set_len(size).and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)));
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
