//! What can go wrong, in words that say what to do.

use crate::Scope;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// The account of whatever failed beneath the store.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A failure of the store. Nothing of the transaction it is about has been written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the quota on it, is full.
    #[error(
        "no space left to write {place}: free some space on its disk, then try again; nothing that was \
         acknowledged is lost"
    )]
    NoSpace {
        /// The database.
        place: Arc<str>,
        /// The database's own account.
        #[source]
        source: Cause,
    },
    /// Reading or writing the database failed.
    #[error("failed to {doing} {place}: check its disk and permissions")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The database.
        place: Arc<str>,
        /// The database's own account.
        #[source]
        source: Cause,
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
    #[error("the store at {place} takes no writes: {reason}; check the disk and restart kiln")]
    Stopped {
        /// The database.
        place: Arc<str>,
        /// Why it stopped.
        reason: Arc<str>,
    },
    /// Another process has this database open.
    #[error("{place} is in use by {holder}: stop that first, or choose another state directory")]
    InUse {
        /// The database.
        place: Arc<str>,
        /// Which process, as far as known.
        holder: String,
    },
    /// A rehearsal has come to where it would have been written.
    #[error("nothing was written: this was a rehearsal")]
    Rehearsed,
    /// The database was written by a newer version.
    #[error("{place} has schema version {found}, this kiln knows up to {known}: use the newer kiln that wrote it")]
    Newer {
        /// The database.
        place: Arc<str>,
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
    /// A look-up by a key that the record does not declare: a bug.
    #[error("records {kind} cannot be looked up by {key}")]
    NoKey {
        /// The records' kind.
        kind: &'static str,
        /// The key asked for.
        key: &'static str,
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
