//! What is not a policy is refused with AWS's message and the place; nothing panics.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::parsed;
use crate::{Document, DocumentKind, managed};
use DocumentKind::{Identity, Resource, Trust};

fn error(statement: &str, kind: DocumentKind) -> String {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    Document::parse(&text, kind).expect_err(&text).to_string()
}

#[test]
fn refused_with_the_place() {
    #[rustfmt::skip]
    let table = [
        (Identity, r#"[]"#, "Syntax errors in policy. (Statement: a policy has at least one statement)"),
        (Identity, r#"["x"]"#, "Syntax errors in policy. (Statement[0]: a statement is a JSON object)"),
        (Identity, r#"{"Effect":"Allow","Resource":"*"}"#, "Policy statement must contain actions. (Statement[0])"),
        (Identity, r#"{"Effect":"Allow","Action":"*"}"#, "Policy statement must contain resources. (Statement[0])"),
        (Identity, r#"{"Action":"*","Resource":"*"}"#, "Syntax errors in policy. (Statement[0]: has no Effect)"),
        (Identity, r#"{"Effect":"allow","Action":"*","Resource":"*"}"#, "The policy failed legacy parsing (Statement[0].Effect)"),
        (Identity, r#"{"Effect":"invalid","Action":"*","Resource":"*"}"#, "Syntax errors in policy. (Statement[0].Effect: must be Allow or Deny)"),
        (Identity, r#"{"Effect":"Allow","Action":"run","Resource":"*"}"#, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[0].Action)"),
        (Identity, r#"{"Effect":"Allow","Action":"a a:x","Resource":"*"}"#, "Vendor a a is not valid (Statement[0].Action)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","NotAction":"a:b","Resource":"*"}"#, "Syntax errors in policy. (Statement[0].NotAction: an element and its Not form cannot both be there)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"bucket"}"#, "Resource bucket must be in ARN format or \"*\". (Statement[0].Resource)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#, "Policy document should not specify a principal. (Statement[0].Principal)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Actions":"*"}"#, "Syntax errors in policy. (Statement[0].Actions: is not an element of a statement)"),
        (Identity, r#"{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}"#, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]* (Statement[0].Sid)"),
        (Identity, r#"[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]"#, "Statement IDs (SID) in a single policy must be unique. (Statement[1].Sid)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"a:b":"c"}}}"#, "Syntax errors in policy. (Statement[0].Condition.StringIs: \"StringIs\" is not a condition operator)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a:b":"c"}}}"#, "Syntax errors in policy. (Statement[0].Condition.NumericEquals.a:b: \"c\" is not a number)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"a:b":"1.2.3.4/33"}}}"#, "Syntax errors in policy. (Statement[0].Condition.IpAddress.a:b: \"1.2.3.4/33\" is not a CIDR block)"),
        (Identity, r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"}"#, "Syntax errors in policy. (Statement[0].Resource: \"arn:aws:s3:::${aws:username\" has a policy variable without an end)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#, "Missing required field Principal cannot be empty! (Statement[0])"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}"#, "Has prohibited field Resource (Statement[0].Resource)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":[]}}"#, "Missing required field Principal cannot be empty! (Statement[0])"),
        (Trust, r#"{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSessions"],"Principal":"*"}"#, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0].Action)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:Assumed*","Principal":"*"}"#, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0].Action)"),
        (Trust, r#"{"Effect":"Allow","Action":"*","Principal":"*"}"#, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0].Action)"),
        (Trust, r#"{"Effect":"Allow","Action":"ec2:Run","Principal":"*"}"#, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0].Action)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"bob"}}"#, "Invalid principal in policy: \"AWS\":\"bob\" (Statement[0].Principal)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"}}"#, "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:user/*\" (Statement[0].Principal)"),
        (Trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Person":"bob"}}"#, "Invalid principal in policy: \"Person\":\"bob\" (Statement[0].Principal)"),
        (Resource, r#"{"Effect":"Allow","Action":"s3:*","Principal":"*"}"#, "Policy statement must contain resources. (Statement[0])"),
    ];
    for (kind, statement, expected) in table {
        assert_eq!(error(statement, kind), expected, "{statement}");
    }
}

/// Of several mistakes the one that AWS tells, in its words. The last column: the statement's part.
#[test]
fn aws_tells_one_mistake_first() {
    let resource = |text: &str| format!(r#"{{"Effect":"Allow","Action":"s3:ListBucket","Resource":{text}}}"#);
    let condition = |text: &str| format!(r#"{{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{text}}}"#);
    const LEGACY: &str = "The policy failed legacy parsing";
    const SYNTAX: &str = "Syntax errors in policy.";
    const VENDOR: &str = "Resource vendor must be fully qualified and cannot contain regexes.";
    const IAM_PATH: &str = "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, \
                            instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, \
                            oidc-provider/, report/, access-report/.";
    let table = [
        (resource(r#""""#), r#"Resource  must be in ARN format or "*"."#),
        (resource(r#"["*","zz","adf"]"#), r#"Resource adf must be in ARN format or "*"."#),
        (resource(r#""a:bsd""#), r#"Partition "bsd" is not valid for resource "arn:bsd:*:*:*:*"."#),
        (resource(r#""a:b:cad""#), r#"Partition "b" is not valid for resource "arn:b:cad:*:*:*"."#),
        (resource(r#""a:b:c:d:e:f:g:h""#), r#"Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h"."#),
        (
            resource(r#""aws:s3:::example_bucket""#),
            r#"Partition "s3" is not valid for resource "arn:s3:::example_bucket:*"."#,
        ),
        (resource(r#""arn:aws""#), VENDOR),
        (resource(r#""arn:aws:s*:::x""#), VENDOR),
        (resource(r#""arn:aws:iam:::example""#), IAM_PATH),
        (
            resource(r#""arn:aws:iam:us-east-1::example""#),
            "IAM resource arn:aws:iam:us-east-1::example cannot contain region information.",
        ),
        (
            resource(r#""arn:aws:s3:us-east-1::example""#),
            "Resource arn:aws:s3:us-east-1::example can not contain region information.",
        ),
        (resource(r#""arn:aws:s3::example""#), LEGACY),
        (resource(r#""arn:aws::::example""#), LEGACY),
        (resource(r#""arn:aws::example""#), LEGACY),
        (resource(r#"{"a":"*"}"#), SYNTAX),
        (resource("[]"), "Policy statement must contain resources."),
        (condition(r#"{"DateGreaterThan":{"a":"sdfdsf"}}"#), LEGACY),
        (condition(r#"{"DateLessThanEquals":{"a":"234-13"}}"#), LEGACY),
        (condition(r#"{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+1"}}"#), LEGACY),
        (condition(r#"{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.1999999999+10:59"}}"#), LEGACY),
        (condition(r#"{"DateLessThan":{"a":"9223372036854775808"}}"#), LEGACY),
        (condition(r#"{"x":{"a":"1"}}"#), SYNTAX),
        (condition(r#"{"DateGreaterThan":[]}"#), SYNTAX),
        (condition("[]"), SYNTAX),
        (
            r#"[{"Sid":"s","Effect":"Allow","Action":"a:b","Resource":"*"},{"Sid":"s","Effect":"Allow"}]"#.into(),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (r#"{"Effect":"aLLow","Action":"s:3:x","Resource":"adf"}"#.into(), LEGACY),
        (
            r#"{"Effect":"Allow","Action":"s:3:x","Resource":"adf"}"#.into(),
            r#"Resource adf must be in ARN format or "*"."#,
        ),
        (r#"{"Effect":"Allow","Resource":"adf"}"#.into(), "Policy statement must contain actions."),
        (r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#.into(), "Policy statement must contain actions."),
        (
            r#"{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"*"}"#.into(),
            "Actions/Condition can contain only one colon.",
        ),
        (
            r#"{"Effect":"Allow","NotAction":"","Resource":"*"}"#.into(),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (r#"{"Effect":"Allow","Action":[[]],"Resource":"*"}"#.into(), SYNTAX),
    ];
    for (statement, expected) in table {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        let error = Document::parse(&text, Identity).expect_err(&text);
        assert_eq!(error.message, expected, "{statement}");
        // Without a version a managed policy is told of that first, unless its form is wrong.
        let error = Document::parse_managed(&text.replace("2012", "2008")).expect_err(&text);
        let version = "Policy document must be version 2012-10-17 or greater.";
        assert_eq!(error.message, if expected == SYNTAX { SYNTAX } else { version }, "{statement}");
    }
    for good in [
        resource(r#"["arn:aws:s3:::b","*"]"#),
        resource(r#""arn:aws:fdsasf""#),
        resource(r#""arn:aws:s33:::b""#),
        resource(r#""arn:*:s3:::b""#),
        resource(r#""arn:aws-cn:ec2:cn-north-1::b""#),
        resource(r#""arn:aws:iam::*:*""#),
        resource(r#""arn:aws:iam::111122223333:root""#),
        resource(r#""arn:aws:iam:::user/b""#),
        resource(r#""arn:aws:s3:us-west-2:111122223333:accesspoint/a""#),
        resource(r#""arn:aws:iam::*:user/${aws:username}""#),
        condition("{}"),
        condition(r#"{"a":{}}"#),
        condition(r#"{"DateGreaterThan":{}}"#),
        condition(r#"{"DateGreaterThan":{"a":[]}}"#),
        condition(r#"{"DateGreaterThan":{"a":"01T"}}"#),
        condition(r#"{"DateLessThan":{"a":"-292275054"}}"#),
        condition(r#"{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+23"}}"#),
        condition(r#"{"DateLessThanEquals":{"a":"2016-12-13T21:20:37.593194+00:00"}}"#),
        condition(r#"{"StringEqualsIfExists":{"a":"asf"}}"#),
        r#"{"Effect":"Allow","Action":"iam: asdf safdsf af ","Resource":"*"}"#.into(),
        r#"{"Effect":"Allow","Action":"s3.s:ListBucket","Resource":"*"}"#.into(),
        r#"{"Effect":"Allow","Action":"*:List*","Resource":"*"}"#.into(),
        r#"{"Effect":"Allow","NotAction":"s3:ListBucket","NotResource":"*"}"#.into(),
    ] {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{good}}}"#);
        Document::parse_managed(&text).unwrap_or_else(|error| panic!("{error}: {good}"));
    }
}

#[test]
fn only_managed_policies_must_say_the_version() {
    for version in ["", r#""Version":"2008-10-17","#] {
        let text = format!(r#"{{{version}"Statement":{{"Effect":"Allow","Action":"*","Resource":"*"}}}}"#);
        let error = Document::parse_managed(&text).expect_err("an old one");
        assert_eq!(error.message, "Policy document must be version 2012-10-17 or greater.");
        assert!(Document::parse(&text, Identity).is_ok(), "an inline policy may be an old one");
    }
    let trust =
        r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com","AWS":[]},"Action":"sts:*"}}"#;
    assert!(Document::parse(trust, Trust).is_ok(), "an empty list beside others names nobody");
    // What an earlier version of this program took is read as it stands.
    let kept = r#"{"Statement":{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam:::all"}}"#;
    assert!(Document::parse(kept, Identity).is_err());
    assert_eq!(Document::kept(kept, Identity).expect("kept").statements.len(), 1);
}

#[test]
fn json_itself_is_strict_and_bounded() {
    let twice =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}}"#;
    let message = Document::parse(twice, Identity).expect_err("a name twice").to_string();
    assert!(message.starts_with("Syntax errors in policy. (the name \"Effect\" appears twice"), "{message}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let message = Document::parse(&deep, Identity).expect_err("too deep").to_string();
    assert!(message.contains("recursion limit"), "{message}");
    assert!(Document::parse(r#"{"Version":"2013-01-01","Statement":[]}"#, Identity).is_err());
    assert!(Document::parse("", Identity).is_err());
}

#[test]
fn garbage_never_panics() {
    let good = r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"s","Effect":"Allow","NotPrincipal":{"AWS":["111122223333","*"]},
        "Action":["s3:Get*"],"NotResource":"arn:aws:s3:::${aws:username, 'x'}/${*}","Condition":{"ForAnyValue:StringLikeIfExists":
        {"aws:TagKeys":["a*","ü"]},"DateLessThan":{"a:b":"2026-01-01"},"IpAddress":{"a:c":"::/0"}}}]}"#;
    parsed(good, Resource);
    let mut random = StdRng::seed_from_u64(11);
    let letters: Vec<char> = "{}[]\",:*?$éa0/ ".chars().collect();
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut text: Vec<char> = good.chars().collect();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..text.len());
            match random.random_range(0..3) {
                0 => text[at] = letters[random.random_range(0..letters.len())],
                1 => text.insert(at, letters[random.random_range(0..letters.len())]),
                _ => {
                    text.remove(at);
                }
            }
        }
        let text: String = text.into_iter().collect();
        for kind in [Identity, Resource, Trust] {
            refused += usize::from(Document::parse(&text, kind).is_err());
        }
    }
    assert!(refused > 20_000);
}

#[test]
fn managed_policies_are_valid() {
    assert!(managed::ALL.len() > 1_400, "{}", managed::ALL.len());
    for policy in managed::ALL.iter() {
        let parsed = Document::parse_managed(policy.document());
        parsed.unwrap_or_else(|error| panic!("{}: {error}", policy.arn()));
        let found = managed::find(&policy.arn()).expect("found by its name");
        assert_eq!(found.arn(), policy.arn());
        assert!(!found.parsed().statements.is_empty());
        assert!(policy.version.starts_with('v') && policy.created <= policy.updated, "{}", policy.arn());
    }
    let lambda = managed::find("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole").expect("there");
    assert_eq!((lambda.name(), &*lambda.path()), ("AWSLambdaBasicExecutionRole", "/service-role/"));
    for nothing in
        ["arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole", "arn:aws:iam::aws:policy/", "AdministratorAccess"]
    {
        assert!(managed::find(nothing).is_none(), "{nothing}");
    }
}

#[test]
fn the_keys_that_a_policy_asks_for_are_named() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",
        "Resource":"arn:aws:s3:::${aws:PrincipalTag/Team, 'x'}/*","Condition":{"StringEquals":{"aws:RequestTag/a":"${aws:username}"}}},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"AWS:requesttag/A":"true"}}}]}"#;
    let document = parsed(text, Identity);
    assert_eq!(document.context_keys(), ["aws:RequestTag/a", "aws:username", "aws:PrincipalTag/Team"]);
}
