use super::{ALLOW_ALL, code, platform, refused, root, with_key};
use kiln_iam_shapes::*;

fn user(name: &str) -> CreateUserRequest {
    CreateUserRequest { user_name: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_user_lives_and_is_deleted_only_when_nothing_hangs_on_it() {
    let platform = platform().await;
    let cx = root(&platform);
    let made = cx.call(CreateUserRequest { path: Some("/dev/".to_owned()), ..user("Ada") }).await.expect("made");
    let made = made.user.expect("a user");
    assert_eq!(made.arn.as_deref(), Some("arn:aws:iam::111122223333:user/dev/Ada"));
    assert!(made.user_id.is_some_and(|id| id.starts_with("AIDA") && id.len() == 21));
    // Names differ without regard to case.
    assert_eq!(
        refused(cx.call(user("ADA")).await),
        ("EntityAlreadyExists".to_owned(), "User with name ADA already exists.".to_owned())
    );
    assert_eq!(
        refused(cx.call(GetUserRequest { user_name: Some("bob".to_owned()) }).await),
        ("NoSuchEntity".to_owned(), "The user with name bob cannot be found.".to_owned())
    );

    let name = || "Ada".to_owned();
    cx.call(CreateGroupRequest { group_name: "devs".to_owned(), path: None }).await.expect("made");
    cx.call(AddUserToGroupRequest { group_name: "devs".to_owned(), user_name: name() }).await.expect("added");
    let policy = PutUserPolicyRequest {
        user_name: name(),
        policy_name: "all".to_owned(),
        policy_document: ALLOW_ALL.to_owned(),
    };
    cx.call(policy).await.expect("put");
    let key = cx.call(CreateAccessKeyRequest { user_name: Some(name()) }).await.expect("made").access_key.expect("key");

    let delete = || DeleteUserRequest { user_name: name() };
    let mut reasons = vec![];
    reasons.push(refused(cx.call(delete()).await));
    let access_key_id = key.access_key_id.expect("an id");
    cx.call(DeleteAccessKeyRequest { user_name: Some(name()), access_key_id }).await.expect("deleted");
    reasons.push(refused(cx.call(delete()).await));
    cx.call(DeleteUserPolicyRequest { user_name: name(), policy_name: "all".to_owned() }).await.expect("deleted");
    reasons.push(refused(cx.call(delete()).await));
    cx.call(RemoveUserFromGroupRequest { group_name: "devs".to_owned(), user_name: name() }).await.expect("removed");
    cx.call(delete()).await.expect("deleted");
    let why = |text: &str| ("DeleteConflict".to_owned(), format!("Cannot delete entity, must {text} first."));
    assert_eq!(reasons, [why("delete access keys"), why("delete policies"), why("remove users from group")]);
}

#[tokio::test]
async fn renames_keep_keys_and_memberships() {
    let platform = platform().await;
    let cx = root(&platform);
    cx.call(user("ann")).await.expect("made");
    cx.call(CreateGroupRequest { group_name: "g1".to_owned(), path: None }).await.expect("made");
    cx.call(AddUserToGroupRequest { group_name: "g1".to_owned(), user_name: "ann".to_owned() }).await.expect("added");
    let key = cx.call(CreateAccessKeyRequest { user_name: Some("ann".to_owned()) }).await.expect("made");
    let key = key.access_key.and_then(|k| k.access_key_id).expect("an id");
    let rename = UpdateUserRequest {
        user_name: "ann".to_owned(),
        new_user_name: Some("anna".to_owned()),
        new_path: Some("/x/".to_owned()),
    };
    cx.call(rename).await.expect("renamed");
    let rename =
        UpdateGroupRequest { group_name: "g1".to_owned(), new_group_name: Some("g2".to_owned()), new_path: None };
    cx.call(rename).await.expect("renamed");
    assert_eq!(with_key(&platform, &key).caller().arn, "arn:aws:iam::111122223333:user/x/anna");
    let inside = cx.call(GetGroupRequest { group_name: "g2".to_owned(), ..Default::default() }).await.expect("there");
    assert_eq!(inside.users.into_iter().map(|u| u.user_name).collect::<Vec<_>>(), [Some("anna".to_owned())]);
    assert_eq!(code(cx.call(DeleteGroupRequest { group_name: "g2".to_owned() }).await), "DeleteConflict");
}

#[tokio::test]
async fn two_access_keys_and_a_page_at_a_time() {
    let platform = platform().await;
    let cx = root(&platform);
    for name in ["a", "b", "c"] {
        cx.call(user(name)).await.expect("made");
    }
    let page = cx.call(ListUsersRequest { max_items: Some(2), ..Default::default() }).await.expect("listed");
    assert_eq!((page.users.len(), page.is_truncated), (2, Some(true)));
    let rest = cx.call(ListUsersRequest { marker: page.marker, ..Default::default() }).await.expect("listed");
    assert_eq!(rest.users.iter().map(|u| u.user_name.as_deref()).collect::<Vec<_>>(), [Some("c")]);
    assert_eq!((rest.is_truncated, rest.marker), (Some(false), None));

    let create = || CreateAccessKeyRequest { user_name: Some("a".to_owned()) };
    cx.call(create()).await.expect("made");
    cx.call(create()).await.expect("made");
    assert_eq!(
        refused(cx.call(create()).await),
        ("LimitExceeded".to_owned(), "Cannot exceed quota for AccessKeysPerUser: 2".to_owned())
    );
    let list = ListAccessKeysRequest { user_name: Some("a".to_owned()), ..Default::default() };
    let keys = cx.call(list).await.expect("listed").access_key_metadata;
    let id = keys[0].access_key_id.clone().expect("an id");
    let off = UpdateAccessKeyRequest {
        user_name: Some("a".to_owned()),
        access_key_id: id.clone(),
        status: "Inactive".to_owned(),
    };
    cx.call(off).await.expect("updated");
    let access = platform.access().expect("iam was started");
    assert!(!access.credential(&id).expect("readable").expect("known").active);
    // Another user's key is not found under this user.
    let other = DeleteAccessKeyRequest { user_name: Some("b".to_owned()), access_key_id: id };
    assert_eq!(code(cx.call(other).await), "NoSuchEntity");
}

#[tokio::test]
async fn tags_are_checked() {
    let platform = platform().await;
    let cx = root(&platform);
    let tag = |key: &str| Tag { key: key.to_owned(), value: "v".to_owned() };
    let with = |tags: Vec<Tag>| CreateUserRequest { tags, ..user("t") };
    assert_eq!(code(cx.call(with(vec![tag("aws:x")])).await), "InvalidInput");
    assert_eq!(code(cx.call(with(vec![tag("Team"), tag("team")])).await), "InvalidInput");
    cx.call(with(vec![tag("Team")])).await.expect("made");
    cx.call(TagUserRequest { user_name: "t".to_owned(), tags: vec![tag("team")] }).await.expect("tagged");
    let tags = cx.call(ListUserTagsRequest { user_name: "t".to_owned(), ..Default::default() }).await.expect("listed");
    assert_eq!(tags.tags.into_iter().map(|t| t.key).collect::<Vec<_>>(), ["team"]);
}
