//! What can go wrong, in words that say what to do.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

/// The engine's own account.
type Cause = Arc<dyn StdError + Send + Sync>;

/// A failure of the journal. What it is about was not written, or not read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The disk, or the quota on it, is full.
    #[error(
        "no space left to write {}: free some space on its disk, then try again; nothing that was acknowledged is lost",
        path.display()
    )]
    NoSpace {
        /// Where the journal is.
        path: PathBuf,
        #[source]
        source: Cause,
    },
    /// Reading or writing failed.
    #[error("failed to {doing} {}: check its disk and permissions", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where the journal is.
        path: PathBuf,
        #[source]
        source: Cause,
    },
    /// The journal takes no more writes, because what is on disk is in doubt.
    #[error("the journal at {} takes no writes: {reason}; check the disk and restart kiln", path.display())]
    Stopped {
        /// Where the journal is.
        path: PathBuf,
        /// Why it stopped.
        reason: Arc<str>,
    },
    /// The journal was written by a newer version.
    #[error("{} has format {found}, this kiln knows up to {known}: use the newer kiln that wrote it", path.display())]
    Newer {
        /// Where the journal is.
        path: PathBuf,
        /// The format found there.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// More waits to be moved to the journal than memory should hold: it has not taken anything for long.
    #[error("{waiting} entries wait to be moved to the journal, which takes none: see the log for why")]
    Behind {
        /// How many.
        waiting: usize,
    },
    /// A part of a key has the separator in it.
    #[error("{name:?} cannot name a stream of the journal")]
    BadName {
        /// The part.
        name: String,
    },
    /// A kind that no service said it keeps: a bug.
    #[error("no service says how long {kind} is kept")]
    UnknownKind {
        /// The kind.
        kind: &'static str,
    },
    /// An entry does not read as its type, or cannot be written.
    #[error("the journal's entry {key} cannot be {done}; it is left as it is")]
    Entry {
        /// The entry.
        key: String,
        /// `read` or `written`.
        done: &'static str,
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The store, with which the journal goes together, failed.
    #[error(transparent)]
    Store(#[from] kiln_store::StoreError),
    /// A journal in memory has nothing to copy.
    #[error("a journal in memory cannot be copied to {}", path.display())]
    NoDisk {
        /// Where to.
        path: PathBuf,
    },
}
