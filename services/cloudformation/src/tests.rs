//! The engine with types that make pretended things: what it does is seen in their world.

mod fakes;
pub mod given;

mod change_sets;
mod conditions;
mod create;
mod deleted;
mod faults;
mod moved;
mod nested;
mod nested_updates;
mod refusals;
mod secrets;
mod targets;
mod template_urls;
mod update;
mod wait_conditions;
mod wishes;
