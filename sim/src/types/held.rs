//! Settings that say what holds anyway are taken by every type: empty lists, features that are off. What says more
//! and is not carried out is refused by name before anything is made.

use super::{World, kinds};
use kiln_cloudformation_shapes as cfn;
use kiln_service_kit::ResourceType;
use kiln_template::facts;
use kiln_template::schema::{Kind, Property, ResourceSchema};
use kiln_testkit::simulate;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Every type that is served, with what is known of its properties.
fn served(world: &World) -> Vec<(Arc<dyn ResourceType>, ResourceSchema)> {
    let (platform, facts) = (world.kit.platform(), facts::all());
    let kind = |name: &str| (platform.resource_type(name).expect("served"), facts[name].clone());
    platform.resource_types().into_iter().map(kind).collect()
}

/// The property at a path.
fn at<'s>(schema: &'s ResourceSchema, path: &str) -> Option<&'s Property> {
    let mut members = schema.members();
    let mut found = None;
    for step in path.split('/') {
        let property = schema.follow(members.get(step)?)?;
        if let Kind::Object(object) = &property.kind {
            members = &object.members;
        }
        found = Some(property);
    }
    found
}

/// All that holds anyway, as properties.
fn held(kind: &dyn ResourceType) -> Map<String, Json> {
    let mut all = json!({});
    for (path, value) in kind.holds_anyway() {
        let value: Json = serde_json::from_str(value).expect("the table holds JSON");
        let mut place = &mut all;
        for step in path.split('/') {
            if place.is_null() {
                *place = json!({});
            }
            place = &mut place[step];
        }
        if !place.is_object() {
            *place = value;
        }
    }
    all.as_object().cloned().expect("an object")
}

#[test]
fn what_holds_anyway_is_taken_by_every_type() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    simulate(async {
        let mut world = World::new(folder.path()).await;
        let lines = kinds();
        for (kind, schema) in served(&world) {
            let name = kind.type_name();
            for (property, facts) in schema.members().iter().filter(|(name, _)| !schema.read_only.contains(*name)) {
                let nothing = match schema.follow(facts).map(|facts| &facts.kind) {
                    Some(Kind::List { .. }) => json!([]),
                    Some(Kind::Boolean) if !kind.serves(property) => json!(false),
                    _ => continue,
                };
                let given = json!({ property: nothing });
                let to_do = format!("its holds_anyway is to have (\"{property}\", \"false\")");
                assert_eq!(kind.not_served(&given), None, "{name}: {given} says nothing: {to_do}");
            }
            for (path, _) in kind.holds_anyway() {
                let top = path.split('/').next().unwrap_or_default();
                assert!(at(&schema, path).is_some(), "{name} has no property {path}");
                assert!(!kind.serves(top), "{name} serves {top}");
            }
            let held = held(&*kind);
            if held.is_empty() {
                continue;
            }
            assert_eq!(kind.carried_out(&Json::Object(held.clone())), json!({}), "{name}");
            let more: String = held.iter().map(|(name, value)| format!("\"{name}\": {value}, ")).collect();
            let (_, body) = lines.iter().find(|(kind, _)| *kind == name).expect("types.yaml has it");
            let body = body.replacen("Properties: {", &format!("Properties: {{{more}"), 1);
            world.create("s", &body).await;
            assert_eq!(world.settled("s").await, "CREATE_COMPLETE", "{body}\n{:#?}", world.failures("s").await);
            world.delete("s").await;
        }
    });
}

#[test]
fn what_says_more_and_is_not_carried_out_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    simulate(async {
        let world = World::new(folder.path()).await;
        for (kind, property, value) in [
            ("AWS::EC2::VPC", "Ipv4IpamPoolId", json!("ipam-pool-1")),
            ("AWS::S3::Bucket", "AccessControl", json!("PublicRead")),
            ("AWS::S3::Bucket", "WebsiteConfiguration", json!({"IndexDocument": "i.html"})),
            ("AWS::EC2::Subnet", "PrivateDnsNameOptionsOnLaunch", json!({"HostnameType": "resource-name"})),
            ("AWS::AutoScaling::AutoScalingGroup", "LoadBalancerNames", json!(["classic"])),
            ("AWS::IAM::User", "LoginProfile", json!({"Password": "secret-word"})),
        ] {
            let (_, body) = kinds().into_iter().find(|(name, _)| *name == kind).expect("types.yaml has it");
            let body = body.replacen("Properties: {", &format!("Properties: {{\"{property}\": {value}, "), 1);
            let create = cfn::CreateStackRequest {
                stack_name: "s".to_owned(),
                template_body: Some(body),
                capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
                ..Default::default()
            };
            let error = world.kit.call(create).await.expect_err("refused");
            let told = format!("the property {property} of {kind}");
            assert!(error.is("NotImplemented") && error.message.contains(&told), "{error}");
            assert_eq!(world.status("s").await, "GONE");
        }
    });
}
