//! Launch configurations: AWS's older way to say what to launch.

use super::page_size;
use crate::errors::{self, bad_token, refuse, validation};
use crate::records::{self, Device, Group};
use crate::roles;
use crate::targets::configuration;
use kiln_autoscaling_shapes::*;
use kiln_ec2_shapes::DescribeImagesRequest;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLaunchConfiguration: create_launch_configuration(CreateLaunchConfigurationRequest),
        on |cx, r| configuration(cx, &r.launch_configuration_name)),
    operation!(DeleteLaunchConfiguration: delete_launch_configuration(DeleteLaunchConfigurationRequest),
        on |cx, r| configuration(cx, &r.launch_configuration_name)),
    operation!(DescribeLaunchConfigurations: describe_launch_configurations(DescribeLaunchConfigurationsRequest),
        on everything),
];

/// Launch configurations of an account in a region. Source: "Quotas for Amazon EC2 Auto Scaling".
pub const MAX_CONFIGURATIONS: usize = 200;

async fn create_launch_configuration(
    cx: &Cx,
    request: CreateLaunchConfigurationRequest,
) -> Result<CreateLaunchConfigurationResponse, Error> {
    refuse(
        "CreateLaunchConfiguration",
        &[
            ("InstanceId", request.instance_id.is_some()),
            ("ClassicLinkVPCId", request.classic_link_vpc_id.is_some()),
            ("ClassicLinkVPCSecurityGroups", !request.classic_link_vpc_security_groups.is_empty()),
            ("KernelId", request.kernel_id.is_some()),
            ("RamdiskId", request.ramdisk_id.is_some()),
            ("SpotPrice", request.spot_price.is_some()),
            ("PlacementTenancy", request.placement_tenancy.as_ref().is_some_and(|t| t != "default")),
            ("BlockDeviceMappings.VirtualName", request.block_device_mappings.iter().any(|d| d.virtual_name.is_some())),
        ],
    )?;
    let (Some(image), Some(instance_type)) = (request.image_id, request.instance_type) else {
        return Err(validation(
            "Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters.",
        ));
    };
    let described = DescribeImagesRequest { image_ids: vec![image.clone()], ..Default::default() };
    cx.call(described).await.map_err(|error| match error.code.starts_with("InvalidAMIID") {
        true => validation(format!("AMI {image} is invalid: {}", error.message)),
        false => error,
    })?;
    if let Some(profile) = &request.iam_instance_profile {
        roles::pass_profile(cx, profile).await?;
    }
    let metadata = request.metadata_options.unwrap_or_default();
    // Detailed monitoring is the default here, as the API Reference has it.
    let monitoring = request.instance_monitoring.and_then(|m| m.enabled).unwrap_or(true);
    let name = request.launch_configuration_name;
    let devices = request.block_device_mappings.into_iter().map(|device| {
        let ebs = device.ebs.unwrap_or_default();
        Device {
            name: device.device_name,
            size: ebs.volume_size,
            kind: ebs.volume_type,
            delete_on_termination: ebs.delete_on_termination,
            snapshot: ebs.snapshot_id,
            iops: ebs.iops,
            throughput: ebs.throughput,
            encrypted: ebs.encrypted,
            left_out: device.no_device == Some(true),
        }
    });
    let record = records::LaunchConfiguration {
        name: name.clone(),
        uuid: cx.ids().uuid(),
        created: cx.now(),
        image,
        instance_type,
        key_name: request.key_name,
        security_groups: request.security_groups,
        user_data: request.user_data,
        devices: devices.collect(),
        monitoring,
        profile: request.iam_instance_profile,
        ebs_optimized: request.ebs_optimized.unwrap_or(false),
        public_address: request.associate_public_ip_address,
        http_tokens: metadata.http_tokens,
        http_hop_limit: metadata.http_put_response_hop_limit,
        http_endpoint: metadata.http_endpoint,
    };
    cx.store()
        .write(|tx| {
            if tx.get::<records::LaunchConfiguration>(cx.scope(), &name)?.is_some() {
                return Err(Error::sender(
                    "AlreadyExists",
                    format!("Launch Configuration by this name already exists - A launch configuration already exists with the name {name}"),
                ));
            }
            if tx.count::<records::LaunchConfiguration>(cx.scope()) >= MAX_CONFIGURATIONS {
                return Err(Error::sender(
                    "LimitExceeded",
                    format!("You have already reached your quota of {MAX_CONFIGURATIONS} launch configurations for this Region."),
                ));
            }
            tx.put(cx.scope(), &name, record)?;
            Ok(())
        })
        .await?;
    Ok(CreateLaunchConfigurationResponse {})
}

async fn delete_launch_configuration(
    cx: &Cx,
    request: DeleteLaunchConfigurationRequest,
) -> Result<DeleteLaunchConfigurationResponse, Error> {
    let name = &request.launch_configuration_name;
    cx.store()
        .write(|tx| {
            let users = tx.by_key::<Group>(cx.scope(), "launch-configuration", name)?;
            if let Some((group, _)) = users.first() {
                return Err(Error::sender(
                    "ResourceInUse",
                    format!(
                        "Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {group}"
                    ),
                ));
            }
            match tx.delete::<records::LaunchConfiguration>(cx.scope(), name) {
                true => Ok(()),
                false => Err(errors::configuration_not_found(name)),
            }
        })
        .await?;
    Ok(DeleteLaunchConfigurationResponse {})
}

async fn describe_launch_configurations(
    cx: &Cx,
    request: DescribeLaunchConfigurationsRequest,
) -> Result<DescribeLaunchConfigurationsResponse, Error> {
    let wanted = &request.launch_configuration_names;
    let found = super::named_or_all::<records::LaunchConfiguration>(cx, wanted)?;
    let limit = page_size(request.max_records, 50, 100)?;
    let page = paginate(
        found,
        |c: &Arc<records::LaunchConfiguration>| &c.name,
        request.next_token.as_deref(),
        limit,
        bad_token,
    )?;
    let launch_configurations = page.items.iter().map(|c| show(cx, c)).collect();
    Ok(DescribeLaunchConfigurationsResponse { launch_configurations, next_token: page.next_token })
}

fn show(cx: &Cx, c: &records::LaunchConfiguration) -> LaunchConfiguration {
    let devices = c.devices.iter().map(|device| BlockDeviceMapping {
        device_name: device.name.clone(),
        no_device: device.left_out.then_some(true),
        ebs: (!device.left_out).then(|| Ebs {
            snapshot_id: device.snapshot.clone(),
            volume_size: device.size,
            volume_type: device.kind.clone(),
            delete_on_termination: device.delete_on_termination,
            iops: device.iops,
            encrypted: device.encrypted,
            throughput: device.throughput,
        }),
        ..Default::default()
    });
    let metadata = c.http_tokens.is_some() || c.http_hop_limit.is_some() || c.http_endpoint.is_some();
    LaunchConfiguration {
        launch_configuration_name: Some(c.name.clone()),
        launch_configuration_arn: Some(c.arn(cx.region(), cx.account())),
        image_id: Some(c.image.clone()),
        key_name: Some(c.key_name.clone().unwrap_or_default()),
        security_groups: c.security_groups.clone(),
        user_data: Some(c.user_data.clone().unwrap_or_default()),
        instance_type: Some(c.instance_type.clone()),
        kernel_id: Some(String::new()),
        ramdisk_id: Some(String::new()),
        block_device_mappings: devices.collect(),
        instance_monitoring: Some(InstanceMonitoring { enabled: Some(c.monitoring) }),
        iam_instance_profile: c.profile.clone(),
        created_time: Some(c.created),
        ebs_optimized: Some(c.ebs_optimized),
        associate_public_ip_address: c.public_address,
        metadata_options: metadata.then(|| InstanceMetadataOptions {
            http_tokens: c.http_tokens.clone(),
            http_put_response_hop_limit: c.http_hop_limit,
            http_endpoint: c.http_endpoint.clone(),
        }),
        ..Default::default()
    }
}
