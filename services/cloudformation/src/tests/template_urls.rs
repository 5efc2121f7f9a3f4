//! Templates and policies that a request points at in S3.

use super::given::*;
use kiln_cloudformation_shapes::*;
use kiln_s3_shapes::PutObjectRequest;
use kiln_service_kit::Blob;

const VPC: &str = "Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}";

fn at(url: &str) -> CreateStackRequest {
    CreateStackRequest { stack_name: "s".into(), template_url: Some(url.into()), ..Default::default() }
}

/// A template of so many bytes.
fn of_size(bytes: usize) -> String {
    let head = format!("{VPC}\n#");
    format!("{head}{}", "x".repeat(bytes - head.len()))
}

#[tokio::test(start_paused = true)]
async fn every_operation_takes_a_template_from_a_bucket() {
    let given = given();
    let url = given.put("net.yaml", &of_size(60_000)).await;
    assert_eq!(given.create_with(at(&url)).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.world.ids(), ["Vpc-1"]);
    let get = GetTemplateRequest { stack_name: Some("s".into()), ..Default::default() };
    assert_eq!(given.cx.call(get).await.unwrap().template_body.unwrap().len(), 60_000);
    let fine = ValidateTemplateRequest { template_body: None, template_url: Some(url.clone()) };
    given.cx.call(fine).await.unwrap();
    let summary = GetTemplateSummaryRequest { template_url: Some(url.clone()), ..Default::default() };
    assert_eq!(given.cx.call(summary).await.unwrap().resource_types, ["AWS::EC2::VPC"]);
    // The same template again, by its URL or as the one before: nothing to do.
    let same = UpdateStackRequest { template_body: None, template_url: Some(url.clone()), ..update("s", "") };
    assert_eq!(code(given.cx.call(same).await).1, "No updates are to be performed.");
    let same = UpdateStackRequest { template_body: None, use_previous_template: Some(true), ..update("s", "") };
    assert_eq!(code(given.cx.call(same).await).1, "No updates are to be performed.");
    given.put("net.yaml", &of_size(70_000).replace("10.0", "10.1")).await;
    let set = CreateChangeSetRequest {
        change_set_name: "c".into(),
        stack_name: "s".into(),
        template_url: Some(url.clone()),
        ..Default::default()
    };
    given.cx.call(set).await.unwrap();
    let run =
        ExecuteChangeSetRequest { change_set_name: "c".into(), stack_name: Some("s".into()), ..Default::default() };
    given.cx.call(run).await.unwrap();
    assert_eq!(given.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(given.world.shown(), [r#"Vpc-2 {"CidrBlock":"10.1.0.0/16"}"#]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused_in_awss_words() {
    let given = given();
    given.put("long.yaml", &of_size(1_000_001)).await;
    given.put("limit.yaml", &of_size(1_000_000)).await;
    given.put("empty.yaml", "").await;
    let bytes = PutObjectRequest {
        bucket: "templates".into(),
        key: "bytes".into(),
        body: Some(Blob(vec![0xff; 9])),
        ..Default::default()
    };
    given.cx.call(bytes).await.unwrap();
    let check = |url: &str| {
        let url = format!("https://s3.amazonaws.com/{url}");
        given.cx.call(ValidateTemplateRequest { template_body: None, template_url: Some(url) })
    };
    check("templates/limit.yaml").await.unwrap();
    for (url, expected) in [
        ("templates/none.yaml", "S3 error: The specified key does not exist.\nFor more information check http"),
        ("nowhere/net.yaml", "S3 error: The specified bucket does not exist\nFor more information check http"),
        ("templates/limit.yaml?versionId=v1", "S3 error: Invalid version id specified\n"),
        ("templates", "TemplateURL must reference a valid S3 object to which you have access."),
        ("templates/long.yaml", "Template may not exceed 1000000 bytes in size."),
        ("templates/empty.yaml", "Template format error: "),
        ("templates/bytes", "The object that TemplateURL points at is not text in UTF-8."),
    ] {
        let (code, message) = code(check(url).await);
        assert_eq!(code, "ValidationError");
        assert!(message.starts_with(expected), "{url}: {message}");
    }
    let direct = ValidateTemplateRequest { template_body: Some(of_size(51_201)), template_url: None };
    assert!(code(given.cx.call(direct).await).1.contains("Member must have length less than or equal to 51200"));
    let both = ValidateTemplateRequest { template_body: Some(VPC.into()), template_url: Some("https://x".into()) };
    assert_eq!(code(given.cx.call(both).await).1, "You cannot specify both Template Body and Template URL.");
    let neither = ValidateTemplateRequest { template_body: None, template_url: None };
    assert_eq!(code(given.cx.call(neither).await).1, "Either Template URL or Template Body must be specified.");
}

#[tokio::test(start_paused = true)]
async fn stack_policies_come_from_a_bucket_too() {
    let given = given();
    let deny = r#"{"Statement": {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}}"#;
    let url = given.put("policy.json", deny).await;
    let create = CreateStackRequest {
        stack_name: "s".into(),
        template_body: Some(VPC.into()),
        stack_policy_url: Some(url.clone()),
        ..Default::default()
    };
    assert_eq!(given.create_with(create).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.update("s", &VPC.replace("10.0", "10.1")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let long = given.put("long.json", &deny.replace('{', &format!("{{{}", " ".repeat(16_384)))).await;
    let set = |url: String| {
        let stack_name = "s".into();
        given.cx.call(SetStackPolicyRequest { stack_name, stack_policy_body: None, stack_policy_url: Some(url) })
    };
    assert_eq!(code(set(long).await).1, "Stack policy may not exceed 16384 bytes in size.");
    let allow = given.put("allow.json", &deny.replace("Deny", "Allow")).await;
    set(allow).await.unwrap();
    assert_eq!(given.update("s", &VPC.replace("10.0", "10.1")).await.unwrap(), "UPDATE_COMPLETE");
}
