//! `AWS::EC2::NatGateway`. Ref: its id. Stable when the network controller has made it work.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct NatGatewayType;

const NAME: &str = "AWS::EC2::NatGateway";
const SERVED: &[&str] = &["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "Tags"];

async fn find(cx: &Cx, id: &str) -> Result<shapes::NatGateway, Error> {
    let look = DescribeNatGatewaysRequest { nat_gateway_ids: vec![id.to_owned()], ..Default::default() };
    cx.call(look).await?.nat_gateways.into_iter().next().ok_or_else(|| kinds::NAT_GATEWAY.none(id))
}

#[async_trait]
impl ResourceType for NatGatewayType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    fn holds_anyway(&self) -> &'static [(&'static str, &'static str)] {
        &[("AvailabilityMode", r#""zonal""#)]
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let new = CreateNatGatewayRequest {
            allocation_id: request.text("AllocationId"),
            connectivity_type: request.text("ConnectivityType"),
            private_ip_address: request.text("PrivateIpAddress"),
            subnet_id: request.text("SubnetId"),
            client_token: Some(request.token.clone()),
            tag_specifications: tagged(request, &kinds::NAT_GATEWAY),
            ..Default::default()
        };
        cx.call(new).await?.nat_gateway.and_then(|nat| nat.nat_gateway_id).ok_or_else(|| lacks("NatGatewayId"))
    }

    async fn stability(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let nat = find(cx, id).await?;
        Ok(match nat.state.as_deref() {
            Some("available") => Stability::Ready,
            Some("pending") => Stability::Pending(format!("{id} is not on the host yet")),
            state => Stability::Failed(nat.failure_message.unwrap_or_else(|| format!("{id} is {state:?}"))),
        })
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        retag(cx, id, request).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let nat_gateway_id = id.to_owned();
        deleted(cx.call(DeleteNatGatewayRequest { nat_gateway_id, ..Default::default() }).await)
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let nat = found(find(cx, id).await)?.filter(|nat| nat.state.as_deref() != Some("deleted"));
        let read = |nat: shapes::NatGateway| {
            let address = nat.nat_gateway_addresses.into_iter().find(|address| address.is_primary != Some(false));
            let address = address.unwrap_or_default();
            Properties::default()
                .with("NatGatewayId", id)
                .with("SubnetId", nat.subnet_id)
                .with("VpcId", nat.vpc_id)
                .with("ConnectivityType", nat.connectivity_type)
                .with("AvailabilityMode", nat.availability_mode)
                .with("AllocationId", address.allocation_id)
                .with("PrivateIpAddress", address.private_ip)
                .with("EniId", address.network_interface_id)
                .with_tags(pairs(nat.tags))
        };
        Ok(nat.map(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let nat = find(cx, id).await?;
        let interface = nat.nat_gateway_addresses.into_iter().next().and_then(|a| a.network_interface_id);
        Ok(BTreeMap::from([("NatGatewayId".to_owned(), json!(id)), ("EniId".to_owned(), json!(interface))]))
    }
}
