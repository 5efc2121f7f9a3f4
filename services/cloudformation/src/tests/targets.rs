//! Nobody is judged by something else in the place of what cannot be read.

use super::given::*;
use crate::records::{ChangeSet, Resource, Stack};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, IdSource, PlatformBuilder, Record, Store, StoreError};
use kiln_testkit::{Question, judged};
use serde::{Deserialize, Serialize};

const VPC: &str = "Resources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}";

/// What stands in the place of another record and does not read as one.
#[derive(Clone, Serialize, Deserialize)]
struct Damaged<const WHAT: char> {
    mentions: String,
}

impl<const WHAT: char> Record for Damaged<WHAT> {
    const KIND: &'static str = match WHAT {
        's' => Stack::KIND,
        'c' => ChangeSet::KIND,
        _ => Resource::KIND,
    };
}

fn refused(told: Result<Vec<Question>, Error>, record: &str) {
    let told = told.expect_err("nobody is judged").chain();
    assert!(told.contains(record), "{told}");
}

/// A kiln that finds a stack on its disk, and beside it what does not read.
async fn found(stack: &Stack, cx: &Cx, damaged: bool) -> Cx {
    let dir = tempfile::tempdir().unwrap();
    let (clock, path, scope) = (cx.platform().clock().clone(), dir.path().join("kiln.db"), cx.scope());
    let store = Store::open(&path, clock.clone()).unwrap();
    let wrote = store.write::<_, StoreError>(|tx| {
        tx.put(scope, &stack.id, stack.clone())?;
        if damaged {
            tx.put(scope, &format!("{}-gone", stack.id), Damaged::<'s'> { mentions: "none".into() })?;
            tx.put(scope, "damaged-set", Damaged::<'c'> { mentions: stack.id.clone() })?;
            tx.put(scope, "damaged-resource", Damaged::<'r'> { mentions: "vpc-9".into() })?;
        }
        Ok(())
    });
    wrote.await.unwrap();
    drop(store);
    let store = Store::open(&path, clock.clone()).unwrap();
    let platform = PlatformBuilder::new(store, clock, IdSource::seeded(1)).service(crate::service()).build();
    Cx::new(platform, scope.clone(), cx.caller().clone(), "r")
}

#[tokio::test(start_paused = true)]
async fn nobody_is_judged_without_what_cannot_be_read() {
    let given = given();
    given.create("s", VPC).await.unwrap();
    let id = given.stack("s").await.stack_id.unwrap();
    let stack = given.cx.store().get::<Stack>(given.cx.scope(), &id).unwrap().unwrap();
    let of_set = |name: &str| DescribeChangeSetRequest {
        change_set_name: name.into(),
        stack_name: Some("s".into()),
        ..Default::default()
    };
    let of_stack = |name: &str| DeleteStackRequest { stack_name: name.into(), ..Default::default() };
    let of_resource =
        DescribeStackResourcesRequest { physical_resource_id: Some("vpc-9".into()), ..Default::default() };

    let cx = found(&stack, &given.cx, false).await;
    // What is not there is judged by what the caller wrote.
    assert_eq!(judged(&cx, of_set("none")).await.unwrap()[0].resource, id);
    let asked = judged(&cx, of_stack("none")).await.unwrap();
    assert!(asked[0].resource.ends_with("stack/none/*"), "{asked:?}");
    assert_eq!(judged(&cx, of_resource.clone()).await.unwrap()[0].resource, "*");

    let cx = found(&stack, &given.cx, true).await;
    let gone = format!("{id}-gone");
    refused(judged(&cx, of_stack("none")).await, &gone);
    refused(judged(&cx, of_stack(&gone)).await, &gone);
    refused(judged(&cx, of_set("none")).await, "damaged-set");
    refused(judged(&cx, of_resource).await, "damaged-resource");
}
