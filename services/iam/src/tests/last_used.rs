use super::{ACCOUNT, EC2_TRUST, code, platform, root, session, with_key};
use kiln_iam_shapes::*;
use kiln_service_kit::{Caller, CallerKind, Cx, Platform};
use std::sync::Arc;
use std::time::Duration;

async fn last_use(cx: &Cx, id: &str) -> (Option<i64>, Option<String>, Option<String>) {
    let answer = cx.call(GetAccessKeyLastUsedRequest { access_key_id: id.to_owned() }).await.expect("told");
    assert_eq!(answer.user_name.as_deref(), Some("Ann"));
    let used = answer.access_key_last_used.unwrap_or_default();
    (used.last_used_date.map(|at| at.0), used.service_name, used.region)
}

/// A user's key.
async fn key_of_ann(platform: &Arc<Platform>) -> Caller {
    let cx = root(platform);
    cx.call(CreateUserRequest { user_name: "Ann".to_owned(), ..Default::default() }).await.expect("made");
    let key = cx.call(CreateAccessKeyRequest { user_name: Some("ann".to_owned()) }).await.expect("made");
    with_key(platform, &key.access_key.and_then(|k| k.access_key_id).expect("an id")).caller().clone()
}

#[tokio::test(start_paused = true)]
async fn a_key_was_last_used_where_it_was() {
    let platform = platform().await;
    let (cx, access) = (root(&platform), platform.access().expect("iam was started"));
    let ann = key_of_ann(&platform).await;
    let id = ann.access_key.clone();
    let never = (None, Some("N/A".to_owned()), Some("N/A".to_owned()));
    assert_eq!(last_use(&cx, &id).await, never);

    access.used(&ann, "ec2", "eu-west-1");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let at = cx.now().0;
    access.used(&ann, "ssm", "us-east-1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(last_use(&cx, &id).await, (Some(at), Some("ssm".to_owned()), Some("us-east-1".to_owned())));

    // Used, and deleted before it is written: nothing of it comes back.
    access.used(&ann, "ec2", "us-east-1");
    let delete = DeleteAccessKeyRequest { user_name: Some("Ann".to_owned()), access_key_id: id.clone() };
    cx.call(delete).await.expect("deleted");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let of_it = platform.store().get::<crate::records::LastUsed>(&crate::records::everywhere(), &id);
    assert!(of_it.expect("readable").is_none());
    let gone = cx.call(GetAccessKeyLastUsedRequest { access_key_id: id }).await;
    assert_eq!(code(gone), "NoSuchEntity");
    let unknown = cx.call(GetAccessKeyLastUsedRequest { access_key_id: "AKIAUNKNOWN00000".to_owned() }).await;
    assert_eq!(code(unknown), "NoSuchEntity");
}

#[tokio::test(start_paused = true)]
async fn a_role_was_last_used_by_its_sessions_and_by_services_that_take_it_on() {
    let platform = platform().await;
    let (cx, access) = (root(&platform), platform.access().expect("iam was started"));
    let create = CreateRoleRequest {
        role_name: "Shop".to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        tags: vec![Tag { key: "team".to_owned(), value: "blue".to_owned() }],
        ..Default::default()
    };
    let role = cx.call(create).await.expect("made").role.unwrap_or_default();
    let used = async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let get = GetRoleRequest { role_name: "shop".to_owned() };
        let role = cx.call(get).await.expect("there").role.unwrap_or_default();
        let used = role.role_last_used.expect("told even where there is none");
        (used.last_used_date.map(|at| at.0), used.region)
    };
    assert_eq!(used().await, (None, None));

    let at = cx.now().0;
    access.used(session(&cx, &role, &[]).caller(), "s3", "eu-west-1");
    assert_eq!(used().await, (Some(at), Some("eu-west-1".to_owned())));

    // A stack's role: no request, no key, and it may do nothing, which is a use all the same.
    let mut stack = session(&cx, &role, &[]).caller().clone();
    (stack.access_key, stack.user_id) = (String::new(), "Shop:AWSCloudFormation".to_owned());
    let at = cx.now().0;
    let refused = cx.as_caller(stack).call(GetUserRequest { user_name: Some("ann".to_owned()) }).await;
    assert_eq!(code(refused), "AccessDenied");
    assert_eq!(used().await, (Some(at), Some("us-east-1".to_owned())));

    // Another role of the name has not been used.
    cx.call(DeleteRoleRequest { role_name: "Shop".to_owned() }).await.expect("deleted");
    let again = CreateRoleRequest {
        role_name: "shop".to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        ..Default::default()
    };
    cx.call(again).await.expect("made");
    access.used(session(&cx, &role, &[]).caller(), "s3", "eu-west-1");
    assert_eq!(used().await, (None, None));
}

#[tokio::test(start_paused = true)]
async fn temporary_credentials_of_a_user_and_services_are_no_use_of_a_key() {
    let platform = platform().await;
    let (cx, access) = (root(&platform), platform.access().expect("iam was started"));
    let ann = key_of_ann(&platform).await;
    let temporary = Caller { access_key: "ASIATEMPORARY".to_owned(), ..ann.clone() };
    access.used(&temporary, "s3", "us-east-1");
    access.used(&Caller { kind: CallerKind::Root, ..ann.clone() }, "s3", "us-east-1");
    access.used(&Caller::service("ec2.amazonaws.com", ACCOUNT), "s3", "us-east-1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(last_use(&cx, &ann.access_key).await.0, None);
}
