//! What an attempt may come to.

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// The target has it.
    Taken,
    /// Not now; the text says why.
    Later(String),
    /// The target refuses it, and would do so again.
    Never(String),
}
