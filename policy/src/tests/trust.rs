//! Who may assume a role.

use super::{identity, parsed, session, user};
use crate::{Document, DocumentKind, Policies, Policy, Principal, Request, ResourcePolicies, evaluate};

const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";

fn trust(principal: &str, condition: &str) -> Document {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},
            "Action":"sts:AssumeRole","Condition":{{{condition}}}}}}}"#
    );
    parsed(&text, DocumentKind::Trust)
}

fn assume(who: Principal, trust: &Document, with_identity: bool, external_id: Option<&str>) -> Result<(), String> {
    let may = identity(&format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"{ROLE}"}}"#));
    let (may, trust) = ([Policy { name: "may", document: &may }], [Policy { name: ROLE, document: trust }]);
    let mut asked = Request::new(who, "sts:AssumeRole", vec![ROLE.into()]);
    if let Some(id) = external_id {
        asked = asked.with("sts:ExternalId", id);
    }
    asked.resource_account = Some("111122223333".into());
    let decision = evaluate(
        &asked,
        &Policies {
            identity: if with_identity { &may } else { &[] },
            resource: ResourcePolicies { policies: &trust, trust: true, needed: false },
            ..Policies::default()
        },
    );
    if decision.is_allowed() { Ok(()) } else { Err(decision.denied_message(&asked)) }
}

#[test]
fn the_trust_policy_is_always_needed() {
    let account = trust(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, "");
    let ann = trust(r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#, "");
    let other = trust(r#"{"AWS":"999988887777"}"#, "");
    assert_eq!(assume(user("ann"), &account, true, None), Ok(()));
    assert!(assume(user("ann"), &account, false, None).is_err(), "the account leaves it to identity policies");
    assert_eq!(assume(user("ann"), &ann, false, None), Ok(()));
    assert_eq!(
        assume(user("bob"), &ann, true, None),
        Err(format!(
            "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: sts:AssumeRole on resource: {ROLE} \
             because no role trust policy allows the sts:AssumeRole action"
        ))
    );
    let stranger = Principal::User {
        arn: "arn:aws:iam::999988887777:user/eve".into(),
        account: "999988887777".into(),
        name: "eve".into(),
        id: "AIDAEVE".into(),
    };
    assert!(assume(stranger.clone(), &other, false, None).is_err(), "across accounts both must allow");
    assert_eq!(assume(stranger.clone(), &other, true, None), Ok(()));
    assert!(assume(stranger, &account, true, None).is_err());
}

#[test]
fn services_roles_and_external_ids() {
    let ec2 = trust(r#"{"Service":["ec2.amazonaws.com","ssm.amazonaws.com"]}"#, "");
    assert_eq!(assume(Principal::Service("ec2.amazonaws.com".into()), &ec2, false, None), Ok(()));
    assert!(assume(Principal::Service("lambda.amazonaws.com".into()), &ec2, false, None).is_err());
    assert!(assume(user("ann"), &ec2, true, None).is_err());

    let chained = trust(r#"{"AWS":"arn:aws:iam::111122223333:role/ci"}"#, "");
    assert_eq!(assume(session("ci"), &chained, false, None), Ok(()));
    assert!(assume(session("dev"), &chained, true, None).is_err());

    let with_id = trust(r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#, r#""StringEquals":{"sts:ExternalId":"42"}"#);
    assert_eq!(assume(user("ann"), &with_id, false, Some("42")), Ok(()));
    assert!(assume(user("ann"), &with_id, false, Some("43")).is_err());
    assert!(assume(user("ann"), &with_id, false, None).is_err());
    assert_eq!(with_id.principal_arns().collect::<Vec<_>>(), ["arn:aws:iam::111122223333:user/ann"]);
}
