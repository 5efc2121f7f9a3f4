//! `AWS::AutoScaling::LaunchConfiguration`. Ref: its name. Every property needs a replacement.

use super::{flag, items, number, refuse, text};
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub struct LaunchConfigurationType;

/// Properties that change what is launched and that Kiln does not serve.
const NOT_SERVED: &[&str] = &[
    "ClassicLinkVPCId",
    "ClassicLinkVPCSecurityGroups",
    "InstanceId",
    "KernelId",
    "PlacementTenancy",
    "RamDiskId",
    "SpotPrice",
];

fn devices(request: &ResourceRequest) -> Vec<BlockDeviceMapping> {
    items(&request.properties, "BlockDeviceMappings")
        .map(|device| BlockDeviceMapping {
            virtual_name: text(device, "VirtualName"),
            device_name: text(device, "DeviceName").unwrap_or_default(),
            no_device: flag(device, "NoDevice"),
            ebs: device.get("Ebs").map(|ebs| Ebs {
                snapshot_id: text(ebs, "SnapshotId"),
                volume_size: number(ebs, "VolumeSize"),
                volume_type: text(ebs, "VolumeType"),
                delete_on_termination: flag(ebs, "DeleteOnTermination"),
                iops: number(ebs, "Iops"),
                encrypted: flag(ebs, "Encrypted"),
                throughput: number(ebs, "Throughput"),
            }),
        })
        .collect()
}

#[async_trait]
impl ResourceType for LaunchConfigurationType {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::LaunchConfiguration"
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LaunchConfigurationName")
    }

    fn serves(&self, property: &str) -> bool {
        !NOT_SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("PlacementTenancy", r#""default""#)]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        refuse(request, self.type_name(), NOT_SERVED)?;
        let given = request.text("LaunchConfigurationName");
        let generated = given.is_none();
        let name = given.unwrap_or_else(|| request.physical_name.clone());
        let scope = cx.scope();
        let ours = !generated
            && request
                .made_before(cx, |tx| Ok(tx.get::<crate::records::LaunchConfiguration>(scope, &name)?.is_some()))
                .await?;
        let metadata = request.properties.get("MetadataOptions").map(|options| InstanceMetadataOptions {
            http_tokens: text(options, "HttpTokens"),
            http_put_response_hop_limit: number(options, "HttpPutResponseHopLimit"),
            http_endpoint: text(options, "HttpEndpoint"),
        });
        let made = cx
            .call(CreateLaunchConfigurationRequest {
                launch_configuration_name: name.clone(),
                image_id: request.text("ImageId"),
                key_name: request.text("KeyName"),
                security_groups: request.texts("SecurityGroups"),
                user_data: request.text("UserData"),
                instance_type: request.text("InstanceType"),
                block_device_mappings: devices(request),
                instance_monitoring: request
                    .boolean("InstanceMonitoring")
                    .map(|enabled| InstanceMonitoring { enabled: Some(enabled) }),
                iam_instance_profile: request.text("IamInstanceProfile"),
                ebs_optimized: request.boolean("EbsOptimized"),
                associate_public_ip_address: request.boolean("AssociatePublicIpAddress"),
                metadata_options: metadata,
                ..Default::default()
            })
            .await;
        match made {
            // A generated name is this resource's alone: an earlier try made it.
            Err(error) if error.is("AlreadyExists") && (generated || ours) => Ok(name),
            other => other.map(|_| name),
        }
    }

    async fn update(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteLaunchConfigurationRequest { launch_configuration_name: name.to_owned() }).await {
            Ok(_) => Ok(Stability::Ready),
            Err(error) if error.message.contains("not found") => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeLaunchConfigurationsRequest {
            launch_configuration_names: vec![name.to_owned()],
            ..Default::default()
        };
        let Some(found) = cx.call(asked).await?.launch_configurations.into_iter().next() else { return Ok(None) };
        let read = Properties::default()
            .with("LaunchConfigurationName", found.launch_configuration_name)
            .with("ImageId", found.image_id)
            .with("KeyName", found.key_name)
            .with_list("SecurityGroups", found.security_groups)
            .with("UserData", found.user_data.filter(|data| !data.is_empty()))
            .with("InstanceType", found.instance_type)
            .with_shape("BlockDeviceMappings", &found.block_device_mappings)
            .with("InstanceMonitoring", found.instance_monitoring.and_then(|monitoring| monitoring.enabled))
            .with("IamInstanceProfile", found.iam_instance_profile)
            .with("EbsOptimized", found.ebs_optimized)
            .with("AssociatePublicIpAddress", found.associate_public_ip_address)
            .with_shape("MetadataOptions", &found.metadata_options.unwrap_or_default());
        Ok(Some(read))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::new())
    }
}
