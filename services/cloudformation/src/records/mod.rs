//! What is kept: stacks, their resources, events and change sets, each a record of its own, so that
//! the progress of one resource is a small write.

pub mod change_set;
pub mod deleted;
pub mod event;
pub mod family;
pub mod kept;
pub mod resource;
pub mod role_session;
pub mod stack;
pub mod wait;

pub use change_set::ChangeSet;
pub use event::{Event, log};
pub use kept::KeptJson;
pub use resource::{Action, Live, Progress, Resource, Undo, Work};
pub use stack::{Operation, OperationKind, Output, Stack, Status, Version};
pub use wait::{WaitCondition, WaitHandle, WaitSignal};
