//! Attributes of an image: read and change, who may launch it among them.

use crate::errors::{invalid_combination, invalid_value, missing_parameter, refuse};
use crate::images::image_lookup;
use crate::images::operations::images::{mapping, own};
use crate::images::targets::IMAGE;
use crate::targets::things;
use kiln_ec2_shapes::{
    AttributeValue, DescribeImageAttributeRequest, DescribeImageAttributeResponse, LaunchPermission,
    ModifyImageAttributeRequest, ModifyImageAttributeResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeImageAttribute: describe_image_attribute(DescribeImageAttributeRequest),
        on things![IMAGE image_id]),
    operation!(ModifyImageAttribute: modify_image_attribute(ModifyImageAttributeRequest), on things![IMAGE image_id]),
];

async fn describe_image_attribute(
    cx: &Cx,
    request: DescribeImageAttributeRequest,
) -> Result<DescribeImageAttributeResponse, Error> {
    let (_, image) = image_lookup::find(cx, &request.image_id)?;
    let value = |value: Option<&str>| Some(AttributeValue { value: value.map(str::to_owned) });
    let mut answer = DescribeImageAttributeResponse {
        image_id: Some(image.id.to_string()),
        ..DescribeImageAttributeResponse::default()
    };
    match request.attribute.as_str() {
        "description" => answer.description = value(image.description.as_deref()),
        "launchPermission" => {
            let all = image.public.then(|| LaunchPermission { group: Some("all".to_owned()), ..Default::default() });
            let accounts = image.launch_accounts.iter();
            let accounts = accounts.map(|a| LaunchPermission { user_id: Some(a.clone()), ..Default::default() });
            answer.launch_permissions = all.into_iter().chain(accounts).collect();
        }
        "blockDeviceMapping" => answer.block_device_mappings = vec![mapping(&image)],
        "imdsSupport" => answer.imds_support = value(image.imds_v2.then_some("v2.0")),
        "kernel" => answer.kernel_id = value(None),
        "ramdisk" => answer.ramdisk_id = value(None),
        "productCodes" => {}
        "sriovNetSupport" => answer.sriov_net_support = value(image.sriov_net_support.as_deref()),
        other => return Err(Error::not_built(format!("ec2:DescribeImageAttribute of {other}"))),
    }
    Ok(answer)
}

async fn modify_image_attribute(
    cx: &Cx,
    request: ModifyImageAttributeRequest,
) -> Result<ModifyImageAttributeResponse, Error> {
    refuse(
        "ModifyImageAttribute",
        &[
            ("ProductCodes", !request.product_codes.is_empty()),
            ("OrganizationArns", !request.organization_arns.is_empty()),
            ("OrganizationalUnitArns", !request.organizational_unit_arns.is_empty()),
        ],
    )?;
    let attribute = request.attribute.as_deref().unwrap_or("");
    let mut permissions = request.launch_permission.clone().unwrap_or_default();
    let flat = || {
        let groups = request.user_groups.iter();
        let users = request.user_ids.iter();
        let groups = groups.map(|g| LaunchPermission { group: Some(g.clone()), ..Default::default() });
        groups.chain(users.map(|u| LaunchPermission { user_id: Some(u.clone()), ..Default::default() }))
    };
    match request.operation_type.as_deref() {
        Some("remove") => permissions.remove.extend(flat()),
        Some("add") => permissions.add.extend(flat()),
        _ if !request.user_groups.is_empty() || !request.user_ids.is_empty() => {
            return Err(missing_parameter("OperationType"));
        }
        _ => {}
    }
    let given = request.description.is_some() || request.imds_support.is_some() || request.value.is_some();
    if !given && permissions.add.is_empty() && permissions.remove.is_empty() {
        return Err(invalid_combination("No attributes specified."));
    }
    for permission in permissions.add.iter().chain(&permissions.remove) {
        refuse(
            "ModifyImageAttribute",
            &[
                ("OrganizationArn", permission.organization_arn.is_some()),
                ("OrganizationalUnitArn", permission.organizational_unit_arn.is_some()),
            ],
        )?;
        let bad = |value: &str, item: &str| {
            let text = format!("Invalid attribute item value \"{value}\" for {item} item type.");
            Err(Error::sender("InvalidAMIAttributeItemValue", text))
        };
        match (&permission.group, &permission.user_id) {
            (Some(group), _) if group != "all" => return bad(group, "userGroup"),
            (_, Some(id)) if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) => return bad(id, "userId"),
            _ => {}
        }
    }
    cx.store()
        .write(|tx| {
            let (scope, mut image) = own(tx, cx, &request.image_id)?;
            let described = request.description.as_ref().and_then(|d| d.value.clone());
            let flat = (attribute == "description").then(|| request.value.clone()).flatten();
            if let Some(text) = described.or(flat) {
                image.description = Some(text);
            }
            let imds = request.imds_support.as_ref().and_then(|v| v.value.clone());
            let flat = (attribute == "imdsSupport").then(|| request.value.clone()).flatten();
            if let Some(value) = imds.or(flat) {
                if value != "v2.0" {
                    return Err(invalid_value(format!("Value ({value}) for parameter imdsSupport is invalid.")));
                }
                image.imds_v2 = true;
            }
            for permission in &permissions.add {
                image.public |= permission.group.is_some();
                if let Some(account) = &permission.user_id
                    && !image.launch_accounts.contains(account)
                {
                    image.launch_accounts.push(account.clone());
                }
            }
            for permission in &permissions.remove {
                image.public &= permission.group.is_none();
                image.launch_accounts.retain(|account| Some(account) != permission.user_id.as_ref());
            }
            let id = image.id.clone();
            tx.put_if_changed(&scope, &id, image)?;
            Ok(())
        })
        .await?;
    Ok(ModifyImageAttributeResponse::default())
}
