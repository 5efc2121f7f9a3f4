//! An instance's properties, read from all that tells of it: itself, its attributes, its volumes.

use crate::instance_types;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, given};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

async fn attribute(cx: &Cx, id: &str, name: &str) -> Result<DescribeInstanceAttributeResponse, Error> {
    let (instance_id, attribute) = (id.to_owned(), name.to_owned());
    cx.call(DescribeInstanceAttributeRequest { instance_id, attribute, ..Default::default() }).await
}

/// The disks, as a template writes them.
async fn disks(cx: &Cx, instance: &Instance) -> Result<Vec<Json>, Error> {
    let of = |mapping: &InstanceBlockDeviceMapping| mapping.ebs.as_ref().and_then(|ebs| ebs.volume_id.clone());
    let volume_ids: Vec<String> = instance.block_device_mappings.iter().filter_map(of).collect();
    if volume_ids.is_empty() {
        return Ok(vec![]);
    }
    let found = cx.call(DescribeVolumesRequest { volume_ids, ..Default::default() }).await?.volumes;
    let volumes: BTreeMap<_, _> = found.into_iter().map(|volume| (volume.volume_id.clone(), volume)).collect();
    let disk = |mapping: &InstanceBlockDeviceMapping| {
        let ebs = mapping.ebs.as_ref()?;
        let volume = volumes.get(&ebs.volume_id)?;
        Some(given(json!({
            "DeviceName": mapping.device_name,
            "Ebs": {
                "DeleteOnTermination": ebs.delete_on_termination,
                "Encrypted": volume.encrypted,
                "Iops": volume.iops,
                "KmsKeyId": volume.kms_key_id,
                "SnapshotId": volume.snapshot_id.as_ref().filter(|id| !id.is_empty()),
                "VolumeSize": volume.size,
                "VolumeType": volume.volume_type,
            },
        })))
    };
    Ok(instance.block_device_mappings.iter().filter_map(disk).collect())
}

fn interface(of: &InstanceNetworkInterface) -> Json {
    let attachment = of.attachment.clone().unwrap_or_default();
    let groups: Vec<_> = of.groups.iter().filter_map(|group| group.group_id.clone()).collect();
    let address =
        |one: &InstancePrivateIpAddress| json!({"Primary": one.primary, "PrivateIpAddress": one.private_ip_address});
    let addresses: Vec<Json> = of.private_ip_addresses.iter().map(address).collect();
    given(json!({
        "NetworkInterfaceId": of.network_interface_id,
        "DeviceIndex": attachment.device_index,
        "DeleteOnTermination": attachment.delete_on_termination,
        "AssociatePublicIpAddress": of.association.is_some(),
        "Description": of.description.as_ref().filter(|text| !text.is_empty()),
        "GroupSet": groups,
        "PrivateIpAddress": of.private_ip_address,
        "PrivateIpAddresses": addresses,
        "SubnetId": of.subnet_id,
    }))
}

/// None when it is terminated, or not known.
pub async fn read(cx: &Cx, id: &str) -> Result<Option<Properties>, Error> {
    let look = DescribeInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    let reservations = found(cx.call(look).await)?.map(|answer| answer.reservations).unwrap_or_default();
    let instance = reservations.into_iter().flat_map(|reservation| reservation.instances).next();
    let gone = |state: &InstanceState| state.name.as_deref() == Some("terminated");
    let Some(instance) = instance.filter(|instance| !instance.state.as_ref().is_some_and(gone)) else {
        return Ok(None);
    };
    let look = DescribeInstanceCreditSpecificationsRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    let kind = instance.instance_type.as_deref().and_then(instance_types::find);
    let credits = match kind.is_some_and(|kind| kind.family.burstable) {
        true => cx.call(look).await?.instance_credit_specifications.into_iter().next(),
        false => None,
    };
    let credits = credits.and_then(|credits| credits.cpu_credits);
    let protected = attribute(cx, id, "disableApiTermination").await?.disable_api_termination;
    let shutdown = attribute(cx, id, "instanceInitiatedShutdownBehavior").await?;
    let user_data = attribute(cx, id, "userData").await?.user_data;
    let placement = instance.placement.clone().unwrap_or_default();
    let own = |name: &str| {
        let key = format!("aws:ec2launchtemplate:{name}");
        instance.tags.iter().find(|tag| tag.key.as_ref() == Some(&key)).and_then(|tag| tag.value.clone())
    };
    let template = given(json!({"LaunchTemplateId": own("id"), "Version": own("version")}));
    let template = Some(template).filter(|template| template.get("LaunchTemplateId").is_some());
    let profile = instance.iam_instance_profile.as_ref().and_then(|profile| profile.arn.as_deref());
    let volumes = instance.block_device_mappings.iter().filter_map(|mapping| {
        let volume = mapping.ebs.as_ref()?.volume_id.as_ref()?;
        Some(json!({"Device": mapping.device_name, "VolumeId": volume}))
    });
    let state = instance.state.clone().unwrap_or_default();
    let read = Properties::default()
        .with("InstanceId", id)
        .with("ImageId", &instance.image_id)
        .with("InstanceType", &instance.instance_type)
        .with("KeyName", &instance.key_name)
        .with("SubnetId", &instance.subnet_id)
        .with("VpcId", &instance.vpc_id)
        .with("PrivateIpAddress", &instance.private_ip_address)
        .with("PrivateIp", &instance.private_ip_address)
        .with("PrivateDnsName", &instance.private_dns_name)
        .with("PublicIp", &instance.public_ip_address)
        .with("PublicDnsName", instance.public_dns_name.as_ref().filter(|name| !name.is_empty()))
        .with("State", json!({"Code": state.code, "Name": state.name}))
        .with_list("SecurityGroupIds", instance.security_groups.iter().filter_map(|group| group.group_id.clone()))
        .with_list("SecurityGroups", instance.security_groups.iter().filter_map(|group| group.group_name.clone()))
        .with("SourceDestCheck", instance.source_dest_check)
        .with("EbsOptimized", instance.ebs_optimized)
        .with("AvailabilityZone", placement.availability_zone)
        .with("Tenancy", placement.tenancy)
        .with("Affinity", placement.affinity)
        .with("IamInstanceProfile", profile.and_then(|arn| arn.rsplit('/').next()))
        .with("Monitoring", instance.monitoring.as_ref().map(|m| m.state.as_deref() == Some("enabled")))
        .with("CreditSpecification", credits.map(|credits| json!({"CPUCredits": credits})))
        .with("DisableApiTermination", protected.and_then(|flag| flag.value))
        .with(
            "InstanceInitiatedShutdownBehavior",
            shutdown.instance_initiated_shutdown_behavior.and_then(|behavior| behavior.value),
        )
        .with("UserData", user_data.and_then(|data| data.value).filter(|data| !data.is_empty()))
        .with("LaunchTemplate", template)
        .with_shape("CpuOptions", &instance.cpu_options.clone().unwrap_or_default())
        .with_shape("EnclaveOptions", &instance.enclave_options.clone().unwrap_or_default())
        .with_shape("HibernationOptions", &instance.hibernation_options.clone().unwrap_or_default())
        .with_shape("MetadataOptions", &instance.metadata_options.clone().unwrap_or_default())
        .with_shape("PrivateDnsNameOptions", &instance.private_dns_name_options.clone().unwrap_or_default())
        .with_list("BlockDeviceMappings", disks(cx, &instance).await?)
        .with_list("Volumes", volumes)
        .with_list("NetworkInterfaces", instance.network_interfaces.iter().map(interface))
        .with_tags(pairs(instance.tags.clone()));
    Ok(Some(read))
}
