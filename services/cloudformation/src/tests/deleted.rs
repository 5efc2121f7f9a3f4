//! A stack that is gone is history: it leaves the store with all that belongs to it, and is described for 90 days.

use super::given::*;
use crate::records::{ChangeSet, Event, Resource, Stack};
use kiln_cloudformation_shapes::*;
use kiln_testkit::{Testkit, simulate};
use std::time::Duration;

const BODY: &str = "
    Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}
    Outputs: {Id: {Value: !Ref Vpc}}";

#[tokio::test(start_paused = true)]
async fn by_its_arn_it_is_shown_as_it_was_and_the_store_holds_nothing_of_it() {
    let given = given();
    given.create("net", BODY).await.unwrap();
    let id = given.stack("net").await.stack_id.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    given.create("other", BODY).await.unwrap();
    let there = given.stack("other").await.stack_id.unwrap();
    let story = given.story("net").await;
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_COMPLETE");

    let (store, scope) = (given.cx.store(), given.cx.scope());
    assert!(store.get::<Stack>(scope, &id).unwrap().is_none());
    let of_it = |stack_id: &str| stack_id == id;
    assert!(store.list::<Resource>(scope).unwrap().iter().all(|(_, resource)| !of_it(&resource.stack_id)));
    assert!(store.list::<ChangeSet>(scope).unwrap().iter().all(|(_, set)| !of_it(&set.stack_id)));
    assert!(store.list::<Event>(scope).unwrap().is_empty());

    let gone = given.stack(&id).await;
    assert_eq!(gone.outputs[0].output_key.as_deref(), Some("Id"));
    assert!(gone.deletion_time.is_some());
    let asked = GetTemplateRequest { stack_name: Some(id.clone()), ..Default::default() };
    assert_eq!(given.cx.call(asked).await.unwrap().template_body.as_deref(), Some(BODY));
    let asked = ListStackResourcesRequest { stack_name: id.clone(), next_token: None };
    let listed = given.cx.call(asked).await.unwrap().stack_resource_summaries;
    assert_eq!(listed[0].resource_status.as_deref(), Some("DELETE_COMPLETE"));
    let told = given.story(&id).await;
    assert_eq!(told[..story.len()], story[..], "what happened before the deletion is told as before");
    assert_eq!(told.last().unwrap(), "net DELETE_COMPLETE");

    // By its name it is not there, and the name is free.
    let asked = DescribeStacksRequest { stack_name: Some("net".into()), ..Default::default() };
    assert!(given.cx.call(asked).await.is_err());
    let ids = |all: ListStacksResponse| -> Vec<String> {
        all.stack_summaries.into_iter().map(|stack| stack.stack_id.expect("it has one")).collect()
    };
    let all = ids(given.cx.call(ListStacksRequest::default()).await.unwrap());
    assert_eq!(all, [there.clone(), id.clone()], "newest first, whether it is there or gone");
    let filter = ListStacksRequest { stack_status_filter: vec!["DELETE_COMPLETE".into()], ..Default::default() };
    assert_eq!(ids(given.cx.call(filter).await.unwrap()), [id.clone()]);

    // What would change it is refused as before, or has nothing to do.
    let refused = given.cx.call(update(&id, BODY)).await.unwrap_err();
    assert!(refused.message.contains("DELETE_COMPLETE"), "{refused:?}");
    let again = DeleteStackRequest { stack_name: id.clone(), ..Default::default() };
    given.cx.call(again).await.expect("it is gone already");
}

#[test]
fn ninety_days_later_nothing_tells_of_it() {
    simulate(async {
        let kit = Testkit::new(1).service(crate::service()).start().await;
        let template = "Resources: {Handle: {Type: AWS::CloudFormation::WaitConditionHandle}}";
        let create = CreateStackRequest {
            stack_name: "shop".to_owned(),
            template_body: Some(template.to_owned()),
            ..Default::default()
        };
        let id = kit.call(create).await.expect("begun").stack_id.expect("an id");
        kit.settle().await;
        let delete = DeleteStackRequest { stack_name: "shop".to_owned(), ..Default::default() };
        kit.call(delete).await.expect("begun");
        kit.settle().await;
        let describe = || DescribeStacksRequest { stack_name: Some(id.clone()), ..Default::default() };
        let events = || DescribeStackEventsRequest { stack_name: id.clone(), next_token: None };
        kit.advance(Duration::from_secs(89 * 24 * 3600)).await;
        kit.call(describe()).await.expect("still described");
        assert!(!kit.call(events()).await.expect("still told").stack_events.is_empty());
        assert_eq!(kit.call(ListStacksRequest::default()).await.unwrap().stack_summaries.len(), 1);
        kit.advance(Duration::from_secs(2 * 24 * 3600)).await;
        kit.call(describe()).await.expect_err("forgotten");
        kit.call(events()).await.expect_err("forgotten");
        assert_eq!(kit.call(ListStacksRequest::default()).await.unwrap().stack_summaries.len(), 0);
        assert_eq!(kit.platform().history().journal().size().unwrap(), 0);
    });
}
