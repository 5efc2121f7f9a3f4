//! Attributes of an instance: read and change. Type and user data change while it is stopped and
//! reach the machine at its next start.

use crate::errors::{invalid_combination, invalid_value, missing_parameter, refuse};
use crate::firewall::targets::SECURITY_GROUP;
use crate::instance_types;
use crate::instances::records::{Instance, InstanceState};
use crate::instances::shown::{self as shown, Around};
use crate::instances::targets::{INSTANCE, VOLUME};
use crate::interfaces::allocation::{groups_for, several};
use crate::interfaces::records::NetworkInterface;
use crate::kinds;
use crate::lookup;
use crate::networks::records::Subnet;
use crate::tags::Tagged;
use crate::targets::things;
use crate::templates::check::{check_ena, check_hop_limit, not_ebs_optimized, user_data};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ec2_shapes::{
    AttributeBooleanValue, AttributeValue, DescribeInstanceAttributeRequest, DescribeInstanceAttributeResponse,
    EnclaveOptions, ModifyInstanceAttributeRequest, ModifyInstanceAttributeResponse,
    ModifyInstanceMaintenanceOptionsRequest, ModifyInstanceMaintenanceOptionsResponse,
    ModifyInstanceMetadataOptionsRequest, ModifyInstanceMetadataOptionsResponse, ResetInstanceAttributeRequest,
    ResetInstanceAttributeResponse,
};
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeInstanceAttribute: describe_instance_attribute(DescribeInstanceAttributeRequest),
        on things![INSTANCE instance_id]),
    operation!(ModifyInstanceAttribute: modify_instance_attribute(ModifyInstanceAttributeRequest),
        on things![INSTANCE instance_id, SECURITY_GROUP groups, VOLUME block_device_mappings]),
    operation!(ModifyInstanceMaintenanceOptions: modify_maintenance_options(ModifyInstanceMaintenanceOptionsRequest),
        on things![INSTANCE instance_id]),
    operation!(ModifyInstanceMetadataOptions: modify_metadata_options(ModifyInstanceMetadataOptionsRequest),
        on things![INSTANCE instance_id]),
    operation!(ResetInstanceAttribute: reset_instance_attribute(ResetInstanceAttributeRequest),
        on things![INSTANCE instance_id]),
];

async fn describe_instance_attribute(
    cx: &Cx,
    request: DescribeInstanceAttributeRequest,
) -> Result<DescribeInstanceAttributeResponse, Error> {
    kinds::INSTANCE.check(&request.instance_id)?;
    let instance = cx.store().get::<Instance>(cx.scope(), &request.instance_id)?;
    let instance = instance.ok_or_else(|| kinds::INSTANCE.none(&request.instance_id))?;
    let around = Around::of(cx, &instance)?;
    let flag = |value: bool| Some(AttributeBooleanValue { value: Some(value) });
    let text = |value: Option<&str>| Some(AttributeValue { value: value.map(str::to_owned) });
    let options = &instance.options;
    let mut answer = DescribeInstanceAttributeResponse {
        instance_id: Some(instance.id.to_string()),
        ..DescribeInstanceAttributeResponse::default()
    };
    match request.attribute.as_str() {
        "instanceType" => answer.instance_type = text(Some(&instance.instance_type)),
        "kernel" => answer.kernel_id = text(None),
        "ramdisk" => answer.ramdisk_id = text(None),
        "userData" => answer.user_data = text(instance.user_data.as_deref()),
        "disableApiTermination" => answer.disable_api_termination = flag(options.disable_api_termination),
        "disableApiStop" => answer.disable_api_stop = flag(options.disable_api_stop),
        "instanceInitiatedShutdownBehavior" => {
            let behavior = if options.terminate_on_shutdown { "terminate" } else { "stop" };
            answer.instance_initiated_shutdown_behavior = text(Some(behavior));
        }
        "rootDeviceName" => answer.root_device_name = text(Some(&instance.root_device)),
        "blockDeviceMapping" => answer.block_device_mappings = vec![shown::root_device(&instance, &around)],
        "productCodes" => {}
        "sourceDestCheck" => {
            answer.source_dest_check = flag(around.interface.as_ref().is_some_and(|i| i.source_dest_check));
        }
        "groupSet" => answer.groups = around.group_identifiers(),
        "ebsOptimized" => answer.ebs_optimized = flag(options.ebs_optimized),
        "sriovNetSupport" => answer.sriov_net_support = text(Some("simple")),
        "enaSupport" => answer.ena_support = flag(options.ena_support),
        "enclaveOptions" => answer.enclave_options = Some(EnclaveOptions { enabled: Some(false) }),
        other => return Err(Error::not_built(format!("ec2:DescribeInstanceAttribute of {other}"))),
    }
    Ok(answer)
}

/// What a call changes, whichever of the two ways it is written in.
#[derive(Default)]
struct Wanted {
    instance_type: Option<String>,
    /// base64
    user_data: Option<String>,
    disable_api_termination: Option<bool>,
    disable_api_stop: Option<bool>,
    terminate_on_shutdown: Option<bool>,
    ebs_optimized: Option<bool>,
    source_dest_check: Option<bool>,
    ena_support: Option<bool>,
    groups: Vec<String>,
}

impl Wanted {
    /// How many attributes: AWS changes one per call.
    fn count(&self) -> usize {
        let given = [
            self.instance_type.is_some(),
            self.user_data.is_some(),
            self.disable_api_termination.is_some(),
            self.disable_api_stop.is_some(),
            self.terminate_on_shutdown.is_some(),
            self.ebs_optimized.is_some(),
            self.source_dest_check.is_some(),
            self.ena_support.is_some(),
            !self.groups.is_empty(),
        ];
        given.iter().filter(|given| **given).count()
    }
}

fn read(request: &ModifyInstanceAttributeRequest) -> Result<Wanted, Error> {
    let flag = |value: &Option<AttributeBooleanValue>| value.as_ref().and_then(|v| v.value);
    let text = |value: &Option<AttributeValue>| value.as_ref().and_then(|v| v.value.clone());
    refuse(
        "ModifyInstanceAttribute",
        &[
            ("Kernel", request.kernel.is_some()),
            ("Ramdisk", request.ramdisk.is_some()),
            ("SriovNetSupport", request.sriov_net_support.is_some()),
        ],
    )?;
    let keeps_disk = |m: &kiln_ec2_shapes::InstanceBlockDeviceMappingSpecification| {
        m.ebs.as_ref().is_some_and(|ebs| ebs.delete_on_termination == Some(false))
    };
    let replaced = request.block_device_mappings.iter();
    refuse(
        "ModifyInstanceAttribute",
        &[
            ("DeleteOnTermination false", replaced.clone().any(keeps_disk)),
            ("BlockDeviceMappings.VirtualName", replaced.clone().any(|m| m.virtual_name.is_some())),
            ("BlockDeviceMappings.NoDevice", replaced.clone().any(|m| m.no_device.is_some())),
        ],
    )?;
    let mut wanted = Wanted {
        instance_type: text(&request.instance_type),
        user_data: request.user_data.as_ref().and_then(|v| v.value.as_ref()).map(|blob| STANDARD.encode(&blob.0)),
        disable_api_termination: flag(&request.disable_api_termination),
        disable_api_stop: flag(&request.disable_api_stop),
        terminate_on_shutdown: text(&request.instance_initiated_shutdown_behavior).map(|b| behavior(&b)).transpose()?,
        ebs_optimized: flag(&request.ebs_optimized),
        source_dest_check: flag(&request.source_dest_check),
        ena_support: flag(&request.ena_support),
        groups: request.groups.clone(),
    };
    if let (Some(attribute), Some(value)) = (request.attribute.as_deref(), request.value.as_deref()) {
        let boolean = || match value {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(invalid_value(format!("Value ({value}) for parameter value is invalid. It must be a boolean."))),
        };
        match attribute {
            "instanceType" => wanted.instance_type = Some(value.to_owned()),
            "userData" => wanted.user_data = Some(value.to_owned()),
            "disableApiTermination" => wanted.disable_api_termination = boolean()?,
            "disableApiStop" => wanted.disable_api_stop = boolean()?,
            "instanceInitiatedShutdownBehavior" => wanted.terminate_on_shutdown = Some(behavior(value)?),
            "ebsOptimized" => wanted.ebs_optimized = boolean()?,
            "sourceDestCheck" => wanted.source_dest_check = boolean()?,
            "enaSupport" => wanted.ena_support = boolean()?,
            other => return Err(Error::not_built(format!("ec2:ModifyInstanceAttribute of {other}"))),
        }
    }
    Ok(wanted)
}

fn behavior(text: &str) -> Result<bool, Error> {
    match text {
        "stop" => Ok(false),
        "terminate" => Ok(true),
        other => Err(invalid_value(format!(
            "Value ({other}) for parameter instanceInitiatedShutdownBehavior is invalid. Valid values: stop, terminate."
        ))),
    }
}

async fn modify_instance_attribute(
    cx: &Cx,
    request: ModifyInstanceAttributeRequest,
) -> Result<ModifyInstanceAttributeResponse, Error> {
    let wanted = read(&request)?;
    match wanted.count() + usize::from(!request.block_device_mappings.is_empty()) {
        0 => return Err(invalid_combination("No attributes specified.")),
        1 => {}
        _ => return Err(invalid_combination("Fields for multiple attribute types specified")),
    }
    if let Some(text) = &wanted.user_data {
        user_data(text)?;
    }
    cx.store()
        .write(|tx| {
            let mut instance = Instance::clone(&*lookup::need::<Instance>(tx, cx.scope(), &request.instance_id)?);
            if instance.is_terminated() {
                return Err(wrong_state(&instance, "modified"));
            }
            for mapping in &request.block_device_mappings {
                let device = mapping.device_name.as_deref().unwrap_or("");
                let volume = mapping.ebs.as_ref().and_then(|ebs| ebs.volume_id.as_deref());
                if device != instance.root_device || volume.is_some_and(|volume| *instance.volume != *volume) {
                    return Err(Error::sender(
                        "InvalidInstanceAttributeValue",
                        format!("No device is currently mapped at {device}"),
                    ));
                }
            }
            let stopped = instance.state == InstanceState::Stopped;
            if let Some(name) = &wanted.instance_type {
                if !stopped {
                    return Err(not_stopped(&instance));
                }
                let kind = instance_types::find(name)
                    .ok_or_else(|| Error::not_built(format!("ec2:ModifyInstanceAttribute with InstanceType {name}")))?;
                if kind.architecture() != instance.architecture {
                    return Err(invalid_value(format!(
                        "The instance type '{name}' has the architecture '{}', the instance '{}'.",
                        kind.architecture(),
                        instance.architecture
                    )));
                }
                if instance.options.ebs_optimized && kind.ebs_optimized() == "unsupported" {
                    return Err(not_ebs_optimized());
                }
                check_ena(&kind, instance.options.ena_support)?;
                instance.instance_type = name.clone();
            }
            if let Some(on) = wanted.ebs_optimized {
                if !stopped {
                    return Err(not_stopped(&instance));
                }
                let kind = instance_types::find(&instance.instance_type);
                if on && kind.is_some_and(|kind| kind.ebs_optimized() == "unsupported") {
                    return Err(not_ebs_optimized());
                }
                instance.options.ebs_optimized = on;
            }
            if let Some(on) = wanted.ena_support {
                if !stopped {
                    return Err(not_stopped(&instance));
                }
                if let Some(kind) = instance_types::find(&instance.instance_type) {
                    check_ena(&kind, on)?;
                }
                instance.options.ena_support = on;
            }
            if let Some(text) = &wanted.user_data {
                if !stopped {
                    return Err(not_stopped(&instance));
                }
                instance.user_data = Some(text.clone()).filter(|text| !text.is_empty());
            }
            let options = &mut instance.options;
            options.disable_api_termination = wanted.disable_api_termination.unwrap_or(options.disable_api_termination);
            options.disable_api_stop = wanted.disable_api_stop.unwrap_or(options.disable_api_stop);
            options.terminate_on_shutdown = wanted.terminate_on_shutdown.unwrap_or(options.terminate_on_shutdown);
            if wanted.source_dest_check.is_some() || !wanted.groups.is_empty() {
                change_interface(tx, cx, &instance, &wanted)?;
            }
            tx.put_if_changed(cx.scope(), &request.instance_id, instance)?;
            Ok(())
        })
        .await?;
    Ok(ModifyInstanceAttributeResponse::default())
}

fn change_interface(tx: &mut Tx, cx: &Cx, instance: &Instance, wanted: &Wanted) -> Result<(), Error> {
    if !instance.more_interfaces.is_empty() {
        return Err(several(&instance.id));
    }
    let found = lookup::need::<NetworkInterface>(tx, cx.scope(), &instance.interface)?;
    let mut interface = NetworkInterface::clone(&found);
    interface.source_dest_check = wanted.source_dest_check.unwrap_or(interface.source_dest_check);
    if !wanted.groups.is_empty() {
        let subnet = lookup::need::<Subnet>(tx, cx.scope(), &interface.subnet)?;
        interface.groups = groups_for(tx, cx.scope(), &subnet, &wanted.groups)?;
    }
    tx.put_if_changed(cx.scope(), &instance.interface, interface)?;
    Ok(())
}

fn not_stopped(instance: &Instance) -> Error {
    let message = format!("The instance '{}' is not in the 'stopped' state.", instance.id);
    Error::sender("IncorrectInstanceState", message)
}

fn wrong_state(instance: &Instance, can: &str) -> Error {
    Error::sender(
        "IncorrectInstanceState",
        format!("The instance '{}' is not in a state from which it can be {can}.", instance.id),
    )
}

async fn reset_instance_attribute(
    cx: &Cx,
    request: ResetInstanceAttributeRequest,
) -> Result<ResetInstanceAttributeResponse, Error> {
    if request.attribute != "sourceDestCheck" {
        return Err(Error::not_built(format!("ec2:ResetInstanceAttribute of {}", request.attribute)));
    }
    cx.store()
        .write(|tx| {
            let instance = lookup::need::<Instance>(tx, cx.scope(), &request.instance_id)?;
            change_interface(tx, cx, &instance, &Wanted { source_dest_check: Some(true), ..Wanted::default() })
        })
        .await?;
    Ok(ResetInstanceAttributeResponse::default())
}

async fn modify_metadata_options(
    cx: &Cx,
    request: ModifyInstanceMetadataOptionsRequest,
) -> Result<ModifyInstanceMetadataOptionsResponse, Error> {
    if request.http_protocol_ipv6.as_deref() == Some("enabled") {
        return Err(Error::not_built("ec2:ModifyInstanceMetadataOptions with HttpProtocolIpv6"));
    }
    if request.http_endpoint.is_none()
        && request.http_tokens.is_none()
        && request.http_put_response_hop_limit.is_none()
        && request.instance_metadata_tags.is_none()
    {
        return Err(invalid_combination("At least one metadata option must be given."));
    }
    check_hop_limit(request.http_put_response_hop_limit)?;
    let options = cx
        .store()
        .write(|tx| {
            let mut instance = Instance::clone(&*lookup::need::<Instance>(tx, cx.scope(), &request.instance_id)?);
            if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
                return Err(wrong_state(&instance, "modified"));
            }
            let options = &mut instance.metadata;
            if let Some(tokens) = &request.http_tokens {
                options.tokens_required = tokens == "required";
            }
            if let Some(endpoint) = &request.http_endpoint {
                options.enabled = endpoint == "enabled";
            }
            if let Some(tags) = &request.instance_metadata_tags {
                options.tags_enabled = tags == "enabled";
            }
            options.hop_limit = request.http_put_response_hop_limit.unwrap_or(options.hop_limit);
            let options = options.clone();
            instance.check_tags()?;
            tx.put_if_changed(cx.scope(), &request.instance_id, instance)?;
            Ok(options)
        })
        .await?;
    Ok(ModifyInstanceMetadataOptionsResponse {
        instance_id: Some(request.instance_id),
        instance_metadata_options: Some(shown::metadata(&options)),
    })
}

/// There is no other host to recover on, so both values do the same: nothing.
async fn modify_maintenance_options(
    cx: &Cx,
    request: ModifyInstanceMaintenanceOptionsRequest,
) -> Result<ModifyInstanceMaintenanceOptionsResponse, Error> {
    refuse("ModifyInstanceMaintenanceOptions", &[("RebootMigration", request.reboot_migration.is_some())])?;
    let wanted = request.auto_recovery.ok_or_else(|| missing_parameter("AutoRecovery"))?;
    cx.store()
        .write(|tx| {
            let mut instance = Instance::clone(&*lookup::need::<Instance>(tx, cx.scope(), &request.instance_id)?);
            if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
                return Err(wrong_state(&instance, "modified"));
            }
            instance.options.auto_recovery = wanted.clone();
            tx.put_if_changed(cx.scope(), &request.instance_id, instance)?;
            Ok(())
        })
        .await?;
    Ok(ModifyInstanceMaintenanceOptionsResponse {
        instance_id: Some(request.instance_id),
        auto_recovery: Some(wanted),
        ..Default::default()
    })
}
