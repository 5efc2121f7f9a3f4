//! Copies of machines: what is left in their place, and what is kept for as long as somebody writes there.

use std::any::Any;
use std::sync::Arc;

/// What whoever asks for a copy wants kept until nothing is written to its place any more. A copy's work goes on for
/// a while when that one goes away; who clears the place away, or gives it to another, waits until this is dropped.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// What a copy that went well has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// The folder that was asked for: one that is not there is missing.
    Folder,
    /// Nothing: the driver keeps nothing on a disk.
    Nothing,
}
