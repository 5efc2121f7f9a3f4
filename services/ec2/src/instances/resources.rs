//! `AWS::EC2::Instance`. Ref: its id. It is complete when it runs, and gone when terminated.

use super::read;
use crate::kinds;
use crate::modelled::modelled;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(InstanceType)]
}

pub struct InstanceType;

const NAME: &str = "AWS::EC2::Instance";
/// Properties that are members of RunInstances under the same name.
const SAME: &[&str] = &[
    "BlockDeviceMappings",
    "DisableApiTermination",
    "EbsOptimized",
    "EnclaveOptions",
    "HibernationOptions",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "LaunchTemplate",
    "MetadataOptions",
    "PrivateDnsNameOptions",
    "PrivateIpAddress",
    "SecurityGroupIds",
    "SecurityGroups",
    "SubnetId",
    "UserData",
];
const OTHERS: &[&str] = &[
    "AvailabilityZone",
    "CreditSpecification",
    "IamInstanceProfile",
    "Monitoring",
    "NetworkInterfaces",
    "PropagateTagsToVolumeOnCreation",
    "SourceDestCheck",
    "Tags",
    "Tenancy",
];
/// How long an update waits for a stop or start.
const PATIENCE: Duration = Duration::from_secs(300);

fn launch(request: &ResourceRequest) -> Result<RunInstancesRequest, Error> {
    let served: Vec<&str> = SAME.iter().chain(OTHERS).copied().collect();
    only(NAME, request, &served)?;
    let given = request.properties.as_object().cloned().unwrap_or_default();
    let mut members: Map<String, Json> = given.into_iter().filter(|(name, _)| SAME.contains(&name.as_str())).collect();
    let mut placement = Map::new();
    for (property, member) in [("AvailabilityZone", "AvailabilityZone"), ("Tenancy", "Tenancy")] {
        if let Some(value) = request.text(property) {
            placement.insert(member.to_owned(), json!(value));
        }
    }
    if !placement.is_empty() {
        members.insert("Placement".to_owned(), Json::Object(placement));
    }
    if let Some(profile) = request.text("IamInstanceProfile") {
        members.insert("IamInstanceProfile".to_owned(), json!({"Name": profile}));
    }
    if let Some(on) = request.boolean("Monitoring") {
        members.insert("Monitoring".to_owned(), json!({"Enabled": on}));
    }
    if let Some(credits) = request.properties.get("CreditSpecification").and_then(|c| text(c, "CPUCredits")) {
        members.insert("CreditSpecification".to_owned(), json!({"CpuCredits": credits}));
    }
    let interfaces: Vec<Json> = items(&request.properties, "NetworkInterfaces").into_iter().map(interface).collect();
    if !interfaces.is_empty() {
        members.insert("NetworkInterfaces".to_owned(), Json::Array(interfaces));
    }
    members.insert("MinCount".to_owned(), json!(1));
    members.insert("MaxCount".to_owned(), json!(1));
    let mut run: RunInstancesRequest = modelled(Json::Object(members))?;
    run.client_token = Some(request.token.clone());
    run.tag_specifications = tagged(request, &kinds::INSTANCE);
    if request.boolean("PropagateTagsToVolumeOnCreation") == Some(true) {
        run.tag_specifications.extend(tagged(request, &kinds::VOLUME));
    }
    Ok(run)
}

/// The template's name of an interface's groups differs.
fn interface(given: &Json) -> Json {
    let mut given = given.clone();
    if let Json::Object(members) = &mut given
        && let Some(groups) = members.remove("GroupSet")
    {
        members.insert("Groups".to_owned(), groups);
    }
    given
}

async fn find(cx: &Cx, id: &str) -> Result<Instance, Error> {
    let found = cx.call(DescribeInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() }).await?;
    let instance = found.reservations.into_iter().flat_map(|reservation| reservation.instances).next();
    instance.ok_or_else(|| lacks("the instance"))
}

fn state(instance: &Instance) -> &str {
    instance.state.as_ref().and_then(|state| state.name.as_deref()).unwrap_or("")
}

async fn wait_for(cx: &Cx, id: &str, wanted: &str) -> Result<(), Error> {
    let until = cx.now() + PATIENCE;
    loop {
        let instance = find(cx, id).await?;
        if state(&instance) == wanted {
            return Ok(());
        }
        if cx.now() >= until {
            let text = format!("{id} is {} and did not become {wanted} in time", state(&instance));
            return Err(Error::receiver("InternalFailure", text));
        }
        cx.platform().clock().sleep(Duration::from_millis(200)).await;
    }
}

async fn modify(cx: &Cx, change: ModifyInstanceAttributeRequest) -> Result<(), Error> {
    cx.call(change).await.map(|_| ())
}

/// Type and user data change while it is stopped.
async fn change_stopped(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let was_running = state(&find(cx, id).await?) == "running";
    if was_running {
        cx.call(StopInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() }).await?;
    }
    wait_for(cx, id, "stopped").await?;
    let of = |attribute: &str, value: String| ModifyInstanceAttributeRequest {
        instance_id: id.to_owned(),
        attribute: Some(attribute.to_owned()),
        value: Some(value),
        ..Default::default()
    };
    if request.changed("InstanceType") {
        modify(cx, of("instanceType", required(request, "InstanceType")?)).await?;
    }
    if request.changed("UserData") {
        modify(cx, of("userData", request.text("UserData").unwrap_or_default())).await?;
    }
    cx.call(StartInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() }).await?;
    wait_for(cx, id, "running").await
}

/// What the template no longer says goes back to AWS's defaults.
async fn set_metadata_options(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let options = request.properties.get("MetadataOptions").unwrap_or(&Json::Null);
    let word = |name: &str, default: &str| Some(text(options, name).unwrap_or_else(|| default.to_owned()));
    let change = ModifyInstanceMetadataOptionsRequest {
        instance_id: id.to_owned(),
        http_tokens: word("HttpTokens", "optional"),
        http_put_response_hop_limit: number(options, "HttpPutResponseHopLimit")?.or(Some(1)),
        http_endpoint: word("HttpEndpoint", "enabled"),
        http_protocol_ipv6: text(options, "HttpProtocolIpv6"),
        instance_metadata_tags: word("InstanceMetadataTags", "disabled"),
        ..Default::default()
    };
    cx.call(change).await.map(drop)
}

async fn change_profile(cx: &Cx, id: &str, wanted: Option<String>) -> Result<(), Error> {
    let request =
        DescribeIamInstanceProfileAssociationsRequest { filters: filter("instance-id", id), ..Default::default() };
    let has = cx.call(request).await?.iam_instance_profile_associations.into_iter().next();
    let has = has.and_then(|association| association.association_id);
    let profile = wanted.map(|name| IamInstanceProfileSpecification { arn: None, name: Some(name) });
    match (has, profile) {
        (Some(association_id), Some(iam_instance_profile)) => {
            cx.call(ReplaceIamInstanceProfileAssociationRequest { association_id, iam_instance_profile }).await?;
        }
        (Some(association_id), None) => {
            cx.call(DisassociateIamInstanceProfileRequest { association_id }).await?;
        }
        (None, Some(iam_instance_profile)) => {
            let instance_id = id.to_owned();
            cx.call(AssociateIamInstanceProfileRequest { iam_instance_profile, instance_id }).await?;
        }
        (None, None) => {}
    }
    Ok(())
}

#[async_trait]
impl ResourceType for InstanceType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SAME.contains(&property) || OTHERS.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("Affinity", r#""default""#), ("Ipv6AddressCount", "0")]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let made = cx.call(launch(request)?).await?;
        let id = made.instances.into_iter().next().and_then(|instance| instance.instance_id);
        id.ok_or_else(|| lacks("InstanceId"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let Some(check) = request.boolean("SourceDestCheck") else { return Ok(()) };
        let source_dest_check = Some(AttributeBooleanValue { value: Some(check) });
        let instance_id = id.to_owned();
        modify(cx, ModifyInstanceAttributeRequest { instance_id, source_dest_check, ..Default::default() }).await
    }

    async fn stability(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let instance = find(cx, id).await?;
        let reason = instance.state_reason.as_ref().and_then(|reason| reason.message.clone());
        Ok(match state(&instance) {
            "running" => Stability::Ready,
            "pending" => Stability::Pending(format!("{id} is pending")),
            other => Stability::Failed(reason.unwrap_or_else(|| format!("{id} is {other}"))),
        })
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        // Reads all properties, so one that is not served is refused before anything changes.
        launch(request)?;
        for property in ["BlockDeviceMappings", "CreditSpecification", "EbsOptimized", "Tenancy"] {
            if request.changed(property) {
                return Err(Error::not_built(format!("an update of the property {property} of {NAME}")));
            }
        }
        let flag = |name: &str| Some(AttributeBooleanValue { value: Some(request.boolean(name).unwrap_or(false)) });
        let base = ModifyInstanceAttributeRequest { instance_id: id.to_owned(), ..Default::default() };
        if request.changed("DisableApiTermination") {
            let change = ModifyInstanceAttributeRequest {
                disable_api_termination: flag("DisableApiTermination"),
                ..base.clone()
            };
            modify(cx, change).await?;
        }
        if request.changed("InstanceInitiatedShutdownBehavior") {
            let value = request.text("InstanceInitiatedShutdownBehavior").unwrap_or_else(|| "stop".to_owned());
            let value = Some(AttributeValue { value: Some(value) });
            let change = ModifyInstanceAttributeRequest { instance_initiated_shutdown_behavior: value, ..base.clone() };
            modify(cx, change).await?;
        }
        if request.changed("SourceDestCheck") {
            let check = Some(AttributeBooleanValue { value: Some(request.boolean("SourceDestCheck").unwrap_or(true)) });
            modify(cx, ModifyInstanceAttributeRequest { source_dest_check: check, ..base.clone() }).await?;
        }
        if request.changed("SecurityGroupIds") {
            let groups = request.texts("SecurityGroupIds");
            modify(cx, ModifyInstanceAttributeRequest { groups, ..base.clone() }).await?;
        }
        if request.changed("IamInstanceProfile") {
            change_profile(cx, id, request.text("IamInstanceProfile")).await?;
        }
        if request.changed("Monitoring") {
            let instance_ids = vec![id.to_owned()];
            match request.boolean("Monitoring") {
                Some(true) => drop(cx.call(MonitorInstancesRequest { instance_ids, ..Default::default() }).await?),
                _ => drop(cx.call(UnmonitorInstancesRequest { instance_ids, ..Default::default() }).await?),
            }
        }
        if request.changed("MetadataOptions") {
            set_metadata_options(cx, id, request).await?;
        }
        if request.changed("InstanceType") || request.changed("UserData") {
            change_stopped(cx, id, request).await?;
        }
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let request = TerminateInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
        let change = match cx.call(request).await {
            Err(error) if is_gone(&error) => return Ok(Stability::Ready),
            other => other?.terminating_instances.into_iter().next(),
        };
        let now = change.and_then(|change| change.current_state).and_then(|state| state.name);
        Ok(match now.as_deref() {
            Some("terminated") => Stability::Ready,
            _ => Stability::Pending(format!("{id} is shutting down")),
        })
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        read::read(cx, id).await
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let instance = find(cx, id).await?;
        let zone = instance.placement.as_ref().and_then(|placement| placement.availability_zone.clone());
        let state = instance.state.clone().unwrap_or_default();
        let groups: Vec<_> = instance.security_groups.iter().filter_map(|group| group.group_id.clone()).collect();
        let public = instance.public_ip_address.clone().unwrap_or_default();
        Ok(BTreeMap::from([
            ("AvailabilityZone".to_owned(), json!(zone)),
            ("EbsOptimized".to_owned(), json!(instance.ebs_optimized)),
            ("ImageId".to_owned(), json!(instance.image_id)),
            ("InstanceId".to_owned(), json!(id)),
            ("KeyName".to_owned(), json!(instance.key_name)),
            ("PrivateIpAddress".to_owned(), json!(instance.private_ip_address)),
            ("SecurityGroupIds".to_owned(), json!(groups)),
            ("SourceDestCheck".to_owned(), json!(instance.source_dest_check)),
            ("SubnetId".to_owned(), json!(instance.subnet_id)),
            ("PrivateDnsName".to_owned(), json!(instance.private_dns_name)),
            ("PrivateIp".to_owned(), json!(instance.private_ip_address)),
            ("PublicDnsName".to_owned(), json!(instance.public_dns_name)),
            ("PublicIp".to_owned(), json!(public)),
            ("State.Code".to_owned(), json!(state.code)),
            ("State.Name".to_owned(), json!(state.name)),
            ("VpcId".to_owned(), json!(instance.vpc_id)),
        ]))
    }
}
