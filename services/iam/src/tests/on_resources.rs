//! Who is let in by policies on things, as services ask it of the kit.

use super::{ALLOW_ALL, EC2_TRUST, code, platform, root, session, with_key};
use kiln_iam_shapes::*;
use kiln_service_kit::{Caller, Cx, Error, Platform, ResourcePolicy, Scope};
use std::sync::Arc;

const OTHERS: &str = "999988887777";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:jobs";

fn root_of(platform: &Arc<Platform>, account: &str) -> Cx {
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "req")
}

/// A user of that account, who may do everything or nothing.
async fn user(platform: &Arc<Platform>, account: &str, name: &str, may: bool) -> Cx {
    let cx = root_of(platform, account);
    cx.call(CreateUserRequest { user_name: name.to_owned(), ..Default::default() }).await.expect("made");
    if may {
        let put = PutUserPolicyRequest {
            user_name: name.to_owned(),
            policy_name: "all".to_owned(),
            policy_document: ALLOW_ALL.to_owned(),
        };
        cx.call(put).await.expect("put");
    }
    let key = cx.call(CreateAccessKeyRequest { user_name: Some(name.to_owned()) }).await.expect("made");
    let caller = with_key(platform, &key.access_key.and_then(|k| k.access_key_id).expect("an id")).caller().clone();
    cx.as_caller(caller)
}

/// Whether the queue of the first account lets in whoever asks, by that statement.
fn send(cx: &Cx, statement: Option<&str>) -> Result<(), Error> {
    let document = statement.map(|statement| {
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Action":"sqs:*","Resource":"*",{statement}}}}}"#)
    });
    let policy = ResourcePolicy {
        name: QUEUE,
        document: document.as_deref(),
        trust: false,
        needed: false,
        account: super::ACCOUNT,
    };
    cx.authorize_by("sqs:SendMessage", QUEUE, &[], policy)
}

#[tokio::test]
async fn in_its_own_account_either_policy_is_enough_and_a_deny_wins() {
    let platform = platform().await;
    let (may, not) =
        (user(&platform, super::ACCOUNT, "ann", true).await, user(&platform, super::ACCOUNT, "bob", false).await);
    let bob = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"}"#;
    send(&may, None).expect("by her own");
    send(&not, Some(bob)).expect("by the queue's");
    assert_eq!(code(send(&not, None)), "AccessDenied");
    let told = send(&may, Some(r#""Effect":"Deny","Principal":"*""#)).expect_err("denied").message;
    assert!(told.ends_with("with an explicit deny in a resource-based policy"), "{told}");
    // The account's root user needs nobody's word.
    send(&root(&platform), Some(r#""Effect":"Deny","Principal":"*""#)).expect("root");
}

#[tokio::test]
async fn from_another_account_nobody_comes_in_unless_both_say_so() {
    let platform = platform().await;
    let (may, not) = (user(&platform, OTHERS, "ann", true).await, user(&platform, OTHERS, "bob", false).await);
    let account = r#""Effect":"Allow","Principal":{"AWS":"999988887777"}"#;
    for (who, cx) in [("ann", &may), ("bob", &not), ("root", &root_of(&platform, OTHERS))] {
        let told = send(cx, None).expect_err(who).message;
        assert!(told.ends_with("because no resource-based policy allows the sqs:SendMessage action"), "{told}");
        assert_eq!(send(cx, Some(account)).is_ok(), who != "bob", "{who}");
    }
    let by_name = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:user/bob"}"#;
    assert_eq!(code(send(&not, Some(by_name))), "AccessDenied", "his own account has not said so");
    let mine =
        r#""Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#;
    send(&may, Some(mine)).expect("the queue is that account's");
}

#[tokio::test]
async fn a_session_limited_by_its_policies_is_let_in_by_its_own_name_only() {
    let platform = platform().await;
    let cx = root(&platform);
    let create = CreateRoleRequest {
        role_name: "r".to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        ..Default::default()
    };
    let role = cx.call(create).await.expect("made").role.expect("a role");
    let nothing = ALLOW_ALL.replace(r#""Action":"*""#, r#""Action":"iam:*""#);
    let (free, limited) = (session(&cx, &role, &[]), session(&cx, &role, &[&nothing]));
    let by_role = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/r"}"#;
    let by_session = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s1"}"#;
    send(&free, Some(by_role)).expect("the role is named");
    let told = send(&limited, Some(by_role)).expect_err("limited").message;
    assert!(told.contains("no session policy allows"), "{told}");
    send(&limited, Some(by_session)).expect("itself is named");
}

#[tokio::test]
async fn services_are_let_in_by_name_and_for_what_they_act() {
    let platform = platform().await;
    let topics = Cx::for_service(platform.clone(), Scope::new(OTHERS, "us-east-1"), "sns.amazonaws.com");
    let topic = "arn:aws:sns:us-east-1:999988887777:news";
    let named = r#""Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"}"#;
    assert_eq!(code(send(&topics, None)), "AccessDenied");
    send(&topics, Some(named)).expect("named");
    let held = |key: &str, value: &str| format!(r#"{named},"Condition":{{"ArnLike":{{"{key}":"{value}"}}}}"#);
    let by_topic = held("aws:SourceArn", topic);
    assert_eq!(code(send(&topics, Some(&by_topic))), "AccessDenied", "for nothing in particular");
    send(&topics.on_behalf_of(topic), Some(&by_topic)).expect("for that topic");
    assert_eq!(code(send(&topics.on_behalf_of(QUEUE), Some(&by_topic))), "AccessDenied");
    let account =
        |account: &str| format!(r#"{named},"Condition":{{"StringEquals":{{"aws:SourceAccount":"{account}"}}}}"#);
    send(&topics, Some(&account(OTHERS))).expect("for that account");
    assert_eq!(code(send(&topics, Some(&account(super::ACCOUNT)))), "AccessDenied");
    assert_eq!(code(send(&topics, Some(r#""Effect":"Deny","Principal":"*""#))), "AccessDenied");
}

#[tokio::test]
async fn an_arn_that_a_policy_names_is_somebody_or_nobody() {
    let platform = platform().await;
    user(&platform, OTHERS, "Ann", false).await;
    let create = CreateRoleRequest {
        role_name: "r".to_owned(),
        path: Some("/team/".to_owned()),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        ..Default::default()
    };
    root(&platform).call(create).await.expect("made");
    let access = platform.access().expect("iam was started");
    for (arn, there) in [
        ("arn:aws:iam::999988887777:user/Ann", true),
        ("arn:aws:iam::999988887777:user/ann", false),
        ("arn:aws:iam::111122223333:user/Ann", false),
        ("arn:aws:iam::111122223333:role/team/r", true),
        ("arn:aws:iam::111122223333:role/r", false),
        ("arn:aws:sts::111122223333:assumed-role/r/any", true),
        ("arn:aws:sts::111122223333:assumed-role/q/any", false),
        ("arn:aws:iam::111122223333:group/r", false),
        ("arn:aws:iam::111122223333:user/", false),
        ("ann", false),
    ] {
        assert_eq!(access.names_somebody(arn).expect("can be read"), there, "{arn}");
    }
}
