//! Every step run twice and broken once; the process dying at every moment.

use super::given::*;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::Chaos;
use std::collections::BTreeSet;
use std::time::Duration;

const NET: &str = r#"
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
"#;

/// A whole life: create, update with replacement, a failed update, delete. What is there after each.
async fn life(given: &Given) -> Vec<Vec<String>> {
    let kinds = |given: &Given| {
        let ids = given.world.ids();
        ids.iter().filter_map(|id| Some(id.rsplit_once('-')?.0.to_owned())).collect::<Vec<String>>()
    };
    let mut seen = vec![];
    assert_eq!(given.create("s", NET).await.unwrap(), "CREATE_COMPLETE");
    seen.push(kinds(given));
    let other = NET.replace("10.0", "10.1");
    assert_eq!(given.update("s", &other).await.unwrap(), "UPDATE_COMPLETE");
    seen.push(kinds(given));
    given.world.refuse("create Late");
    let late = "  Late: {Type: AWS::EC2::SecurityGroup, DependsOn: Attachment, Properties: {GroupDescription: x}}\n";
    let failing = format!("{}{late}", NET.replace("10.0", "10.2"));
    assert_eq!(given.update("s", &failing).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    seen.push(kinds(given));
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    seen.push(kinds(given));
    seen
}

fn expected() -> Vec<Vec<String>> {
    let all = ["Attachment", "Gateway", "Vpc"].map(str::to_owned).to_vec();
    vec![all.clone(), all.clone(), all, vec![]]
}

#[tokio::test(start_paused = true)]
async fn every_step_may_happen_twice() {
    assert_eq!(life(&given_with(every_step_twice())).await, expected());
}

#[tokio::test(start_paused = true)]
async fn every_step_may_break_once() {
    for kind in [Chaos::FailBefore, Chaos::FailAfter] {
        assert_eq!(life(&given_with(every_step_broken_once(kind))).await, expected(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_again_and_again_still_comes_to_the_end() {
    let mut given = given();
    for name in ["Vpc", "Gateway", "Attachment"] {
        given.world.slow.lock().insert(name.into(), 5);
    }
    let create = CreateStackRequest { stack_name: "s".into(), template_body: Some(NET.into()), ..Default::default() };
    given.cx.call(create).await.unwrap();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(7)).await;
        given.restart();
    }
    assert_eq!(given.settled("s").await, "CREATE_COMPLETE");
    assert_eq!(given.world.ids().len(), 3, "nothing was made twice: {:?}", given.world.ids());
    let story = given.story("s").await;
    let once: BTreeSet<&String> = story.iter().collect();
    assert_eq!(once.len(), story.len(), "nothing happened twice: {story:?}");
    given.cx.call(DeleteStackRequest { stack_name: "s".into(), ..Default::default() }).await.unwrap();
    given.restart();
    let id = given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries[0].stack_id.clone().unwrap();
    assert_eq!(given.settled(&id).await, "DELETE_COMPLETE");
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_make_room_neither_hangs_nor_loses_the_old() {
    let given = given();
    given.create("s", NET).await.unwrap();
    let before = given.world.shown();
    given.world.busy.lock().insert("delete Attachment".into());
    // Nothing else fails: after a while the refusal is believed.
    let other = NET.replace("10.0", "10.1");
    assert_eq!(given.update("s", &other).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE", "{:?}", given.story("s").await);
    assert_eq!(given.world.shown(), before);
    // Something else fails: it is not waited for at all.
    given.world.refuse("create Late");
    let late = "  Late: {Type: AWS::EC2::SecurityGroup, DependsOn: Vpc, Properties: {GroupDescription: x}}\n";
    let count = given.story("s").await.len();
    assert_eq!(given.update("s", &format!("{other}{late}")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.world.shown(), before);
    let story = given.story_since("s", count).await;
    assert!(story.contains(&"Attachment UPDATE_FAILED (Resource update cancelled)".to_owned()), "{story:?}");
    // A deletion fails too, and says why.
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_FAILED");
    assert!(given.story("s").await.iter().any(|line| line.contains("Attachment is in use")));
}
