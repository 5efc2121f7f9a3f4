//! What the service does by itself.

pub mod move_task;
