//! `AWS::EC2::NetworkInterfaceAttachment`. Ref: the attachment's id. It is complete when the machine
//! has the interface, and gone when it has it no longer.

use crate::interfaces::attaching::no_attachment;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct NetworkInterfaceAttachmentType;

const NAME: &str = "AWS::EC2::NetworkInterfaceAttachment";
const SERVED: &[&str] = &["DeleteOnTermination", "DeviceIndex", "InstanceId", "NetworkInterfaceId"];

async fn find(cx: &Cx, filters: Vec<Filter>) -> Result<Option<NetworkInterfaceAttachment>, Error> {
    let found = cx.call(DescribeNetworkInterfacesRequest { filters, ..Default::default() }).await?.network_interfaces;
    Ok(found.into_iter().next().and_then(|interface| interface.attachment))
}

async fn set_delete_on_termination(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let attachment = NetworkInterfaceAttachmentChanges {
        attachment_id: Some(id.to_owned()),
        delete_on_termination: Some(request.boolean("DeleteOnTermination").unwrap_or(true)),
        ..Default::default()
    };
    cx.call(ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: required(request, "NetworkInterfaceId")?,
        attachment: Some(attachment),
        ..Default::default()
    })
    .await?;
    Ok(())
}

#[async_trait]
impl ResourceType for NetworkInterfaceAttachmentType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("EnaSrdSpecification/EnaSrdEnabled", "false"),
            ("EnaSrdSpecification/EnaSrdUdpSpecification/EnaSrdUdpEnabled", "false"),
        ]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let (interface, instance) = (required(request, "NetworkInterfaceId")?, required(request, "InstanceId")?);
        let index = required(request, "DeviceIndex")?;
        let wrong = || Error::sender("ValidationError", format!("DeviceIndex must be a number, not {index}."));
        let index: i32 = index.parse().map_err(|_| wrong())?;
        // An earlier try may have attached it: nobody else gives this interface to this instance at this place.
        let before = find(cx, filter("network-interface-id", &interface)).await?.filter(|attachment| {
            let place = (attachment.instance_id.as_deref(), attachment.device_index);
            place == (Some(instance.as_str()), Some(index)) && attachment.status.as_deref() != Some("detaching")
        });
        let id = match before {
            Some(attachment) => attachment.attachment_id,
            None => {
                let attach = AttachNetworkInterfaceRequest {
                    network_interface_id: interface,
                    instance_id: instance,
                    device_index: index,
                    ..Default::default()
                };
                cx.call(attach).await?.attachment_id
            }
        };
        id.ok_or_else(|| lacks("AttachmentId"))
    }

    async fn complete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_delete_on_termination(cx, id, request).await
    }

    async fn stability(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let found = find(cx, filter("attachment.attachment-id", id)).await?;
        Ok(match found.and_then(|attachment| attachment.status).as_deref() {
            Some("attached") => Stability::Ready,
            Some("attaching") => Stability::Pending(format!("{id} is attaching")),
            _ => Stability::Failed(format!("{id} is attached no longer")),
        })
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        set_delete_on_termination(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let detach = DetachNetworkInterfaceRequest { attachment_id: id.to_owned(), ..Default::default() };
        match cx.call(detach).await {
            Ok(_) => Ok(Stability::Pending(format!("{id} is detaching"))),
            Err(error) if is_gone(&error) => Ok(Stability::Ready),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let filters = filter("attachment.attachment-id", id);
        let found = cx.call(DescribeNetworkInterfacesRequest { filters, ..Default::default() }).await?;
        let Some(interface) = found.network_interfaces.into_iter().next() else { return Ok(None) };
        let read = |attachment: NetworkInterfaceAttachment| {
            Properties::default()
                .with("AttachmentId", id)
                .with("NetworkInterfaceId", interface.network_interface_id)
                .with("InstanceId", attachment.instance_id)
                .with("DeviceIndex", attachment.device_index)
                .with("DeleteOnTermination", attachment.delete_on_termination)
        };
        Ok(interface.attachment.map(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let found = find(cx, filter("attachment.attachment-id", id)).await?.ok_or_else(|| no_attachment(id))?;
        Ok(BTreeMap::from([("AttachmentId".to_owned(), json!(found.attachment_id))]))
    }
}
