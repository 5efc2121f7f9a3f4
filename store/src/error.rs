//! What can go wrong, in words that say what to do.

use crate::Scope;
use std::path::PathBuf;
use std::sync::Arc;

/// A failure of the store. Nothing of the transaction it is about has been written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the quota on it, is full.
    #[error(
        "no space left to write {}: free some space on its disk, then try again; nothing that was \
         acknowledged is lost", path.display()
    )]
    NoSpace {
        /// The database.
        path: PathBuf,
        /// SQLite's own account.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Reading or writing the database failed.
    #[error("failed to {doing} {}: check its disk and permissions", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's own account.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A file beside the database could not be made or opened.
    #[error("failed to {doing} {}: check its disk and permissions", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own account.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The store takes no more writes, because what is on disk is in doubt.
    #[error(
        "the store at {} takes no writes: {reason}; check the disk and restart kiln", path.display()
    )]
    Stopped {
        /// The database.
        path: PathBuf,
        /// Why it stopped.
        reason: Arc<str>,
    },
    /// Another process has this database open.
    #[error("{} is in use by {holder}: stop that first, or choose another state directory", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
        /// Which process, as far as known.
        holder: String,
    },
    /// A rehearsal has come to where it would have been written.
    #[error("nothing was written: this was a rehearsal")]
    Rehearsed,
    /// The database was written by a newer version.
    #[error(
        "{} has schema version {found}, this kiln knows up to {known}: use the newer kiln that wrote it",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version found in it.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// A stored record does not read as its type.
    #[error("record {kind} {id} of {scope} cannot be read; it is left as it is")]
    Decode {
        /// The record's kind.
        kind: Arc<str>,
        /// Whose and where.
        scope: Scope,
        /// The record's id.
        id: Arc<str>,
        /// What did not fit.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A record cannot be written as JSON, or not be read back from it: a bug in its type.
    #[error("record {kind} {id} of {scope} cannot be written")]
    Encode {
        /// The record's kind.
        kind: &'static str,
        /// Whose and where.
        scope: Scope,
        /// The record's id.
        id: Arc<str>,
        /// What did not fit.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// Two Rust types claim the same kind: a bug.
    #[error("record {kind} {id} of {scope} was written as another type than {wanted}")]
    WrongType {
        /// The kind both claim.
        kind: &'static str,
        /// Whose and where.
        scope: Scope,
        /// The record's id.
        id: Arc<str>,
        /// The type asked for.
        wanted: &'static str,
    },
    /// The feed's history does not reach back that far; read the records themselves.
    #[error("the change feed starts after {oldest}, {asked} was asked for: read the records afresh")]
    HistoryGone {
        /// The sequence asked for.
        asked: u64,
        /// The smallest that can be asked for.
        oldest: u64,
    },
}
