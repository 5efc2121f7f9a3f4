//! What can go wrong, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no backup, or why it was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A backup does not take another file's place.
    #[error("{} is there already: choose another name, or remove it first", .0.display())]
    Exists(PathBuf),
    /// Somebody writes the same backup.
    #[error("{} is being written by another kiln backup", .0.display())]
    Busy(PathBuf),
    /// Nobody wants it any more.
    #[error("the backup {} was given up", .0.display())]
    GivenUp(PathBuf),
    /// The disk that is written to is full.
    #[error("no space left to write {}", .0.display())]
    NoSpace(PathBuf),
    /// A file became another while it was read.
    #[error("{} changed while it was copied: try again", .0.display())]
    Changed(PathBuf),
    /// The file is something else.
    #[error("{} is no backup of kiln's ({why})", path.display())]
    NotABackup { path: PathBuf, why: String },
    /// It was made by a later kiln.
    #[error(
        "{} has format {found} and was made by kiln {kiln}; this kiln knows formats up to {}: use the newer one",
        path.display(), crate::FORMAT
    )]
    Newer { path: PathBuf, found: u32, kiln: String },
    /// Something in it is not what was written.
    #[error("{} is damaged at {at}: {why}; nothing was restored", path.display())]
    Damaged { path: PathBuf, at: String, why: String },
    /// A state directory that is in use, or was.
    #[error(
        "{} is not empty ({found} is in it): restore into an empty directory, or one that is not there",
        path.display()
    )]
    NotEmpty { path: PathBuf, found: String },
    /// Somebody restores into the same directory.
    #[error("another kiln restore writes to {}", .0.display())]
    Restoring(PathBuf),
    /// Some of it is in place and some is not.
    #[error("{} has only a part of the backup in place, which no kiln starts from: empty it, and restore once more: {source}", path.display())]
    HalfPlaced { path: PathBuf, source: io::Error },
    /// The system refused.
    #[error("failed to {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl BackupError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(path),
            _ => Self::Io { doing, path, source },
        }
    }
}
