//! NoEcho: a secret is used and never told.

use super::given::*;
use kiln_cloudformation_shapes::*;

const BODY: &str = r#"
Parameters:
  Secret: {Type: String, NoEcho: true, Default: hunter2}
  Words: {Type: CommaDelimitedList, NoEcho: "true", Default: "hunter3,hunter4"}
  Open: {Type: String, Default: seen}
Mappings: {M: {hunter2: {a: b}}}
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: !Sub "${Open} ${Secret}"
      GroupName: !Base64 {Ref: Secret}
      VpcId: !Select [1, !Ref Words]
  Mapped: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: !FindInMap [M, !Ref Secret, a]}}
"#;

async fn told(given: &Given) -> String {
    let request = DescribeStackEventsRequest { stack_name: "s".into(), next_token: None };
    let events = given.cx.call(request).await.unwrap().stack_events;
    let texts = events.into_iter().filter_map(|event| Some(format!("{} ", event.resource_properties?)));
    texts.collect::<String>() + &format!("{:?}", given.stack("s").await.parameters)
}

#[tokio::test(start_paused = true)]
async fn the_thing_has_the_secret_and_no_answer_has() {
    let given = given();
    assert_eq!(given.create("s", BODY).await.unwrap(), "CREATE_COMPLETE", "{:?}", given.story("s").await);
    let made = given.world.shown().join(" ");
    assert!(made.contains("seen hunter2") && made.contains("hunter4") && made.contains("aHVudGVyMg=="), "{made}");
    let told = told(&given).await;
    for secret in ["hunter", "aHVudGVy"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert!(told.contains("seen ****"), "{told}");
    assert!(told.contains(r#"{"GroupDescription":"****"}"#), "what cannot be worked out is hidden whole: {told}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_quotes_a_secret_is_told_without_it() {
    let given = given();
    given.world.quote("create Group");
    assert_eq!(given.create("s", BODY).await.unwrap(), "ROLLBACK_COMPLETE");
    let story = given.story("s").await.join("\n");
    assert!(story.contains("cannot be seen ****") && !story.contains("hunter"), "{story}");
}
