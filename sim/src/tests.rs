//! The committed scripts.

use kiln_service_kit::Touches;
use std::collections::BTreeSet;

#[test]
fn every_script_tells_its_committed_story() {
    let scripts = crate::scripts().expect("the folder is there");
    assert!(!scripts.is_empty());
    for file in scripts {
        crate::run(&file, false, true).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// docs/coverage.md is written from the source; this is what is really registered.
#[test]
fn the_resource_types_in_the_coverage_table_are_those_that_are_registered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coverage.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let told: BTreeSet<&str> = page.split('`').filter(|text| text.starts_with("AWS::")).collect();
    let services = crate::services::services();
    let registered = services.iter().flat_map(|s| s.resources.iter().map(|r| r.type_name()));
    let to_do = "a type that src/resources/ has is to be pushed to the service's `resources` (there in vain), or \
                 `cargo xtask coverage` to be run";
    crate::whole::whole(told, registered, to_do);
}

/// Each controller says what it looks after (`Controller::ABOUT`).
#[test]
fn the_table_of_controllers_in_the_architecture_is_what_they_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let head = "| controller | looks after |\n|---|---|\n";
    let (_, rest) = page.split_once(head).expect("the table is there");
    let told: BTreeSet<&str> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    let services = crate::services::services();
    let all = services.iter().flat_map(|service| &service.controllers);
    let rows: BTreeSet<String> = all.map(|c| format!("| `{}` | {} |", c.name(), c.about())).collect();
    assert!(told.iter().eq(&rows), "ARCHITECTURE.md's table is to be:\n{head}{}", Vec::from_iter(rows).join("\n"));
}

/// Service Authorization Reference: the tables of actions of each service. A call about something that is
/// given no name there must not slip in as one about everything.
#[test]
fn calls_that_change_something_name_it_unless_aws_gives_it_no_name() {
    const NO_RESOURCE_TYPE: &[&str] = &[
        "cloudformation:ValidateTemplate",
        "cloudtrail:LookupEvents",
        "ec2:CreateDefaultSubnet",
        "ec2:CreateDefaultVpc",
        "events:TestEventPattern",
        "iam:CreateAccountAlias",
        "iam:DeleteAccountAlias",
        "iam:SimulateCustomPolicy",
        "logs:DeleteQueryDefinition",
        "logs:DeleteResourcePolicy",
        "logs:PutQueryDefinition",
        "logs:PutResourcePolicy",
        "logs:StopQuery",
        "logs:TestMetricFilter",
        "secretsmanager:BatchGetSecretValue",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    ];
    // The first asks for each object by itself, the others need no permission but a trust policy's.
    const OPEN: &[&str] = &["s3:DeleteObjects", "sts:AssumeRole", "sts:GetCallerIdentity", "sts:GetSessionToken"];
    let (mut everything, mut open) = (BTreeSet::new(), BTreeSet::new());
    for service in crate::services::services() {
        for row in service.operations.iter().flat_map(|rows| rows.iter()) {
            let name = format!("{}:{}", service.model.name, row.name);
            let lists = ["Describe", "Get", "List"].iter().any(|verb| row.name.starts_with(verb));
            match row.touches {
                Touches::Everything if !lists => drop(everything.insert(name)),
                Touches::Nothing => drop(open.insert(name)),
                Touches::Everything | Touches::Things => {}
            }
        }
    }
    assert_eq!(everything.iter().map(String::as_str).collect::<Vec<_>>(), NO_RESOURCE_TYPE);
    assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), OPEN);
}

#[test]
fn a_wrong_expectation_fails() {
    let played = crate::play::play("group web min 1 desired 1 max 1\nsettle\nexpect web in service 2").expect("read");
    assert_eq!(played.failure.as_deref(), Some("expect web in service 2: 1 in service"));
}
