//! The file that `kiln backup` writes and `kiln restore` reads: a tar archive, compressed by zstd.
//!
//! ```text
//! kiln-backup.json      first: the format's version, by which kiln and when it was made
//! state/…               folders and files of the state directory, holes left out
//! contents.json         last: each file's size, mode and digest
//! ```
//!
//! It says how a state directory lies in one file and knows nothing of what is in it; what is copied when and
//! how is the server's to decide. A backup is whole or it is none: it is written as `FILE.part` and gets its name
//! when all of it is on the disk, and one without its last entry, or with a byte that is not what was written, is
//! refused with the name of what is damaged. The format is decision 0020's.
//!
//! Both sides hold only a block in memory, whatever the size of a file.

mod digest;
mod error;
mod read;
mod write;

pub use error::BackupError;
pub use read::{Restored, is_cut_off, restore};
pub use write::{GoesOn, Writer};

use serde::{Deserialize, Serialize};

/// The version of the format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

const HEAD: &str = "kiln-backup.json";
const CONTENTS: &str = "contents.json";
const STATE: &str = "state";

/// What a backup says of itself, before all else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// See [`FORMAT`].
    pub format: u32,
    /// The version of the kiln that made it.
    pub kiln: String,
    /// When, as ISO 8601 in UTC.
    pub made: String,
}

/// What a backup says of one of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    /// Its way below the state directory.
    name: String,
    /// Bytes, holes included.
    size: u64,
    mode: u32,
    /// See [`digest`].
    sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    files: Vec<Held>,
}

#[cfg(test)]
mod tests;
