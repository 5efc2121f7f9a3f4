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
        (Identity, r#"{"Action":"*","Resource":"*"}"#, "Missing required field Effect cannot be empty! (Statement[0])"),
        (Identity, r#"{"Effect":"allow","Action":"*","Resource":"*"}"#, "Invalid effect: allow (Statement[0].Effect)"),
        (Identity, r#"{"Effect":"Allow","Action":"run","Resource":"*"}"#, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[0].Action)"),
        (Identity, r#"{"Effect":"Allow","Action":"*:x","Resource":"*"}"#, "Vendor * is not valid (Statement[0].Action)"),
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

#[test]
fn json_itself_is_strict_and_bounded() {
    let twice =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}}"#;
    let message = Document::parse(twice, Identity).expect_err("a name twice").to_string();
    assert!(message.starts_with("This policy contains invalid Json (the name \"Effect\" appears twice"), "{message}");
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
    assert_eq!(managed::ALL.len(), 12);
    for policy in managed::ALL {
        parsed(policy.document, Identity);
        assert_eq!(managed::find(policy.arn), Some(policy));
    }
}
