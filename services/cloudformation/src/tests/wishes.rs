//! What is refused before anything is made; change sets; exports; tokens.

use super::given::*;
use kiln_cloudformation_shapes::*;

#[tokio::test(start_paused = true)]
async fn bad_templates_make_nothing() {
    let given = given();
    for (body, expected) in [
        (
            "Resources: {A: {Type: AWS::No::Such}}",
            "Template format error: Unrecognized resource types: [AWS::No::Such]",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, Colour: red}}}",
            "Properties validation failed for resource A",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC, DependsOn: B}, B: {Type: AWS::EC2::VPC, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Nope}}}",
            "Unresolved resource dependencies [Nope]",
        ),
        ("{", "Template format error"),
    ] {
        let (code, message) = code(given.create("s", body).await);
        assert_eq!(code, "ValidationError", "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}";
    assert_eq!(
        code(given.create("s", role).await),
        ("InsufficientCapabilitiesException".into(), "Requires capabilities : [CAPABILITY_IAM]".into())
    );
    assert!(given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries.is_empty());
    assert!(given.world.ids().is_empty());
}

fn set(name: &str, stack: &str, kind: &str, body: &str) -> CreateChangeSetRequest {
    CreateChangeSetRequest {
        change_set_name: name.into(),
        stack_name: stack.into(),
        change_set_type: Some(kind.into()),
        template_body: Some(body.into()),
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn change_sets_as_deploy_uses_them() {
    let given = given();
    let body = "Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}";
    let describe = |name: &str, values: bool| DescribeChangeSetRequest {
        change_set_name: name.into(),
        stack_name: Some("s".into()),
        include_property_values: Some(values),
        ..Default::default()
    };
    let execute = |name: &str| ExecuteChangeSetRequest {
        change_set_name: name.into(),
        stack_name: Some("s".into()),
        ..Default::default()
    };
    given.cx.call(set("one", "s", "CREATE", body)).await.unwrap();
    assert_eq!(given.stack("s").await.stack_status.as_deref(), Some("REVIEW_IN_PROGRESS"));
    let shown = given.cx.call(describe("one", false)).await.unwrap();
    assert_eq!(
        (shown.status.as_deref(), shown.execution_status.as_deref()),
        (Some("CREATE_COMPLETE"), Some("AVAILABLE"))
    );
    assert_eq!(shown.changes[0].resource_change.as_ref().unwrap().action.as_deref(), Some("Add"));
    given.cx.call(execute("one")).await.unwrap();
    given.until("s", "s CREATE_COMPLETE").await;

    given.cx.call(set("same", "s", "UPDATE", body)).await.unwrap();
    let shown = given.cx.call(describe("same", false)).await.unwrap();
    assert_eq!(shown.status.as_deref(), Some("FAILED"));
    assert!(shown.status_reason.unwrap().contains("The submitted information didn't contain changes."));
    assert_eq!(code(given.cx.call(execute("same")).await).0, "InvalidChangeSetStatus");

    given.cx.call(set("two", "s", "UPDATE", &body.replace("10.0", "10.1"))).await.unwrap();
    let shown = given.cx.call(describe("two", true)).await.unwrap();
    let change = shown.changes[0].resource_change.clone().unwrap();
    assert_eq!((change.action.as_deref(), change.replacement.as_deref()), (Some("Modify"), Some("True")));
    let target = change.details[0].target.clone().unwrap();
    assert_eq!(
        (target.path.as_deref(), target.before_value.as_deref(), target.after_value.as_deref()),
        (Some("/Properties/CidrBlock"), Some("10.0.0.0/16"), Some("10.1.0.0/16"))
    );
    given.cx.call(execute("two")).await.unwrap();
    given.until("s", "s UPDATE_COMPLETE").await;
    assert_eq!(given.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(given.world.ids(), ["Vpc-2"]);
    let left = given.cx.call(ListChangeSetsRequest { stack_name: "s".into(), next_token: None }).await.unwrap();
    assert!(left.summaries.is_empty(), "what was executed is no choice any more: {:?}", left.summaries);
}

#[tokio::test(start_paused = true)]
async fn exports_in_use_stay() {
    let given = given();
    let out = |cidr: &str, name: &str| {
        format!(
            "Resources: {{Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: {cidr}}}}}}}\nOutputs: {{V: {{Value: !Ref Vpc, Export: {{Name: {name}}}}}}}"
        )
    };
    let user =
        "Resources: {G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: x, VpcId: !ImportValue vpc}}}";
    given.create("net", &out("10.0.0.0/16", "vpc")).await.unwrap();
    assert_eq!(given.create("app", user).await.unwrap(), "CREATE_COMPLETE");
    let imports = given.cx.call(ListImportsRequest { export_name: "vpc".into(), next_token: None }).await.unwrap();
    assert_eq!(imports.imports, ["app"]);
    assert_eq!(
        code(given.delete("net").await),
        ("ValidationError".into(), "Export vpc cannot be deleted as it is in use by app".into())
    );
    assert_eq!(given.update("net", &out("10.1.0.0/16", "vpc")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let story = given.story("net").await;
    assert!(story.iter().any(|line| line.contains("Export vpc cannot be updated as it is in use by app")), "{story:?}");
    assert_eq!(given.create("twin", &out("10.0.0.0/16", "vpc")).await.unwrap(), "ROLLBACK_COMPLETE");
    given.delete("app").await.unwrap();
    assert_eq!(given.delete("net").await.unwrap(), "DELETE_COMPLETE");
    given.delete("twin").await.unwrap();
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_failed_uses_no_exports() {
    let given = given();
    let gives = "Resources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}\n\
                 Outputs: {V: {Value: !Ref V, Export: {Name: vpc}}}";
    let body = |text: &str| {
        format!("Resources: {{G: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: {text}}}}}}}")
    };
    given.create("gives", gives).await.unwrap();
    given.create("takes", &body("x")).await.unwrap();
    given.world.refuse("create G");
    assert_eq!(given.create("never", &body("!ImportValue vpc")).await.unwrap(), "ROLLBACK_COMPLETE");
    assert_eq!(given.update("takes", &body("!ImportValue vpc")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.delete("gives").await.unwrap(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn tokens_protection_and_taken_names() {
    let given = given();
    let body = "Resources: {Gateway: {Type: AWS::EC2::InternetGateway}}";
    let request = CreateStackRequest {
        stack_name: "s".into(),
        template_body: Some(body.into()),
        client_request_token: Some("t-1".into()),
        enable_termination_protection: Some(true),
        ..Default::default()
    };
    let first = given.cx.call(request.clone()).await.unwrap().stack_id;
    assert_eq!(given.cx.call(request.clone()).await.unwrap().stack_id, first);
    let other = CreateStackRequest { stack_name: "other".into(), ..request };
    assert_eq!(code(given.cx.call(other).await).0, "TokenAlreadyExistsException");
    assert_eq!(
        code(given.create("s", body).await),
        ("AlreadyExistsException".into(), "Stack [s] already exists".into())
    );
    given.settled("s").await;
    assert_eq!(code(given.delete("s").await).1, "Stack [s] cannot be deleted while TerminationProtection is enabled");
    let off = UpdateTerminationProtectionRequest { stack_name: "s".into(), enable_termination_protection: false };
    given.cx.call(off).await.unwrap();
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    let unknown = DeleteStackRequest { stack_name: "never".into(), ..Default::default() };
    given.cx.call(unknown).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn loops_go_over_parameters_and_follow_their_changes() {
    let given = given();
    let body = r#"
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList}}
Resources:
  Fn::ForEach::Nets: [Name, !Ref Names, {"Net${Name}": {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Name}}}]
Outputs: {Count: {Value: !Length {Ref: Names}}}
"#;
    let names = |names: &str| {
        vec![Parameter {
            parameter_key: Some("Names".into()),
            parameter_value: Some(names.into()),
            ..Default::default()
        }]
    };
    let create = CreateStackRequest {
        stack_name: "s".into(),
        template_body: Some(body.into()),
        parameters: names("a,b"),
        ..Default::default()
    };
    assert_eq!(
        code(given.create_with(create.clone()).await),
        ("InsufficientCapabilitiesException".into(), "Requires capabilities : [CAPABILITY_AUTO_EXPAND]".into())
    );
    let capabilities = vec!["CAPABILITY_AUTO_EXPAND".to_owned()];
    let create = CreateStackRequest { capabilities: capabilities.clone(), ..create };
    assert_eq!(given.create_with(create).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.world.shown(), [r#"Neta-1 {"CidrBlock":"a"}"#, r#"Netb-2 {"CidrBlock":"b"}"#]);
    let other = UpdateStackRequest {
        use_previous_template: Some(true),
        template_body: None,
        parameters: names("b,c,d"),
        capabilities,
        ..update("s", "")
    };
    given.cx.call(other).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_COMPLETE", "{:?}", given.story("s").await);
    assert_eq!(given.world.ids(), ["Netb-2", "Netc-3", "Netd-4"]);
    assert_eq!(given.outputs("s").await, [("Count".to_owned(), "3".to_owned())]);
    let summary = GetTemplateSummaryRequest { stack_name: Some("s".into()), ..Default::default() };
    assert_eq!(given.cx.call(summary).await.unwrap().declared_transforms, ["AWS::LanguageExtensions"]);
}
