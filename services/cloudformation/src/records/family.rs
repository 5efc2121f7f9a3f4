//! Nested stacks: where one belongs, who asked for its operation, and whether it must wait for the stack
//! above before it lets go of what it was.
//!
//! ```text
//! parent  UPDATE_IN_PROGRESS ─────────────▶ UPDATE_COMPLETE_CLEANUP_IN_PROGRESS ──▶ UPDATE_COMPLETE
//!           │ update               ready ▲    │ let go                      done ▲
//! child   UPDATE_IN_PROGRESS ──▶ UPDATE_COMPLETE_CLEANUP_IN_PROGRESS (held) ──▶ UPDATE_COMPLETE
//! ```
//! A child that has done its part keeps the things it replaced until the parent can no longer fail: so the
//! way back leads to the very same things.

use super::stack::{Earlier, Reads, Stack, Status};
use kiln_service_kit::{Error, Scope};
use std::sync::Arc;

pub use kiln_template::changes::NESTED_STACK as NESTED;

impl Stack {
    /// The top of its family.
    pub fn root_id(&self) -> &str {
        self.parent.as_ref().map_or(&self.id, |parent| &parent.root_id)
    }

    /// The parent's phase that asked for the operation in hand.
    pub fn asked(&self) -> Option<&str> {
        self.operation.as_ref()?.asked.as_deref()
    }

    /// Keeps what it was, before an update that was asked for by its parent takes effect.
    pub fn keep_earlier(&mut self) {
        self.earlier = self
            .current
            .clone()
            .filter(|_| self.asked().is_some())
            .map(|version| Earlier { version, outputs: self.outputs.clone() });
    }

    /// The update that took effect is one that may fail again: what it was is current.
    pub fn take_back(&mut self) {
        if let Some(earlier) = self.earlier.take() {
            self.target = self.current.replace(earlier.version);
            self.outputs = earlier.outputs;
            // Those of both are in use until the way back is done.
            self.imports.extend(self.current.iter().flat_map(|version| version.imports.iter().flatten()).cloned());
        }
    }

    /// Whether it comes to rest only with its parent.
    fn waits(&self) -> bool {
        matches!(self.status, Status::UpdateCleanup | Status::UpdateRollbackCleanup) && self.asked().is_some()
    }
}

/// What a stack's clean-up waits for above it.
pub fn held(reads: &impl Reads, scope: &Scope, stack: &Stack) -> Result<Option<String>, Error> {
    let (true, Some(parent)) = (stack.waits(), &stack.parent) else { return Ok(None) };
    let Some(parent) = reads.one::<Stack>(scope, &parent.stack_id)? else { return Ok(None) };
    use Status::*;
    match parent.status {
        UpdateInProgress | UpdateFailed | UpdateRollbackInProgress | UpdateRollbackFailed => {
            Ok(Some(format!("the stack {} that it is part of, which is in {}", parent.name, parent.status)))
        }
        _ => held(reads, scope, &parent),
    }
}

/// The stack's own nested stacks, whatever has become of them.
pub fn children(reads: &impl Reads, scope: &Scope, stack_id: &str) -> Result<Vec<Arc<Stack>>, Error> {
    Ok(reads.having::<Stack>(scope, "parent", stack_id)?.into_iter().map(|(_, stack)| stack).collect())
}

/// Whether the stack, or the one at the top of its family, is protected from deletion.
pub fn protected(reads: &impl Reads, scope: &Scope, stack: &Stack) -> Result<bool, Error> {
    match &stack.parent {
        None => Ok(stack.termination_protection),
        Some(parent) => Ok(reads.one::<Stack>(scope, &parent.root_id)?.is_some_and(|root| root.termination_protection)),
    }
}

/// How many stacks are above.
pub fn depth(reads: &impl Reads, scope: &Scope, stack: &Stack) -> Result<usize, Error> {
    let mut above = 0;
    let mut next = stack.parent.clone();
    while let Some(parent) = next {
        above += 1;
        next = reads.one::<Stack>(scope, &parent.stack_id)?.and_then(|stack| stack.parent.clone());
    }
    Ok(above)
}
