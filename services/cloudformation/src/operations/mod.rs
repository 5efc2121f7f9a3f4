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
use kiln_service_kit::{Cx, Error};
use std::sync::Arc;

/// The ARN that policies are matched against, for a stack as the caller wrote it.
fn arn_of(cx: &Cx, name_or_arn: &str) -> Vec<String> {
    let named = || cx.arn("cloudformation", &format!("stack/{name_or_arn}/*"));
    vec![match stack::find(cx.store(), cx.scope(), name_or_arn) {
        Ok(Some(stack)) => stack.id.clone(),
        _ if name_or_arn.starts_with("arn:") => name_or_arn.to_owned(),
        _ => named(),
    }]
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
