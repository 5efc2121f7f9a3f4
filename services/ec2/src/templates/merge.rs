//! A launch template under a request: what the request gives wins, member by member.
//!
//! The two structures have the same member names (two differ), so the merge works on their JSON.
//! Tags are united, as AWS does; structures of options are merged one level deep.

use crate::templates::data::given;
use crate::templates::lookup::{find, version_of};
use kiln_ec2_shapes::{RequestLaunchTemplateData, RunInstancesRequest};
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error};
use serde_json::{Map, Value as Json, json};

/// Members that the template spells otherwise.
const RENAMED: &[(&str, &str)] = &[("RamDiskId", "RamdiskId"), ("ElasticGpuSpecifications", "ElasticGpuSpecification")];

/// Structures whose members are merged one by one.
const OPTIONS: &[&str] = &["MetadataOptions", "Placement", "PrivateDnsNameOptions", "Monitoring"];

/// The request with what its launch template adds. Tags `aws:ec2launchtemplate:*` say which it was.
pub fn with_template(cx: &Cx, request: RunInstancesRequest) -> Result<RunInstancesRequest, Error> {
    let Some(spec) = request.launch_template.clone() else { return Ok(request) };
    let (id, name) = (spec.launch_template_id.as_deref(), spec.launch_template_name.as_deref());
    let template = find(cx, id, name)?;
    let number = version_of(&template, spec.version.as_deref())?;
    let data = &template.versions[&number].data;
    if data.instance_requirements.is_some() && request.instance_type.is_none() {
        return Err(Error::not_built("ec2:RunInstances with InstanceRequirements"));
    }
    let mut merged = over(as_launch(data), given(stored::to_json(&request)));
    add_tags(&mut merged, &template.id, number);
    let merged: RunInstancesRequest = stored::from_json(Json::Object(merged))?;
    Ok(RunInstancesRequest { client_token: request.client_token, ..merged })
}

/// A template's data in the words of RunInstances.
fn as_launch(data: &RequestLaunchTemplateData) -> Map<String, Json> {
    let mut base = given(stored::to_json(data));
    base.remove("InstanceRequirements");
    for (from, to) in RENAMED {
        if let Some(value) = base.remove(*from) {
            base.insert((*to).to_owned(), value);
        }
    }
    base
}

/// The launch of one instance that a template's data alone would be.
pub fn as_request(data: &RequestLaunchTemplateData) -> Result<RunInstancesRequest, Error> {
    let mut launch = as_launch(data);
    launch.extend([("MinCount".to_owned(), json!(1)), ("MaxCount".to_owned(), json!(1))]);
    stored::from_json(Json::Object(launch))
}

fn over(mut base: Map<String, Json>, request: Map<String, Json>) -> Map<String, Json> {
    // Groups by name and by id are one choice, and so is where the instance gets its interface.
    if request.contains_key("SecurityGroupIds") || request.contains_key("SecurityGroups") {
        base.remove("SecurityGroupIds");
        base.remove("SecurityGroups");
    }
    if !request.contains_key("NetworkInterfaces")
        && let Some(subnet) = request.get("SubnetId")
        && let Some(Json::Array(interfaces)) = base.get_mut("NetworkInterfaces")
        && let Some(Json::Object(first)) = interfaces.first_mut()
    {
        // Auto Scaling chooses the subnet of templates whose interface names none.
        first.entry("SubnetId").or_insert_with(|| subnet.clone());
        let mut request = request;
        request.remove("SubnetId");
        return over_members(base, request);
    }
    over_members(base, request)
}

fn over_members(mut base: Map<String, Json>, request: Map<String, Json>) -> Map<String, Json> {
    for (name, value) in request {
        let merged = match (base.remove(&name), value) {
            (Some(Json::Object(mut under)), Json::Object(value)) if OPTIONS.contains(&name.as_str()) => {
                under.extend(value);
                Json::Object(under)
            }
            (Some(Json::Array(under)), Json::Array(value)) if name == "TagSpecifications" => {
                Json::Array(united(under, value))
            }
            (_, value) => value,
        };
        base.insert(name, merged);
    }
    base
}

/// Tags of both; the request's value wins where both have a key.
fn united(under: Vec<Json>, value: Vec<Json>) -> Vec<Json> {
    let mut by_type: Vec<(Json, Vec<Json>)> = vec![];
    for specification in under.into_iter().chain(value) {
        let kind = specification["ResourceType"].clone();
        let at = by_type.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| {
            by_type.push((kind, vec![]));
            by_type.len() - 1
        });
        for tag in specification["Tags"].as_array().into_iter().flatten() {
            by_type[at].1.retain(|known| known["Key"] != tag["Key"]);
            by_type[at].1.push(tag.clone());
        }
    }
    by_type.into_iter().map(|(kind, tags)| json!({"ResourceType": kind, "Tags": tags})).collect()
}

fn add_tags(merged: &mut Map<String, Json>, id: &str, number: i64) {
    let own = json!([{"ResourceType": "instance", "Tags": [
        {"Key": "aws:ec2launchtemplate:id", "Value": id},
        {"Key": "aws:ec2launchtemplate:version", "Value": number.to_string()},
    ]}]);
    let mut given = match merged.remove("TagSpecifications") {
        Some(Json::Array(given)) => given,
        _ => vec![],
    };
    if let Json::Array(own) = own {
        given = united(own, given);
    }
    merged.insert("TagSpecifications".to_owned(), Json::Array(given));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: Json) -> Map<String, Json> {
        json.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn the_request_wins_and_tags_are_united() {
        let template = json!({
            "InstanceType": "t3.micro", "SecurityGroups": ["a"],
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-1"]}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]}],
        });
        let request = json!({
            "InstanceType": "t3.nano", "SecurityGroupIds": ["sg-2"], "SubnetId": "subnet-1",
            "MetadataOptions": {"HttpTokens": "optional"},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "2"}]}],
        });
        let merged = Json::Object(over(object(template), object(request)));
        assert_eq!(
            merged,
            json!({
                "InstanceType": "t3.nano", "SecurityGroupIds": ["sg-2"],
                "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
                "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-1"], "SubnetId": "subnet-1"}],
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}],
            })
        );
    }
}
