//! What the journal asks of the engine below it. One contract for the engine on disk and for the one of
//! simulations, and the place where another engine is put in.

use crate::JournalError;
use std::path::Path;

/// One entry for the engine: which stream, where in it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The stream's whole name.
    pub stream: String,
    /// Its place in the stream; texts are ordered as bytes.
    pub position: String,
    /// The entry.
    pub value: Vec<u8>,
}

/// Positions of a stream and what is there.
pub type Found = Vec<(String, Vec<u8>)>;

/// A part of a stream: from a position on, up to but without another; `None` is its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first position that may be in it.
    pub from: Option<String>,
    /// The first position that is behind it.
    pub to: Option<String>,
}

/// Ordered streams of bytes that outlive the process. Calls block for the disk. Once one has said
/// [`JournalError::Stopped`], nothing more is written: each `append` and `remove` that has not begun says so too.
pub trait Engine: Send + Sync + 'static {
    /// Writes all of it or nothing, durable on return; what is at a position already is replaced. After a failure
    /// for want of space the next call may work.
    fn append(&self, items: &[Item]) -> Result<(), JournalError>;

    /// At most `limit` entries of a part of a stream, from its end with `backwards`. Sees all that was appended
    /// before it.
    fn read(&self, stream: &str, range: &Range, backwards: bool, limit: usize) -> Result<Found, JournalError>;

    /// The positions of such a part alone, without reading what is at them.
    fn positions(
        &self,
        stream: &str,
        range: &Range,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<String>, JournalError>;

    /// Takes what is at some positions of a stream out and writes `items`: all of it or nothing, durable on return.
    fn replace(&self, stream: &str, gone: &[String], items: &[Item]) -> Result<(), JournalError>;

    /// At most `limit` names of streams, in their order, that begin with `prefix` and come behind `after`. One that
    /// has nothing in it may be among them.
    fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, JournalError>;

    /// Takes a part of a stream out, durable on return.
    fn remove(&self, stream: &str, range: &Range) -> Result<(), JournalError>;

    /// Bytes on disk.
    fn size(&self) -> Result<u64, JournalError>;

    /// Writes a copy, as of one moment, that [`open`](crate::Journal::open) opens: a directory that is not there
    /// yet. Appends go on meanwhile.
    fn copy_to(&self, path: &Path) -> Result<(), JournalError>;
}
