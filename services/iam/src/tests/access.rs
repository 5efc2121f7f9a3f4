use super::{ALLOW_ALL, EC2_TRUST, code, platform, refused, root, session, with_key};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Platform};
use std::sync::Arc;

fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
    )
}

/// A user with that inline policy, and the context of its access key.
async fn user(platform: &Arc<Platform>, name: &str, policy: Option<&str>) -> Cx {
    let cx = root(platform);
    cx.call(CreateUserRequest { user_name: name.to_owned(), ..Default::default() }).await.expect("made");
    if let Some(policy) = policy {
        put(&cx, name, "p", policy).await;
    }
    let key = cx.call(CreateAccessKeyRequest { user_name: Some(name.to_owned()) }).await.expect("made");
    with_key(platform, &key.access_key.and_then(|k| k.access_key_id).expect("an id"))
}

async fn put(cx: &Cx, user: &str, policy: &str, document: &str) {
    let put = PutUserPolicyRequest {
        user_name: user.to_owned(),
        policy_name: policy.to_owned(),
        policy_document: document.to_owned(),
    };
    cx.call(put).await.expect("put");
}

fn get(name: &str) -> GetUserRequest {
    GetUserRequest { user_name: Some(name.to_owned()) }
}

#[tokio::test]
async fn nobody_may_do_anything_until_a_policy_says_so() {
    let platform = platform().await;
    let ann = user(&platform, "ann", None).await;
    assert_eq!(
        refused(ann.call(get("ann")).await),
        (
            "AccessDenied".to_owned(),
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: iam:GetUser on resource: \
             arn:aws:iam::111122223333:user/ann because no identity-based policy allows the iam:GetUser action"
                .to_owned()
        )
    );
    let own = allow("iam:*", "arn:aws:iam::*:user/${aws:username}");
    put(&root(&platform), "ann", "own", &own).await;
    // Without a name it is the caller.
    let me = ann.call(GetUserRequest::default()).await.expect("allowed").user.expect("a user");
    assert_eq!(me.user_name.as_deref(), Some("ann"));
    user(&platform, "bob", None).await;
    assert_eq!(code(ann.call(get("bob")).await), "AccessDenied");
}

#[tokio::test]
async fn groups_give_denies_win_and_boundaries_limit() {
    let platform = platform().await;
    let cx = root(&platform);
    let ann = user(&platform, "ann", None).await;
    cx.call(CreateGroupRequest { group_name: "admins".to_owned(), path: None }).await.expect("made");
    let attach = AttachGroupPolicyRequest {
        group_name: "admins".to_owned(),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
    };
    cx.call(attach).await.expect("attached");
    let add = AddUserToGroupRequest { group_name: "admins".to_owned(), user_name: "ann".to_owned() };
    cx.call(add).await.expect("added");
    ann.call(get("ann")).await.expect("allowed by the group");

    let boundary = CreatePolicyRequest {
        policy_name: "boundary".to_owned(),
        policy_document: allow("iam:Get*", "*"),
        ..Default::default()
    };
    let arn = cx.call(boundary).await.expect("made").policy.and_then(|p| p.arn).expect("an arn");
    let set = PutUserPermissionsBoundaryRequest { user_name: "ann".to_owned(), permissions_boundary: arn };
    cx.call(set).await.expect("set");
    ann.call(get("ann")).await.expect("inside the boundary");
    let (_, text) = refused(ann.call(ListRolesRequest::default()).await);
    assert!(text.ends_with("because no permissions boundary allows the iam:ListRoles action"), "{text}");

    let deny = allow("iam:GetUser", "*").replace("Allow", "Deny");
    put(&cx, "ann", "deny", &deny).await;
    let (_, text) = refused(ann.call(get("ann")).await);
    assert!(text.ends_with("with an explicit deny in an identity-based policy"), "{text}");
}

#[tokio::test]
async fn which_policy_may_be_attached_can_be_limited() {
    let platform = platform().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*"},
        {"Effect":"Deny","Action":"iam:AttachUserPolicy","Resource":"*",
         "Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AdministratorAccess"}}}]}"#;
    let ann = user(&platform, "ann", Some(policy)).await;
    let attach = |name: &str| AttachUserPolicyRequest {
        user_name: "ann".to_owned(),
        policy_arn: format!("arn:aws:iam::aws:policy/{name}"),
    };
    ann.call(attach("ReadOnlyAccess")).await.expect("allowed");
    assert_eq!(code(ann.call(attach("AdministratorAccess")).await), "AccessDenied");
}

#[tokio::test]
async fn passing_a_role_is_asked_by_role_and_service() {
    let platform = platform().await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole",
        "Resource":"arn:aws:iam::111122223333:role/web",
        "Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}}"#;
    let ann = user(&platform, "ann", Some(policy)).await;
    let pass = |role: &str, service: &str| {
        let arn = format!("arn:aws:iam::111122223333:role/{role}");
        ann.authorize("iam:PassRole", &[arn], &[("iam:PassedToService", service.to_owned())])
    };
    pass("web", "ec2.amazonaws.com").expect("allowed");
    assert!(pass("web", "lambda.amazonaws.com").is_err());
    assert!(pass("admin", "ec2.amazonaws.com").is_err());
}

#[tokio::test]
async fn sessions_have_the_rights_of_the_role_their_policies_and_tags() {
    let platform = platform().await;
    let cx = root(&platform);
    let create = || CreateRoleRequest {
        role_name: "r".to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        ..Default::default()
    };
    let role = cx.call(create()).await.expect("made").role.expect("a role");
    let put = |document: &str| PutRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_name: "p".to_owned(),
        policy_document: document.to_owned(),
    };
    cx.call(put(ALLOW_ALL)).await.expect("put");
    let list = ListRolesRequest::default;
    session(&cx, &role, &[]).call(list()).await.expect("allowed by the role");
    let limited = session(&cx, &role, &[&allow("iam:GetRole", "*")]);
    assert_eq!(code(limited.call(list()).await), "AccessDenied");
    limited.call(GetRoleRequest { role_name: "r".to_owned() }).await.expect("allowed by both");
    let by_arn = session(&cx, &role, &["arn:aws:iam::aws:policy/IAMFullAccess"]);
    by_arn.call(list()).await.expect("allowed by both");

    let tagged = ALLOW_ALL.replace(
        r#""Resource":"*""#,
        r#""Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#,
    );
    cx.call(put(&tagged)).await.expect("put");
    session(&cx, &role, &[]).call(list()).await.expect("allowed by the session's tag");

    // A role of the same name made anew is another role.
    cx.call(DeleteRolePolicyRequest { role_name: "r".to_owned(), policy_name: "p".to_owned() }).await.expect("deleted");
    cx.call(DeleteRoleRequest { role_name: "r".to_owned() }).await.expect("deleted");
    cx.call(create()).await.expect("made");
    cx.call(put(ALLOW_ALL)).await.expect("put");
    assert_eq!(code(session(&cx, &role, &[]).call(list()).await), "AccessDenied");
}

#[tokio::test]
async fn tags_are_those_of_what_the_call_is_about() {
    let platform = platform().await;
    let locked = || vec![Tag { key: "locked".to_owned(), value: "yes".to_owned() }];
    let statement = |effect: &str, condition: &str| {
        format!(r#"{{"Effect":"{effect}","Action":"iam:*","Resource":"*"{condition}}}"#)
    };
    let if_locked = r#","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"}}"#;
    let document =
        |statements: &[String]| format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let not_locked = document(&[statement("Allow", ""), statement("Deny", if_locked)]);
    let bob = user(&platform, "bob", Some(&not_locked)).await;
    let ann = user(&platform, "ann", Some(&not_locked)).await;
    let key_id =
        ann.call(ListAccessKeysRequest::default()).await.expect("listed").access_key_metadata[0].clone().access_key_id;
    let root = root(&platform);
    root.call(TagUserRequest { user_name: "ann".to_owned(), tags: locked() }).await.expect("tagged");
    let policy = CreatePolicyRequest {
        policy_name: "p".to_owned(),
        policy_document: not_locked.clone(),
        tags: locked(),
        ..Default::default()
    };
    let policy_arn = root.call(policy).await.expect("made").policy.expect("one").arn.expect("an ARN");

    // What exists already has its tags, though something is created for it.
    assert_eq!(code(bob.call(CreateAccessKeyRequest { user_name: Some("ann".to_owned()) }).await), "AccessDenied");
    let version = CreatePolicyVersionRequest { policy_arn, policy_document: not_locked, ..Default::default() };
    assert_eq!(code(bob.call(version).await), "AccessDenied");
    // Who names nobody means themselves.
    let update = UpdateAccessKeyRequest {
        access_key_id: key_id.expect("an id"),
        status: "Inactive".to_owned(),
        ..Default::default()
    };
    assert_eq!(code(ann.call(update).await), "AccessDenied");
    // A group has no tags, whoever is put into it.
    let only_locked = document(&[statement("Allow", if_locked)]);
    let eve = user(&platform, "eve", Some(&only_locked)).await;
    let admins = CreateGroupRequest { group_name: "admins".to_owned(), ..Default::default() };
    root.call(admins).await.expect("made");
    let add = AddUserToGroupRequest { group_name: "admins".to_owned(), user_name: "ann".to_owned() };
    assert_eq!(code(eve.call(add).await), "AccessDenied");
    eve.call(get("ann")).await.expect("a user who is tagged so");
}
