//! What conditions leave out; outputs of what is gone; functions where AWS's language extensions allow them.

use super::given::*;
use kiln_cloudformation_shapes::*;

#[tokio::test(start_paused = true)]
async fn a_type_under_a_false_condition_need_not_be_served() {
    let given = given();
    let body = |wanted: bool| {
        format!(
            "Conditions: {{Q: !Equals [{wanted}, true]}}\nResources:\n  A: {{Type: AWS::EC2::InternetGateway}}\n  \
             B: {{Type: AWS::SQS::Queue, Condition: Q, DeletionPolicy: Snapshot}}\n"
        )
    };
    let (code, message) = code(given.create("s", &body(true)).await);
    assert_eq!(code, "NotImplemented");
    assert!(message.contains("the resource type AWS::SQS::Queue"), "{message}");
    assert_eq!(given.create("s", &body(false)).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    // One that nobody has is refused whatever the condition says.
    let odd = body(false).replace("AWS::SQS::Queue", "AWS::No::Such");
    assert!(super::given::code(given.create("s", &odd).await).1.contains("Unrecognized resource types"));
}

#[tokio::test(start_paused = true)]
async fn outputs_of_resources_that_are_left_out_are_refused() {
    let given = given();
    let body = |output: &str| {
        format!(
            "Conditions: {{Q: !Equals [a, b]}}\nResources:\n  A: {{Type: AWS::EC2::InternetGateway}}\n  \
             B: {{Type: AWS::EC2::InternetGateway, Condition: Q}}\nOutputs:\n  O: {output}\n"
        )
    };
    for output in ["{Value: !Ref B}", "{Value: !GetAtt B.InternetGatewayId}", "{Value: !Sub 'x-${B}'}"] {
        let (code, message) = code(given.create("s", &body(output)).await);
        assert_eq!(code, "ValidationError");
        let told = "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template";
        assert!(message.starts_with(told), "{message}");
    }
    for (output, value) in [("{Condition: Q, Value: !Ref B}", None), ("{Value: !If [Q, !Ref B, none]}", Some("none"))] {
        assert_eq!(given.create("s", &body(output)).await.unwrap(), "CREATE_COMPLETE");
        let outputs = given.outputs("s").await;
        assert_eq!(outputs.first().map(|(_, value)| value.as_str()), value);
        given.delete("s").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stack_keeps_its_outputs_and_gives_its_exports_up() {
    let given = given();
    let body = "Resources: {A: {Type: AWS::EC2::InternetGateway}}\nOutputs: {O: {Value: !Ref A, Export: {Name: e}}}";
    given.create("s", body).await.unwrap();
    let id = given.stack("s").await.stack_id.unwrap();
    let outputs = given.outputs("s").await;
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.outputs(&id).await, outputs);
    assert!(given.cx.call(ListExportsRequest::default()).await.unwrap().exports.is_empty());
    let takes = "Resources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !ImportValue e}}}";
    assert_eq!(given.create("takes", takes).await.unwrap(), "ROLLBACK_COMPLETE", "nobody exports it any more");
    assert_eq!(given.create("s", body).await.unwrap(), "CREATE_COMPLETE", "the name of the export is free");
}

#[tokio::test(start_paused = true)]
async fn references_and_policies_by_function() {
    let given = given();
    let body = r#"
Transform: AWS::LanguageExtensions
Parameters: {Colour: {Type: String, Default: Blue}, Stage: {Type: String, Default: prod}}
Mappings: {Which: {prod: {Net: Wide, Asks: Stage}, test: {Net: Narrow, Asks: Stage}}}
Conditions: {Keep: !Equals [{Ref: {"Fn::FindInMap": [Which, !Ref Stage, Asks]}}, prod]}
Resources:
  Wide: {Type: AWS::EC2::VPC, DeletionPolicy: !If [Keep, Retain, Delete], Properties: {CidrBlock: 10.0.0.0/16}}
  Narrow: {Type: AWS::EC2::VPC, DeletionPolicy: !If [Keep, !Ref AWS::NoValue, Retain], Properties: {CidrBlock: 10.1.0.0/24}}
  GatewayBlue: {Type: AWS::EC2::InternetGateway}
  GatewayRed: {Type: AWS::EC2::InternetGateway}
  Attached:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties:
      VpcId: {Ref: {"Fn::FindInMap": [Which, !Ref Stage, Net]}}
      InternetGatewayId: {"Fn::GetAtt": [!Sub "Gateway${Colour}", !Join ["", [Internet, GatewayId]]]}
Outputs:
  Region: {Value: {"Fn::GetAtt": [!If [Keep, Wide, Narrow], CidrBlock]}}
"#;
    let create = |colour: &str, stage: &str| CreateStackRequest {
        stack_name: "s".into(),
        template_body: Some(body.into()),
        capabilities: vec!["CAPABILITY_AUTO_EXPAND".into()],
        parameters: [("Colour", colour), ("Stage", stage)]
            .map(|(key, value)| Parameter {
                parameter_key: Some(key.into()),
                parameter_value: Some(value.into()),
                ..Default::default()
            })
            .into(),
        ..Default::default()
    };
    for (colour, stage, vpc, cidr, kept) in
        [("Blue", "prod", "Wide", "10.0.0.0/16", "Wide"), ("Red", "test", "Narrow", "10.1.0.0/24", "Narrow")]
    {
        assert_eq!(given.create_with(create(colour, stage)).await.unwrap(), "CREATE_COMPLETE");
        let attached = given.world.shown().into_iter().find(|thing| thing.starts_with("Attached")).unwrap();
        assert!(attached.contains(&format!("\"VpcId\":\"{vpc}-")), "{attached}");
        assert!(attached.contains(&format!("\"InternetGatewayId\":\"Gateway{colour}-")), "{attached}");
        assert_eq!(given.outputs("s").await, [("Region".to_owned(), cidr.to_owned())]);
        given.delete("s").await.unwrap();
        let left = given.world.ids();
        assert!(left.len() == 1 && left[0].starts_with(kept), "its policy kept {kept}: {left:?}");
        given.world.things.lock().clear();
    }
    let unknown = code(given.create_with(create("Green", "prod")).await).1;
    assert!(unknown.contains("references undefined resource GatewayGreen"), "{unknown}");
    // Without the transform it is as it always was.
    for (attribute, told) in [
        ("DeletionPolicy: !If [C, Retain, Delete]", "Every DeletionPolicy member must be a string."),
        ("Properties: {CidrBlock: {Ref: {Ref: P}}}", "every Ref object must have a single String value."),
        ("Condition: D", "every Ref object must have a single String value."),
    ] {
        let plain = format!(
            "Parameters: {{P: {{Type: String, Default: a}}}}\nConditions: {{C: !Equals [a, a]{}}}\nResources: {{V: {{Type: \
             AWS::EC2::VPC, {attribute}}}}}",
            if attribute == "Condition: D" { ", D: !Equals [{Ref: {Ref: P}}, a]" } else { "" }
        );
        let refused = code(given.create("s", &plain).await).1;
        assert!(refused.starts_with(&format!("Template format error: {told}")), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_previous_value_may_come_with_an_empty_one() {
    let given = given();
    let body = "Parameters: {C: {Type: String}}\nResources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref C}}, G: {Type: AWS::EC2::InternetGateway}}";
    let parameter = |value: Option<&str>, previous: Option<bool>| Parameter {
        parameter_key: Some("C".into()),
        parameter_value: value.map(str::to_owned),
        use_previous_value: previous,
        ..Default::default()
    };
    let create = CreateStackRequest {
        stack_name: "s".into(),
        template_body: Some(body.into()),
        parameters: vec![parameter(Some("10.0.0.0/16"), None)],
        ..Default::default()
    };
    given.create_with(create).await.unwrap();
    let change = |value: &str| UpdateStackRequest {
        parameters: vec![parameter(Some(value), Some(true))],
        ..update("s", &body.replace("G: {Type: AWS::EC2::InternetGateway}", "H: {Type: AWS::EC2::InternetGateway}"))
    };
    let (_, message) = code(given.cx.call(change("10.1.0.0/16")).await);
    assert!(message.contains("Cannot specify usePreviousValue as true and non empty value"), "{message}");
    given.cx.call(change("")).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_COMPLETE");
    assert!(given.world.shown()[1].contains("10.0.0.0/16"), "{:?}", given.world.shown());
}

#[tokio::test(start_paused = true)]
async fn a_custom_named_resource_cannot_be_replaced() {
    let given = given();
    let body = "Resources: {G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupName: own, GroupDescription: a}}}";
    given.create("s", body).await.unwrap();
    assert_eq!(
        given.update("s", &body.replace("Description: a", "Description: b")).await.unwrap(),
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let told = "G UPDATE_FAILED (CloudFormation cannot update a stack when a custom-named resource requires replacing. \
                Rename own and update the stack again.)";
    assert!(given.story("s").await.contains(&told.to_owned()), "{:?}", given.story("s").await);
    let renamed = body.replace("own", "other").replace("Description: a", "Description: b");
    assert_eq!(given.update("s", &renamed).await.unwrap(), "UPDATE_COMPLETE");
}
