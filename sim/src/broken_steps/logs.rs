//! Log events that expire or lose their stream, and queries.

use kiln_logs_shapes as logs;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

/// A query is carried out and forgotten, events expire, a stream goes with its events.
pub fn come_and_go() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || {
        let services = [kiln_logs::service(), kiln_cloudwatch::service()];
        Testkit::new(1).services(services).part(|builder, _| builder.part(kiln_logs::Events::default()))
    };
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let group = || "shop".to_owned();
            kit.call(logs::CreateLogGroupRequest { log_group_name: group(), ..Default::default() })
                .await
                .expect("made");
            let stream =
                |name: &str| logs::CreateLogStreamRequest { log_group_name: group(), log_stream_name: name.to_owned() };
            for name in ["a", "b"] {
                kit.call(stream(name)).await.expect("made");
                let at = kit.platform().clock().now().millis();
                let event = |n: i64| logs::InputLogEvent { timestamp: at + n, message: format!("{name}{n}") };
                let put = logs::PutLogEventsRequest {
                    log_group_name: group(),
                    log_stream_name: name.to_owned(),
                    log_events: (0..3).map(event).collect(),
                    ..Default::default()
                };
                kit.call(put).await.expect("put");
            }
            let at = kit.platform().clock().now().millis() / 1000;
            let start = logs::StartQueryRequest {
                log_group_name: Some(group()),
                start_time: at - 60,
                end_time: at + 60,
                query_string: "filter @message like /[ab][12]/ | stats count(*) as n".to_owned(),
                ..Default::default()
            };
            let query_id = kit.call(start).await.expect("started").query_id.expect("an id");
            kit.settle().await;
            let ask = || logs::GetQueryResultsRequest { query_id: query_id.clone(), ..Default::default() };
            let answer = kit.call(ask()).await.expect("answered");
            let rows = answer.results.iter().flatten().filter_map(|field| field.value.clone()).collect::<Vec<_>>();
            let mut told = vec![format!("{:?} {rows:?}", answer.status)];
            let delete = logs::DeleteLogStreamRequest { log_group_name: group(), log_stream_name: "a".to_owned() };
            kit.call(delete).await.expect("deleted");
            kit.settle().await;
            let keep = logs::PutRetentionPolicyRequest { log_group_name: group(), retention_in_days: 1 };
            kit.call(keep).await.expect("kept for a day");
            told.push(stored(&kit).await);
            // A week for the query, two days for the events.
            kit.advance(Duration::from_secs(8 * 24 * 3600)).await;
            kit.settle().await;
            told.push(stored(&kit).await);
            told.push(kit.call(ask()).await.map_or_else(|error| error.code.into_owned(), |_| "there".to_owned()));
            format!("{told:?}")
        })
    })
}

async fn stored(kit: &Testkit) -> String {
    let groups = kit.call(logs::DescribeLogGroupsRequest::default()).await.expect("described").log_groups;
    format!("{:?}", groups.into_iter().map(|group| group.stored_bytes).collect::<Vec<_>>())
}
