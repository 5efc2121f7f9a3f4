//! Stacks within stacks: changed together, led back together, through crashes.

use super::given::*;
use super::nested::{NET, parent};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::Chaos;
use std::time::Duration;

/// One more thing in the parent, made when the child is done.
fn with_late(body: &str) -> String {
    let late = "  Late: {Type: AWS::EC2::InternetGateway, DependsOn: [Net, Group]}\nOutputs:";
    body.replace("Outputs:", late)
}

fn status(stack: &Stack) -> &str {
    stack.stack_status.as_deref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_child_follows_its_parameters_and_its_template() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let net = given.nested("app", "Net").await.stack_id.unwrap();
    let (count, own) = (given.story("app").await.len(), given.story(&net).await.len());
    // Nothing to do for the child: the parent looks at it, it does not notice.
    assert_eq!(given.update("app", &parent(&url, "10.0.0.0/16")).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(
        given.story_since("app", count).await,
        [
            "app UPDATE_IN_PROGRESS (User Initiated)",
            "Net UPDATE_IN_PROGRESS",
            "Net UPDATE_COMPLETE",
            "app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "app UPDATE_COMPLETE"
        ]
    );
    assert_eq!(given.story(&net).await.len(), own);
    // Another parameter: the VPC is replaced, and its user with it, before the old ones go.
    given.world.take_log();
    assert_eq!(given.update("app", &parent(&url, "10.1.0.0/16")).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(given.world.take_log(), ["create Vpc-3", "create Group-4", "delete Group-2", "delete Vpc-1"]);
    assert_eq!(status(&given.stack(&net).await), "UPDATE_COMPLETE");
    let name = given.stack(&net).await.stack_name.unwrap();
    let own = given.story_since(&net, own).await;
    let own: Vec<&str> = own.iter().map(|line| line.trim_start_matches(&*name).trim()).collect();
    assert_eq!(own[0], "UPDATE_IN_PROGRESS (User Initiated)");
    assert_eq!(
        own[own.len() - 4..],
        ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "Vpc DELETE_IN_PROGRESS", "Vpc DELETE_COMPLETE", "UPDATE_COMPLETE"]
    );
    // The same parent, another template behind the same URL.
    given
        .put(
            "net.yaml",
            &NET.replace("Outputs:", "Outputs:\n")
                .replace("Resources: {", "Resources: {Gate: {Type: AWS::EC2::InternetGateway}, ")
                .replace("Outputs:\n {", "Outputs: {"),
        )
        .await;
    let again = UpdateStackRequest { template_body: None, use_previous_template: Some(true), ..update("app", "") };
    given.cx.call(again).await.unwrap();
    assert_eq!(given.settled("app").await, "UPDATE_COMPLETE", "{:?}", given.story("app").await);
    assert_eq!(given.world.ids(), ["Gate-5", "Group-4", "Vpc-3"]);
    given.delete("app").await.unwrap();
    assert!(given.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_changed_on_its_own_waits_for_nobody() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let net = given.nested("app", "Net").await.stack_id.unwrap();
    let cidr = Parameter {
        parameter_key: Some("Cidr".into()),
        parameter_value: Some("10.1.0.0/16".into()),
        ..Default::default()
    };
    let own = UpdateStackRequest { parameters: vec![cidr], ..update(&net, NET) };
    given.cx.call(own).await.unwrap();
    assert_eq!(given.settled(&net).await, "UPDATE_COMPLETE");
    assert_eq!(given.world.ids(), ["Group-2", "Vpc-3"]);
    // The parent's next update makes it what the parent says.
    assert_eq!(given.update("app", &parent(&url, "10.0.0.0/16")).await.unwrap(), "UPDATE_COMPLETE");
    assert!(
        given.world.shown().contains(&r#"Vpc-4 {"CidrBlock":"10.0.0.0/16"}"#.to_owned()),
        "{:?}",
        given.world.shown()
    );
    assert!(given.world.shown()[0].ends_with(r#""VpcId":"Vpc-4"}"#), "its user follows: {:?}", given.world.shown());
}

#[tokio::test(start_paused = true)]
async fn a_change_set_shows_that_a_child_is_looked_at() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let set = CreateChangeSetRequest {
        change_set_name: "c".into(),
        stack_name: "app".into(),
        use_previous_template: Some(true),
        ..Default::default()
    };
    let whole = CreateChangeSetRequest { include_nested_stacks: Some(true), ..set.clone() };
    let (code, text) = code(given.cx.call(whole.clone()).await);
    assert_eq!(code, "NotImplemented");
    assert!(text.contains("IncludeNestedStacks"), "{text}");
    // Where there are none to include, nothing is left out.
    let none = CreateChangeSetRequest {
        change_set_name: "none".into(),
        template_body: Some(NET.into()),
        use_previous_template: None,
        ..whole
    };
    given.cx.call(none).await.unwrap();
    given.cx.call(set).await.unwrap();
    let shown =
        DescribeChangeSetRequest { change_set_name: "c".into(), stack_name: Some("app".into()), ..Default::default() };
    let shown = given.cx.call(shown).await.unwrap();
    assert_eq!(shown.status.as_deref(), Some("CREATE_COMPLETE"));
    let mut changes = shown.changes.into_iter().filter_map(|change| change.resource_change);
    let change = changes.find(|change| change.logical_resource_id.as_deref() == Some("Net")).unwrap();
    assert_eq!(
        (change.logical_resource_id.as_deref(), change.action.as_deref(), change.replacement.as_deref()),
        (Some("Net"), Some("Modify"), Some("False"))
    );
    assert_eq!(change.details[0].change_source.as_deref(), Some("Automatic"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_gives_the_child_the_very_things_it_had() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let before = given.world.shown();
    given.world.refuse("create Late");
    assert_eq!(
        given.update("app", &with_late(&parent(&url, "10.1.0.0/16"))).await.unwrap(),
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(given.world.shown(), before);
    let net = given.nested("app", "Net").await;
    assert_eq!((status(&net), net.outputs[0].output_value.as_deref()), ("UPDATE_ROLLBACK_COMPLETE", Some("Vpc-1")));
    assert_eq!(net.parameters[0].parameter_value.as_deref(), Some("10.0.0.0/16"));
    // The same where only the template behind the URL was another.
    given.put("net.yaml", &NET.replace("!Ref Cidr", "10.2.0.0/16")).await;
    assert_eq!(
        given.update("app", &with_late(&parent(&url, "10.0.0.0/16"))).await.unwrap(),
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(given.world.shown(), before);
    // And then it works.
    given.world.allow("create Late");
    assert_eq!(given.update("app", &with_late(&parent(&url, "10.0.0.0/16"))).await.unwrap(), "UPDATE_COMPLETE");
    assert!(given.world.shown().iter().any(|thing| thing.contains("10.2.0.0/16")));
    assert_eq!(given.world.ids().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_be_updated_fails_its_parent() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let before = given.world.shown();
    let net = given.nested("app", "Net").await.stack_id.unwrap();
    given.world.refuse("create Vpc");
    assert_eq!(given.update("app", &parent(&url, "10.1.0.0/16")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let failed = format!(
        "Net UPDATE_FAILED (Embedded stack {net} was not successfully updated. Currently in \
         UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to update: [Vpc].)"
    );
    assert!(given.story("app").await.contains(&failed), "{:?}", given.story("app").await);
    assert_eq!(given.world.shown(), before);
    assert_eq!(status(&given.stack(&net).await), "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn what_another_failure_cancels_goes_back_too() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    let body =
        |cidr: &str| parent(&url, cidr).replace("Outputs:", "  Gate: {Type: AWS::EC2::InternetGateway}\nOutputs:");
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let before = given.world.shown();
    given.world.slow.lock().insert("Vpc".into(), 100);
    given.world.refuse("create Gate");
    assert_eq!(given.update("app", &body("10.1.0.0/16")).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    let story = given.story("app").await;
    assert!(story.contains(&"Net UPDATE_FAILED (Resource update cancelled)".to_owned()), "{story:?}");
    assert_eq!(given.world.shown(), before);
    let net = given.nested("app", "Net").await;
    assert_eq!(status(&net), "UPDATE_ROLLBACK_COMPLETE", "{:?}", given.story(net.stack_id.as_ref().unwrap()).await);
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_is_blocked_goes_on_from_the_top() {
    let given = given();
    let net =
        NET.replace("{Vpc:", "{Gate: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: !Ref Cidr}}, Vpc:");
    let url = given.put("net.yaml", &net.replace("CidrBlock: !Ref Cidr", "CidrBlock: 10.0.0.0/16")).await;
    let body = |cidr: &str| parent(&url, cidr);
    given.create("app", &body("a")).await.unwrap();
    // The group is replaced by its description; the tags are changed in place, and cannot be changed back.
    given
        .put("net.yaml", &net.replace("CidrBlock: !Ref Cidr", "CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true"))
        .await;
    given.world.slow.lock().insert("Late".into(), 1_000);
    given.cx.call(update("app", &with_late(&body("a")))).await.unwrap();
    given.until("app", "Net UPDATE_COMPLETE").await;
    given.world.refuse("update Vpc");
    let cancel = CancelUpdateStackRequest { stack_name: "app".into(), ..Default::default() };
    given.cx.call(cancel).await.unwrap();
    assert_eq!(given.settled("app").await, "UPDATE_ROLLBACK_FAILED", "{:?}", given.story("app").await);
    let child = given.nested("app", "Net").await;
    assert_eq!(status(&child), "UPDATE_ROLLBACK_FAILED");
    let on = |skip: Vec<String>| ContinueUpdateRollbackRequest {
        stack_name: "app".into(),
        resources_to_skip: skip,
        ..Default::default()
    };
    given.cx.call(on(vec![])).await.unwrap();
    assert_eq!(given.settled("app").await, "UPDATE_ROLLBACK_FAILED");
    let skip = format!("{}.Vpc", child.stack_name.unwrap());
    given.cx.call(on(vec![skip])).await.unwrap();
    assert_eq!(given.settled("app").await, "UPDATE_ROLLBACK_COMPLETE", "{:?}", given.story("app").await);
    assert_eq!(status(&given.nested("app", "Net").await), "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn without_rollback_an_update_is_mended_or_taken_back_as_a_whole() {
    for mended in [true, false] {
        let given = given();
        let url = given.put("net.yaml", NET).await;
        given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
        let before = given.world.shown();
        given.world.refuse("create Late");
        let body = with_late(&parent(&url, "10.1.0.0/16"));
        let keep = UpdateStackRequest { disable_rollback: Some(true), ..update("app", &body) };
        given.cx.call(keep).await.unwrap();
        assert_eq!(given.settled("app").await, "UPDATE_FAILED");
        // The child has done its part, and keeps what it replaced.
        let net = given.nested("app", "Net").await;
        assert_eq!(status(&net), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
        assert_eq!(given.world.ids().len(), 4);
        if mended {
            given.world.allow("create Late");
            assert_eq!(given.update("app", &with_late(&parent(&url, "10.2.0.0/16"))).await.unwrap(), "UPDATE_COMPLETE");
            assert_eq!(given.world.ids().len(), 3, "{:?}", given.world.shown());
            assert!(given.world.shown().iter().any(|thing| thing.contains("10.2.0.0/16")));
        } else {
            let back = RollbackStackRequest { stack_name: "app".into(), ..Default::default() };
            given.cx.call(back).await.unwrap();
            assert_eq!(given.settled("app").await, "UPDATE_ROLLBACK_COMPLETE");
            assert_eq!(given.world.shown(), before);
        }
        let expected = if mended { "UPDATE_COMPLETE" } else { "UPDATE_ROLLBACK_COMPLETE" };
        assert_eq!(status(&given.nested("app", "Net").await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_an_update_adds_goes_with_it_and_one_that_it_removes_stays_until_it_succeeds() {
    let given = given();
    let url = given.put("net.yaml", NET).await;
    let other =
        parent(&url, "10.0.0.0/16").replace("Net:", "New:").replace("Net.", "New.").replace("!Ref Net", "!Ref New");
    given.create("app", &parent(&url, "10.0.0.0/16")).await.unwrap();
    let before = given.world.shown();
    given.world.refuse("create Late");
    assert_eq!(
        given.update("app", &with_late(&other).replace("[Net,", "[New,")).await.unwrap(),
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(given.world.shown(), before);
    given.world.allow("create Late");
    assert_eq!(given.update("app", &other).await.unwrap(), "UPDATE_COMPLETE");
    let left = given.cx.call(DescribeStacksRequest::default()).await.unwrap().stacks;
    let mut names: Vec<String> =
        left.into_iter().filter_map(|stack| stack.stack_name).map(|name| name.chars().take(7).collect()).collect();
    names.sort();
    assert_eq!(names, ["app", "app-New"]);
    assert_eq!(given.world.ids().len(), 2);
}

/// Three stacks within each other.
async fn deep(given: &Given, cidr: &str) -> String {
    let net = given.put("net.yaml", NET).await;
    let middle = format!(
        "Parameters: {{Cidr: {{Type: String}}}}\nResources: {{Inner: {{Type: AWS::CloudFormation::Stack, Properties: \
         {{TemplateURL: \"{net}\", Parameters: {{Cidr: !Ref Cidr}}}}}}}}\n\
         Outputs: {{Id: {{Value: !GetAtt Inner.Outputs.Id}}}}\n"
    );
    parent(&given.put("middle.yaml", &middle).await, cidr)
}

/// A whole life: create, update with replacement, a failed update, delete. What is there after each.
async fn life(given: &Given) -> Vec<Vec<String>> {
    let kinds = |given: &Given| {
        let kind = |thing: String| Some(thing.split_once('-')?.0.to_owned() + thing.split_once(' ')?.1);
        given
            .world
            .shown()
            .into_iter()
            .filter_map(kind)
            .filter(|thing| thing.starts_with("Vpc"))
            .chain([given.world.ids().len().to_string()])
            .collect::<Vec<String>>()
    };
    let mut seen = vec![];
    assert_eq!(
        given.create("s", &deep(given, "10.0.0.0/16").await).await.unwrap(),
        "CREATE_COMPLETE",
        "{:?}",
        given.story("s").await
    );
    seen.push(kinds(given));
    assert_eq!(
        given.update("s", &deep(given, "10.1.0.0/16").await).await.unwrap(),
        "UPDATE_COMPLETE",
        "{:?}",
        given.story("s").await
    );
    seen.push(kinds(given));
    given.world.refuse("create Late");
    let failing = with_late(&deep(given, "10.2.0.0/16").await);
    assert_eq!(given.update("s", &failing).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE", "{:?}", given.story("s").await);
    seen.push(kinds(given));
    assert_eq!(given.delete("s").await.unwrap(), "DELETE_COMPLETE", "{:?}", given.story("s").await);
    seen.push(kinds(given));
    let left = given.cx.call(DescribeStacksRequest::default()).await.unwrap().stacks;
    assert!(left.is_empty(), "{left:?}");
    let all = given.cx.call(ListStacksRequest::default()).await.unwrap().stack_summaries;
    assert_eq!(all.len(), 3, "no stack was made twice");
    seen
}

fn expected() -> Vec<Vec<String>> {
    let there = |cidr: &str| vec![format!("Vpc{{\"CidrBlock\":\"{cidr}\"}}"), "2".to_owned()];
    vec![there("10.0.0.0/16"), there("10.1.0.0/16"), there("10.1.0.0/16"), vec!["0".to_owned()]]
}

#[tokio::test(start_paused = true)]
async fn every_step_may_happen_twice() {
    assert_eq!(life(&given_with(every_step_twice())).await, expected());
}

#[tokio::test(start_paused = true)]
async fn every_step_may_break_once() {
    for kind in [Chaos::FailBefore, Chaos::FailAfter] {
        assert_eq!(life(&given_with(every_step_broken_once(kind))).await, expected(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_again_and_again_still_comes_to_the_end() {
    let mut given = given();
    async fn through(given: &mut Given, name: &str) -> String {
        given.world.slow.lock().extend(["Vpc", "Group"].map(|name| (name.to_owned(), 5)));
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(7)).await;
            given.restart();
        }
        given.settled(name).await
    }
    let body = deep(&given, "10.0.0.0/16").await;
    let create = CreateStackRequest { stack_name: "s".into(), template_body: Some(body), ..Default::default() };
    given.cx.call(create).await.unwrap();
    assert_eq!(through(&mut given, "s").await, "CREATE_COMPLETE");
    assert_eq!(given.world.ids().len(), 2);
    let before = given.world.shown();
    given.world.refuse("create Late");
    let failing = with_late(&deep(&given, "10.2.0.0/16").await);
    given.cx.call(update("s", &failing)).await.unwrap();
    assert_eq!(through(&mut given, "s").await, "UPDATE_ROLLBACK_COMPLETE", "{:?}", given.story("s").await);
    assert_eq!(given.world.shown(), before);
    let id = given.stack("s").await.stack_id.unwrap();
    given.cx.call(DeleteStackRequest { stack_name: "s".into(), ..Default::default() }).await.unwrap();
    assert_eq!(through(&mut given, &id).await, "DELETE_COMPLETE");
    assert!(given.world.ids().is_empty());
}
