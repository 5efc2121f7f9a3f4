//! The operations, by the kind of thing they are about.

pub mod activities;
pub mod capacity;
pub mod describe_groups;
pub mod groups;
pub mod hooks;
pub mod instances;
pub mod launch_configurations;
pub mod membership;
pub mod metrics;
pub mod not_yet;
pub mod notifications;
mod placement;
pub mod processes;
pub mod standby;
pub mod tags;
pub mod traffic_sources;
pub mod types;

use crate::errors::validation;
use kiln_service_kit::{Cx, Error, Record};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The records of the names that a describing call has, or all when it has none; ordered by name. One that
/// is not there is left out.
fn named_or_all<R: Record>(cx: &Cx, names: &[String]) -> Result<Vec<Arc<R>>, Error> {
    if names.is_empty() {
        return Ok(cx.store().list::<R>(cx.scope())?.into_iter().map(|(_, record)| record).collect());
    }
    let names: BTreeSet<&String> = names.iter().collect();
    let found = names.into_iter().map(|name| cx.store().get::<R>(cx.scope(), name));
    Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// `MaxRecords`: between 1 and `most`; `usual` when left out.
fn page_size(given: Option<i32>, usual: usize, most: usize) -> Result<usize, Error> {
    match given {
        None => Ok(usual),
        Some(n) => match usize::try_from(n) {
            Ok(n) if (1..=most).contains(&n) => Ok(n),
            _ => Err(validation(format!(
                "1 validation error detected: Value '{n}' at 'maxRecords' failed to satisfy constraint: Member must be between 1 and {most}"
            ))),
        },
    }
}
