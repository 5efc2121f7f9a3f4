//! NAT gateways. The network controller makes them work and says so; a subnet whose default route
//! leads to one reaches the internet.

use crate::defaults::ensure_defaults;
use crate::errors::{invalid_combination, missing_parameter, refuse};
use crate::filters::{Filters, one};
use crate::interfaces::allocation::{NewInterface, WantedAddresses, allocate_interface, release_interface};
use crate::interfaces::asked::address as ip_address;
use crate::interfaces::association::associate;
use crate::interfaces::records::Address;
use crate::interfaces::targets::ADDRESS;
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::{NatGateway, NatState, Subnet};
use crate::networks::targets::{NAT_GATEWAY, SUBNET};
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    CreateNatGatewayRequest, CreateNatGatewayResponse, DeleteNatGatewayRequest, DeleteNatGatewayResponse,
    DescribeNatGatewaysRequest, DescribeNatGatewaysResponse, NatGatewayAddress,
};
use kiln_ids::NatGatewayId;
use kiln_service_kit::{Cx, Error, Operation, Remembered, Timestamp, operation, request_hash};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateNatGateway: create_nat_gateway(CreateNatGatewayRequest),
        on things![SUBNET subnet_id, ADDRESS allocation_id, makes NAT_GATEWAY]),
    operation!(DeleteNatGateway: delete_nat_gateway(DeleteNatGatewayRequest), on things![NAT_GATEWAY nat_gateway_id]),
    operation!(DescribeNatGateways: describe_nat_gateways(DescribeNatGatewaysRequest), on everything),
];

async fn create_nat_gateway(cx: &Cx, request: CreateNatGatewayRequest) -> Result<CreateNatGatewayResponse, Error> {
    refuse(
        "CreateNatGateway",
        &[
            ("ConnectivityType private", request.connectivity_type.as_deref() == Some("private")),
            ("AvailabilityMode regional", request.availability_mode.as_deref() == Some("regional")),
            ("AvailabilityZoneAddresses", !request.availability_zone_addresses.is_empty()),
            ("SecondaryAllocationIds", !request.secondary_allocation_ids.is_empty()),
            ("SecondaryPrivateIpAddresses", !request.secondary_private_ip_addresses.is_empty()),
            ("SecondaryPrivateIpAddressCount", request.secondary_private_ip_address_count.is_some()),
        ],
    )?;
    let subnet_id = request.subnet_id.clone().ok_or_else(|| missing_parameter("SubnetId"))?;
    let allocation = request.allocation_id.clone().ok_or_else(|| missing_parameter("AllocationId"))?;
    let private_ip = request.private_ip_address.as_deref().map(ip_address).transpose()?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::NAT_GATEWAY)?;
    ensure_defaults(cx).await?;
    let token = request.client_token.clone();
    let hash = request_hash(&CreateNatGatewayRequest { client_token: None, ..request });
    let nat = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            if let Some(token) = &token
                && let Some(id) = Remembered::find(tx, cx, "CreateNatGateway", token, &hash)?
                && let Some(made) = tx.get::<NatGateway>(cx.scope(), &id)?
            {
                return Ok(NatGateway::clone(&made));
            }
            for (id, old) in tx.list::<NatGateway>(cx.scope())? {
                if is_forgotten(&old, tx.now()) {
                    tx.delete::<NatGateway>(cx.scope(), &id);
                }
            }
            let subnet = need::<Subnet>(tx, cx.scope(), &subnet_id)?;
            let address = need::<Address>(tx, cx.scope(), &allocation)?;
            if let Some((association, _)) = &address.association {
                return Err(Error::sender(
                    "Resource.AlreadyAssociated",
                    format!("Elastic IP address [{}] is already associated with {association}", address.id),
                ));
            }
            let id = NatGatewayId::new(cx.ids());
            let new = NewInterface {
                addresses: WantedAddresses { primary: private_ip, ..WantedAddresses::default() },
                description: format!("Interface for NAT Gateway {id}"),
                source_dest_check: false,
                managed_by: Some("ec2.amazonaws.com".to_owned()),
                interface_type: "nat_gateway",
                ..NewInterface::of(&subnet, vec![])
            };
            let interface = allocate_interface(tx, cx, new)?;
            associate(tx, cx, &address, &interface, interface.ip, false)?;
            let nat = NatGateway {
                id,
                vpc: subnet.vpc.clone(),
                subnet: subnet.id.clone(),
                state: NatState::Pending,
                interface: interface.id.clone(),
                private_ip: interface.ip,
                allocation: address.id.clone(),
                public_ip: address.ip,
                created: tx.now(),
                tags,
            };
            if let Some(token) = &token {
                Remembered::keep(tx, cx, "CreateNatGateway", token, &hash, &nat.id)?;
            }
            tx.put(cx.scope(), &nat.id, nat.clone())?;
            Ok(nat)
        })
        .await?;
    Ok(CreateNatGatewayResponse { client_token: token, nat_gateway: Some(shown(&nat)) })
}

/// A deleted NAT gateway is shown for about an hour.
fn is_forgotten(nat: &NatGateway, now: Timestamp) -> bool {
    matches!(nat.state, NatState::Deleted { at } if now.since(at) > Duration::from_secs(3600))
}

async fn delete_nat_gateway(cx: &Cx, request: DeleteNatGatewayRequest) -> Result<DeleteNatGatewayResponse, Error> {
    let id = request.nat_gateway_id;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let nat = need::<NatGateway>(tx, cx.scope(), &id)?;
            if matches!(nat.state, NatState::Deleted { .. }) {
                return Ok(());
            }
            release_interface(tx, cx.scope(), &nat.interface)?;
            let mut nat = NatGateway::clone(&nat);
            nat.state = NatState::Deleted { at: tx.now() };
            Ok(tx.put(cx.scope(), &id, nat)?)
        })
        .await?;
    Ok(DeleteNatGatewayResponse { nat_gateway_id: Some(id) })
}

async fn describe_nat_gateways(
    cx: &Cx,
    request: DescribeNatGatewaysRequest,
) -> Result<DescribeNatGatewaysResponse, Error> {
    if !request.nat_gateway_ids.is_empty() && request.max_results.is_some() {
        return Err(invalid_combination("The parameter natGatewayIds cannot be used with the parameter maxResults"));
    }
    let filters = Filters::read(&request.filter, &["nat-gateway-id", "state", "subnet-id", "vpc-id"])?;
    let mut nats = asked::<NatGateway>(cx, &request.nat_gateway_ids, &filters, "nat-gateway-id")?;
    nats.retain(|(_, nat)| {
        !is_forgotten(nat, cx.now())
            && filters.accept(&nat.tags, |name| match name {
                "nat-gateway-id" => one(&nat.id),
                "state" => one(nat.state.name()),
                "subnet-id" => one(&nat.subnet),
                "vpc-id" => one(&nat.vpc),
                _ => vec![],
            })
    });
    let page = page(nats, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeNatGatewaysResponse {
        nat_gateways: page.items.iter().map(|nat| shown(nat)).collect(),
        next_token: page.next_token,
    })
}

fn shown(nat: &NatGateway) -> shapes::NatGateway {
    let (failure_code, failure_message) = match &nat.state {
        NatState::Failed { code, message } => (Some(code.clone()), Some(message.clone())),
        _ => (None, None),
    };
    let delete_time = match &nat.state {
        NatState::Deleted { at } => Some(*at),
        _ => None,
    };
    let status = match &nat.state {
        NatState::Pending => "associating",
        NatState::Available => "succeeded",
        NatState::Failed { .. } => "failed",
        NatState::Deleted { .. } => "disassociating",
    };
    shapes::NatGateway {
        create_time: Some(nat.created),
        delete_time,
        failure_code,
        failure_message,
        nat_gateway_addresses: vec![NatGatewayAddress {
            allocation_id: Some(nat.allocation.to_string()),
            network_interface_id: Some(nat.interface.to_string()),
            private_ip: Some(nat.private_ip.to_string()),
            public_ip: Some(nat.public_ip.to_string()),
            is_primary: Some(true),
            status: Some(status.to_owned()),
            ..Default::default()
        }],
        nat_gateway_id: Some(nat.id.to_string()),
        state: Some(nat.state.name().to_owned()),
        subnet_id: Some(nat.subnet.to_string()),
        vpc_id: Some(nat.vpc.to_string()),
        tags: tags::shown(&nat.tags),
        connectivity_type: Some("public".to_owned()),
        ..Default::default()
    }
}
