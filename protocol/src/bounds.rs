//! How much of a request Kiln is willing to hold.
//!
//! A short body can ask for a lot of memory: every `{}` of a JSON list becomes a structure with a
//! place for each of its members. All decoders therefore pay for what they allocate from one
//! [`Budget`], whatever the nesting.

use std::cell::Cell;

/// Structures, lists and maps inside each other. AWS's deepest requests have about 12.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Values of one request: 2^20 × 32 bytes = 32 MiB.
pub(crate) const MAX_VALUES: usize = 1 << 20;

/// Items of one list in a query or ec2 request.
pub(crate) const MAX_FORM_ITEMS: usize = 10_000;

/// Keys of a query or ec2 request.
pub(crate) const MAX_FORM_KEYS: usize = 20_000;

/// Bytes of one key of a query or ec2 request.
pub(crate) const MAX_FORM_KEY_BYTES: usize = 1024;

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// What is left for one request.
pub(crate) struct Budget {
    values: Cell<usize>,
}

impl Budget {
    /// Full.
    pub(crate) fn new() -> Self {
        Self { values: Cell::new(MAX_VALUES) }
    }

    /// Pays for `count` values.
    pub(crate) fn take(&self, count: usize) -> Result<(), TooLarge> {
        let left = self.values.get().checked_sub(count).ok_or(TooLarge)?;
        self.values.set(left);
        Ok(())
    }
}
