//! The committed facts: they load, and say what is known of these types.

use kiln_template::facts;
use kiln_template::schema::{Kind, Property, Recreation, ResourceSchema};

#[test]
fn all_types_of_the_slice_load() {
    for (service, text) in facts::FILES {
        assert!(!facts::load(text).expect("facts load").is_empty(), "{service}: no type at all");
    }
    for schema in facts::all().values() {
        assert!(facts::is_aws_type(&schema.type_name), "AWS has no {}", schema.type_name);
        for member in schema.members().values() {
            visit(schema, member, 0);
        }
        for path in schema.create_only.iter().chain(&schema.read_only) {
            let first = path.split('/').next().unwrap_or_default();
            assert!(schema.members().contains_key(first), "{}: {path}", schema.type_name);
        }
    }
}

/// Every reference leads somewhere, every pattern compiles.
fn visit(schema: &ResourceSchema, property: &Property, depth: usize) {
    if depth > 12 {
        return;
    }
    let property = schema.follow(property).unwrap_or_else(|| panic!("{}: a reference to nothing", schema.type_name));
    if let Some(pattern) = &property.pattern {
        assert!(pattern.regex().is_some(), "{}: pattern {}", schema.type_name, pattern.text);
    }
    match &property.kind {
        Kind::List { of, .. } | Kind::Map(of) => visit(schema, of, depth + 1),
        Kind::Object(object) => object.members.values().for_each(|member| visit(schema, member, depth + 1)),
        _ => {}
    }
}

#[test]
fn update_behaviour_and_attributes_are_known() {
    let all = facts::all();
    let instance = &all["AWS::EC2::Instance"];
    assert_eq!(instance.recreation(&["ImageId"]), Recreation::Always);
    assert_eq!(instance.recreation(&["InstanceType"]), Recreation::Conditionally);
    assert_eq!(instance.recreation(&["Tags", "0", "Value"]), Recreation::Never);
    assert!(instance.has_attribute("PrivateIp"));
    assert!(!instance.has_attribute("Colour"));
    assert!(all["AWS::CloudFormation::Stack"].has_attribute("Outputs.Url"));
    assert!(!all["AWS::CloudFormation::Stack"].has_attribute("Outputs."));
    assert_eq!(all["AWS::ElasticLoadBalancingV2::LoadBalancer"].recreation(&["Scheme"]), Recreation::Always);
    assert_eq!(
        all["AWS::AutoScaling::AutoScalingGroup"].recreation(&["LaunchTemplate", "Version"]),
        Recreation::Conditionally
    );
    assert!(ResourceSchema::from_facts("X", &serde_json::json!({"properties": {}, "colour": 1})).is_err());
}

#[test]
fn what_aws_has_is_told_from_what_nobody_has() {
    assert!(facts::is_aws_type("AWS::S3::Bucket"));
    assert!(!facts::is_aws_type("AWS::S3::Buckets"));
    assert!(facts::all().keys().all(|name| facts::is_aws_type(name)));
}
