//! Wait conditions with a handle: what is put to its URL decides.

use super::given::*;
use crate::signal_wait_condition;
use kiln_cloudformation_shapes::*;

const BODY: &str = "
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: '600', Count: 2}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt Wait.Data}}
Outputs:
  Data: {Value: !GetAtt Wait.Data}
";

async fn begin(given: &Given, name: &str) -> String {
    let request =
        CreateStackRequest { stack_name: name.into(), template_body: Some(BODY.into()), ..Default::default() };
    given.cx.call(request).await.expect("begun");
    given.until(name, "Handle CREATE_COMPLETE").await;
    let request = DescribeStackResourceRequest { stack_name: name.into(), logical_resource_id: "Handle".into() };
    let shown = given.cx.call(request).await.expect("described").stack_resource_detail.expect("a resource");
    shown.physical_resource_id.expect("a URL")
}

async fn put(given: &Given, url: &str, status: &str, id: &str) -> Result<(), kiln_service_kit::Error> {
    let body = format!(r#"{{"Status": "{status}", "Reason": "as told", "UniqueId": "{id}", "Data": "data of {id}"}}"#);
    signal_wait_condition(given.cx.platform(), url, body.as_bytes()).await
}

#[tokio::test(start_paused = true)]
async fn a_stack_waits_for_as_many_signals_as_it_says_over_a_restart() {
    let mut given = given();
    let url = begin(&given, "s").await;
    put(&given, &url, "SUCCESS", "one").await.expect("taken");
    put(&given, &url, "SUCCESS", "one").await.expect("the same again is no other");
    given.until("s", "Wait CREATE_IN_PROGRESS").await;
    given.restart();
    assert_eq!(given.stack("s").await.stack_status.as_deref(), Some("CREATE_IN_PROGRESS"));
    put(&given, &url, "SUCCESS", "two").await.expect("taken");
    assert_eq!(given.settled("s").await, "CREATE_COMPLETE");
    let data = r#"{"one":"data of one","two":"data of two"}"#;
    assert_eq!(given.outputs("s").await, [("Data".to_owned(), data.to_owned())]);
    assert_eq!(given.delete("s").await.expect("deleted"), "DELETE_COMPLETE");
    let (code, _) = code(put(&given, &url, "SUCCESS", "three").await);
    assert_eq!(code, "AccessDenied", "the URL ends with its handle");
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_the_end_of_the_time_rolls_back() {
    let given = given();
    let url = begin(&given, "bad").await;
    put(&given, &url, "FAILURE", "one").await.expect("taken");
    assert_eq!(given.settled("bad").await, "ROLLBACK_COMPLETE");
    let said = "Wait CREATE_FAILED (WaitCondition received failed message: 'as told' for uniqueId: one)";
    assert!(given.story("bad").await.iter().any(|line| line == said), "{:?}", given.story("bad").await);

    let url = begin(&given, "late").await;
    put(&given, &url, "SUCCESS", "one").await.expect("taken");
    assert_eq!(given.settled("late").await, "ROLLBACK_COMPLETE");
    let said = "Wait CREATE_FAILED (WaitCondition timed out. Received 1 conditions when expecting 2)";
    assert!(given.story("late").await.iter().any(|line| line == said), "{:?}", given.story("late").await);
}

#[tokio::test(start_paused = true)]
async fn only_who_has_the_url_may_signal() {
    let given = given();
    let url = begin(&given, "s").await;
    let wrong = [
        url.replace("Signature=", "Signature=0"),
        url.replace("us-east-1", "us-east-2"),
        url.replace("000000000000", "111111111111"),
        url.split('?').next().expect("a path").to_owned(),
    ];
    for url in wrong {
        assert_eq!(code(put(&given, &url, "FAILURE", "one").await).0, "AccessDenied", "{url}");
    }
    put(&given, &url, "SUCCESS", "one").await.expect("taken");
    let (code, message) = code(put(&given, &url, "FAILURE", "one").await);
    assert_eq!(code, "MalformedSignal");
    assert!(message.contains("already received"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_makes_no_sense_is_refused() {
    let given = given();
    for (properties, expected) in [
        ("{Timeout: '5'}", "needs a Handle"),
        ("{Handle: x}", "missing required properties"),
        ("{Handle: x, Timeout: '43201'}", "Timeout"),
    ] {
        let body = format!("Resources: {{W: {{Type: AWS::CloudFormation::WaitCondition, Properties: {properties}}}}}");
        let (_, message) = code(given.create("s", &body).await);
        assert!(message.contains(expected), "{message}");
    }
    let body = "Resources: {W: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: x, Timeout: '5'}}}";
    assert_eq!(given.create("other", body).await.expect("begun"), "ROLLBACK_COMPLETE");
    let story = given.story("other").await;
    assert!(story.iter().any(|line| line.contains("Handle must be the Ref of")), "{story:?}");
}
