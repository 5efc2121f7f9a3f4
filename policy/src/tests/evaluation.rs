//! AWS's evaluation order, and what is said about it.

use super::{identity, parsed, request, session, user};
use crate::{
    Document, DocumentKind, Policies, Policy, Principal, Request, ResourcePolicies, Verdict, evaluate, managed,
};

fn named<'a>(name: &'a str, document: &'a Document) -> Policy<'a> {
    Policy { name, document }
}

const ALLOW_EC2: &str = r#"{"Sid":"Ec2","Effect":"Allow","Action":"EC2:*","Resource":"*"}"#;
const INSTANCE: &str = "arn:aws:ec2:us-east-1:111122223333:instance/i-1";

#[test]
fn nothing_is_allowed_unless_allowed() {
    let decision = evaluate(&request("ec2:RunInstances", INSTANCE), &Policies::default());
    assert_eq!(decision.verdict, Verdict::ImplicitDeny);
    assert_eq!(
        decision.denied_message(&request("ec2:RunInstances", INSTANCE)),
        "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: ec2:RunInstances on resource: \
         arn:aws:ec2:us-east-1:111122223333:instance/i-1 because no identity-based policy allows the \
         ec2:RunInstances action"
    );
}

#[test]
fn actions_ignore_case_and_not_action_inverts() {
    let ec2 = identity(ALLOW_EC2);
    let not =
        identity(r#"{"Effect":"Allow","NotAction":["iam:*","ec2:Run*"],"NotResource":"arn:aws:ec2:*:*:image/*"}"#);
    let allowed = |document: &Document, action, resource| {
        let identity = [named("p", document)];
        evaluate(&request(action, resource), &Policies { identity: &identity, ..Policies::default() }).is_allowed()
    };
    assert!(allowed(&ec2, "ec2:runinstances", INSTANCE));
    assert!(!allowed(&ec2, "iam:GetUser", "*"));
    assert!(allowed(&not, "ec2:StopInstances", INSTANCE));
    assert!(!allowed(&not, "ec2:RunInstances", INSTANCE));
    assert!(!allowed(&not, "ec2:StopInstances", "arn:aws:ec2:us-east-1::image/ami-1"));
}

#[test]
fn a_deny_wins_and_names_itself() {
    let (allow, deny) = (
        identity(ALLOW_EC2),
        identity(
            r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NoStop","Effect":"Deny","Action":"ec2:Stop*","Resource":"*"}]"#,
        ),
    );
    let identity = [named("allow", &allow), named("deny", &deny)];
    let asked = request("ec2:StopInstances", INSTANCE);
    let decision = evaluate(&asked, &Policies { identity: &identity, ..Policies::default() });
    assert_eq!(decision.verdict, Verdict::ExplicitDeny);
    assert_eq!(
        decision.explain(&asked),
        format!("ec2:StopInstances on {INSTANCE} is denied by statement 1 (NoStop) of identity-based policy deny.")
    );
    assert!(decision.denied_message(&asked).ends_with("with an explicit deny in an identity-based policy"));
}

#[test]
fn every_resource_must_be_allowed() {
    let document = identity(
        r#"{"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/*",
            "Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}"#,
    );
    let identity = [named("p", &document)];
    let policies = Policies { identity: &identity, ..Policies::default() };
    let subnet = "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-1";
    let both = Request::new(user("ann"), "ec2:RunInstances", vec![INSTANCE.into(), subnet.into()])
        .with("aws:RequestedRegion", "us-east-1");
    let decision = evaluate(&both, &policies);
    assert_eq!((decision.verdict, decision.resource.as_str()), (Verdict::ImplicitDeny, subnet));
    assert_eq!(
        decision.explain(&both),
        format!(
            "ec2:RunInstances on {subnet} is not allowed: no identity-based policy allows it. Nearest: statement 0 \
             of identity-based policy p allows the action, but not on {subnet}."
        )
    );
    let elsewhere = request("ec2:RunInstances", INSTANCE).with("aws:RequestedRegion", "eu-west-1");
    assert!(
        evaluate(&elsewhere, &policies)
            .explain(&elsewhere)
            .ends_with("its condition StringEquals aws:RequestedRegion (the request has eu-west-1) does not hold.")
    );
}

#[test]
fn boundary_session_and_control_policies_only_limit() {
    let (all, ec2, iam) = (
        identity(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
        identity(ALLOW_EC2),
        identity(r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#),
    );
    let (all, ec2, iam) = ([named("all", &all)], [named("ec2", &ec2)], [named("iam", &iam)]);
    let base = Policies { identity: &all, ..Policies::default() };
    let message = |policies: Policies<'_>| {
        let asked = request("ec2:RunInstances", INSTANCE);
        let decision = evaluate(&asked, &policies);
        (!decision.is_allowed()).then(|| decision.denied_message(&asked))
    };
    let ends = |policies: Policies<'_>, text: &str| {
        let message = message(policies).expect("denied");
        assert!(message.ends_with(text), "{message}");
    };
    assert_eq!(message(Policies { boundary: Some(ec2[0]), ..base }), None);
    ends(
        Policies { boundary: Some(iam[0]), ..base },
        "because no permissions boundary allows the ec2:RunInstances action",
    );
    assert_eq!(message(Policies { session: Some(&ec2), ..base }), None);
    ends(Policies { session: Some(&iam), ..base }, "because no session policy allows the ec2:RunInstances action");
    ends(Policies { session: Some(&[]), ..base }, "because no session policy allows the ec2:RunInstances action");
    assert_eq!(message(Policies { service_control: &[&all, &ec2], ..base }), None);
    ends(
        Policies { service_control: &[&all, &iam], ..base },
        "because no service control policy allows the ec2:RunInstances action",
    );
    ends(
        Policies { identity: &[], boundary: Some(all[0]), ..Policies::default() },
        "because no identity-based policy allows the ec2:RunInstances action",
    );
}

#[test]
fn the_root_user_needs_no_policy_but_obeys_control_policies() {
    let root = Principal::Root { account: "111122223333".into() };
    let asked = Request::new(root, "iam:CreateUser", vec!["*".into()]);
    let decision = evaluate(&asked, &Policies::default());
    assert!(decision.is_allowed());
    assert_eq!(
        decision.explain(&asked),
        "iam:CreateUser on * is allowed: arn:aws:iam::111122223333:root is the account's root user."
    );
    let ec2 = identity(ALLOW_EC2);
    let level = [named("scp", &ec2)];
    assert!(!evaluate(&asked, &Policies { service_control: &[&level], ..Policies::default() }).is_allowed());
}

#[test]
fn resource_policies() {
    let bucket = |principal: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}}}"#
        );
        parsed(&text, DocumentKind::Resource)
    };
    let nothing = identity(r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#);
    let s3 = identity(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    let ann = r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#;
    let role = r#"{"AWS":"arn:aws:iam::111122223333:role/r"}"#;
    let account = r#"{"AWS":"111122223333"}"#;
    let service = r#"{"Service":"logs.amazonaws.com"}"#;
    let logs = || Principal::Service("logs.amazonaws.com".into());
    // who, principal element, identity allows, a boundary forbids, another account's -> allowed
    #[rustfmt::skip]
    let table = [
        (user("ann"), ann, false, false, false, true),
        (user("bob"), ann, false, false, false, false),
        (user("ann"), ann, false, true, false, true),
        (user("ann"), ann, false, false, true, false),
        (user("ann"), ann, true, false, true, true),
        (user("bob"), ann, true, false, true, false),
        (user("ann"), account, false, false, false, false),
        (user("ann"), account, true, false, false, true),
        (user("ann"), account, true, false, true, true),
        (user("ann"), "\"*\"", false, false, false, true),
        (session("r"), role, false, false, false, true),
        (session("r"), role, false, true, false, false),
        (session("q"), role, false, false, false, false),
        (logs(), service, false, false, false, true),
        (logs(), account, false, false, false, false),
        (Principal::Anonymous, "\"*\"", false, false, false, true),
        (Principal::Anonymous, account, false, false, false, false),
    ];
    for (who, principal, has_identity, bounded, foreign, expected) in table {
        let document = bucket(principal);
        let on_resource = [named("bucket", &document)];
        let identity = [named("identity", if has_identity { &s3 } else { &nothing })];
        let policies = Policies {
            identity: &identity,
            boundary: bounded.then(|| named("boundary", &nothing)),
            resource: ResourcePolicies { policies: &on_resource, trust: false, needed: false },
            ..Policies::default()
        };
        let mut asked = Request::new(who.clone(), "s3:GetObject", vec!["arn:aws:s3:::b/x".into()]);
        asked.resource_account = foreign.then(|| "999988887777".to_owned());
        let decision = evaluate(&asked, &policies);
        assert_eq!(decision.is_allowed(), expected, "{who:?} {principal} {has_identity} {bounded} {foreign}");
    }
}

#[test]
fn a_policy_without_principal_grants_nothing_as_a_resource_policy() {
    let document = identity(ALLOW_EC2);
    let on_resource = [named("x", &document)];
    let resource = ResourcePolicies { policies: &on_resource, trust: false, needed: false };
    let asked = Request::new(Principal::Anonymous, "ec2:RunInstances", vec![INSTANCE.into()]);
    assert!(!evaluate(&asked, &Policies { resource, ..Policies::default() }).is_allowed());
}

#[test]
fn not_principal_denies_all_others() {
    let text = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"},
        {"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":"s3:*","Resource":"*"}]}"#;
    let document = parsed(text, DocumentKind::Resource);
    let on_resource = [named("b", &document)];
    let resource = ResourcePolicies { policies: &on_resource, trust: false, needed: false };
    let ask = |who| {
        let asked = Request::new(who, "s3:GetObject", vec!["arn:aws:s3:::b/x".into()]);
        evaluate(&asked, &Policies { resource, ..Policies::default() }).verdict
    };
    assert_eq!(ask(user("ann")), Verdict::Allow);
    assert_eq!(ask(user("bob")), Verdict::ExplicitDeny);
}

#[test]
fn managed_policies_allow_what_they_are_for() {
    #[rustfmt::skip]
    let table = [
        ("AdministratorAccess", "iam:CreateUser", true),
        ("PowerUserAccess", "ec2:RunInstances", true),
        ("PowerUserAccess", "iam:CreateUser", false),
        ("PowerUserAccess", "iam:ListRoles", true),
        ("ReadOnlyAccess", "ec2:DescribeInstances", true),
        ("ReadOnlyAccess", "ec2:RunInstances", false),
        ("ReadOnlyAccess", "secretsmanager:GetSecretValue", false),
        ("AmazonSSMManagedInstanceCore", "ssm:UpdateInstanceInformation", true),
        ("AmazonEC2ReadOnlyAccess", "autoscaling:DescribeAutoScalingGroups", true),
        ("AmazonEC2FullAccess", "iam:CreateServiceLinkedRole", false),
        ("CloudWatchAgentServerPolicy", "ssm:GetParameter", false),
    ];
    for (name, action, expected) in table {
        let policy = managed::find(&format!("arn:aws:iam::aws:policy/{name}")).expect(name);
        let document = parsed(policy.document(), DocumentKind::Identity);
        let identity = [named(name, &document)];
        let decision = evaluate(&request(action, "*"), &Policies { identity: &identity, ..Policies::default() });
        assert_eq!(decision.is_allowed(), expected, "{name}: {action}");
    }
}
