//! What an earlier kiln kept in the store and is history now: moved to the journal at the start.
//!
//! Events go there directly, and then out of the store. A deleted stack ends as one does today: what is known of it is
//! noted in the transaction that takes it out of the store, and the keeper moves it on. A move that is cut off, or that
//! fails for a stack, is done at the next start: an entry has the same place however often it is moved. Until then the
//! stack is what it was for the earlier kiln: a record at rest, described by its ARN.

use crate::records::event::OperationOf;
use crate::records::{Event, Stack, Status, deleted};
use kiln_service_kit::{BoxFuture, Cx, Error, Platform, Position, Record, Scope, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events that are moved in one go.
const BATCH: usize = 500;

/// The number of a stack's next event; events no longer have numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NextEvent(u64);

impl Record for NextEvent {
    const KIND: &'static str = "cloudformation/next-event";
}

/// Moves what is there.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        events(&platform).await?;
        deleted_stacks(&platform).await
    })
}

async fn events(platform: &Platform) -> Result<(), Error> {
    let mut by_scope: BTreeMap<Scope, Vec<(Arc<str>, Arc<Event>)>> = BTreeMap::new();
    for (scope, id, event) in platform.store().list_everywhere::<Event>()? {
        by_scope.entry(scope).or_default().push((id, event));
    }
    for (scope, events) in by_scope {
        tracing::info!(%scope, events = events.len(), "stack events are moved to the journal");
        // The first event of an operation tells its stack.
        let mut operations: BTreeMap<&str, &Event> = BTreeMap::new();
        for (_, event) in &events {
            if let Some(id) = &event.operation_id {
                let first = operations.entry(id).or_insert(event);
                if event.at < first.at {
                    *first = event;
                }
            }
        }
        let entries: Vec<_> = operations
            .into_iter()
            .map(|(id, event)| {
                let of = OperationOf { stack_id: event.stack_id.clone() };
                (id.to_owned(), Position::new(event.at, ""), of)
            })
            .collect();
        platform.history().adopt(&scope, &entries, |_: &mut Tx<'_>| {}).await?;
        for some in events.chunks(BATCH) {
            let entries: Vec<_> = some
                .iter()
                .map(|(_, event)| {
                    // Before all that has the number of a commit.
                    let tie = format!("{:016x}{:08x}", 0, event.number);
                    (event.stack_id.clone(), Position::new(event.at, tie), (**event).clone())
                })
                .collect();
            let forget = |tx: &mut Tx<'_>| {
                for (id, _) in some {
                    tx.delete::<Event>(&scope, id);
                }
            };
            platform.history().adopt(&scope, &entries, forget).await?;
        }
    }
    let numbers = platform.store().list_everywhere::<NextEvent>()?;
    let drop = |tx: &mut Tx<'_>| {
        for (scope, id, _) in &numbers {
            tx.delete::<NextEvent>(scope, id);
        }
        Ok(())
    };
    platform.store().write::<(), Error>(drop).await
}

/// Each in a transaction of its own, at the time of its end; what is already too old goes with the next trim. One that
/// cannot be moved does not keep the others, or kiln, from starting.
async fn deleted_stacks(platform: &Arc<Platform>) -> Result<(), Error> {
    let all = platform.store().list_everywhere::<Stack>()?;
    let gone = all.into_iter().filter(|(_, _, stack)| stack.status == Status::DeleteComplete);
    for (scope, id, _) in gone {
        let cx = Cx::for_service(platform.clone(), scope, "cloudformation.amazonaws.com");
        let moved = cx.store().write(|tx: &mut Tx<'_>| match tx.get::<Stack>(cx.scope(), &id)? {
            Some(stack) => deleted::keep(tx, &cx, cx.scope(), (*stack).clone()),
            None => Ok(()),
        });
        if let Err(error) = moved.await {
            let error = error.chain();
            tracing::error!(stack = %id, error, "a deleted stack could not be moved to the journal; left for the next start");
        }
    }
    Ok(())
}
