//! Changing stacks, and going back.

use super::given::*;
use kiln_cloudformation_shapes::*;

fn body(cidr: &str, port: u16, extra: &str) -> String {
    format!(
        r#"
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {{CidrBlock: {cidr}}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: {port}, ToPort: {port}, CidrIp: 0.0.0.0/0}}]
{extra}
Outputs:
  Vpc: {{Value: !Ref Vpc}}
"#
    )
}

const GATEWAY: &str = "  Gateway: {Type: AWS::EC2::InternetGateway}";

#[tokio::test(start_paused = true)]
async fn in_place_replaced_added_and_removed() {
    let given = given();
    given.create("s", &body("10.0.0.0/16", 80, GATEWAY)).await.unwrap();
    given.world.take_log();
    assert_eq!(given.update("s", &body("10.0.0.0/16", 81, GATEWAY)).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(given.world.take_log(), ["update Group-3"]);

    let count = given.story("s").await.len();
    assert_eq!(given.update("s", &body("10.1.0.0/16", 81, "")).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(
        given.world.take_log(),
        ["create Vpc-4", "create Group-5", "delete Gateway-1", "delete Group-3", "delete Vpc-2"]
    );
    assert_eq!(given.outputs("s").await, [("Vpc".to_owned(), "Vpc-4".to_owned())]);
    let requested = "Requested update requires the creation of a new physical resource; hence creating one.";
    assert_eq!(
        given.story_since("s", count).await,
        [
            "s UPDATE_IN_PROGRESS (User Initiated)".to_owned(),
            format!("Vpc UPDATE_IN_PROGRESS ({requested})"),
            "Vpc UPDATE_IN_PROGRESS (Resource creation Initiated)".to_owned(),
            "Vpc UPDATE_COMPLETE".to_owned(),
            format!("Group UPDATE_IN_PROGRESS ({requested})"),
            "Group UPDATE_IN_PROGRESS (Resource creation Initiated)".to_owned(),
            "Group UPDATE_COMPLETE".to_owned(),
            "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS".to_owned(),
            "Gateway DELETE_IN_PROGRESS".to_owned(),
            "Gateway DELETE_COMPLETE".to_owned(),
            "Group DELETE_IN_PROGRESS".to_owned(),
            "Group DELETE_COMPLETE".to_owned(),
            "Vpc DELETE_IN_PROGRESS".to_owned(),
            "Vpc DELETE_COMPLETE".to_owned(),
            "s UPDATE_COMPLETE".to_owned(),
        ]
    );
    let listed = given.cx.call(ListStackResourcesRequest { stack_name: "s".into(), next_token: None }).await.unwrap();
    let ids: Vec<_> = listed.stack_resource_summaries.iter().filter_map(|r| r.physical_resource_id.clone()).collect();
    assert_eq!(ids, ["Group-5", "Vpc-4"]);
    assert_eq!(
        code(given.update("s", &body("10.1.0.0/16", 81, "")).await),
        ("ValidationError".into(), "No updates are to be performed.".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_goes_back_to_what_was() {
    let given = given();
    given.create("s", &body("10.0.0.0/16", 80, "")).await.unwrap();
    let before = given.world.shown();
    // Replaces the VPC and with it the group, adds a gateway, and fails at the end.
    given.world.refuse("create Attachment");
    let extra = format!(
        "{GATEWAY}\n  Attachment: {{Type: AWS::EC2::VPCGatewayAttachment, DependsOn: Group, Properties: {{VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}}}"
    );
    assert_eq!(given.update("s", &body("10.1.0.0/16", 80, &extra)).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.world.shown(), before, "{:?}", given.story("s").await);
    assert_eq!(given.outputs("s").await, [("Vpc".to_owned(), "Vpc-1".to_owned())]);
    let story = given.story("s").await;
    assert!(
        story.contains(
            &"s UPDATE_ROLLBACK_IN_PROGRESS (The following resource(s) failed to create: [Attachment].)".to_owned()
        ),
        "{story:?}"
    );
    // In place: a change that was made, and one that failed.
    given.world.refuse("create Attachment");
    assert_eq!(given.update("s", &body("10.0.0.0/16", 90, &extra)).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.world.shown(), before, "{:?}", given.story("s").await);
    given.world.refuse("update Group");
    // The way back also calls update: it must be tried until it works.
    assert_eq!(given.update("s", &body("10.0.0.0/16", 91, "")).await.unwrap(), "UPDATE_ROLLBACK_FAILED");
    given.world.allow("update Group");
    let go_on = ContinueUpdateRollbackRequest { stack_name: "s".into(), ..Default::default() };
    given.cx.call(go_on).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.world.shown(), before);
    assert_eq!(given.update("s", &body("10.0.0.0/16", 92, "")).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_which_there_cannot_be_two_the_old_goes_first_and_comes_back() {
    let given = given();
    let body = |cidr: &str, last: &str| {
        format!(
            r#"
Resources:
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: {cidr}}}}}
  Gateway: {{Type: AWS::EC2::InternetGateway}}
  Attachment: {{Type: AWS::EC2::VPCGatewayAttachment, Properties: {{VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}}}
{last}
"#
        )
    };
    given.create("s", &body("10.0.0.0/16", "")).await.unwrap();
    given.world.take_log();
    given.update("s", &body("10.1.0.0/16", "")).await.unwrap();
    assert_eq!(given.world.take_log(), ["create Vpc-4", "delete Attachment-3", "create Attachment-5", "delete Vpc-2"]);
    given.world.refuse("create Late");
    let late = "  Late: {Type: AWS::EC2::SecurityGroup, DependsOn: Attachment, Properties: {GroupDescription: x}}";
    assert_eq!(given.update("s", &body("10.2.0.0/16", late)).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let shown = given.world.shown();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown.iter().any(|thing| thing.starts_with("Attachment-") && thing.contains("Vpc-4")), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_can_be_cancelled() {
    let given = given();
    given.create("s", &body("10.0.0.0/16", 80, "")).await.unwrap();
    let before = given.world.shown();
    given.world.slow.lock().insert("Gateway".into(), 100_000);
    given.cx.call(update("s", &body("10.0.0.0/16", 81, GATEWAY))).await.unwrap();
    given.until("s", "Gateway CREATE_IN_PROGRESS (Resource creation Initiated)").await;
    let busy = given.cx.call(update("s", &body("10.0.0.0/16", 82, ""))).await;
    assert!(code(busy).1.ends_with("is in UPDATE_IN_PROGRESS state and can not be updated."));
    let cancel = CancelUpdateStackRequest { stack_name: "s".into(), client_request_token: Some("no-more".into()) };
    given.cx.call(cancel).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.world.shown(), before);
    let events = DescribeStackEventsRequest { stack_name: "s".into(), ..Default::default() };
    let events = given.cx.call(events).await.unwrap().stack_events;
    let token = |status: &str| {
        let event = events.iter().find(|event| {
            event.resource_status.as_deref() == Some(status)
                && event.resource_type.as_deref() == Some("AWS::CloudFormation::Stack")
        });
        event.unwrap_or_else(|| panic!("no {status}")).client_request_token.as_deref()
    };
    for status in ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"] {
        assert_eq!(token(status), Some("no-more"), "{status}");
    }
    assert_eq!(token("UPDATE_IN_PROGRESS"), None, "what came before is the update's");
}

#[tokio::test(start_paused = true)]
async fn policies_keep_things_and_forbid_changes() {
    let given = given();
    let kept = "  Gateway: {Type: AWS::EC2::InternetGateway, DeletionPolicy: Retain}";
    given.create("s", &body("10.0.0.0/16", 80, kept)).await.unwrap();
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"Update:*","Resource":"*"},
        {"Effect":"Deny","Principal":"*","Action":"Update:Replace","Resource":"LogicalResourceId/Vpc"}]}"#;
    let set =
        SetStackPolicyRequest { stack_name: "s".into(), stack_policy_body: Some(policy.into()), ..Default::default() };
    given.cx.call(set).await.unwrap();
    assert_eq!(given.update("s", &body("10.1.0.0/16", 80, kept)).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let story = given.story("s").await;
    assert!(story.iter().any(|line| line.contains("Statement [#2] does not allow [Update:Replace]")), "{story:?}");
    assert_eq!(given.update("s", &body("10.0.0.0/16", 81, kept)).await.unwrap(), "UPDATE_COMPLETE");
    let id = given.stack("s").await.stack_id.unwrap();
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    assert!(given.story(&id).await.contains(&"Gateway DELETE_SKIPPED".to_owned()));
    assert_eq!(given.world.ids(), ["Gateway-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_at_rest_holds_what_its_resources_are_and_nothing_of_how_they_came_about() {
    let given = given();
    let body = |cidr: &str| format!("Resources: {{V: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: {cidr}}}}}}}");
    given.create("s", &body("10.0.0.0/16")).await.unwrap();
    given.cx.call(update("s", &body("10.1.0.0/16"))).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_COMPLETE");
    let held = given.cx.store().list::<crate::records::Resource>(given.cx.scope()).unwrap();
    assert_eq!(held.len(), 1);
    assert!(
        held.iter().all(|(_, resource)| resource.live.is_some() && resource.work.is_none() && resource.undo.is_none())
    );
}
