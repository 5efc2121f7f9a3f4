//! A launch template's data made of an instance.

use crate::instances::records::Instance;
use crate::instances::shown::Around;
use crate::instances::targets::INSTANCE;
use crate::lookup;
use crate::tags;
use crate::targets::things;
use crate::templates::data::given;
use kiln_ec2_shapes::{GetLaunchTemplateDataRequest, GetLaunchTemplateDataResponse};
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error, Operation, operation};
use serde_json::{Value as Json, json};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetLaunchTemplateData: get_launch_template_data(GetLaunchTemplateDataRequest),
        on things![INSTANCE instance_id])];

/// What a template would have to say to launch instances like this one.
async fn get_launch_template_data(
    cx: &Cx,
    request: GetLaunchTemplateDataRequest,
) -> Result<GetLaunchTemplateDataResponse, Error> {
    let (_, instance) = lookup::selected::<Instance>(cx, std::slice::from_ref(&request.instance_id))?.remove(0);
    let around = Around::of(cx, &instance)?;
    let options = &instance.options;
    let on = |on: bool| if on { "enabled" } else { "disabled" };
    let groups: Vec<&str> = around.groups.iter().map(|(id, _)| id.as_str()).collect();
    let tags: Vec<Json> = instance
        .tags
        .iter()
        .filter(|(key, _)| !tags::is_reserved(key))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let tag_specifications = match tags.is_empty() {
        true => vec![],
        false => vec![json!({"ResourceType": "instance", "Tags": tags})],
    };
    let data = json!({
        "EbsOptimized": options.ebs_optimized,
        "IamInstanceProfile": instance.profile.as_ref().map(|profile| json!({"Arn": profile.arn})),
        "NetworkInterfaces": [{
            "DeviceIndex": 0,
            "DeleteOnTermination": true,
            "AssociatePublicIpAddress": around.public_ip().is_some(),
            "Groups": groups,
            "SubnetId": instance.subnet.to_string(),
        }],
        "ImageId": instance.image.to_string(),
        "InstanceType": instance.instance_type,
        "KeyName": instance.key_name,
        "Monitoring": {"Enabled": options.detailed_monitoring},
        "Placement": {"AvailabilityZone": instance.zone, "Tenancy": "default"},
        "DisableApiTermination": options.disable_api_termination,
        "DisableApiStop": options.disable_api_stop,
        "InstanceInitiatedShutdownBehavior": if options.terminate_on_shutdown { "terminate" } else { "stop" },
        "UserData": instance.user_data,
        "TagSpecifications": tag_specifications,
        "MetadataOptions": {
            "HttpTokens": if instance.metadata.tokens_required { "required" } else { "optional" },
            "HttpPutResponseHopLimit": instance.metadata.hop_limit,
            "HttpEndpoint": on(instance.metadata.enabled),
            "InstanceMetadataTags": on(instance.metadata.tags_enabled),
        },
    });
    let data = stored::from_json(Json::Object(given(data)))?;
    Ok(GetLaunchTemplateDataResponse { launch_template_data: Some(data) })
}
