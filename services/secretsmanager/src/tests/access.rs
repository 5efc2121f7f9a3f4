//! Who may read a secret: by its policy, and with its key.

use super::*;
use kiln_iam_shapes::{CreateUserRequest, PutUserPolicyRequest};
use serde_json::{Value as Json, json};

async fn user(root: &Cx, name: &str, policy: Json) -> Cx {
    let made = root.call(CreateUserRequest { user_name: name.to_owned(), ..Default::default() }).await.expect("made");
    let policy = PutUserPolicyRequest {
        user_name: name.to_owned(),
        policy_name: "p".to_owned(),
        policy_document: policy.to_string(),
    };
    root.call(policy).await.expect("put");
    let made = made.user.expect("a user");
    root.as_caller(Caller {
        account: root.account().to_owned(),
        arn: made.arn.expect("an ARN"),
        user_id: made.user_id.expect("an id"),
        access_key: "AKIAUSER".to_owned(),
        kind: CallerKind::User { name: name.to_owned() },
    })
}

fn allow(actions: &[&str]) -> Json {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
}

fn policy(statement: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

async fn set(cx: &Cx, id: &str, policy: Json) -> Result<PutResourcePolicyResponse, Error> {
    let resource_policy = policy.to_string();
    cx.call(PutResourcePolicyRequest { secret_id: id.to_owned(), resource_policy, block_public_policy: Some(true) })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_policy_denies_and_lets_in() {
    let cx = given().await;
    create(&cx, "s", "a").await;
    let ada = user(&cx, "ada", allow(&["secretsmanager:*"])).await;
    let eve = user(&cx, "eve", allow(&["s3:*"])).await;
    assert_eq!(value(&ada, "s").await, "a");
    assert_eq!(code(eve.call(get("s")).await), "AccessDeniedException");
    let statement = |effect: &str, who: &str| {
        json!({
            "Effect": effect, "Principal": {"AWS": who}, "Action": "secretsmanager:GetSecretValue", "Resource": "*",
        })
    };
    set(&cx, "s", policy(statement("Deny", &ada.caller().arn))).await.expect("set");
    assert_eq!(code(ada.call(get("s")).await), "AccessDeniedException");
    set(&cx, "s", policy(statement("Allow", &eve.caller().arn))).await.expect("set");
    assert_eq!(value(&eve, "s").await, "a");
    assert_eq!(code(eve.call(put("s", 1, "b")).await), "AccessDeniedException");
    assert_eq!(code(set(&cx, "s", policy(statement("Allow", "*"))).await), "PublicPolicyException");
    let nobody = "arn:aws:iam::111122223333:user/nobody";
    assert_eq!(code(set(&cx, "s", policy(statement("Allow", nobody))).await), "MalformedPolicyDocumentException");
    let check = ValidateResourcePolicyRequest {
        resource_policy: policy(statement("Allow", "*")).to_string(),
        ..Default::default()
    };
    assert_eq!(cx.call(check).await.expect("checked").policy_validation_passed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn another_account_needs_the_policy_and_a_key_that_lets_it_in() {
    let cx = given().await;
    let other = root(cx.platform(), OTHER);
    let arn = create(&cx, "s", "a").await;
    assert_eq!(code(other.call(get(&arn)).await), "AccessDeniedException");
    let let_in = policy(json!({
        "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }));
    set(&cx, "s", let_in).await.expect("set");
    let refused = other.call(get(&arn)).await.expect_err("AWS's own key is for its account");
    assert_eq!((&*refused.code, &*refused.message), ("AccessDeniedException", "Access to KMS is not allowed"));
    let key_policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER]}, "Action": "kms:*", "Resource": "*",
    }]});
    let made = CreateKeyRequest { policy: Some(key_policy.to_string()), ..Default::default() };
    let key = cx.call(made).await.expect("made").key_metadata.expect("a key").key_id;
    let under = UpdateSecretRequest { secret_id: arn.clone(), kms_key_id: key, ..Default::default() };
    cx.call(under).await.expect("under another key");
    assert_eq!(value(&other, &arn).await, "a");
    assert_eq!(code(other.call(get("s")).await), "ResourceNotFoundException", "a name is one of its own account");
    assert_eq!(code(other.call(put(&arn, 1, "b")).await), "AccessDeniedException");
}
