//! CloudFormation types: made twice as after a crash, changed, and removed twice.

use super::{ALLOW_ALL, EC2_TRUST, code, platform, root};
use kiln_iam_shapes::*;
use kiln_service_kit::ResourceRequest;
use serde_json::{Value as Json, json};

fn request(name: &str, properties: Json) -> ResourceRequest {
    ResourceRequest {
        stack_id: "s".to_owned(),
        stack_name: "s".to_owned(),
        logical_id: name.to_owned(),
        token: format!("t-{name}"),
        physical_name: format!("s-{name}-1"),
        properties,
        previous: Json::Null,
        previous_tags: vec![],
        since: kiln_service_kit::Timestamp(0),
        tags: vec![],
    }
}

fn changed(before: &ResourceRequest, properties: Json) -> ResourceRequest {
    ResourceRequest { previous: before.properties.clone(), properties, ..before.clone() }
}

#[tokio::test]
async fn a_stack_of_users_groups_and_policies_comes_and_goes() {
    let platform = platform().await;
    let cx = root(&platform);
    let kind = |name: &str| platform.resource_type(&format!("AWS::IAM::{name}")).expect("served");
    let allow: Json = serde_json::from_str(ALLOW_ALL).expect("JSON");
    let trust: Json = serde_json::from_str(EC2_TRUST).expect("JSON");

    let group = request("G", json!({"Policies": [{"PolicyName": "p", "PolicyDocument": allow}]}));
    let user = request("U", json!({"Groups": ["s-G-1"], "Path": "/x/"}));
    let role = request("R", json!({"AssumeRolePolicyDocument": trust}));
    let managed = request("M", json!({"PolicyDocument": allow, "Roles": ["s-R-1"], "Users": ["s-U-1"]}));
    let policy =
        request("P", json!({"PolicyName": "in", "PolicyDocument": allow, "Roles": ["s-R-1"], "Groups": ["s-G-1"]}));
    let inline = request("I", json!({"PolicyName": "one", "RoleName": "s-R-1", "PolicyDocument": allow}));
    let steps = [
        ("Group", &group, "s-G-1"),
        ("User", &user, "s-U-1"),
        ("Role", &role, "s-R-1"),
        ("ManagedPolicy", &managed, "arn:aws:iam::111122223333:policy/s-M-1"),
        ("Policy", &policy, "s-P-1"),
        ("RolePolicy", &inline, "one|s-R-1"),
    ];
    for (name, request, id) in &steps {
        assert_eq!(kind(name).create(&cx, request).await.expect("made"), *id);
        assert_eq!(kind(name).create(&cx, request).await.expect("found"), *id);
        for _ in 0..2 {
            kind(name).complete(&cx, id, request).await.expect("completed");
        }
    }
    let arn = kind("User").attributes(&cx, "s-U-1", &user).await.expect("read")["Arn"].clone();
    assert_eq!(arn, json!("arn:aws:iam::111122223333:user/x/s-U-1"));
    let inline_of_role = || ListRolePoliciesRequest { role_name: "s-R-1".to_owned(), ..Default::default() };
    assert_eq!(cx.call(inline_of_role()).await.expect("listed").policy_names, ["in", "one"]);

    let next = changed(&policy, json!({"PolicyName": "renamed", "PolicyDocument": allow, "Groups": ["s-G-1"]}));
    kind("Policy").update(&cx, "s-P-1", &next).await.expect("updated");
    assert_eq!(cx.call(inline_of_role()).await.expect("listed").policy_names, ["one"]);

    // Six changes of the document never meet the quota of five versions.
    let arn = steps[3].2;
    let mut managed = managed.clone();
    for n in 0..6 {
        let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": format!("a:B{n}"), "Resource": "*"}});
        managed = changed(&managed, json!({"PolicyDocument": document, "Users": ["s-U-1"]}));
        kind("ManagedPolicy").update(&cx, arn, &managed).await.expect("updated");
    }
    let shown = kind("ManagedPolicy").attributes(&cx, arn, &managed).await.expect("read");
    assert_eq!((&shown["DefaultVersionId"], &shown["AttachmentCount"]), (&json!("v7"), &json!(1)));

    for (name, request, id) in
        [("RolePolicy", &inline, "one|s-R-1"), ("Policy", &next, "s-P-1"), ("ManagedPolicy", &managed, arn)]
            .into_iter()
            .chain([("Role", &role, "s-R-1"), ("User", &user, "s-U-1"), ("Group", &group, "s-G-1")])
    {
        kind(name).delete(&cx, id, request).await.expect("deleted");
        kind(name).delete(&cx, id, request).await.expect("gone is fine");
    }
    let get = GetGroupRequest { group_name: "s-G-1".to_owned(), ..Default::default() };
    assert_eq!(code(cx.call(get).await), "NoSuchEntity");
}

#[tokio::test]
async fn a_service_linked_role_is_made_once_and_never_taken_over() {
    let platform = platform().await;
    let cx = root(&platform);
    let kind = platform.resource_type("AWS::IAM::ServiceLinkedRole").expect("served");
    let properties = json!({"AWSServiceName": "autoscaling.amazonaws.com", "CustomSuffix": "x", "Description": "one"});
    let own = request("L", properties);
    let name = "AWSServiceRoleForAutoScaling_x";
    assert_eq!(kind.create(&cx, &own).await.expect("made"), name);
    assert_eq!(kind.create(&cx, &own).await.expect("found"), name);
    let other = request("Other", own.properties.clone());
    assert_eq!(code(kind.create(&cx, &other).await), "InvalidInput");
    assert_eq!(code(kind.create(&cx, &other).await), "InvalidInput");

    let next = changed(&own, json!({"AWSServiceName": "autoscaling.amazonaws.com", "CustomSuffix": "x"}));
    kind.update(&cx, name, &next).await.expect("updated");
    let get = || GetRoleRequest { role_name: name.to_owned() };
    let role = cx.call(get()).await.expect("there").role.unwrap_or_default();
    assert_eq!(
        (role.description.as_deref(), role.path.as_deref()),
        (Some(""), Some("/aws-service-role/autoscaling.amazonaws.com/"))
    );

    kind.delete(&cx, name, &next).await.expect("deleted");
    kind.delete(&cx, name, &next).await.expect("gone is fine");
    assert_eq!(code(cx.call(get()).await), "NoSuchEntity");
}
