//! What a policy on a resource and those of whoever asks come to together: every pair of them, for each way in which
//! a policy can name somebody, with and without limits, in the resource's account and from another.
//!
//! Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access" and "Cross-account
//! policy evaluation logic".

use super::{ACCOUNT, identity, parsed, session, user};
use crate::{Document, DocumentKind, Policies, Policy, Principal, Request, ResourcePolicies, evaluate};

const OBJECT: &str = "arn:aws:s3:::b/x";
const OTHERS: &str = "999988887777";
const EFFECTS: [Option<&str>; 3] = [Some("Allow"), None, Some("Deny")];

/// Which limit stands around somebody without allowing anything.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    No,
    Boundary,
    Session,
}

fn on_bucket(effect: &str, principal: &str, condition: &str) -> Document {
    let text = format!(
        r#"{{"Statement":{{"Effect":"{effect}","Principal":{principal},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{condition}}}}}"#
    );
    parsed(&text, DocumentKind::Resource)
}

/// For each effect of the caller's policy (allow, none, deny) what comes of each of the resource's.
fn grid(who: &Principal, named: &str, condition: &str, limit: Limit, owner: &str) -> String {
    let other = identity(r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#);
    let limiting = [Policy { name: "limit", document: &other }];
    let line = |own: Option<&str>| -> String {
        let own = own.map(|effect| identity(&format!(r#"{{"Effect":"{effect}","Action":"s3:*","Resource":"*"}}"#)));
        let own: Vec<Policy<'_>> = own.iter().map(|document| Policy { name: "own", document }).collect();
        let one = |on: Option<&str>| {
            let on = on.map(|effect| on_bucket(effect, named, condition));
            let on: Vec<Policy<'_>> = on.iter().map(|document| Policy { name: "b", document }).collect();
            let policies = Policies {
                identity: &own,
                boundary: (limit == Limit::Boundary).then_some(limiting[0]),
                session: (limit == Limit::Session).then_some(&limiting[..]),
                resource: ResourcePolicies { policies: &on, trust: false, needed: false },
                ..Policies::default()
            };
            let asked = Request::new(who.clone(), "s3:GetObject", vec![OBJECT.into()]).of_account(owner);
            if evaluate(&asked, &policies).is_allowed() { 'A' } else { '-' }
        };
        EFFECTS.into_iter().map(one).collect()
    };
    EFFECTS.map(line).join(" ")
}

#[test]
fn every_pair_of_policies_in_one_account() {
    let ann = r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#;
    let account = r#"{"AWS":"111122223333"}"#;
    let role = r#"{"AWS":"arn:aws:iam::111122223333:role/r"}"#;
    let its_session = r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s1"}"#;
    let by_arn = r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/r"}}"#;
    let not_others = r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/other"}}"#;
    let everyone = "\"*\"";
    let (no, boundary, policies) = (Limit::No, Limit::Boundary, Limit::Session);
    // Either is enough; a deny of either wins.
    let either = "AA- A-- ---";
    // What is given to exactly somebody is given whatever limits them.
    let direct = "A-- A-- ---";
    let none = "--- --- ---";
    #[rustfmt::skip]
    let table = [
        (user("ann"), ann, "{}", no, either),
        (user("ann"), ann, "{}", boundary, direct),
        (user("ann"), account, "{}", no, "AA- --- ---"),
        (user("ann"), account, "{}", boundary, none),
        (user("ann"), everyone, "{}", no, either),
        (user("ann"), everyone, "{}", boundary, none),
        // Named is somebody else: the resource's policy says nothing.
        (user("bob"), ann, "{}", no, "AAA --- ---"),
        (session("r"), role, "{}", no, either),
        (session("r"), role, "{}", boundary, none),
        (session("r"), role, "{}", policies, none),
        (session("r"), its_session, "{}", no, either),
        (session("r"), its_session, "{}", boundary, direct),
        (session("r"), its_session, "{}", policies, direct),
        (session("r"), everyone, by_arn, no, either),
        (session("r"), everyone, by_arn, boundary, direct),
        (session("r"), everyone, by_arn, policies, direct),
        (session("r"), everyone, not_others, boundary, none),
        (session("q"), everyone, by_arn, no, "AAA --- ---"),
    ];
    for (who, named, condition, limit, expected) in table {
        assert_eq!(grid(&who, named, condition, limit, ACCOUNT), expected, "{who:?} {named} {condition} {limit:?}");
    }
}

#[test]
fn from_another_account_both_must_allow() {
    let ways = [
        (user("ann"), r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#, "{}"),
        (user("ann"), r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, "{}"),
        (user("ann"), "\"*\"", "{}"),
        (session("r"), r#"{"AWS":"arn:aws:iam::111122223333:role/r"}"#, "{}"),
        (session("r"), r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s1"}"#, "{}"),
        (session("r"), "\"*\"", r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/r"}}"#),
    ];
    for (who, named, condition) in ways {
        assert_eq!(grid(&who, named, condition, Limit::No, OTHERS), "A-- --- ---", "{who:?} {named}");
        for limit in [Limit::Boundary, Limit::Session] {
            assert_eq!(grid(&who, named, condition, limit, OTHERS), "--- --- ---", "{who:?} {named} {limit:?}");
        }
    }
    // Who has no account is let in by the resource's policy alone, and root needs none of its own.
    let service = Principal::Service("logs.amazonaws.com".into());
    for owner in [ACCOUNT, OTHERS] {
        let named = r#"{"Service":"logs.amazonaws.com"}"#;
        assert_eq!(grid(&service, named, "{}", Limit::No, owner).split(' ').next(), Some("A--"), "{owner}");
        assert_eq!(grid(&Principal::Anonymous, "\"*\"", "{}", Limit::No, owner).split(' ').next(), Some("A--"));
    }
    let root = Principal::Root { account: ACCOUNT.into() };
    assert_eq!(grid(&root, r#"{"AWS":"111122223333"}"#, "{}", Limit::No, OTHERS), "A-- A-- ---");
    assert_eq!(grid(&root, r#"{"AWS":"111122223333"}"#, "{}", Limit::No, ACCOUNT), "AA- AA- ---");
}

#[test]
fn a_policy_can_ask_whose_the_resource_is() {
    let mine = identity(
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}}"#,
    );
    let own = [Policy { name: "own", document: &mine }];
    let open = on_bucket("Allow", "\"*\"", "{}");
    let on = [Policy { name: "b", document: &open }];
    let resource = ResourcePolicies { policies: &on, trust: false, needed: false };
    for (owner, expected) in [(ACCOUNT, true), (OTHERS, false)] {
        let asked = Request::new(user("ann"), "s3:GetObject", vec![OBJECT.into()]).of_account(owner);
        let policies = Policies { identity: &own, resource, ..Policies::default() };
        assert_eq!(evaluate(&asked, &policies).is_allowed(), expected, "{owner}");
    }
}
