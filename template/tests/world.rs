//! One small world for all tables.

use kiln_template::{Answer, Fact, Prefetched, Pseudo};
use serde_json::json;

/// What is there: two resources, an export, zones, parameters of the parameter store.
pub fn world() -> Prefetched {
    let mut world = Prefetched::default();
    world.insert(Fact::Reference("Net".into()), Ok(Answer::text("vpc-1")));
    world.insert(Fact::Attribute("Net".into(), "CidrBlock".into()), Ok(Answer::text("10.0.0.0/16")));
    world.insert(Fact::Export("shared-subnet".into()), Ok(Answer::text("subnet-9")));
    world.insert(Fact::Export("nobody".into()), Err("No export named nobody found".into()));
    for region in ["eu-north-1", "us-east-1"] {
        let zones = json!([format!("{region}a"), format!("{region}b"), format!("{region}c")]);
        world.insert(Fact::AvailabilityZones(region.into()), Ok(Answer::Known(zones)));
    }
    world.insert(Fact::SsmParameter("/image".into(), None), Ok(Answer::text("ami-7")));
    world.insert(Fact::SsmParameter("/image".into(), Some(3)), Ok(Answer::text("ami-3")));
    world.insert(Fact::SsmParameter("/subnets".into(), None), Ok(Answer::text("subnet-1,subnet-2")));
    world.insert(Fact::SsmParameter("/gone".into(), None), Err("ParameterNotFound".into()));
    world
}

/// The stack all tables play in.
pub fn pseudo() -> Pseudo {
    Pseudo {
        account_id: "123456789012".into(),
        region: "eu-north-1".into(),
        partition: "aws".into(),
        url_suffix: "amazonaws.com".into(),
        stack_name: "shop".into(),
        stack_id: "arn:aws:cloudformation:eu-north-1:123456789012:stack/shop/1".into(),
        notification_arns: vec!["arn:aws:sns:eu-north-1:123456789012:news".into()],
    }
}
