//! The operations, one file per kind.

pub mod change_sets;
pub mod control;
pub mod describe;
pub mod events;
mod existing;
pub mod exports;
pub mod policies;
pub mod resources;
pub mod stacks;
pub mod templates;

use crate::errors::no_stack;
use crate::records::{Stack, deleted, stack};
use kiln_service_kit::{Cx, Error, Target, Touched};
use std::sync::Arc;

/// The ARN that policies are matched against, for a stack as the caller wrote it. One that cannot be read is judged by
/// no other.
fn arn_of(cx: &Cx, name_or_arn: &str) -> Touched {
    let arn = match stack::find(cx.store(), cx.scope(), name_or_arn)? {
        Some(stack) => stack.id.clone(),
        None if name_or_arn.starts_with("arn:") => name_or_arn.to_owned(),
        None => cx.arn("cloudformation", &format!("stack/{name_or_arn}/*")),
    };
    Ok(vec![Target::new(arn)])
}

/// The stack, by its ARN also one that is gone; or AWS's error.
fn stack_of(cx: &Cx, name_or_arn: &str) -> Result<Arc<Stack>, Error> {
    find_any(cx, name_or_arn)?.ok_or_else(|| no_stack(name_or_arn))
}

/// The stack, by its ARN also one that is gone.
fn find_any(cx: &Cx, name_or_arn: &str) -> Result<Option<Arc<Stack>>, Error> {
    match stack::find(cx.store(), cx.scope(), name_or_arn)? {
        Some(stack) => Ok(Some(stack)),
        None => Ok(deleted::find(cx, name_or_arn)?.map(|gone| Arc::new(gone.stack))),
    }
}
