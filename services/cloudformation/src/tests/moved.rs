//! A state directory of a kiln that kept history in the store: it is moved over once, and told as before.

use super::given::*;
use crate::records::{ChangeSet, Event, Resource, Stack, Status};
use kiln_cloudformation_shapes::*;
use kiln_reconcile::{Hooks, Runner};
use kiln_service_kit::{Clock, Cx, Journal, Platform, PlatformBuilder, Record, Store, StoreError, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const BODY: &str = "Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}";

#[derive(Clone, Serialize, Deserialize)]
struct NextEvent(u64);

impl Record for NextEvent {
    const KIND: &'static str = "cloudformation/next-event";
}

/// As that kiln wrote an event.
#[derive(Clone, Serialize, Deserialize)]
struct OldEvent(serde_json::Value);

impl Record for OldEvent {
    const KIND: &'static str = "cloudformation/event";
}

/// A change set that does not read.
#[derive(Clone, Serialize, Deserialize)]
struct BrokenSet {
    stack_id: String,
}

impl Record for BrokenSet {
    const KIND: &'static str = <ChangeSet as Record>::KIND;
}

/// The store, once the kiln before has let go of it: what its runner did ends with its tasks' next turns.
async fn opened(path: &Path, clock: &Clock) -> Store {
    for _ in 0..1_000 {
        match Store::open(path, clock.clone()) {
            Err(StoreError::InUse { .. }) => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
    panic!("the kiln before holds {}", path.display());
}

/// A kiln on a state directory, its services started.
async fn started(given: &Given, dir: &Path) -> Arc<Platform> {
    let clock = given.cx.platform().clock().clone();
    let store = opened(&dir.join("kiln.db"), &clock).await;
    let journal = Journal::open(&dir.join("journal")).unwrap();
    let builder = PlatformBuilder::new(store, clock, given.cx.ids().clone()).journal(journal).open(true);
    let platform = builder.service(crate::service()).build();
    for start in &platform.services()[0].start {
        start(platform.clone()).await.unwrap();
    }
    platform
}

fn event(stack: &Stack, number: u64, at: Timestamp) -> OldEvent {
    OldEvent(serde_json::json!({
        "stack_id": stack.id, "stack_name": stack.name, "number": number, "event_id": format!("e-{number}"),
        "logical_id": format!("L{number}"), "physical_id": "", "resource_type": "AWS::EC2::VPC", "at": at,
        "status": "CREATE_COMPLETE", "reason": null, "properties": {"n": number}, "token": null,
        "operation_id": "operation-1",
    }))
}

#[tokio::test(start_paused = true)]
async fn events_and_deleted_stacks_are_told_as_before_from_the_journal_and_moved_once() {
    let given = given();
    given.create("s", BODY).await.unwrap();
    given.create("gone", BODY).await.unwrap();
    let id = given.stack("s").await.stack_id.unwrap();
    let gone = given.stack("gone").await.stack_id.unwrap();
    let stack = given.cx.store().get::<Stack>(given.cx.scope(), &id).unwrap().unwrap();
    let other = given.cx.store().get::<Stack>(given.cx.scope(), &gone).unwrap().unwrap();
    let resource = given.cx.store().list::<Resource>(given.cx.scope()).unwrap();
    let scope = given.cx.scope().clone();

    let dir = tempfile::tempdir().unwrap();
    let clock = given.cx.platform().clock().clone();
    let store = Store::open(&dir.path().join("kiln.db"), clock.clone()).unwrap();
    store
        .write::<(), StoreError>(|tx| {
            tx.put(&scope, &id, (*stack).clone())?;
            let deleted = Some(clock.now());
            tx.put(&scope, &gone, Stack { status: Status::DeleteComplete, deleted, ..(*other).clone() })?;
            for (key, resource) in &resource {
                tx.put(&scope, key, (**resource).clone())?;
            }
            // Two in the same millisecond keep their order.
            for number in 0..1_203 {
                let at = Timestamp::from_millis(clock.now().millis() + number as i64 / 2);
                tx.put(&scope, &format!("{id}#{number:010}"), event(&stack, number, at))?;
            }
            tx.put(&scope, &id, NextEvent(1_203))
        })
        .await
        .unwrap();
    drop(store);

    for round in 0..2 {
        let platform = started(&given, dir.path()).await;
        assert!(platform.store().list::<Event>(&scope).unwrap().is_empty(), "round {round}");
        assert!(platform.store().list::<NextEvent>(&scope).unwrap().is_empty());
        let cx = Cx::new(platform.clone(), scope.clone(), given.cx.caller().clone(), "r");
        let (mut told, mut token) = (vec![], None);
        loop {
            let asked = DescribeStackEventsRequest { stack_name: "s".into(), next_token: token };
            let page = cx.call(asked).await.unwrap();
            told.extend(page.stack_events.into_iter().filter_map(|event| event.event_id));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let expected: Vec<String> = (0..1_203).rev().map(|number| format!("e-{number}")).collect();
        assert_eq!(told, expected, "round {round}");
        let asked = DescribeEventsRequest { operation_id: Some("operation-1".into()), ..Default::default() };
        assert_eq!(cx.call(asked).await.unwrap().operation_events.len(), 100);
        let asked = DescribeStacksRequest { stack_name: Some(gone.clone()), ..Default::default() };
        assert_eq!(cx.call(asked).await.unwrap().stacks[0].stack_status.as_deref(), Some("DELETE_COMPLETE"));
        assert!(platform.store().get::<Stack>(&scope, &gone).unwrap().is_none());
        assert!(platform.store().get::<Stack>(&scope, &id).unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stack_that_cannot_be_moved_waits_for_the_next_start_and_holds_nobody_up() {
    let given = given();
    let scope = given.cx.scope().clone();
    let dir = tempfile::tempdir().unwrap();
    let clock = given.cx.platform().clock().clone();
    let mut ids = vec![];
    let mut stacks = vec![];
    for name in ["first", "second", "third"] {
        given.create(name, BODY).await.unwrap();
        let id = given.stack(name).await.stack_id.unwrap();
        let stack = given.cx.store().get::<Stack>(&scope, &id).unwrap().unwrap();
        stacks.push(Stack { status: Status::DeleteComplete, deleted: Some(clock.now()), ..(*stack).clone() });
        ids.push(id);
    }
    let store = Store::open(&dir.path().join("kiln.db"), clock.clone()).unwrap();
    let wrote = store.write::<(), StoreError>(|tx| {
        for stack in &stacks {
            tx.put(&scope, &stack.id, stack.clone())?;
        }
        tx.put(&scope, "set", BrokenSet { stack_id: ids[1].clone() })
    });
    wrote.await.unwrap();
    drop(store);

    for repaired in [false, true] {
        let platform = started(&given, dir.path()).await;
        let left: Vec<String> = platform.store().ids::<Stack>(&scope).iter().map(|id| id.to_string()).collect();
        assert_eq!(left, if repaired { vec![] } else { vec![ids[1].clone()] }, "repaired: {repaired}");

        // It is at rest: nobody works on it, and callers see it as they see the others.
        let sequence = platform.store().sequence();
        let runner = Runner::start(platform.clone(), Hooks::default());
        tokio::time::sleep(Duration::from_secs(300)).await;
        drop(runner);
        assert_eq!(platform.store().sequence(), sequence, "repaired: {repaired}");
        let cx = Cx::new(platform.clone(), scope.clone(), given.cx.caller().clone(), "r");
        for id in &ids {
            let asked = DescribeStacksRequest { stack_name: Some(id.clone()), ..Default::default() };
            assert_eq!(cx.call(asked).await.unwrap().stacks[0].stack_status.as_deref(), Some("DELETE_COMPLETE"));
            cx.call(DeleteStackRequest { stack_name: id.clone(), ..Default::default() }).await.unwrap();
            assert!(code(cx.call(update(id, BODY)).await).1.contains("DELETE_COMPLETE"));
        }
        assert!(cx.call(DescribeStacksRequest::default()).await.unwrap().stacks.is_empty());
        let listed = cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries;
        assert_eq!(listed.len(), 3, "each once, repaired: {repaired}");
        let named = DescribeStacksRequest { stack_name: Some("second".into()), ..Default::default() };
        cx.call(named).await.unwrap_err();
        platform.store().write::<_, StoreError>(|tx| Ok(tx.delete::<ChangeSet>(&scope, "set"))).await.unwrap();
    }
}
