//! Bucket policies: what is taken for one, and whom it lets in, in the bucket's account and from others.

use super::{Given, body, code, get, given_with, put};
use kiln_iam_shapes::{CreateUserRequest, PutUserPolicyRequest};
use kiln_protocol::{StructShape, Value};
use kiln_s3_shapes::*;
use kiln_service_kit::*;
use kiln_testkit::Judge;
use std::sync::Arc;

const ACCOUNT: &str = "000000000000";
const OTHERS: &str = "999988887777";
const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// A bucket `docs` with an object `a`, on a platform with iam.
async fn given() -> Given {
    given_in(false).await
}

/// The same, in open mode or not.
async fn given_in(open: bool) -> Given {
    let given = given_with(|builder| {
        builder
            .open(open)
            .service(kiln_iam::service())
            .home(Scope::new(ACCOUNT, "us-east-1"))
            .part(kiln_sealing::RootKey::new(&IdSource::seeded(1)))
            .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
    })
    .await;
    given.cx.call(put("a", b"words")).await.unwrap();
    given
}

fn root_of(cx: &Cx, account: &str) -> Cx {
    Cx::new(cx.platform().clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test")
}

/// A user of that account, with that policy.
async fn user(cx: &Cx, account: &str, name: &str, policy: Option<&str>) -> Cx {
    let cx = root_of(cx, account);
    let made = cx.call(CreateUserRequest { user_name: name.into(), ..Default::default() }).await.unwrap().user.unwrap();
    if let Some(policy) = policy {
        let (user_name, policy_name) = (name.to_owned(), "own".to_owned());
        cx.call(PutUserPolicyRequest { user_name, policy_name, policy_document: policy.into() }).await.unwrap();
    }
    cx.as_caller(Caller {
        account: account.into(),
        arn: made.arn.unwrap(),
        user_id: made.user_id.unwrap(),
        access_key: "AKIATEST".into(),
        kind: CallerKind::User { name: name.into() },
    })
}

/// A policy with these statements on `docs` and all that is in it.
fn policy(statements: &[&str]) -> String {
    let on = r#""Resource":["arn:aws:s3:::docs","arn:aws:s3:::docs/*"]"#;
    let statements: Vec<String> = statements.iter().map(|statement| format!("{{{statement},{on}}}")).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn set(text: &str) -> PutBucketPolicyRequest {
    PutBucketPolicyRequest { bucket: "docs".into(), policy: text.into(), ..Default::default() }
}

/// Blocks what is said of public policies: taking them, and letting anybody in by them.
fn block(policy: bool, restrict: bool) -> PutPublicAccessBlockRequest {
    let (block_public_policy, restrict_public_buckets) = (Some(policy), Some(restrict));
    let configuration =
        PublicAccessBlockConfiguration { block_public_policy, restrict_public_buckets, ..Default::default() };
    PutPublicAccessBlockRequest {
        bucket: "docs".into(),
        public_access_block_configuration: configuration,
        ..Default::default()
    }
}

async fn may_read(cx: &Cx) -> bool {
    match cx.call(get("a")).await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is("AccessDenied"), "{error}");
            false
        }
    }
}

#[tokio::test]
async fn a_policy_is_set_read_and_removed() {
    let given = given().await;
    let cx = &given.cx;
    let read = || GetBucketPolicyRequest { bucket: "docs".into(), ..Default::default() };
    let status = || GetBucketPolicyStatusRequest { bucket: "docs".into(), ..Default::default() };
    let remove = || DeleteBucketPolicyRequest { bucket: "docs".into(), ..Default::default() };
    assert_eq!(code(cx.call(read()).await), "NoSuchBucketPolicy");
    assert_eq!(code(cx.call(status()).await), "NoSuchBucketPolicy");
    cx.call(remove()).await.expect("nothing to remove");
    let text = policy(&[r#""Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"s3:*""#]);
    cx.call(set(&text)).await.unwrap();
    assert_eq!(cx.call(read()).await.unwrap().policy, Some(text));
    assert_eq!(cx.call(status()).await.unwrap().policy_status.unwrap().is_public, Some(false));
    cx.call(remove()).await.unwrap();
    assert_eq!(code(cx.call(read()).await), "NoSuchBucketPolicy");
    let other = root_of(cx, OTHERS);
    for refused in [code(other.call(read()).await), code(other.call(remove()).await), code(other.call(status()).await)]
    {
        assert_eq!(refused, "AccessDenied");
    }
}

#[tokio::test]
async fn what_is_no_policy_is_refused_in_s3_s_words() {
    let given = given().await;
    let cx = &given.cx;
    user(cx, ACCOUNT, "ann", None).await;
    let good = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Good one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::docs/*"}]}"#;
    cx.call(set(good)).await.expect("that one is one");
    let object = r#""arn:aws:s3:::docs/*""#;
    let who = r#"{"AWS":"arn:aws:iam::000000000000:user/ann"}"#;
    #[rustfmt::skip]
    let table: &[(&str, &str, &str)] = &[
        (good, "policy", "Policies must be valid JSON and the first byte must be '{'"),
        (good, "{", "This policy contains invalid Json"),
        ("2012-10-17", "2013-10-17", "The policy must contain a valid version string"),
        (r#""Statement""#, r#""Statements""#, "Missing required field Statement"),
        (r#""Effect":"Allow","#, "", "Missing required field Effect"),
        (r#""Allow""#, r#""allow""#, "Invalid effect: allow"),
        (r#""Principal""#, r#""Somebody""#, "Missing required field Principal"),
        (r#""Principal""#, r#""NotPrincipal""#, "Allow with NotPrincipal is not allowed."),
        (r#""Action""#, r#""Does""#, "Missing required field Action"),
        (r#""Resource""#, r#""On""#, "Missing required field Resource"),
        (r#""Sid""#, r#""Name""#, "Invalid policy syntax."),
        ("user/ann", "user/bob", "Invalid principal in policy"),
        ("user/ann", "user/*", "Invalid principal in policy"),
        (who, r#""ann""#, "Invalid principal in policy"),
        (who, r#"{"AWS":[]}"#, "Invalid principal in policy"),
        (who, r#"{"AWS":"12345"}"#, "Invalid principal in policy"),
        (who, r#"{"Service":"*"}"#, "Invalid principal in policy"),
        (who, r#"{"Service":"logs.example.com"}"#, "Invalid principal in policy"),
        (object, r#""*""#, "Policy has invalid resource"),
        (object, r#""arn:aws:s3:::other/*""#, "Policy has invalid resource"),
        (object, r#""arn:aws:s3:::docs2""#, "Policy has invalid resource"),
        (object, r#""arn:aws:s3:::""#, "Policy has invalid resource"),
        ("s3:GetObject", "s3:GetObjects", "Policy has invalid action"),
        ("s3:GetObject", "ec2:*", "Policy has invalid action"),
        ("s3:GetObject", "s3:ListBucket", "Action does not apply to any resource(s) in statement"),
        (object, r#""arn:aws:s3:::docs""#, "Action does not apply to any resource(s) in statement"),
        (r#"docs/*""#, r#"docs/*","Condition":{"StringEquals":{"s3:colour":"red"}}"#, "Policy has an invalid condition key"),
        (r#"docs/*""#, r#"docs/*","Condition":{"StringEquals":{"ec2:Region":"a"}}"#, "Policy has an invalid condition key"),
        (r#"docs/*""#, r#"docs/*","Condition":{"StringIs":{"s3:prefix":"a"}}"#, "Invalid policy syntax."),
    ];
    for (from, to, expected) in table {
        let text = good.replace(from, to);
        let error = cx.call(set(&text)).await.expect_err(&text);
        assert_eq!((&*error.code, error.status, &*error.message), ("MalformedPolicy", 400, *expected), "{text}");
    }
    let long = good.replace("Good one", &"x".repeat(20_480));
    assert_eq!(code(cx.call(set(&long)).await), "MalformedPolicy");
    let spaced = good.replace(r#""Sid""#, &format!(r#"{}"Sid""#, " ".repeat(20_480)));
    cx.call(set(&spaced)).await.expect("white space does not count");
    #[rustfmt::skip]
    let not_built = [
        (who, r#"{"CanonicalUser":"79a59d"}"#, "CanonicalUser"),
        (who, r#"{"Federated":"accounts.example.com"}"#, "Federated"),
        (r#"docs/*""#, r#"docs/*","Condition":{"StringLike":{"aws:Referer":"http://a/*"}}"#, "aws:Referer"),
        ("docs/*", "docs/${aws:UserAgent}/*", "aws:UserAgent"),
        (r#"docs/*""#, r#"docs/*","Condition":{"StringEquals":{"s3:signatureversion":"AWS"}}"#, "s3:signatureversion"),
    ];
    for (from, to, named) in not_built {
        let error = cx.call(set(&good.replace(from, to))).await.expect_err(named);
        assert!(error.is("NotImplemented") && error.message.contains(named), "{error}");
    }
    let kept = GetBucketPolicyRequest { bucket: "docs".into(), ..Default::default() };
    assert_eq!(cx.call(kept).await.unwrap().policy, Some(spaced), "what was refused changed nothing");
}

#[tokio::test]
async fn in_the_bucket_s_account_a_policy_lets_in_and_shuts_out() {
    let given = given().await;
    let cx = &given.cx;
    let (ann, bob) = (user(cx, ACCOUNT, "ann", None).await, user(cx, ACCOUNT, "bob", Some(ALL)).await);
    assert_eq!((may_read(&ann).await, may_read(&bob).await), (false, true));
    let for_ann = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":["s3:GetObject","s3:ListBucket"]"#;
    let not_bob = r#""Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/bob"},"Action":"s3:GetObject""#;
    cx.call(set(&policy(&[for_ann, not_bob]))).await.unwrap();
    assert_eq!((may_read(&ann).await, may_read(&bob).await), (true, false));
    assert_eq!(code(ann.call(put("b", b"")).await), "AccessDenied", "that was not allowed");
    let list = ListObjectsV2Request { bucket: "docs".into(), ..Default::default() };
    assert_eq!(ann.call(list).await.unwrap().contents.len(), 1);
    bob.call(put("b", b"")).await.expect("that was not denied");
    // Nobody is shut out for good: the root user of the account needs no policy.
    cx.call(set(&policy(&[r#""Effect":"Deny","Principal":"*","Action":"s3:*""#]))).await.unwrap();
    assert!(!may_read(&bob).await);
    assert_eq!(code(bob.call(set(&policy(&[for_ann]))).await), "AccessDenied");
    cx.call(DeleteBucketPolicyRequest { bucket: "docs".into(), ..Default::default() }).await.unwrap();
    assert!(may_read(&bob).await);
}

#[tokio::test]
async fn conditions_ask_what_a_request_says_of_an_object() {
    let given = given().await;
    let cx = &given.cx;
    let ann = user(cx, ACCOUNT, "ann", Some(ALL)).await;
    let denied = |condition: &str| {
        policy(&[r#""Effect":"Allow","Principal":"*","Action":"s3:GetBucketLocation""#, &format!(
            r#""Effect":"Deny","Principal":"*","Action":["s3:PutObject","s3:DeleteObject*","s3:GetObject*"],"Condition":{condition}"#
        )])
        .replace(r#""Principal":"*","Action":"s3:GetBucketLocation""#, r#""Principal":{"AWS":"000000000000"},"Action":"s3:GetBucketLocation""#)
    };
    let tagged = |class: &str| PutObjectRequest { tagging: Some(format!("class={class}")), ..put("b", b"x") };
    cx.call(set(&denied(r#"{"StringEquals":{"s3:RequestObjectTag/class":"secret"}}"#))).await.unwrap();
    assert_eq!(code(ann.call(tagged("secret")).await), "AccessDenied");
    ann.call(tagged("open")).await.expect("another class");
    cx.call(set(&denied(r#"{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}"#))).await.unwrap();
    assert_eq!(code(ann.call(put("b", b"x")).await), "AccessDenied", "it does not say so");
    let sealed = PutObjectRequest { server_side_encryption: Some("AES256".into()), ..put("b", b"x") };
    ann.call(sealed).await.expect("it says so");
    cx.call(set(&denied(r#"{"StringLike":{"s3:x-amz-copy-source":"docs/a*"}}"#))).await.unwrap();
    let copy = |source: &str| CopyObjectRequest {
        bucket: "docs".into(),
        key: "c".into(),
        copy_source: source.into(),
        ..Default::default()
    };
    assert_eq!(code(ann.call(copy("/docs/a")).await), "AccessDenied");
    ann.call(copy("docs/b")).await.expect("of another");
    cx.call(set(&denied(r#"{"StringEquals":{"s3:ExistingObjectTag/class":"open"}}"#))).await.unwrap();
    cx.call(tagged("open")).await.unwrap();
    assert_eq!(code(ann.call(get("b")).await), "AccessDenied");
    assert!(may_read(&ann).await);
    cx.call(set(&denied(r#"{"StringEquals":{"s3:VersionId":"null"}}"#))).await.unwrap();
    let version = GetObjectRequest { version_id: Some("null".into()), ..get("a") };
    assert_eq!(code(ann.call(version).await), "AccessDenied");
    // One key of many is judged by itself.
    cx.call(set(
        &denied("{}").replace(r#"["arn:aws:s3:::docs","arn:aws:s3:::docs/*"]}]"#, r#""arn:aws:s3:::docs/a"}]"#)
    ))
    .await
    .unwrap();
    let object = |key: &str| ObjectIdentifier { key: key.into(), ..Default::default() };
    let delete = Delete { objects: vec![object("a"), object("c")], ..Default::default() };
    let both = DeleteObjectsRequest { bucket: "docs".into(), delete, ..Default::default() };
    let answer = ann.call(both).await.unwrap();
    let (gone, refused) = (&answer.deleted[..], &answer.errors[..]);
    assert_eq!((gone.len(), gone[0].key.as_deref()), (1, Some("c")));
    assert_eq!((refused.len(), refused[0].key.as_deref()), (1, Some("a")));
    assert_eq!(refused[0].code.as_deref(), Some("AccessDenied"));
}

#[tokio::test]
async fn another_account_comes_in_where_both_say_so() {
    let given = given().await;
    let cx = &given.cx;
    let (eve, fay) = (user(cx, OTHERS, "eve", Some(ALL)).await, user(cx, OTHERS, "fay", None).await);
    let root = root_of(cx, OTHERS);
    for who in [&eve, &fay, &root] {
        assert!(!may_read(who).await, "no policy says so");
    }
    let account = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":["s3:GetObject","s3:PutObject","s3:*BucketPolicy","s3:ListBucket"]"#;
    cx.call(set(&policy(&[account]))).await.unwrap();
    assert_eq!((may_read(&eve).await, may_read(&fay).await, may_read(&root).await), (true, false, true));
    // What it puts is the bucket's owner's, in the bucket's place.
    eve.call(put("of-eve", b"hers")).await.unwrap();
    assert_eq!(body(cx, get("of-eve")).await, b"hers");
    // Also copies, of and to its own.
    let own = CreateBucketRequest { bucket: "of-others".into(), ..Default::default() };
    root.call(own).await.unwrap();
    let copy = |bucket: &str, source: &str| CopyObjectRequest {
        bucket: bucket.into(),
        key: "copy".into(),
        copy_source: source.into(),
        ..Default::default()
    };
    eve.call(copy("of-others", "docs/a")).await.unwrap();
    eve.call(copy("docs", "of-others/copy")).await.unwrap();
    assert_eq!(code(cx.call(copy("docs", "of-others/copy")).await), "AccessDenied", "that bucket has no policy");
    // The policy itself stays its account's, whatever it says; and what it does not say is closed.
    let read = GetBucketPolicyRequest { bucket: "docs".into(), ..Default::default() };
    assert_eq!(code(eve.call(read).await), "MethodNotAllowed");
    assert_eq!(code(eve.call(set(&policy(&[account]))).await), "MethodNotAllowed");
    let delete = |key: &str| DeleteObjectRequest { bucket: "docs".into(), key: key.into(), ..Default::default() };
    assert_eq!(code(eve.call(delete("a")).await), "AccessDenied");
    let many =
        Delete { objects: vec![ObjectIdentifier { key: "a".into(), ..Default::default() }], ..Default::default() };
    let answer = eve.call(DeleteObjectsRequest { bucket: "docs".into(), delete: many, ..Default::default() }).await;
    assert_eq!(answer.unwrap().errors[0].code.as_deref(), Some("AccessDenied"));
    assert!(may_read(cx).await, "it is still there");
    let named = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:user/fay"},"Action":"s3:GetObject""#;
    cx.call(set(&policy(&[named]))).await.unwrap();
    assert!(!may_read(&fay).await, "her account has not said so");
    assert!(!may_read(&eve).await, "she is not named");
}

#[tokio::test]
async fn block_public_access_decides_about_public_policies() {
    let given = given().await;
    let cx = &given.cx;
    let eve = user(cx, OTHERS, "eve", Some(ALL)).await;
    let ann = user(cx, ACCOUNT, "ann", None).await;
    let logs = Cx::for_service(cx.platform().clone(), Scope::new(OTHERS, "us-east-1"), "logs.amazonaws.com");
    let everyone = r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject""#;
    let service = r#""Effect":"Allow","Principal":{"Service":"logs.amazonaws.com"},"Action":"s3:GetObject""#;
    let account = r#""Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"s3:GetObject""#;
    let text = policy(&[service, account, everyone]);
    // A new bucket blocks all of it.
    assert_eq!(code(cx.call(set(&text)).await), "AccessDenied");
    cx.call(set(&policy(&[service, account]))).await.expect("that is not public");
    assert_eq!((may_read(&eve).await, may_read(&logs).await, may_read(&ann).await), (true, true, false));
    cx.call(block(false, true)).await.unwrap();
    cx.call(set(&text)).await.expect("it may be set now");
    let status = GetBucketPolicyStatusRequest { bucket: "docs".into(), ..Default::default() };
    assert_eq!(cx.call(status).await.unwrap().policy_status.unwrap().is_public, Some(true));
    // One public statement shuts out the account that another one names.
    assert_eq!((may_read(&eve).await, may_read(&logs).await, may_read(&ann).await), (false, true, true));
    cx.call(block(false, false)).await.unwrap();
    assert!(may_read(&eve).await);
    cx.call(block(true, false)).await.unwrap();
    assert!(may_read(&eve).await, "what is set stays");
    assert_eq!(code(cx.call(set(&text)).await), "AccessDenied");
}

#[tokio::test]
async fn open_mode_keeps_accounts_apart_too() {
    let given = given_in(true).await;
    let cx = &given.cx;
    let (ann, root) = (user(cx, ACCOUNT, "ann", None).await, root_of(cx, OTHERS));
    assert!(may_read(&ann).await, "nothing is asked within an account");
    assert!(!may_read(&root).await);
    let named = r#""Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"s3:GetObject""#;
    cx.call(set(&policy(&[named]))).await.unwrap();
    assert!(may_read(&root).await);
    assert_eq!(code(root.call(put("b", b"")).await), "AccessDenied", "that was not allowed");
}

#[tokio::test]
async fn services_are_let_in_by_name_only() {
    let given = given().await;
    let cx = &given.cx;
    let logs = cx.as_service("logs.amazonaws.com");
    assert!(!may_read(&logs).await, "also in the bucket's account");
    let topic = "arn:aws:sns:us-east-1:000000000000:news";
    let named = r#""Effect":"Allow","Principal":{"Service":"logs.amazonaws.com"},"Action":"s3:GetObject""#;
    let held = format!(r#"{named},"Condition":{{"ArnEquals":{{"aws:SourceArn":"{topic}"}}}}"#);
    cx.call(set(&policy(&[&held]))).await.unwrap();
    assert!(!may_read(&logs).await);
    assert!(may_read(&logs.on_behalf_of(topic)).await);
    assert!(!may_read(&cx.as_service("ec2.amazonaws.com").on_behalf_of(topic)).await);
    let denied = r#""Effect":"Deny","Principal":"*","Action":"s3:GetObject","Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#;
    cx.call(set(&policy(&[named, denied]))).await.unwrap();
    assert!(!may_read(&logs).await);
}

/// Every operation that names a bucket, asked of another account's: none goes on that was not judged about it.
#[tokio::test]
async fn no_operation_finds_another_account_s_bucket_without_being_judged() {
    let given = given().await;
    let cx = &given.cx;
    let upload = CreateMultipartUploadRequest { bucket: "docs".into(), key: "a".into(), ..Default::default() };
    let upload = cx.call(upload).await.unwrap().upload_id.unwrap();
    // Whoever is asked lets everybody in, but to what has an owner.
    // Says no of whatever belongs to somebody.
    cx.platform().set_access(Arc::new(Judge(|_: &Cx, grant: &kiln_service_kit::Grant<'_>| {
        match grant.resource_policy {
            Some(_) => Err(Error::sender("AccessDenied", "closed").with_status(403)),
            None => Ok(()),
        }
    })));
    let others = [root_of(cx, OTHERS), root_of(cx, OTHERS).as_service("logs.amazonaws.com")];
    let rows = cx.platform().services().iter().find(|service| service.model.name == "s3").unwrap();
    let (mut asked, own) = (0, ["CreateBucket", "ListBuckets"]);
    for row in rows.operations.iter().flat_map(|rows| rows.iter()).filter(|row| !own.contains(&row.name)) {
        let value = filled(row.input, &upload);
        for other in &others {
            let answer = (row.call)(other, value.clone(), How::default()).await.and_then(Answered::value);
            if row.name == "DeleteObjects" {
                assert!(format!("{:?}", answer.unwrap()).contains("AccessDenied"), "each key is refused");
                continue;
            }
            assert_eq!(code(answer), "AccessDenied", "{} by {}", row.name, other.caller().arn);
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
    assert!(may_read(cx).await, "nothing of it is gone");
}

/// The least that a request can say: about `a` in `docs`, and something of whatever must be said.
fn filled(shape: &StructShape, upload: &str) -> Value {
    let member = |member: &Member| match member.name {
        "Bucket" => Value::Text("docs".to_owned()),
        "Key" => Value::Text("a".to_owned()),
        "CopySource" => Value::Text("docs/a".to_owned()),
        "UploadId" => Value::Text(upload.to_owned()),
        _ if !member.limits.required => Value::Absent,
        _ => of_kind((member.kind)(), upload),
    };
    Value::Struct(shape.members.iter().map(member).collect())
}

fn of_kind(kind: Kind, upload: &str) -> Value {
    match kind {
        Kind::Bool => Value::Bool(true),
        Kind::Int | Kind::Float => Value::Int(1),
        Kind::Text | Kind::Blob | Kind::Time => Value::Text("x".to_owned()),
        Kind::List(item) => Value::List(vec![of_kind(item(), upload)]),
        Kind::Map(_) => Value::Map(Map::new()),
        Kind::Struct(shape) => filled(shape, upload),
    }
}
