//! `AWS::EC2::InternetGateway` (Ref: its id) and `AWS::EC2::VPCGatewayAttachment`.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct InternetGatewayType;

#[async_trait]
impl ResourceType for InternetGatewayType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::InternetGateway"
    }

    fn serves(&self, property: &str) -> bool {
        property == "Tags"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(self.type_name(), request, &["Tags"])?;
        let look = DescribeInternetGatewaysRequest { filters: made_before(request), ..Default::default() };
        let gateway = match cx.call(look).await?.internet_gateways.into_iter().next() {
            Some(gateway) => Some(gateway),
            None => {
                let tag_specifications = tagged(request, &kinds::INTERNET_GATEWAY);
                cx.call(CreateInternetGatewayRequest { tag_specifications, ..Default::default() })
                    .await?
                    .internet_gateway
            }
        };
        gateway.and_then(|gateway| gateway.internet_gateway_id).ok_or_else(|| lacks("InternetGatewayId"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let delete = DeleteInternetGatewayRequest { internet_gateway_id: id.to_owned(), ..Default::default() };
        deleted(cx.call(delete).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeInternetGatewaysRequest { internet_gateway_ids: vec![id.to_owned()], ..Default::default() };
        let gateway = found(cx.call(look).await)?.and_then(|answer| answer.internet_gateways.into_iter().next());
        let read = |gateway: InternetGateway| {
            Properties::default().with("InternetGatewayId", id).with_tags(pairs(gateway.tags))
        };
        Ok(gateway.map(read))
    }

    async fn attributes(&self, _: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("InternetGatewayId".to_owned(), json!(id))]))
    }
}

pub struct VpcGatewayAttachmentType;

/// The VPC a gateway is attached to.
async fn attached_to(cx: &Cx, gateway: &str) -> Result<Option<String>, Error> {
    let internet_gateway_ids = vec![gateway.to_owned()];
    let found = cx.call(DescribeInternetGatewaysRequest { internet_gateway_ids, ..Default::default() }).await?;
    let gateway = found.internet_gateways.into_iter().next();
    Ok(gateway.and_then(|g| g.attachments.into_iter().next()).and_then(|a| a.vpc_id))
}

async fn attach(cx: &Cx, request: &ResourceRequest) -> Result<(), Error> {
    only(
        "AWS::EC2::VPCGatewayAttachment",
        request,
        &["InternetGatewayId", "VpcId"], // VpnGatewayId: there are none
    )?;
    let (internet_gateway_id, vpc_id) = (required(request, "InternetGatewayId")?, required(request, "VpcId")?);
    if attached_to(cx, &internet_gateway_id).await?.as_deref() == Some(&*vpc_id) {
        return Ok(());
    }
    cx.call(AttachInternetGatewayRequest { internet_gateway_id, vpc_id, ..Default::default() }).await?;
    Ok(())
}

#[async_trait]
impl ResourceType for VpcGatewayAttachmentType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPCGatewayAttachment"
    }

    fn serves(&self, property: &str) -> bool {
        ["InternetGatewayId", "VpcId"].contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        attach(cx, request).await?;
        Ok(format!("IGW|{}", required(request, "VpcId")?))
    }

    async fn update(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<(), Error> {
        if request.changed("InternetGatewayId") {
            if let (Some(internet_gateway_id), Some(vpc_id)) =
                (text(&request.previous, "InternetGatewayId"), text(&request.previous, "VpcId"))
            {
                let detach = DetachInternetGatewayRequest { internet_gateway_id, vpc_id, ..Default::default() };
                gone_is_fine(cx.call(detach).await)?;
            }
            attach(cx, request).await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let (internet_gateway_id, vpc_id) = (required(request, "InternetGatewayId")?, required(request, "VpcId")?);
        deleted(cx.call(DetachInternetGatewayRequest { internet_gateway_id, vpc_id, ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let Some(vpc) = id.strip_prefix("IGW|") else { return Ok(None) };
        let look = DescribeInternetGatewaysRequest { filters: filter("attachment.vpc-id", vpc), ..Default::default() };
        let read = |gateway: InternetGateway| {
            Properties::default()
                .with("AttachmentType", "IGW")
                .with("VpcId", vpc)
                .with("InternetGatewayId", gateway.internet_gateway_id)
        };
        Ok(cx.call(look).await?.internet_gateways.into_iter().next().map(read))
    }

    async fn attributes(&self, _: &Cx, _: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("AttachmentType".to_owned(), json!("IGW"))]))
    }
}
