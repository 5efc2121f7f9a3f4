//! Exports: outputs with a name of their own that other stacks of the region may use.

use crate::records::stack::Reads;
use crate::records::{Output, Stack, Status};
use kiln_service_kit::{Error, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The stacks that use an export.
pub fn users(reads: &impl Reads, scope: &Scope, export: &str) -> Result<Vec<Arc<Stack>>, Error> {
    let users = reads.having::<Stack>(scope, "import", export)?.into_iter().map(|(_, stack)| stack);
    Ok(users.filter(|stack| stack.status != Status::DeleteComplete).collect())
}

/// What AWS says of an export that is not there.
pub fn missing(name: &str) -> String {
    format!("No export named {name} found.")
}

/// The first of these exports that is not there.
pub fn first_missing(reads: &impl Reads, scope: &Scope, names: &BTreeSet<String>) -> Result<Option<String>, Error> {
    for name in names {
        if reads.having::<Stack>(scope, "export", name)?.is_empty() {
            return Ok(Some(missing(name)));
        }
    }
    Ok(None)
}

/// Why a stack cannot have these outputs, if so: a name is taken, or one in use would change.
pub fn conflict(reads: &impl Reads, scope: &Scope, stack: &Stack, outputs: &[Output]) -> Result<Option<String>, Error> {
    for output in outputs {
        let Some(name) = &output.export_name else { continue };
        let exporters = reads.having::<Stack>(scope, "export", name)?;
        if let Some((_, other)) = exporters.iter().find(|(_, other)| other.id != stack.id) {
            return Ok(Some(format!("Export with name {name} is already exported by stack {}", other.name)));
        }
    }
    for before in &stack.outputs {
        let Some(name) = &before.export_name else { continue };
        let now = outputs.iter().find(|output| output.export_name.as_ref() == Some(name));
        let change = match now {
            Some(now) if now.value == before.value => continue,
            Some(_) => "updated",
            None => "deleted",
        };
        if let Some(text) = in_use(reads, scope, name, change)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// Why a stack's exports cannot go, if so.
pub fn still_used(reads: &impl Reads, scope: &Scope, stack: &Stack) -> Result<Option<String>, Error> {
    for output in stack.exports() {
        if let Some(name) = &output.export_name
            && let Some(text) = in_use(reads, scope, name, "deleted")?
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn in_use(reads: &impl Reads, scope: &Scope, name: &str, change: &str) -> Result<Option<String>, Error> {
    let users: Vec<String> = users(reads, scope, name)?.iter().map(|stack| stack.name.clone()).collect();
    match users.is_empty() {
        true => Ok(None),
        false => Ok(Some(format!("Export {name} cannot be {change} as it is in use by {}", users.join(", ")))),
    }
}
