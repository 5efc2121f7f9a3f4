//! A type of thing that happened, and how long it is remembered.

use kiln_clock::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A type of thing the journal keeps.
pub trait Entry: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name: `service/thing`, for example `cloudformation/event`. Never change one that has been released.
    const KIND: &'static str;

    /// How long it is kept: AWS's documents say it for each.
    const KEPT: Duration;

    /// Whether an entry's age is that of its position, as for whatever is kept under the time it happened. Then
    /// what is too old is the beginning of each stream; otherwise all entries of the kind are looked at.
    const AGES_IN_ORDER: bool = true;

    /// From when the age of an entry counts that does not age in order; else that is its position's time.
    fn ages_from(&self, noted: Timestamp) -> Timestamp {
        noted
    }
}

/// How long a kind is kept. Services list theirs, so that nothing is kept for ever by oversight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// [`Entry::KIND`]
    pub kind: &'static str,
    /// [`Entry::KEPT`]
    pub kept: Duration,
    /// [`Entry::AGES_IN_ORDER`]
    pub ages_in_order: bool,
}

impl Kept {
    /// What a type says of itself.
    pub const fn of<E: Entry>() -> Kept {
        Kept { kind: E::KIND, kept: E::KEPT, ages_in_order: E::AGES_IN_ORDER }
    }
}
