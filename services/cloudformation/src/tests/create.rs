//! Making stacks, failing, removing them.

use super::given::*;
use kiln_cloudformation_shapes::*;

const NET: &str = r#"
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  Gateway:
    Type: AWS::EC2::InternetGateway
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !GetAtt Gateway.InternetGatewayId}
Outputs:
  VpcId: {Value: !Ref Vpc, Export: {Name: !Sub "${AWS::StackName}-vpc"}}
"#;

#[tokio::test(start_paused = true)]
async fn a_stack_is_made_in_order_and_removed_in_reverse() {
    let given = given();
    assert_eq!(given.create("net", NET).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(
        given.story("net").await,
        [
            "net CREATE_IN_PROGRESS (User Initiated)",
            "Gateway CREATE_IN_PROGRESS",
            "Gateway CREATE_IN_PROGRESS (Resource creation Initiated)",
            "Vpc CREATE_IN_PROGRESS",
            "Vpc CREATE_IN_PROGRESS (Resource creation Initiated)",
            "Gateway CREATE_COMPLETE",
            "Vpc CREATE_COMPLETE",
            "Attachment CREATE_IN_PROGRESS",
            "Attachment CREATE_IN_PROGRESS (Resource creation Initiated)",
            "Attachment CREATE_COMPLETE",
            "net CREATE_COMPLETE",
        ]
    );
    assert_eq!(given.outputs("net").await, [("VpcId".to_owned(), "Vpc-2".to_owned())]);
    let exports = given.cx.call(ListExportsRequest::default()).await.unwrap().exports;
    assert_eq!((exports.len(), exports[0].name.as_deref()), (1, Some("net-vpc")));
    let id = given.stack("net").await.stack_id.unwrap();
    given.world.take_log();
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.world.take_log(), ["delete Attachment-3", "delete Gateway-1", "delete Vpc-2"]);
    assert!(given.world.ids().is_empty());
    assert_eq!(given.story(&id).await.last().unwrap(), "net DELETE_COMPLETE");
    let gone = DescribeStacksRequest { stack_name: Some("net".into()), next_token: None };
    assert_eq!(code(given.cx.call(gone).await), ("ValidationError".into(), "Stack with id net does not exist".into()));
}

#[tokio::test(start_paused = true)]
async fn a_failure_cancels_the_rest_and_removes_what_was_made() {
    let given = given();
    given.world.refuse("create Attachment");
    let slow = NET.replace(
        "Outputs:",
        "  Slow:\n    Type: AWS::EC2::SecurityGroup\n    Properties: {GroupDescription: x}\nOutputs:",
    );
    given.world.slow.lock().insert("Slow".into(), 1000);
    assert_eq!(given.create("net", &slow).await.unwrap(), "ROLLBACK_COMPLETE");
    assert!(given.world.ids().is_empty(), "{:?}", given.world.ids());
    let story = given.story("net").await;
    let failed = story.iter().find(|line| line.starts_with("Attachment CREATE_FAILED")).unwrap();
    assert!(failed.contains("cannot create Attachment") && failed.contains("HandlerErrorCode: Refused"), "{failed}");
    assert!(story.contains(&"Slow CREATE_FAILED (Resource creation cancelled)".to_owned()));
    assert!(story.contains(
        &"net ROLLBACK_IN_PROGRESS (The following resource(s) failed to create: [Attachment, Slow]. Rollback requested by user.)"
            .to_owned()
    ));
    assert_eq!(
        code(given.update("net", NET).await).1,
        format!(
            "Stack:{} is in ROLLBACK_COMPLETE state and can not be updated.",
            given.stack("net").await.stack_id.unwrap()
        )
    );
    given.world.allow("create Attachment");
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.create("net", NET).await.unwrap(), "CREATE_COMPLETE", "the name is free again");
}

#[tokio::test(start_paused = true)]
async fn without_rollback_what_works_stays_and_can_be_mended_or_taken_back() {
    let given = given();
    given.world.refuse("create Attachment");
    let request = |name: &str| CreateStackRequest {
        stack_name: name.into(),
        template_body: Some(NET.into()),
        on_failure: Some("DO_NOTHING".into()),
        ..Default::default()
    };
    assert_eq!(given.create_with(request("net")).await.unwrap(), "CREATE_FAILED");
    assert_eq!(given.world.ids(), ["Gateway-1", "Vpc-2"]);
    let reason = given.stack("net").await.stack_status_reason.unwrap();
    assert_eq!(reason, "The following resource(s) failed to create: [Attachment].");
    given.world.allow("create Attachment");
    assert_eq!(given.update("net", NET).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(given.world.ids(), ["Attachment-3", "Gateway-1", "Vpc-2"], "only what was missing is made");
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_COMPLETE");

    given.world.refuse("create Attachment");
    assert_eq!(given.create_with(request("net")).await.unwrap(), "CREATE_FAILED");
    given.cx.call(RollbackStackRequest { stack_name: "net".into(), ..Default::default() }).await.unwrap();
    assert_eq!(given.settled("net").await, "ROLLBACK_COMPLETE");
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_told_and_can_be_left() {
    let given = given();
    given.create("net", NET).await.unwrap();
    given.world.refuse("delete Vpc");
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_FAILED");
    let reason = given.stack("net").await.stack_status_reason.unwrap();
    assert_eq!(reason, "The following resource(s) failed to delete: [Vpc].");
    let leave =
        DeleteStackRequest { stack_name: "net".into(), retain_resources: vec!["Vpc".into()], ..Default::default() };
    let id = given.stack("net").await.stack_id.unwrap();
    given.cx.call(leave).await.unwrap();
    assert_eq!(given.settled(&id).await, "DELETE_COMPLETE");
    assert_eq!(given.world.ids(), ["Vpc-2"]);
}

#[tokio::test(start_paused = true)]
async fn signals_are_counted_and_time_runs_out() {
    let given = given();
    let body = r#"
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT10M}}
    Properties: {GroupDescription: x}
"#;
    let create = |name: &str| CreateStackRequest {
        stack_name: name.into(),
        template_body: Some(body.into()),
        ..Default::default()
    };
    let signal = |stack: &str, id: &str, status: &str| SignalResourceRequest {
        stack_name: stack.into(),
        logical_resource_id: "Group".into(),
        unique_id: id.into(),
        status: status.into(),
    };
    given.cx.call(create("good")).await.unwrap();
    given.until("good", "Resource creation Initiated").await;
    given.cx.call(signal("good", "i-1", "SUCCESS")).await.unwrap();
    given.cx.call(signal("good", "i-1", "SUCCESS")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(given.stack("good").await.stack_status.as_deref(), Some("CREATE_IN_PROGRESS"));
    given.cx.call(signal("good", "i-2", "SUCCESS")).await.unwrap();
    assert_eq!(given.settled("good").await, "CREATE_COMPLETE");
    assert!(given.story("good").await.iter().any(|l| l.contains("Received SUCCESS signal with UniqueId i-2")));
    assert_eq!(code(given.cx.call(signal("good", "i-3", "SUCCESS")).await).0, "ValidationError");

    given.cx.call(create("bad")).await.unwrap();
    given.until("bad", "Resource creation Initiated").await;
    given.cx.call(signal("bad", "i-1", "FAILURE")).await.unwrap();
    assert_eq!(given.settled("bad").await, "ROLLBACK_COMPLETE");

    let before = given.cx.now();
    given.cx.call(create("late")).await.unwrap();
    assert_eq!(given.settled("late").await, "ROLLBACK_COMPLETE");
    assert!(given.cx.now().since(before).as_secs() >= 600);
    let story = given.story("late").await;
    assert!(story.iter().any(|l| l.contains("Failed to receive 2 resource signal(s) within the specified duration")));
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_real_parameters() {
    let given = given();
    let body = r#"
Parameters:
  Colour: {Type: String, AllowedValues: [red, blue]}
Resources:
  One: {Type: AWS::SSM::Parameter, Properties: {Name: /shop/colour, Type: String, Value: !Ref Colour}}
  Two: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${One}=${One.Value}"}}
Outputs:
  Two: {Value: !GetAtt Two.Value}
"#;
    let with = |colour: &str| {
        vec![Parameter {
            parameter_key: Some("Colour".into()),
            parameter_value: Some(colour.into()),
            ..Default::default()
        }]
    };
    let request = CreateStackRequest {
        stack_name: "p".into(),
        template_body: Some(body.into()),
        parameters: with("red"),
        tags: vec![Tag { key: "team".into(), value: "red".into() }],
        ..Default::default()
    };
    assert_eq!(given.create_with(request).await.unwrap(), "CREATE_COMPLETE", "{:?}", given.story("p").await);
    assert_eq!(given.outputs("p").await, [("Two".to_owned(), "/shop/colour=red".to_owned())]);
    let request = UpdateStackRequest {
        parameters: with("blue"),
        use_previous_template: Some(true),
        template_body: None,
        ..update("p", body)
    };
    given.cx.call(request).await.unwrap();
    assert_eq!(given.settled("p").await, "UPDATE_COMPLETE", "{:?}", given.story("p").await);
    assert_eq!(given.outputs("p").await, [("Two".to_owned(), "/shop/colour=blue".to_owned())]);
    let tags = kiln_ssm_shapes::ListTagsForResourceRequest {
        resource_type: "Parameter".into(),
        resource_id: "/shop/colour".into(),
    };
    let tags: Vec<String> = given.cx.call(tags).await.unwrap().tag_list.into_iter().map(|tag| tag.key).collect();
    assert!(tags.contains(&"team".to_owned()) && tags.contains(&"aws:cloudformation:logical-id".to_owned()));
    assert_eq!(given.delete("p").await.unwrap(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn attributes_are_what_a_thing_has_and_never_a_promise() {
    let given = given();
    let body = |attribute: &str| {
        format!(
            "Resources: {{Group: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: web}}}}}}\n\
             Outputs: {{It: {{Value: !GetAtt Group.{attribute}}}}}"
        )
    };
    assert_eq!(given.create("given", &body("GroupDescription")).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.outputs("given").await, [("It".to_owned(), "web".to_owned())]);
    // AWS's type has it, the pretended one does not give it, and the template does not say it.
    assert_eq!(given.create("missing", &body("GroupName")).await.unwrap(), "ROLLBACK_COMPLETE");
    let story = given.story("missing").await;
    assert!(story.iter().any(|line| line.contains("The outputs [It] refer to attributes")), "{story:?}");
    assert_eq!(given.world.ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_chain_is_not_held_up() {
    let given = given();
    let mut body = "Resources:\n  G0: {Type: AWS::EC2::InternetGateway}\n".to_owned();
    for n in 1..200 {
        body += &format!("  G{n}: {{Type: AWS::EC2::InternetGateway, DependsOn: G{}}}\n", n - 1);
    }
    let start = given.cx.now();
    assert_eq!(given.create("s", &body).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    let took = given.cx.now().since(start);
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}
