//! What consoles of terminated machines held is history; an earlier kiln kept it in the store. It is moved to the
//! journal at the start. A move that is cut off goes on at the next one.

use crate::instances::records::ConsoleOutput;
use kiln_service_kit::{BoxFuture, Error, Platform, Position, Tx};
use std::sync::Arc;

/// Moves what is there.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        for (scope, id, output) in platform.store().list_everywhere::<ConsoleOutput>()? {
            let entries = [(id.to_string(), Position::new(output.at, ""), output.as_ref().clone())];
            let forget = |tx: &mut Tx<'_>| {
                tx.delete::<ConsoleOutput>(&scope, &id);
            };
            platform.history().adopt(&scope, &entries, forget).await?;
        }
        Ok(())
    })
}
