//! Change sets after their execution, what they tell, and what fails only when it comes to that.

use super::given::*;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::Error;
use kiln_ssm_shapes::PutParameterRequest;
use serde_json::{Value as Json, json};

const VPC: &str = "Resources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}";

impl Given {
    async fn set(&self, name: &str, kind: &str, body: &str) -> Result<CreateChangeSetResponse, Error> {
        let request = CreateChangeSetRequest {
            change_set_name: name.into(),
            stack_name: "s".into(),
            change_set_type: Some(kind.into()),
            template_body: Some(body.into()),
            ..Default::default()
        };
        self.cx.call(request).await
    }

    async fn execute(&self, name: &str) {
        let request = ExecuteChangeSetRequest {
            change_set_name: name.into(),
            stack_name: (!name.starts_with("arn:")).then(|| "s".into()),
            ..Default::default()
        };
        self.cx.call(request).await.unwrap();
    }

    async fn described(&self, set: &str, values: bool) -> Result<DescribeChangeSetResponse, Error> {
        let request = DescribeChangeSetRequest {
            change_set_name: set.into(),
            stack_name: (!set.starts_with("arn:")).then(|| "s".into()),
            include_property_values: Some(values),
            ..Default::default()
        };
        self.cx.call(request).await
    }

    async fn execution(&self, set: &str) -> String {
        self.described(set, false).await.unwrap().execution_status.unwrap()
    }

    async fn listed(&self) -> Vec<String> {
        let request = ListChangeSetsRequest { stack_name: "s".into(), next_token: None };
        let summaries = self.cx.call(request).await.unwrap().summaries;
        summaries.into_iter().filter_map(|set| set.change_set_name).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_executed_one_gives_its_name_up_and_tells_how_it_went_for_as_long_as_the_stack_is_known() {
    let given = given();
    let first = given.set("c", "CREATE", VPC).await.unwrap().id.unwrap();
    let stack = given.stack("s").await;
    assert_eq!(stack.change_set_id.as_ref(), Some(&first), "a stack in review shows by what");
    assert_eq!((stack.last_updated_time, given.listed().await), (None, vec!["c".to_owned()]));
    given.set("other", "CREATE", VPC).await.unwrap();
    given.world.slow.lock().insert("V".into(), 5);
    given.execute(&first).await;
    assert_eq!(given.execution(&first).await, "EXECUTE_IN_PROGRESS");
    let delete = DeleteChangeSetRequest { change_set_name: first.clone(), stack_name: None };
    assert_eq!(code(given.cx.call(delete).await).0, "InvalidChangeSetStatus");
    assert_eq!(given.settled("s").await, "CREATE_COMPLETE");
    assert_eq!(given.execution(&first).await, "EXECUTE_COMPLETE");
    assert!(given.listed().await.is_empty(), "those that were not executed are gone, the executed one is no choice");
    let stack = given.stack("s").await;
    assert_eq!(stack.change_set_id.as_ref(), Some(&first));
    assert!(stack.last_updated_time.is_some(), "the execution changed a stack that was there");
    // The name is free. AWS does not say what the name of an executed one leads to; here, to it.
    assert_eq!(given.described("c", false).await.unwrap().change_set_id.as_ref(), Some(&first));
    let late = "  L: {Type: AWS::EC2::InternetGateway}\n";
    given.world.refuse("create L");
    let body = format!("Resources:\n  V: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16}}}}\n{late}");
    let second = given.set("c", "UPDATE", &body).await.unwrap().id.unwrap();
    assert_eq!((given.execution("c").await.as_str(), given.listed().await), ("AVAILABLE", vec!["c".to_owned()]));
    given.execute("c").await;
    assert_eq!(given.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(given.execution(&second).await, "EXECUTE_FAILED");
    given.set("never", "UPDATE", &VPC.replace("10.0", "10.1")).await.unwrap();
    given.delete("s").await.unwrap();
    for (set, status) in [(&first, "EXECUTE_COMPLETE"), (&second, "EXECUTE_FAILED")] {
        assert_eq!(given.execution(set).await, status, "told after the stack is gone");
    }
    let named = async |name: &str| {
        let stack_name = stack.stack_id.clone();
        let request = DescribeChangeSetRequest { change_set_name: name.into(), stack_name, ..Default::default() };
        given.cx.call(request).await
    };
    assert_eq!(named("c").await.unwrap().change_set_id.as_ref(), Some(&second), "by its name the one made last");
    assert_eq!(code(named("never").await).0, "ChangeSetNotFound");
    assert_eq!(code(given.described("never", false).await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn contexts_tell_what_a_resource_was_and_will_be() {
    let given = given();
    let body = r#"
Parameters: {Secret: {Type: String, NoEcho: true, Default: unspoken}}
Resources:
  V: {Type: AWS::EC2::VPC, DeletionPolicy: Retain, Metadata: {A: b}, Properties: {CidrBlock: 10.0.0.0/16}}
  Gone: {Type: AWS::EC2::InternetGateway}
"#;
    let after = body.replace("10.0.0.0", "10.1.0.0").replace(
        "  Gone: {Type: AWS::EC2::InternetGateway}",
        "  New: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: !Ref Secret, VpcId: !Ref V}}",
    );
    given.create("s", body).await.unwrap();
    given.set("c", "UPDATE", &after).await.unwrap();
    let contexts = |answer: DescribeChangeSetResponse| -> Vec<(String, Option<Json>, Option<Json>)> {
        let json = |text: Option<String>| text.map(|text| serde_json::from_str(&text).expect("a context is JSON"));
        let changes = answer.changes.into_iter().filter_map(|change| change.resource_change);
        changes.map(|c| (c.logical_resource_id.unwrap(), json(c.before_context), json(c.after_context))).collect()
    };
    let vpc =
        |cidr: &str| json!({"Properties": {"CidrBlock": cidr}, "DeletionPolicy": "Retain", "Metadata": {"A": "b"}});
    let new = json!({"Properties": {"GroupDescription": "****", "VpcId": "{{changeSet:KNOWN_AFTER_APPLY}}"}});
    assert_eq!(
        contexts(given.described("c", true).await.unwrap()),
        [
            ("Gone".to_owned(), Some(json!({"Properties": {}})), None),
            ("New".to_owned(), None, Some(new)),
            ("V".to_owned(), Some(vpc("10.0.0.0/16")), Some(vpc("10.1.0.0/16"))),
        ]
    );
    let without = contexts(given.described("c", false).await.unwrap());
    assert!(without.iter().all(|(_, before, after)| before.is_none() && after.is_none()), "only when asked for");
}

#[tokio::test(start_paused = true)]
async fn import_of_existing_resources_is_taken_where_there_is_nothing_to_import() {
    let given = given();
    let body = "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Name: /own, Type: String, Value: a}}}";
    let request = || CreateChangeSetRequest {
        change_set_name: "c".into(),
        stack_name: "s".into(),
        change_set_type: Some("CREATE".into()),
        template_body: Some(body.into()),
        import_existing_resources: Some(true),
        ..Default::default()
    };
    let put = PutParameterRequest {
        name: "/own".into(),
        value: "b".into(),
        r#type: Some("String".into()),
        ..Default::default()
    };
    given.cx.call(put).await.unwrap();
    let (code, message) = code(given.cx.call(request()).await);
    assert_eq!(code, "NotImplemented", "{message}");
    assert!(message.contains("import of existing resources (P: the AWS::SSM::Parameter /own is there)"), "{message}");
    let gone = kiln_ssm_shapes::DeleteParameterRequest { name: "/own".into() };
    given.cx.call(gone).await.unwrap();
    given.cx.call(request()).await.unwrap();
    given.execute("c").await;
    assert_eq!(given.settled("s").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn what_is_imported_and_is_not_there_fails_at_execution() {
    let given = given();
    let body = "Resources: {V: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !ImportValue nope}}}";
    given.set("c", "CREATE", body).await.unwrap();
    given.execute("c").await;
    assert_eq!(given.settled("s").await, "ROLLBACK_COMPLETE");
    let told = "s ROLLBACK_IN_PROGRESS (No export named nope found. Rollback requested by user.)".to_owned();
    assert!(given.story("s").await.contains(&told), "{:?}", given.story("s").await);
    assert!(given.world.take_log().is_empty(), "nothing was begun");
    // Without a change set it is the same.
    assert_eq!(given.create("t", body).await.unwrap(), "ROLLBACK_COMPLETE");
    given.create("u", VPC).await.unwrap();
    assert_eq!(given.update("u", body).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert!(given.story("u").await.contains(&"u UPDATE_ROLLBACK_IN_PROGRESS (No export named nope found.)".to_owned()));
    // What comes to be before the execution is there.
    let late = body.replace("nope", "late");
    given.delete("s").await.unwrap();
    given.set("c", "CREATE", &late).await.unwrap();
    let gives =
        "Resources: {G: {Type: AWS::EC2::InternetGateway}}\nOutputs: {O: {Value: 10.3.0.0/16, Export: {Name: late}}}";
    given.create("gives", gives).await.unwrap();
    given.execute("c").await;
    assert_eq!(given.settled("s").await, "CREATE_COMPLETE", "{:?}", given.story("s").await);
}
