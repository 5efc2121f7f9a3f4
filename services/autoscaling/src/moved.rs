//! Activities that an earlier kiln kept in the store and that have ended are history now: moved to the journal at
//! the start. A move that is cut off goes on at the next one.

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

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_autoscaling_shapes::{DescribeScalingActivitiesRequest, DescribeScalingActivitiesResponse};
    use kiln_service_kit::{
        Caller, Clock, Cx, IdSource, Journal, PlatformBuilder, Record, Store, StoreError, Timestamp,
    };
    use serde::{Deserialize, Serialize};
    use serde_json::{Value as Json, json};

    /// As that kiln wrote an activity.
    #[derive(Clone, Serialize, Deserialize)]
    struct Old(Json);

    impl Record for Old {
        const KIND: &'static str = <Activity as Record>::KIND;
    }

    fn old(id: &str, group: &str, at: Timestamp, end: Option<Timestamp>) -> Old {
        Old(json!({
            "id": id, "group": group, "group_uuid": "u-1", "description": "Launching a new EC2 instance: i-1",
            "cause": "At a time", "start": at, "end": end, "status": end.map_or("InProgress", |_| "Successful"),
            "message": null, "progress": end.map_or(50, |_| 100), "zone": "us-east-1a", "subnet": "subnet-1",
        }))
    }

    async fn asked(cx: &Cx, request: DescribeScalingActivitiesRequest) -> DescribeScalingActivitiesResponse {
        let request = DescribeScalingActivitiesRequest { include_deleted_groups: Some(true), ..request };
        cx.call(request).await.expect("described")
    }

    #[tokio::test]
    async fn ended_activities_of_an_earlier_kiln_are_told_as_before_from_the_journal_and_moved_once() {
        let dir = tempfile::tempdir().unwrap();
        let (clock, scope) = (Clock::system(), Scope::new("000000000000", "us-east-1"));
        let now = clock.now();
        let name = |n: usize| format!("a-{n:03}");
        let store = Store::open(&dir.path().join("kiln.db"), clock.clone()).unwrap();
        let wrote = store.write::<(), StoreError>(|tx| {
            // More than are moved in one go; two in each millisecond.
            for n in 0..BATCH + 50 {
                let at = Timestamp::from_millis(now.millis() - 1_000_000 + n as i64 / 2);
                tx.put(&scope, &name(n), old(&name(n), if n == 7 { "other" } else { "g" }, at, Some(now)))?;
            }
            tx.put(&scope, "goes-on", old("goes-on", "g", now, None))
        });
        wrote.await.unwrap();
        drop(store);

        let newest_first: Vec<String> = {
            let mut all: Vec<(usize, usize)> = (0..BATCH + 50).map(|n| (n / 2, n)).collect();
            // Of one millisecond by name.
            all.sort_by_key(|(at, n)| (std::cmp::Reverse(*at), *n));
            ["goes-on".to_owned()].into_iter().chain(all.into_iter().map(|(_, n)| name(n))).collect()
        };
        for round in 0..2 {
            let store = Store::open(&dir.path().join("kiln.db"), clock.clone()).unwrap();
            let journal = Journal::open(&dir.path().join("journal")).unwrap();
            let builder = PlatformBuilder::new(store, clock.clone(), IdSource::seeded(1)).journal(journal).open(true);
            let platform = builder.service(crate::service()).build();
            for start in &platform.services()[0].start {
                start(platform.clone()).await.unwrap();
            }
            let left = platform.store().ids::<Activity>(&scope);
            assert_eq!(left.iter().map(|id| &**id).collect::<Vec<_>>(), ["goes-on"], "round {round}");

            let cx = Cx::new(platform.clone(), scope.clone(), Caller::root("000000000000"), "r");
            let (mut told, mut next_token) = (vec![], None);
            loop {
                let page = asked(&cx, DescribeScalingActivitiesRequest { next_token, ..Default::default() }).await;
                told.extend(page.activities.into_iter().filter_map(|activity| activity.activity_id));
                next_token = page.next_token;
                if next_token.is_none() {
                    break;
                }
            }
            assert_eq!(told, newest_first, "round {round}");
            let one = DescribeScalingActivitiesRequest { activity_ids: vec![name(7)], ..Default::default() };
            let found = asked(&cx, one).await.activities;
            assert_eq!(found.len(), 1, "round {round}");
            assert_eq!(
                (found[0].status_code.as_deref(), found[0].end_time, found[0].progress),
                (Some("Successful"), Some(now), Some(100))
            );
            let of_group = DescribeScalingActivitiesRequest {
                auto_scaling_group_name: Some("other".into()),
                ..Default::default()
            };
            let found = asked(&cx, of_group).await.activities;
            assert_eq!(found.iter().filter_map(|a| a.activity_id.clone()).collect::<Vec<_>>(), [name(7)]);
        }
    }
}
