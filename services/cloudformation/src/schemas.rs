//! What each resource type's properties are: the facts that come with the template crate, read once.

use kiln_service_kit::{Error, Platform};
use kiln_template::{DeletionPolicy, Graph, ResourceSchema, Template, TemplateError, facts};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// All facts.
pub static FACTS: LazyLock<BTreeMap<String, ResourceSchema>> = LazyLock::new(facts::all);

/// Types whose things have names of their own, and the property that gives the name. Two things of one name
/// cannot be there at once, so one that was named cannot be replaced.
const NAMED: [(&str, &str); 13] = [
    ("AWS::AutoScaling::AutoScalingGroup", "AutoScalingGroupName"),
    ("AWS::AutoScaling::LaunchConfiguration", "LaunchConfigurationName"),
    ("AWS::EC2::KeyPair", "KeyName"),
    ("AWS::EC2::LaunchTemplate", "LaunchTemplateName"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name"),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name"),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::S3::Bucket", "BucketName"),
    ("AWS::SSM::Parameter", "Name"),
];

fn is_built(platform: &Platform, name: &str) -> bool {
    platform.resource_type(name).is_some() && FACTS.contains_key(name)
}

/// Refuses what AWS refuses before anybody wants a stack: types and attributes that do not exist, circles.
pub fn validate(platform: &Platform, template: &Template) -> Result<(), TemplateError> {
    template.check_types(|name| is_built(platform, name) || not_built(name).is_some())?;
    template.check_attributes(&*FACTS)?;
    Graph::of(template, None).map(drop)
}

/// Refuses resource types that do not exist, those that are not built, and what no type can do yet.
pub fn check(platform: &Platform, template: &Template) -> Result<(), Error> {
    let built = |name: &str| is_built(platform, name);
    template.check_types(|name| built(name) || not_built(name).is_some()).map_err(crate::errors::template)?;
    let missing: Vec<String> =
        template.resource_types().into_iter().filter(|name| !built(name)).filter_map(not_built).collect();
    if !missing.is_empty() {
        return Err(Error::not_built(missing.join(", ")));
    }
    let refuse = |what: String| Err(Error::not_built(what));
    template.check_attributes(&*FACTS).map_err(crate::errors::template)?;
    for (id, resource) in &template.resources {
        let snapshot = Some(DeletionPolicy::Snapshot);
        if resource.deletion_policy == snapshot || resource.update_replace_policy == snapshot {
            return refuse(format!("the Snapshot policy of resource {id}"));
        }
    }
    Ok(())
}

/// What to say of a type that AWS or its users have and this platform has not; none for a type nobody has.
pub fn not_built(name: &str) -> Option<String> {
    let why = match name {
        "AWS::CloudFormation::CustomResource" => " (custom resources: they need lambda or sns)",
        name if name.starts_with("Custom::") => " (custom resources: they need lambda or sns)",
        name if name.ends_with("::MODULE") => " (modules: they need the registry)",
        name if kiln_template::facts::is_aws_type(name) => "",
        _ => return None,
    };
    Some(format!("the resource type {name}{why}"))
}

/// Why a resource cannot be replaced, if so: its new properties give it the name it has.
pub fn keeps_its_name(resource_type: &str, before: &Json, after: &Json) -> Option<String> {
    let (_, property) = NAMED.iter().find(|(name, _)| *name == resource_type)?;
    let name = after.get(*property)?.as_str()?;
    (before.get(*property).and_then(Json::as_str) == Some(name)).then(|| {
        format!(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and \
             update the stack again."
        )
    })
}

/// The facts of a type; an error where there are none.
pub fn of(type_name: &str) -> Result<&'static ResourceSchema, TemplateError> {
    FACTS.get(type_name).ok_or_else(|| {
        TemplateError::plain(format!("Template format error: Unrecognized resource types: [{type_name}]"))
    })
}
