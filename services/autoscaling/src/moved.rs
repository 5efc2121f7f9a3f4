//! Activities that an earlier kiln kept in the store and that have ended are history now: moved to the journal at
//! the first start. A move that is cut off goes on at the next start.

use crate::records::Activity;
use kiln_service_kit::{BoxFuture, Error, Platform, Scope, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Activities that are moved in one go.
const BATCH: usize = 200;

/// Moves what is there.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move { activities(&platform).await })
}

async fn activities(platform: &Platform) -> Result<(), Error> {
    let mut by_scope: BTreeMap<Scope, Vec<Arc<Activity>>> = BTreeMap::new();
    for (scope, _, activity) in platform.store().list_everywhere::<Activity>()? {
        if activity.end.is_some() {
            by_scope.entry(scope).or_default().push(activity);
        }
    }
    for (scope, ended) in by_scope {
        tracing::info!(%scope, activities = ended.len(), "scaling activities are moved to the journal");
        for some in ended.chunks(BATCH) {
            let entries: Vec<_> = some.iter().flat_map(|activity| activity.entries()).collect();
            let forget = |tx: &mut Tx<'_>| {
                for activity in some {
                    tx.delete::<Activity>(&scope, &activity.id);
                }
            };
            platform.history().adopt(&scope, &entries, forget).await?;
        }
    }
    Ok(())
}
