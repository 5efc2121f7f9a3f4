//! Who may: key policies, without which nothing goes; other accounts; services that call in somebody's name.

use super::{ACCOUNT, OTHER, arn, code, decrypt, encrypt, encrypted, given, key, root};
use kiln_iam_shapes::{CreateUserRequest, PutUserPolicyRequest};
use kiln_kms_shapes::*;
use kiln_service_kit::*;
use serde_json::json;

/// A user of an account with a policy of its own.
pub async fn user(cx: &Cx, account: &str, name: &str, actions: &[&str]) -> Cx {
    let owner = root(cx.platform(), account);
    let made = owner.call(CreateUserRequest { user_name: name.to_owned(), ..Default::default() }).await.expect("made");
    let made = made.user.expect("a user");
    if !actions.is_empty() {
        let policy =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let put = PutUserPolicyRequest {
            user_name: name.to_owned(),
            policy_name: "p".to_owned(),
            policy_document: policy.to_string(),
        };
        owner.call(put).await.expect("put");
    }
    let caller = Caller {
        account: account.to_owned(),
        arn: made.arn.expect("an ARN"),
        user_id: made.user_id.expect("an id"),
        access_key: "AKIATEST".to_owned(),
        kind: CallerKind::User { name: name.to_owned() },
    };
    owner.as_caller(caller)
}

pub fn policy(key_id: &str, statements: serde_json::Value) -> PutKeyPolicyRequest {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    PutKeyPolicyRequest {
        key_id: key_id.to_owned(),
        policy,
        bypass_policy_lockout_safety_check: Some(true),
        ..Default::default()
    }
}

fn let_in(who: &str, action: &str) -> serde_json::Value {
    json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": "*"})
}

#[tokio::test]
async fn the_accounts_own_policies_count_only_where_the_key_policy_lets_the_account_in() {
    let cx = given().await;
    let id = key(&cx).await;
    let ada = user(&cx, ACCOUNT, "ada", &["kms:Encrypt"]).await;
    let eve = user(&cx, ACCOUNT, "eve", &[]).await;
    let blob = encrypted(&ada, &id, "by the default policy").await;
    assert_eq!(code(ada.call(decrypt(&blob)).await), "AccessDeniedException");
    let error = eve.call(encrypt(&id, "x")).await.expect_err("nothing lets her");
    assert!(error.message.contains("no identity-based policy allows the kms:Encrypt action"), "{error}");

    // Only eve: neither ada's own policy nor the root user count any more.
    let eve_arn = format!("arn:aws:iam::{ACCOUNT}:user/eve");
    cx.call(policy(&id, json!([let_in(&eve_arn, "kms:*")]))).await.expect("put");
    eve.call(encrypt(&id, "x")).await.expect("she needs no policy of her own");
    let error = ada.call(encrypt(&id, "x")).await.expect_err("the account is not let in");
    assert!(error.message.contains("no resource-based policy allows the kms:Encrypt action"), "{error}");
    assert_eq!(code(cx.call(encrypt(&id, "x")).await), "AccessDeniedException");
    assert_eq!(
        code(cx.call(DescribeKeyRequest { key_id: id.clone(), ..Default::default() }).await),
        "AccessDeniedException"
    );

    // And back again, by eve.
    let account = format!("arn:aws:iam::{ACCOUNT}:root");
    let again = json!([let_in(&account, "kms:*"), {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}]);
    eve.call(policy(&id, again)).await.expect("put");
    ada.call(encrypt(&id, "x")).await.expect("let in");
    assert_eq!(code(cx.call(decrypt(&blob)).await), "AccessDeniedException", "a denial counts for the root user too");
}

#[tokio::test]
async fn a_policy_that_would_lock_its_giver_out_is_refused() {
    let cx = given().await;
    let id = key(&cx).await;
    user(&cx, ACCOUNT, "eve", &[]).await;
    let eve = let_in(&format!("arn:aws:iam::{ACCOUNT}:user/eve"), "kms:*");
    let put = PutKeyPolicyRequest { bypass_policy_lockout_safety_check: None, ..policy(&id, json!([eve.clone()])) };
    let error = cx.call(put.clone()).await.expect_err("she alone could change it");
    assert!(error.is("MalformedPolicyDocumentException") && error.message.contains("will not allow you to update"));
    let made = CreateKeyRequest { policy: Some(put.policy), ..Default::default() };
    assert_eq!(code(cx.call(made).await), "MalformedPolicyDocumentException");
    let nobody = policy(&id, json!([let_in(&format!("arn:aws:iam::{ACCOUNT}:user/nobody"), "kms:*")]));
    let error = cx.call(nobody).await.expect_err("there is nobody of that name");
    assert!(error.message.contains("invalid principals"), "{error}");
    let text = PutKeyPolicyRequest { policy: "{".into(), ..policy(&id, json!([eve.clone()])) };
    assert_eq!(code(cx.call(text).await), "MalformedPolicyDocumentException");
    let bare = policy(&id, json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*"}]));
    assert_eq!(code(cx.call(bare).await), "MalformedPolicyDocumentException");
    let time = json!([{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2030-01-01T00:00:00Z"}}}]);
    assert_eq!(code(cx.call(policy(&id, time)).await), "NotImplemented");
    let kept = cx.call(GetKeyPolicyRequest { key_id: id.clone(), policy_name: None }).await.expect("read").policy;
    assert!(kept.expect("a policy").contains("Enable IAM User Permissions"), "nothing was changed");
    let other = GetKeyPolicyRequest { key_id: id.clone(), policy_name: Some("other".into()) };
    assert_eq!(code(cx.call(other).await), "NotFoundException");
    let names = cx.call(ListKeyPoliciesRequest { key_id: id, ..Default::default() }).await.expect("listed");
    assert_eq!(names.policy_names, ["default"]);
}

#[tokio::test]
async fn another_account_is_let_in_where_both_sides_say_so() {
    let cx = given().await;
    let id = key(&cx).await;
    let there = arn(ACCOUNT, &id);
    let bob = user(&cx, OTHER, "bob", &["kms:*"]).await;
    let tom = user(&cx, OTHER, "tom", &[]).await;
    assert_eq!(code(bob.call(encrypt(&there, "x")).await), "AccessDeniedException");
    assert_eq!(code(root(cx.platform(), OTHER).call(encrypt(&there, "x")).await), "AccessDeniedException");
    let none = arn(ACCOUNT, "00000000-0000-4000-8000-000000000000");
    assert_eq!(code(bob.call(encrypt(&none, "x")).await), "AccessDeniedException", "nor is told what there is");

    let statements = json!([
        let_in(&format!("arn:aws:iam::{ACCOUNT}:root"), "kms:*"),
        let_in(&format!("arn:aws:iam::{OTHER}:root"), "kms:*"),
    ]);
    cx.call(policy(&id, statements)).await.expect("put");
    let blob = encrypted(&bob, &there, "words").await;
    assert_eq!(super::decrypted(&bob, &blob).await, "words");
    assert_eq!(super::decrypted(&cx, &blob).await, "words");
    let short = DecryptRequest { key_id: Some(id.clone()), ..decrypt(&blob) };
    bob.call(short).await.expect("a ciphertext says whose the key of that id is");
    assert_eq!(code(bob.call(encrypt(&id, "x")).await), "NotFoundException", "a bare id is of one's own account");
    assert_eq!(code(tom.call(decrypt(&blob)).await), "AccessDeniedException", "his own side says nothing");
    let theirs = [
        bob.call(DisableKeyRequest { key_id: there.clone() }).await.map(drop),
        bob.call(ScheduleKeyDeletionRequest { key_id: there.clone(), ..Default::default() }).await.map(drop),
        bob.call(GetKeyPolicyRequest { key_id: there.clone(), policy_name: None }).await.map(drop),
        bob.call(CreateAliasRequest { alias_name: "alias/x".into(), target_key_id: there }).await.map(drop),
    ];
    for outcome in theirs {
        assert_eq!(code(outcome), "AccessDeniedException", "that is for the owner");
    }
}

#[tokio::test]
async fn policies_ask_for_the_context_the_alias_and_the_key() {
    let cx = given().await;
    let id = key(&cx).await;
    cx.call(CreateAliasRequest { alias_name: "alias/shop".into(), target_key_id: id.clone() }).await.expect("made");
    let ada = user(&cx, ACCOUNT, "ada", &["kms:*"]).await;
    let try_with = |test: serde_json::Value| {
        let (cx, ada, id) = (cx.clone(), ada.clone(), id.clone());
        async move {
            let account = format!("arn:aws:iam::{ACCOUNT}:root");
            let mut one = let_in(&account, "kms:Encrypt");
            one["Condition"] = test;
            let rest =
                json!({"Effect": "Allow", "Principal": {"AWS": account}, "NotAction": "kms:Encrypt", "Resource": "*"});
            cx.call(policy(&id, json!([one, rest]))).await.expect("put");
            let context = super::context(&[("team", "red")]);
            ada.call(EncryptRequest { encryption_context: context, ..encrypt("alias/shop", "x") }).await.is_ok()
        }
    };
    let cases = [
        (json!({"StringEquals": {"kms:EncryptionContext:team": "red"}}), true),
        (json!({"StringEquals": {"kms:EncryptionContext:team": "blue"}}), false),
        (json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["team"]}}), true),
        (json!({"StringEquals": {"kms:RequestAlias": "alias/shop"}}), true),
        (json!({"StringEquals": {"kms:RequestAlias": "alias/other"}}), false),
        (json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/sh*"}}), true),
        (json!({"StringEquals": {"kms:CallerAccount": ACCOUNT}}), true),
        (json!({"StringEquals": {"kms:CallerAccount": OTHER}}), false),
        (json!({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyOrigin": "AWS_KMS"}}), true),
        (json!({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}), true),
        (json!({"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}), false),
    ];
    for (test, goes) in cases {
        assert_eq!(try_with(test.clone()).await, goes, "{test}");
    }
}

#[tokio::test]
async fn a_key_of_aws_is_made_at_its_first_use_and_works_through_its_service_only() {
    let cx = given().await;
    let eve = user(&cx, ACCOUNT, "eve", &[]).await;
    let through = eve.via("ssm.amazonaws.com");
    let blob = encrypted(&through, "alias/aws/ssm", "words").await;
    assert_eq!(super::decrypted(&through, &blob).await, "words", "everybody whom the service serves");
    assert_eq!(code(eve.call(decrypt(&blob)).await), "AccessDeniedException");
    assert_eq!(code(eve.via("s3.amazonaws.com").call(decrypt(&blob)).await), "AccessDeniedException");
    assert_eq!(code(cx.call(decrypt(&blob)).await), "AccessDeniedException", "nor the root user by itself");
    let described = cx.call(DescribeKeyRequest { key_id: "alias/aws/ssm".into(), ..Default::default() }).await;
    let key = described.expect("its description is for the account").key_metadata.expect("a key");
    assert_eq!(key.key_manager.as_deref(), Some("AWS"));
    let id = key.key_id.expect("an id");
    let status = cx.call(GetKeyRotationStatusRequest { key_id: id.clone() }).await.expect("told");
    assert_eq!((status.key_rotation_enabled, status.rotation_period_in_days), (Some(true), Some(365)));
    assert_eq!(code(cx.call(DisableKeyRequest { key_id: id.clone() }).await), "AccessDeniedException");
    assert_eq!(code(cx.call(policy(&id, json!([]))).await), "AccessDeniedException");
    assert_eq!(code(cx.call(encrypt("alias/aws/nothing", "x")).await), "NotFoundException");
    let aliases = cx.call(ListAliasesRequest::default()).await.expect("listed").aliases;
    assert_eq!(aliases.len(), 1, "one key, however often it is used");
}

#[tokio::test]
async fn in_open_mode_accounts_are_apart_and_aws_keys_are_still_aws_s() {
    let clock = Clock::system();
    let ids = IdSource::seeded(1);
    let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids.clone())
        .service(crate::service())
        .part(kiln_sealing::RootKey::new(&ids))
        .open(true)
        .build();
    let (cx, other) = (root(&platform, ACCOUNT), root(&platform, OTHER));
    let id = key(&cx).await;
    let blob = encrypted(&cx, &id, "words").await;
    assert!(other.call(decrypt(&blob)).await.is_err());
    let described = DescribeKeyRequest { key_id: "alias/aws/s3".into(), ..Default::default() };
    let managed = cx.call(described).await.expect("made").key_metadata.expect("a key").key_id.expect("an id");
    assert_eq!(code(cx.call(DisableKeyRequest { key_id: managed }).await), "AccessDeniedException");
}
