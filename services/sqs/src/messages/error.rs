//! Why messages could not be kept or read.

use rusqlite::{ErrorCode, ffi};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A failure of the file that messages are in. What was asked for did not happen, unless the disk did not confirm it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MessagesError {
    #[error("no space left for {}", path.display())]
    NoSpace {
        path: PathBuf,
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Nothing more is written until a restart: what is on disk is in doubt.
    #[error("{} takes no more: {reason}", path.display())]
    Stopped { path: PathBuf, reason: Arc<str> },
    #[error("failed to {doing} {}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<std::io::Error>,
    },
    #[error("failed to {doing} {}", path.display())]
    Sql {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<rusqlite::Error>,
    },
    #[error("{} is of format {found}, this kiln knows up to {known}: use the newer kiln that wrote it", path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
}

impl MessagesError {
    /// Sorts SQLite's failures by what one can do about them.
    pub fn of(path: &Path, doing: &'static str, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let inner = error.sqlite_error().copied();
        match inner.map(|e| (e.code, e.extended_code)) {
            Some((ErrorCode::DiskFull, _)) => Self::NoSpace { path, source: Arc::new(error) },
            // After a failed fsync the system may have dropped the pages, and a later fsync succeeds without them.
            Some((_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
                Self::Stopped { path, reason: "the disk did not confirm a write".into() }
            }
            Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
                Self::Stopped { path, reason: format!("it is damaged ({error})").into() }
            }
            _ => Self::Sql { doing, path, source: Arc::new(error) },
        }
    }
}
