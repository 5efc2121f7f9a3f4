//! What is refused, and by which name.

use super::given::*;
use kiln_cloudformation_shapes::ValidateTemplateRequest;

async fn refused(body: &str) -> (String, String) {
    code(given().create("s", body).await)
}

#[tokio::test(start_paused = true)]
async fn types_that_are_not_built_are_told_from_types_that_do_not_exist() {
    for (resource_type, expected) in [
        ("AWS::SQS::Queue", "the resource type AWS::SQS::Queue"),
        ("AWS::CloudFormation::CustomResource", "custom resources"),
        ("Custom::Thing", "custom resources"),
        ("My::Own::Thing::MODULE", "modules"),
    ] {
        let (code, message) = refused(&format!("Resources: {{A: {{Type: {resource_type}}}}}")).await;
        assert_eq!(code, "NotImplemented", "{message}");
        assert!(message.contains(expected) && message.contains(resource_type), "{message}");
    }
    let (code, message) = refused("Resources: {A: {Type: AWS::S3::Buckets}, B: {Type: AWS::SQS::Queue}}").await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "ValidationError",
            "Template format error: Unrecognized resource types: [AWS::S3::Buckets] [Resources/A/Type at 1:13]"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_property_is_told_with_its_place() {
    let body = "Resources:\n  A:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: x\n      \
                SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: http}\n";
    assert_eq!(
        refused(body).await,
        (
            "ValidationError".into(),
            "Properties validation failed for resource A with message: Value of property FromPort must be of type \
             Integer [Resources/A/Properties/SecurityGroupIngress/0/FromPort at 7:39]"
                .into()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn policies_that_are_not_carried_out_are_refused_behind_functions_too() {
    let of = |attribute: &str| {
        format!(
            "Conditions: {{Yes1: !Equals [a, a]}}\nResources: {{A: {{Type: AWS::EC2::VPC, {attribute}, \
             Properties: {{CidrBlock: 10.0.0.0/16}}}}}}"
        )
    };
    let alias = "{CodeDeployLambdaAliasUpdate: {ApplicationName: a}}";
    for policy in [alias.to_owned(), format!("{{\"Fn::If\": [Yes1, {alias}, !Ref AWS::NoValue]}}")] {
        let (code, message) = refused(&of(&format!("UpdatePolicy: {policy}"))).await;
        assert_eq!(code, "NotImplemented", "{message}");
        assert!(message.starts_with("UpdatePolicy.CodeDeployLambdaAliasUpdate of resource A"), "{message}");
    }
    let (code, message) = refused("Resources: {W: {Type: AWS::CloudFormation::WaitCondition}}").await;
    assert_eq!(code, "ValidationError");
    assert!(message.contains("needs a Handle"), "it would wait for nothing: {message}");
    for (policy, expected) in [
        ("{Signals: 1}", "Signals must be an object"),
        ("{Signals: {}}", "unsupported CreationPolicy property Signals"),
        ("{ResourceSignal: {Count: many}}", "Count cannot be \"many\""),
        ("{ResourceSignal: {Count: 9999999999999}}", "Count cannot be 9999999999999"),
        ("{ResourceSignal: {Timeout: 15}}", "Timeout cannot be 15"),
        ("{ResourceSignal: {Timeout: PT13H}}", "Timeout cannot be"),
    ] {
        let (code, message) = refused(&of(&format!("CreationPolicy: {policy}"))).await;
        assert_eq!(code, "ValidationError");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_a_name_of_its_own_is_not_replaced() {
    let given = given();
    let body = |name: &str, kind: &str| {
        format!("Resources: {{Key: {{Type: AWS::EC2::KeyPair, Properties: {{KeyName: {name}, KeyType: {kind}}}}}}}")
    };
    given.create("s", &body("mine", "rsa")).await.unwrap();
    assert_eq!(given.update("s", &body("mine", "ed25519")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let story = given.story("s").await;
    let said = "Key UPDATE_FAILED (CloudFormation cannot update a stack when a custom-named resource requires \
                replacing. Rename mine and update the stack again.)";
    assert!(story.iter().any(|line| line == said), "{story:?}");
    assert_eq!(given.world.ids(), ["Key-1"]);
    assert_eq!(given.update("s", &body("other", "ed25519")).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(given.world.ids(), ["Key-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_template_is_validated_without_a_stack() {
    let given = given();
    let validate = |body: &str| {
        let request = ValidateTemplateRequest { template_body: Some(body.into()), template_url: None };
        given.cx.call(request)
    };
    for (body, expected) in [
        (
            "Resources: {A: {Type: AWS::No::Such}}",
            "Unrecognized resource types: [AWS::No::Such] [Resources/A/Type at 1:13]",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC, DependsOn: B}, B: {Type: AWS::EC2::VPC, DependsOn: A}}",
            "Circular dependency between resources: [A, B] [Resources/A at 1:13]",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC}}\nOutputs: {O: {Value: !GetAtt A.Colour}}",
            "resource A does not support attribute type Colour in Fn::GetAtt [Outputs/O/Value at 2:22]",
        ),
        (
            "Resources: {A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref B}}}",
            "Unresolved resource dependencies [B] in the Resources block of the template [Resources/A/Properties/CidrBlock at 1:62]",
        ),
    ] {
        let (code, message) = code(validate(body).await);
        assert_eq!(code, "ValidationError");
        assert!(message.ends_with(expected), "{message}");
    }
    let fine = validate("Parameters: {P: {Type: String, NoEcho: true}}\nResources: {A: {Type: AWS::S3::Bucket}}")
        .await
        .unwrap();
    assert_eq!((fine.parameters.len(), fine.parameters[0].no_echo), (1, Some(true)));
}
