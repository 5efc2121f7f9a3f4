use super::{ALLOW_ALL, EC2_TRUST, code, platform, refused, root};
use kiln_iam_shapes::*;
use kiln_service_kit::ResourceRequest;
use serde_json::json;

fn create(name: &str) -> CreateRoleRequest {
    CreateRoleRequest {
        role_name: name.to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_role_is_shown_with_its_trust_policy_encoded_and_guards_what_hangs_on_it() {
    let platform = platform().await;
    let cx = root(&platform);
    let made = cx.call(create("web")).await.expect("made").role.expect("a role");
    assert_eq!(made.arn.as_deref(), Some("arn:aws:iam::111122223333:role/web"));
    assert_eq!(made.max_session_duration, Some(3600));
    let document = made.assume_role_policy_document.expect("a document");
    assert!(document.starts_with("%7B%22Version%22%3A%222012-10-17%22"), "{document}");
    assert_eq!(code(cx.call(create("WEB")).await), "EntityAlreadyExists");
    let bad = UpdateAssumeRolePolicyRequest { role_name: "web".to_owned(), policy_document: ALLOW_ALL.to_owned() };
    assert_eq!(code(cx.call(bad).await), "MalformedPolicyDocument");

    let profile = || "web".to_owned();
    cx.call(CreateInstanceProfileRequest { instance_profile_name: profile(), ..Default::default() })
        .await
        .expect("made");
    let add = || AddRoleToInstanceProfileRequest { instance_profile_name: profile(), role_name: "web".to_owned() };
    cx.call(add()).await.expect("added");
    assert_eq!(code(cx.call(add()).await), "LimitExceeded");
    let shown = cx.call(GetInstanceProfileRequest { instance_profile_name: profile() }).await.expect("there");
    let roles = shown.instance_profile.expect("a profile").roles;
    assert_eq!(roles.into_iter().filter_map(|r| r.role_name).collect::<Vec<_>>(), ["web"]);
    let delete = || DeleteRoleRequest { role_name: "web".to_owned() };
    assert_eq!(
        refused(cx.call(delete()).await).1,
        "Cannot delete entity, must remove roles from instance profile first."
    );
    assert_eq!(
        code(cx.call(DeleteInstanceProfileRequest { instance_profile_name: profile() }).await),
        "DeleteConflict"
    );
    let remove = RemoveRoleFromInstanceProfileRequest { instance_profile_name: profile(), role_name: "web".to_owned() };
    cx.call(remove).await.expect("removed");
    cx.call(DeleteInstanceProfileRequest { instance_profile_name: profile() }).await.expect("deleted");
    cx.call(delete()).await.expect("deleted");
    assert_eq!(code(cx.call(delete()).await), "NoSuchEntity");
}

#[tokio::test]
async fn cloudformation_makes_changes_and_removes_a_role() {
    let platform = platform().await;
    let cx = root(&platform);
    let kind = platform.resource_type("AWS::IAM::Role").expect("served");
    let trust: serde_json::Value = serde_json::from_str(EC2_TRUST).expect("JSON");
    let allow: serde_json::Value = serde_json::from_str(ALLOW_ALL).expect("JSON");
    let mut request = ResourceRequest {
        stack_id: "s".to_owned(),
        stack_name: "s".to_owned(),
        logical_id: "R".to_owned(),
        token: "t".to_owned(),
        physical_name: "s-R-1".to_owned(),
        properties: json!({
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": "p", "PolicyDocument": allow}],
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            "Tags": [{"Key": "a", "Value": "b"}],
        }),
        previous: serde_json::Value::Null,
        previous_tags: vec![],
        since: kiln_service_kit::Timestamp(0),
        tags: vec![("aws:cloudformation:stack-id".to_owned(), "s".to_owned())],
    };
    let id = kind.create(&cx, &request).await.expect("made");
    // A second try after a crash finds what the first made.
    assert_eq!(kind.create(&cx, &request).await.expect("found"), id);
    let arn = kind.attributes(&cx, &id, &request).await.expect("read")["Arn"].clone();
    assert_eq!(arn, json!("arn:aws:iam::111122223333:role/s-R-1"));

    request.previous = request.properties.clone();
    request.properties = json!({
        "AssumeRolePolicyDocument": trust,
        "PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess",
    });
    kind.update(&cx, &id, &request).await.expect("updated");
    let role = cx.call(GetRoleRequest { role_name: id.clone() }).await.expect("there").role.expect("a role");
    assert!(role.tags.is_empty());
    assert!(role.permissions_boundary.is_some());
    let list = ListRolePoliciesRequest { role_name: id.clone(), ..Default::default() };
    assert!(cx.call(list).await.expect("listed").policy_names.is_empty());
    kind.delete(&cx, &id, &request).await.expect("deleted");
    kind.delete(&cx, &id, &request).await.expect("gone is fine");
}
