//! Grants: what they let whom do.

use super::access::{policy, user};
use super::{ACCOUNT, OTHER, arn, code, context, decrypt, encrypt, given, key};
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error};
use serde_json::json;

fn grant(key: &str, to: &Cx, operations: &[&str]) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key.to_owned(),
        grantee_principal: to.caller().arn.clone(),
        operations: operations.iter().map(|one| (*one).to_owned()).collect(),
        ..Default::default()
    }
}

async fn count(cx: &Cx, key: &str) -> usize {
    cx.call(ListGrantsRequest { key_id: key.to_owned(), ..Default::default() }).await.expect("listed").grants.len()
}

fn in_context(key: &str, pairs: &[(&str, &str)]) -> EncryptRequest {
    EncryptRequest { encryption_context: context(pairs), ..encrypt(key, "words") }
}

#[tokio::test]
async fn a_grant_lets_its_grantee_and_no_more_than_it_says() {
    let cx = given().await;
    let id = key(&cx).await;
    let (eve, tom) = (user(&cx, ACCOUNT, "eve", &[]).await, user(&cx, ACCOUNT, "tom", &[]).await);
    assert_eq!(code(eve.call(encrypt(&id, "x")).await), "AccessDeniedException");
    let constrained = CreateGrantRequest {
        constraints: Some(GrantConstraints { encryption_context_subset: context(&[("a", "1")]), ..Default::default() }),
        name: Some("of-eve".into()),
        ..grant(&id, &eve, &["Encrypt", "RetireGrant"])
    };
    let made = cx.call(constrained.clone()).await.expect("made");
    let again = cx.call(constrained).await.expect("made");
    assert_eq!((made.grant_id.as_ref(), count(&cx, &id).await), (again.grant_id.as_ref(), 1), "the same by name");
    assert_ne!(made.grant_token, again.grant_token);
    let blob =
        eve.call(in_context(&id, &[("a", "1"), ("b", "2")])).await.expect("granted").ciphertext_blob.expect("one");
    assert_eq!(code(eve.call(in_context(&id, &[("b", "2")])).await), "AccessDeniedException");
    assert_eq!(code(eve.call(decrypt(&blob)).await), "AccessDeniedException");
    assert_eq!(code(tom.call(in_context(&id, &[("a", "1")])).await), "AccessDeniedException");
    let with = |token: &str| EncryptRequest { grant_tokens: vec![token.to_owned()], ..in_context(&id, &[("a", "1")]) };
    eve.call(with(made.grant_token.as_deref().expect("a token"))).await.expect("granted");
    assert_eq!(code(eve.call(with("nonsense")).await), "InvalidGrantTokenException");

    // A denial goes before.
    let account = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"});
    let deny =
        json!({"Effect": "Deny", "Principal": {"AWS": eve.caller().arn}, "Action": "kms:Encrypt", "Resource": "*"});
    cx.call(policy(&id, json!([account.clone(), deny]))).await.expect("put");
    assert_eq!(code(eve.call(in_context(&id, &[("a", "1")])).await), "AccessDeniedException");
    cx.call(policy(&id, json!([account]))).await.expect("put");

    let by_token = |token: &Option<String>| RetireGrantRequest { grant_token: token.clone(), ..Default::default() };
    assert_eq!(code(tom.call(by_token(&made.grant_token)).await), "AccessDeniedException");
    eve.call(by_token(&made.grant_token)).await.expect("it says that she may");
    assert_eq!(count(&cx, &id).await, 0);
    assert_eq!(code(eve.call(in_context(&id, &[("a", "1")])).await), "AccessDeniedException");
    assert_eq!(code(eve.call(by_token(&made.grant_token)).await), "NotFoundException");
}

#[tokio::test]
async fn the_whole_context_can_be_asked_for() {
    let cx = given().await;
    let id = key(&cx).await;
    let eve = user(&cx, ACCOUNT, "eve", &[]).await;
    let equals = GrantConstraints { encryption_context_equals: context(&[("a", "1")]), ..Default::default() };
    let made = CreateGrantRequest { constraints: Some(equals), ..grant(&id, &eve, &["Encrypt"]) };
    let made = cx.call(made).await.expect("made");
    eve.call(in_context(&id, &[("a", "1")])).await.expect("granted");
    assert_eq!(code(eve.call(in_context(&id, &[("a", "1"), ("b", "2")])).await), "AccessDeniedException");
    let revoke = RevokeGrantRequest { key_id: id.clone(), grant_id: made.grant_id.expect("an id"), dry_run: None };
    assert_eq!(code(eve.call(revoke.clone()).await), "AccessDeniedException");
    cx.call(revoke.clone()).await.expect("revoked");
    assert_eq!(code(eve.call(in_context(&id, &[("a", "1")])).await), "AccessDeniedException");
    assert_eq!(code(cx.call(revoke).await), "NotFoundException");
}

#[tokio::test]
async fn who_makes_grants_by_a_grant_hands_on_no_more_than_it_gives() {
    let cx = given().await;
    let id = key(&cx).await;
    let (eve, tom) = (user(&cx, ACCOUNT, "eve", &[]).await, user(&cx, ACCOUNT, "tom", &[]).await);
    let subset = |pairs: &[(&str, &str)]| {
        Some(GrantConstraints { encryption_context_subset: context(pairs), ..Default::default() })
    };
    let made =
        CreateGrantRequest { constraints: subset(&[("a", "1")]), ..grant(&id, &eve, &["Encrypt", "CreateGrant"]) };
    cx.call(made).await.expect("made");
    let more = CreateGrantRequest { constraints: subset(&[("a", "1")]), ..grant(&id, &tom, &["Decrypt"]) };
    assert_eq!(code(eve.call(more).await), "AccessDeniedException");
    assert_eq!(code(eve.call(grant(&id, &tom, &["Encrypt"])).await), "AccessDeniedException", "less strict");
    let less = CreateGrantRequest { constraints: subset(&[("a", "1"), ("b", "2")]), ..grant(&id, &tom, &["Encrypt"]) };
    eve.call(less).await.expect("handed on");
    tom.call(in_context(&id, &[("a", "1"), ("b", "2")])).await.expect("granted");
    assert_eq!(code(tom.call(in_context(&id, &[("a", "1")])).await), "AccessDeniedException");
}

#[tokio::test]
async fn a_retiring_principal_finds_and_ends_its_grants() {
    let cx = given().await;
    let id = key(&cx).await;
    let eve = user(&cx, ACCOUNT, "eve", &[]).await;
    let ann = user(&cx, ACCOUNT, "ann", &["kms:ListRetirableGrants"]).await;
    let made =
        CreateGrantRequest { retiring_principal: Some(ann.caller().arn.clone()), ..grant(&id, &eve, &["DescribeKey"]) };
    let made = cx.call(made).await.expect("made");
    let described = eve.call(DescribeKeyRequest { key_id: id.clone(), ..Default::default() }).await;
    assert_eq!(described.expect("granted").key_metadata.expect("a key").arn, Some(arn(ACCOUNT, &id)));
    let list = ListRetirableGrantsRequest { retiring_principal: ann.caller().arn.clone(), ..Default::default() };
    let listed = ann.call(list.clone()).await.expect("listed").grants;
    assert_eq!(listed.iter().map(|one| &one.grant_id).collect::<Vec<_>>(), [&made.grant_id]);
    let named = RetireGrantRequest { key_id: Some(id.clone()), grant_id: made.grant_id, ..Default::default() };
    assert_eq!(code(eve.call(named.clone()).await), "AccessDeniedException");
    ann.call(named).await.expect("retired");
    assert!(ann.call(list).await.expect("listed").grants.is_empty());
    let other =
        ListRetirableGrantsRequest { retiring_principal: format!("arn:aws:iam::{OTHER}:root"), ..Default::default() };
    assert_eq!(code(cx.call(other).await), "AccessDeniedException");
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused() {
    let cx = given().await;
    let id = key(&cx).await;
    let root = CreateGrantRequest {
        key_id: id.clone(),
        grantee_principal: format!("arn:aws:iam::{ACCOUNT}:root"),
        operations: vec!["Decrypt".into()],
        ..Default::default()
    };
    let with = |operation: &str| CreateGrantRequest { operations: vec![operation.to_owned()], ..root.clone() };
    assert_eq!(code(cx.call(with("Sign")).await), "ValidationException");
    assert_eq!(code(cx.call(with("GenerateDataKeyPair")).await), "NotImplemented");
    let nobody =
        CreateGrantRequest { grantee_principal: format!("arn:aws:iam::{ACCOUNT}:user/nobody"), ..root.clone() };
    assert_eq!(code(cx.call(nobody).await), "InvalidArnException");
    let neither: Result<_, Error> = cx.call(RetireGrantRequest::default()).await;
    assert_eq!(code(neither), "ValidationException");
    assert_eq!(count(&cx, &id).await, 0);
}
