//! Stacks within stacks: made, told of, failed and removed.

use super::given::*;
use kiln_cloudformation_shapes::*;

/// A network with one output.
pub const NET: &str = r#"
Parameters: {Cidr: {Type: String, Default: 10.0.0.0/16}}
Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}}
Outputs: {Id: {Value: !Ref Vpc}}
"#;

/// A parent of it, whose group is in the network.
pub fn parent(url: &str, cidr: &str) -> String {
    format!(
        r#"
Resources:
  Net: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: "{url}", Parameters: {{Cidr: {cidr}}}, Tags: [{{Key: of, Value: net}}]}}}}
  Group: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: x, VpcId: !GetAtt Net.Outputs.Id}}}}
Outputs: {{Net: {{Value: !Ref Net}}}}
"#
    )
}

impl Given {
    /// The nested stack behind a logical id, by its ARN.
    pub async fn nested(&self, stack: &str, logical_id: &str) -> Stack {
        let request = DescribeStackResourceRequest { stack_name: stack.into(), logical_resource_id: logical_id.into() };
        let detail = self.cx.call(request).await.unwrap().stack_resource_detail.unwrap();
        self.stack(&detail.physical_resource_id.expect("it was made")).await
    }
}

fn id(stack: &Stack) -> String {
    stack.stack_id.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stack_within_a_stack_is_made_used_and_removed_in_order() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    let create = CreateStackRequest {
        stack_name: "app".into(),
        template_body: Some(parent(&url, "10.7.0.0/16")),
        tags: vec![Tag { key: "team".into(), value: "shop".into() }],
        ..Default::default()
    };
    assert_eq!(given.create_with(create).await.unwrap(), "CREATE_COMPLETE", "{:?}", given.story("app").await);
    assert_eq!(
        given.story("app").await,
        [
            "app CREATE_IN_PROGRESS (User Initiated)",
            "Net CREATE_IN_PROGRESS",
            "Net CREATE_IN_PROGRESS (Resource creation Initiated)",
            "Net CREATE_COMPLETE",
            "Group CREATE_IN_PROGRESS",
            "Group CREATE_IN_PROGRESS (Resource creation Initiated)",
            "Group CREATE_COMPLETE",
            "app CREATE_COMPLETE"
        ]
    );
    assert_eq!(
        given.world.shown(),
        [r#"Group-2 {"GroupDescription":"x","VpcId":"Vpc-1"}"#, r#"Vpc-1 {"CidrBlock":"10.7.0.0/16"}"#]
    );
    let (app, net) = (given.stack("app").await, given.nested("app", "Net").await);
    let name = net.stack_name.clone().unwrap();
    assert!(name.starts_with("app-Net-") && name.len() == "app-Net-".len() + 12, "{name}");
    assert_eq!((net.parent_id.as_ref(), net.root_id.as_ref()), (app.stack_id.as_ref(), app.stack_id.as_ref()));
    assert_eq!((&app.parent_id, &app.root_id), (&None, &None));
    assert_eq!(app.outputs[0].output_value, net.stack_id);
    let tags: Vec<_> = net.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("of", "net"), ("team", "shop")]);
    let listed = given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries;
    let parents: Vec<_> = listed.iter().map(|stack| (stack.stack_name.as_deref(), stack.parent_id.clone())).collect();
    assert_eq!(parents, [(Some(&*name), app.stack_id.clone()), (Some("app"), None)]);
    assert_eq!(given.delete("app").await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.world.take_log()[2..], ["delete Group-2", "delete Vpc-1"]);
    assert_eq!(given.stack(&id(&net)).await.stack_status.as_deref(), Some("DELETE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_fails_its_parent_and_is_removed() {
    let given = given();
    let two = format!(
        "{}  Other: {{Type: AWS::EC2::InternetGateway}}\n",
        NET.replace("Resources: {Vpc: ", "Resources:\n  Vpc: ")
            .replace("!Ref Cidr}}}", "!Ref Cidr}}\n")
            .replace("Outputs: {Id: {Value: !Ref Vpc}}", "")
    );
    let two = two.replace("\n\n\n", "\n");
    let url = given.put("net.yaml", &two).await;
    given.world.refuse("create Vpc");
    given.world.slow.lock().insert("Other".into(), 1_000);
    let body =
        format!("Resources: {{Net: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: \"{url}\"}}}}}}");
    assert_eq!(given.create("app", &body).await.unwrap(), "ROLLBACK_COMPLETE");
    let listed = given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries;
    let net = listed[0].stack_id.clone().unwrap();
    let failed = format!(
        "Net CREATE_FAILED (Embedded stack {net} was not successfully created: The following resource(s) failed to \
         create: [Other, Vpc].)"
    );
    assert!(given.story("app").await.contains(&failed), "{:?}", given.story("app").await);
    let name = listed[0].stack_name.clone().unwrap();
    let own: Vec<String> = given.story(&net).await.into_iter().filter(|line| line.starts_with(&name)).collect();
    let own: Vec<&str> = own.iter().map(|line| line[name.len()..].trim()).collect();
    assert_eq!(
        own,
        [
            "CREATE_IN_PROGRESS (User Initiated)",
            "CREATE_FAILED (The following resource(s) failed to create: [Other, Vpc].)",
            "DELETE_IN_PROGRESS (User Initiated)",
            "DELETE_COMPLETE"
        ]
    );
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_child_cannot_be_is_said_in_its_parents_story() {
    let given = given();
    given.put("net.yaml", NET).await;
    let role =
        given.put("role.yaml", "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}");
    let role = role.await;
    let net = "https://templates.s3.amazonaws.com/net.yaml";
    for (properties, expected) in [
        ("TemplateURL: net.yaml".to_owned(), "TemplateURL must be a supported URL."),
        (format!("TemplateURL: \"{net}x\""), "S3 error: The specified key does not exist.\nFor more information"),
        (
            format!("TemplateURL: \"{net}\", Parameters: {{Cidr: 10.0.0.0/16, Colour: red}}"),
            "Parameters: [Colour] do not exist in the template",
        ),
        (
            format!("TemplateURL: \"{net}\", Parameters: {{Cidr: [a]}}"),
            "Value of property Parameters must be an object with String (or simple type) properties",
        ),
        (
            format!("TemplateURL: \"{net}\", TimeoutInMinutes: 4294967296"),
            "Invalid value 4294967296 for property TimeoutInMinutes",
        ),
        (format!("TemplateURL: \"{role}\""), "Requires capabilities : [CAPABILITY_IAM]"),
    ] {
        let body = format!("Resources: {{Net: {{Type: AWS::CloudFormation::Stack, Properties: {{{properties}}}}}}}");
        assert_eq!(given.create("app", &body).await.unwrap(), "ROLLBACK_COMPLETE", "{properties}");
        let story = given.story("app").await;
        let expected = format!("Net CREATE_FAILED ({expected}");
        assert!(story.iter().any(|line| line.starts_with(&expected)), "{story:?}");
        given.delete("app").await.unwrap();
    }
    // The parent's acknowledgement holds for its children.
    let body =
        format!("Resources: {{Net: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: \"{role}\"}}}}}}");
    let create = CreateStackRequest {
        stack_name: "app".into(),
        template_body: Some(body),
        capabilities: vec!["CAPABILITY_IAM".into()],
        ..Default::default()
    };
    assert_eq!(given.create_with(create).await.unwrap(), "CREATE_COMPLETE");
    assert_eq!(given.nested("app", "Net").await.capabilities, ["CAPABILITY_IAM"]);
}

#[tokio::test(start_paused = true)]
async fn a_childs_address_may_be_the_one_that_its_parents_creator_called() {
    let given = given();
    given.put("net.yaml", NET).await;
    let body = parent("http://kiln.lan:4566/templates/net.yaml", "10.0.0.0/16");
    assert_eq!(given.create("app", &body).await.unwrap(), "ROLLBACK_COMPLETE");
    assert!(given.story("app").await.contains(&"Net CREATE_FAILED (TemplateURL must be a supported URL.)".to_owned()));
    let create = CreateStackRequest { stack_name: "by-name".into(), template_body: Some(body), ..Default::default() };
    given.cx.clone().via_host("kiln.lan:4566").call(create).await.unwrap();
    assert_eq!(given.settled("by-name").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_contains_itself_comes_to_an_end() {
    let given = given();
    let own = "Resources: {Self: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: \"https://s3.amazonaws.com/templates/self.yaml\"}}}";
    given.put("self.yaml", own).await;
    assert_eq!(given.create("s", own).await.unwrap(), "ROLLBACK_COMPLETE");
    let listed = given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries;
    assert_eq!(listed.len(), 20);
    let mut all = vec![];
    for stack in &listed {
        all.extend(given.story(stack.stack_id.as_ref().unwrap()).await);
    }
    assert!(all.contains(&"Self CREATE_FAILED (Stacks can be nested 20 deep at most.)".to_owned()), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn exports_of_a_child_are_used_by_another_and_kept_while_they_are() {
    let given = given();
    let out = given.put("out.yaml", &NET.replace("!Ref Vpc}", "!Ref Vpc, Export: {Name: vpc}}")).await;
    let uses = given
        .put(
            "in.yaml",
            "Resources: {Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: !ImportValue vpc}}}",
        )
        .await;
    let body = format!(
        "Resources:\n  Gives: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: \"{out}\"}}}}\n  \
         Takes: {{Type: AWS::CloudFormation::Stack, DependsOn: Gives, Properties: {{TemplateURL: \"{uses}\"}}}}\n"
    );
    assert_eq!(given.create("app", &body).await.unwrap(), "CREATE_COMPLETE", "{:?}", given.story("app").await);
    let other = "Resources: {G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: !ImportValue vpc}}}";
    given.create("other", other).await.unwrap();
    assert_eq!(given.delete("app").await.unwrap(), "DELETE_FAILED");
    let story = given.story("app").await;
    assert!(
        story.contains(&"Gives DELETE_FAILED (Export vpc cannot be deleted as it is in use by other)".to_owned()),
        "{story:?}"
    );
    given.delete("other").await.unwrap();
    assert_eq!(given.delete("app").await.unwrap(), "DELETE_COMPLETE");
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_concerns_the_whole_is_asked_of_the_stack_at_the_top() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    let create = CreateStackRequest {
        stack_name: "app".into(),
        template_body: Some(parent(&url, "10.0.0.0/16")),
        enable_termination_protection: Some(true),
        ..Default::default()
    };
    given.create_with(create).await.unwrap();
    let net = given.nested("app", "Net").await;
    let (stack_name, name) = (id(&net), net.stack_name.unwrap());
    assert_eq!(net.enable_termination_protection, Some(true));
    let protect =
        UpdateTerminationProtectionRequest { stack_name: stack_name.clone(), enable_termination_protection: false };
    let (_, text) = code(given.cx.call(protect).await);
    assert_eq!(text, "UpdateTerminationProtection cannot be invoked on child stacks");
    let on = ContinueUpdateRollbackRequest { stack_name: stack_name.clone(), ..Default::default() };
    assert_eq!(code(given.cx.call(on).await).1, "RollbackUpdatedStack cannot be invoked on child stacks");
    let text = format!("Stack [{name}] cannot be deleted while TerminationProtection is enabled");
    assert_eq!(code(given.delete(&stack_name).await).1, text);
    let off = UpdateTerminationProtectionRequest { stack_name: "app".into(), enable_termination_protection: false };
    given.cx.call(off).await.unwrap();
    // A child that somebody took away is gone already.
    given.world.take_log();
    assert_eq!(given.delete(&stack_name).await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.delete("app").await.unwrap(), "DELETE_COMPLETE");
    assert_eq!(given.world.take_log(), ["delete Vpc-1", "delete Group-2"]);
}

#[tokio::test(start_paused = true)]
async fn without_rollback_the_child_stays_as_it_is_and_can_be_taken_back() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.world.refuse("create Vpc");
    let create = CreateStackRequest {
        stack_name: "app".into(),
        template_body: Some(parent(&url, "10.0.0.0/16")),
        disable_rollback: Some(true),
        ..Default::default()
    };
    assert_eq!(given.create_with(create).await.unwrap(), "CREATE_FAILED");
    let net = given.nested("app", "Net").await;
    assert_eq!(net.stack_status.as_deref(), Some("CREATE_FAILED"));
    // Mended: the child is made anew, the failed one goes.
    given.world.allow("create Vpc");
    assert_eq!(
        given.update("app", &parent(&url, "10.0.0.0/16")).await.unwrap(),
        "UPDATE_COMPLETE",
        "{:?}",
        given.story("app").await
    );
    assert_ne!(id(&given.nested("app", "Net").await), id(&net));
    assert_eq!(given.settled(&id(&net)).await, "DELETE_COMPLETE");
    assert_eq!(given.world.ids(), ["Group-2", "Vpc-1"]);
}
