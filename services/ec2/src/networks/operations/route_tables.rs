//! Route tables, their routes and associations.
//!
//! Kiln's networks reach the internet whole or not at all: a route is the local one or a default
//! route to an internet or NAT gateway. Other destinations and targets are refused by name.

use crate::defaults::ensure_defaults;
use crate::errors::{dependency, invalid_combination, invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, flag, one};
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::{
    Destination, InternetGateway, NatGateway, Route, RouteAssociation, RouteTable, RouteTarget, RouteUser, Subnet, Vpc,
};
use crate::networks::spec::{VpcRecords, is_active};
use crate::networks::targets::{ROUTE_TABLE, SUBNET, VPC};
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AssociateRouteTableRequest, AssociateRouteTableResponse, CreateRouteRequest, CreateRouteResponse,
    CreateRouteTableRequest, CreateRouteTableResponse, DeleteRouteRequest, DeleteRouteResponse,
    DeleteRouteTableRequest, DeleteRouteTableResponse, DescribeRouteTablesRequest, DescribeRouteTablesResponse,
    DisassociateRouteTableRequest, DisassociateRouteTableResponse, ReplaceRouteRequest, ReplaceRouteResponse,
    ReplaceRouteTableAssociationRequest, ReplaceRouteTableAssociationResponse, RouteTableAssociationState,
};
use kiln_ids::{InternetGatewayId, NatGatewayId, RouteTableAssociationId, RouteTableId};
use kiln_machines_spec::Cidr;
use kiln_service_kit::{Cx, Error, Operation, Remembered, Tx, operation, request_hash};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(AssociateRouteTable: associate_route_table(AssociateRouteTableRequest),
        on things![ROUTE_TABLE route_table_id, SUBNET subnet_id]),
    operation!(CreateRoute: create_route(CreateRouteRequest), on things![ROUTE_TABLE route_table_id]),
    operation!(CreateRouteTable: create_route_table(CreateRouteTableRequest),
        on things![VPC vpc_id, makes ROUTE_TABLE]),
    operation!(DeleteRoute: delete_route(DeleteRouteRequest), on things![ROUTE_TABLE route_table_id]),
    operation!(DeleteRouteTable: delete_route_table(DeleteRouteTableRequest), on things![ROUTE_TABLE route_table_id]),
    operation!(DescribeRouteTables: describe_route_tables(DescribeRouteTablesRequest), on everything),
    operation!(DisassociateRouteTable: disassociate_route_table(DisassociateRouteTableRequest),
        on things![ROUTE_TABLE association_id]),
    operation!(ReplaceRoute: replace_route(ReplaceRouteRequest), on things![ROUTE_TABLE route_table_id]),
    operation!(ReplaceRouteTableAssociation: replace_route_table_association(ReplaceRouteTableAssociationRequest),
        on things![ROUTE_TABLE association_id, ROUTE_TABLE route_table_id]),
];

async fn create_route_table(cx: &Cx, request: CreateRouteTableRequest) -> Result<CreateRouteTableResponse, Error> {
    ensure_defaults(cx).await?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::ROUTE_TABLE)?;
    let token = request.client_token.clone();
    let hash = request_hash(&CreateRouteTableRequest { client_token: None, ..request.clone() });
    let table = cx
        .store()
        .write(|tx| -> Result<_, Error> {
            let vpc = need::<Vpc>(tx, cx.scope(), &request.vpc_id)?;
            if let Some(token) = &token
                && let Some(id) = Remembered::find(tx, cx, "CreateRouteTable", token, &hash)?
                && let Some(made) = tx.get::<RouteTable>(cx.scope(), &id)?
            {
                return Ok(RouteTable::clone(&made));
            }
            let table = RouteTable {
                id: RouteTableId::new(cx.ids()),
                vpc: vpc.id.clone(),
                associations: vec![],
                routes: vec![],
                tags,
            };
            if let Some(token) = &token {
                Remembered::keep(tx, cx, "CreateRouteTable", token, &hash, &table.id)?;
            }
            tx.put(cx.scope(), &table.id, table.clone())?;
            Ok(table)
        })
        .await?;
    let targets = Targets::read(cx)?;
    Ok(CreateRouteTableResponse { route_table: Some(shown(cx, &table, &targets)), client_token: token })
}

async fn delete_route_table(cx: &Cx, request: DeleteRouteTableRequest) -> Result<DeleteRouteTableResponse, Error> {
    cx.store()
        .write(|tx| {
            let table = need::<RouteTable>(tx, cx.scope(), &request.route_table_id)?;
            if !table.associations.is_empty() {
                return Err(dependency(format!(
                    "The routeTable '{}' has dependencies and cannot be deleted.",
                    table.id
                )));
            }
            tx.delete::<RouteTable>(cx.scope(), &table.id);
            Ok(())
        })
        .await?;
    Ok(DeleteRouteTableResponse::default())
}

/// What a route is asked to be.
struct AskedRoute {
    destination: Destination,
    /// The id as given, `igw-…` or `nat-…`.
    target: String,
}

fn asked_route(operation: &str, request: &ReplaceRouteRequest) -> Result<AskedRoute, Error> {
    refuse(
        operation,
        &[
            ("DestinationPrefixListId", request.destination_prefix_list_id.is_some()),
            ("VpcEndpointId", request.vpc_endpoint_id.is_some()),
            ("LocalTarget", request.local_target == Some(true)),
            ("TransitGatewayId", request.transit_gateway_id.is_some()),
            ("LocalGatewayId", request.local_gateway_id.is_some()),
            ("CarrierGatewayId", request.carrier_gateway_id.is_some()),
            ("CoreNetworkArn", request.core_network_arn.is_some()),
            ("OdbNetworkArn", request.odb_network_arn.is_some()),
            ("EgressOnlyInternetGatewayId", request.egress_only_internet_gateway_id.is_some()),
            ("InstanceId", request.instance_id.is_some()),
            ("NetworkInterfaceId", request.network_interface_id.is_some()),
            ("VpcPeeringConnectionId", request.vpc_peering_connection_id.is_some()),
        ],
    )?;
    let destination = destination(
        operation,
        request.destination_cidr_block.as_deref(),
        request.destination_ipv6_cidr_block.as_deref(),
    )?;
    let target = match (&request.gateway_id, &request.nat_gateway_id) {
        (Some(gateway), None) => gateway.clone(),
        (None, Some(nat)) => nat.clone(),
        (None, None) => return Err(missing_parameter("gatewayId, natGatewayId or another target")),
        (Some(_), Some(_)) => {
            return Err(invalid_combination("The parameters gatewayId and natGatewayId cannot be used together."));
        }
    };
    Ok(AskedRoute { destination, target })
}

fn destination(operation: &str, v4: Option<&str>, v6: Option<&str>) -> Result<Destination, Error> {
    match (v4, v6) {
        (Some(text), None) => {
            let cidr: Cidr = text.parse().map_err(|_| {
                invalid_value(format!(
                    "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
                ))
            })?;
            match cidr == Cidr::ANY {
                true => Ok(Destination::AnyV4),
                false => Err(Error::not_built(format!("ec2:{operation} with a destination other than 0.0.0.0/0"))),
            }
        }
        (None, Some("::/0")) => Ok(Destination::AnyV6),
        (None, Some(_)) => Err(Error::not_built(format!("ec2:{operation} with an IPv6 destination other than ::/0"))),
        (None, None) => Err(missing_parameter("destinationCidrBlock")),
        (Some(_), Some(_)) => Err(invalid_combination("Only one destination can be specified.")),
    }
}

/// The target of an id, which must exist and belong to the table's VPC.
fn target(tx: &Tx, cx: &Cx, table: &RouteTable, id: &str) -> Result<RouteTarget, Error> {
    if id.starts_with(kinds::NAT_GATEWAY.prefix) {
        let nat = need::<NatGateway>(tx, cx.scope(), id)?;
        if nat.vpc != table.vpc || !nat.state.is_live() {
            return Err(Error::sender(
                "InvalidNatGatewayID.NotFound",
                format!("The natGateway ID '{id}' does not exist"),
            ));
        }
        return Ok(RouteTarget::NatGateway(kinds::NAT_GATEWAY.parse::<NatGatewayId>(id)?));
    }
    if id.starts_with(kinds::INTERNET_GATEWAY.prefix) {
        let gateway = need::<InternetGateway>(tx, cx.scope(), id)?;
        if gateway.vpc.as_ref() != Some(&table.vpc) {
            return Err(invalid_value(format!(
                "route table {} and network gateway {id} belong to different networks",
                table.id
            )));
        }
        return Ok(RouteTarget::InternetGateway(kinds::INTERNET_GATEWAY.parse::<InternetGatewayId>(id)?));
    }
    if id.starts_with("vgw-") || id.starts_with("vpce-") {
        return Err(Error::not_built("routes to virtual private gateways and VPC endpoints"));
    }
    Err(Error::sender("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist")))
}

async fn create_route(cx: &Cx, request: CreateRouteRequest) -> Result<CreateRouteResponse, Error> {
    let CreateRouteRequest { dry_run: _, route_table_id, .. } = request.clone();
    let asked = asked_route("CreateRoute", &as_replace(request))?;
    cx.store()
        .write(|tx| {
            let mut table = RouteTable::clone(&*need::<RouteTable>(tx, cx.scope(), &route_table_id)?);
            let target = target(tx, cx, &table, &asked.target)?;
            match table.routes.iter().find(|route| route.destination == asked.destination) {
                // The same route once more is no error.
                Some(route) if route.target == target => return Ok(()),
                Some(_) => {
                    return Err(Error::sender(
                        "RouteAlreadyExists",
                        format!("The route identified by {} already exists.", asked.destination.text()),
                    ));
                }
                None => table.routes.push(Route { destination: asked.destination, target }),
            }
            Ok(tx.put(cx.scope(), &route_table_id, table)?)
        })
        .await?;
    Ok(CreateRouteResponse { r#return: Some(true) })
}

fn as_replace(request: CreateRouteRequest) -> ReplaceRouteRequest {
    ReplaceRouteRequest {
        destination_prefix_list_id: request.destination_prefix_list_id,
        vpc_endpoint_id: request.vpc_endpoint_id,
        local_target: None,
        transit_gateway_id: request.transit_gateway_id,
        local_gateway_id: request.local_gateway_id,
        carrier_gateway_id: request.carrier_gateway_id,
        core_network_arn: request.core_network_arn,
        odb_network_arn: request.odb_network_arn,
        dry_run: request.dry_run,
        route_table_id: request.route_table_id,
        destination_cidr_block: request.destination_cidr_block,
        gateway_id: request.gateway_id,
        destination_ipv6_cidr_block: request.destination_ipv6_cidr_block,
        egress_only_internet_gateway_id: request.egress_only_internet_gateway_id,
        instance_id: request.instance_id,
        network_interface_id: request.network_interface_id,
        vpc_peering_connection_id: request.vpc_peering_connection_id,
        nat_gateway_id: request.nat_gateway_id,
    }
}

fn no_route(table: &RouteTable, destination: Destination) -> Error {
    Error::sender(
        "InvalidRoute.NotFound",
        format!("no route with destination-cidr-block {} in route table {}", destination.text(), table.id),
    )
}

async fn replace_route(cx: &Cx, request: ReplaceRouteRequest) -> Result<ReplaceRouteResponse, Error> {
    let asked = asked_route("ReplaceRoute", &request)?;
    cx.store()
        .write(|tx| -> Result<_, Error> {
            let mut table = RouteTable::clone(&*need::<RouteTable>(tx, cx.scope(), &request.route_table_id)?);
            let target = target(tx, cx, &table, &asked.target)?;
            match table.routes.iter_mut().find(|route| route.destination == asked.destination) {
                Some(route) => route.target = target,
                None => return Err(no_route(&table, asked.destination)),
            }
            Ok(tx.put_if_changed(cx.scope(), &request.route_table_id, table)?)
        })
        .await?;
    Ok(ReplaceRouteResponse::default())
}

async fn delete_route(cx: &Cx, request: DeleteRouteRequest) -> Result<DeleteRouteResponse, Error> {
    refuse("DeleteRoute", &[("DestinationPrefixListId", request.destination_prefix_list_id.is_some())])?;
    let (v4, v6) = (request.destination_cidr_block.as_deref(), request.destination_ipv6_cidr_block.as_deref());
    cx.store()
        .write(|tx| {
            let mut table = RouteTable::clone(&*need::<RouteTable>(tx, cx.scope(), &request.route_table_id)?);
            let vpc = need::<Vpc>(tx, cx.scope(), &table.vpc)?;
            if let Some(text) = v4
                && vpc.cidrs.iter().any(|block| block.cidr.to_string() == text)
            {
                return Err(invalid_value(format!("cannot remove local route {text} in route table {}", table.id)));
            }
            let missing = |text: &str| {
                Error::sender(
                    "InvalidRoute.NotFound",
                    format!("no route with destination-cidr-block {text} in route table {}", table.id),
                )
            };
            let destination = match (v4, v6) {
                (Some(text), _) if text.parse() == Ok(Cidr::ANY) => Destination::AnyV4,
                (None, Some("::/0")) => Destination::AnyV6,
                (Some(text), _) | (None, Some(text)) => return Err(missing(text)),
                (None, None) => return Err(missing_parameter("destinationCidrBlock")),
            };
            let before = table.routes.len();
            table.routes.retain(|route| route.destination != destination);
            if table.routes.len() == before {
                return Err(no_route(&table, destination));
            }
            Ok(tx.put(cx.scope(), &request.route_table_id, table)?)
        })
        .await?;
    Ok(DeleteRouteResponse::default())
}

fn associated(state: &str) -> Option<RouteTableAssociationState> {
    Some(RouteTableAssociationState { state: Some(state.to_owned()), status_message: None })
}

async fn associate_route_table(
    cx: &Cx,
    request: AssociateRouteTableRequest,
) -> Result<AssociateRouteTableResponse, Error> {
    refuse(
        "AssociateRouteTable",
        &[("GatewayId", request.gateway_id.is_some()), ("PublicIpv4Pool", request.public_ipv4_pool.is_some())],
    )?;
    let subnet_id = request.subnet_id.as_deref().ok_or_else(|| missing_parameter("subnetId"))?;
    let id = cx
        .store()
        .write(|tx| {
            let mut table = RouteTable::clone(&*need::<RouteTable>(tx, cx.scope(), &request.route_table_id)?);
            let subnet = need::<Subnet>(tx, cx.scope(), subnet_id)?;
            if subnet.vpc != table.vpc {
                return Err(invalid_value(format!(
                    "Route table {} and subnet {} belong to different networks",
                    table.id, subnet.id
                )));
            }
            for (_, other) in tx.by_key::<RouteTable>(cx.scope(), "vpc-id", &subnet.vpc)? {
                if !other.serves(&subnet.id) {
                    continue;
                }
                if other.id == table.id {
                    let same = other.associations.iter().find(|a| a.user == RouteUser::Subnet(subnet.id.clone()));
                    return Ok(same.expect("the table serves the subnet").id.clone());
                }
                return Err(Error::sender(
                    "Resource.AlreadyAssociated",
                    format!(
                        "the specified association for route table {} conflicts with an existing association",
                        table.id
                    ),
                ));
            }
            let id = RouteTableAssociationId::new(cx.ids());
            table.associations.push(RouteAssociation { id: id.clone(), user: RouteUser::Subnet(subnet.id.clone()) });
            tx.put(cx.scope(), &request.route_table_id, table)?;
            Ok(id)
        })
        .await?;
    Ok(AssociateRouteTableResponse {
        association_id: Some(id.to_string()),
        association_state: associated("associated"),
    })
}

/// The table that holds an association, and where in it.
fn holder(tx: &Tx, cx: &Cx, association: &str) -> Result<(RouteTable, usize), Error> {
    kinds::ROUTE_TABLE_ASSOCIATION.check(association)?;
    let tables = tx.list::<RouteTable>(cx.scope())?;
    let found = tables.iter().find_map(|(_, table)| {
        let at = table.associations.iter().position(|a| a.id == *association)?;
        Some((RouteTable::clone(table), at))
    });
    found.ok_or_else(|| kinds::ROUTE_TABLE_ASSOCIATION.none(association))
}

async fn disassociate_route_table(
    cx: &Cx,
    request: DisassociateRouteTableRequest,
) -> Result<DisassociateRouteTableResponse, Error> {
    cx.store()
        .write(|tx| {
            let (mut table, at) = holder(tx, cx, &request.association_id)?;
            if table.associations[at].user == RouteUser::Main {
                return Err(invalid_value(format!(
                    "cannot disassociate the main route table association {}",
                    request.association_id
                )));
            }
            table.associations.remove(at);
            Ok(tx.put(cx.scope(), &table.id.clone(), table)?)
        })
        .await?;
    Ok(DisassociateRouteTableResponse::default())
}

async fn replace_route_table_association(
    cx: &Cx,
    request: ReplaceRouteTableAssociationRequest,
) -> Result<ReplaceRouteTableAssociationResponse, Error> {
    let id = cx
        .store()
        .write(|tx| {
            let (mut old, at) = holder(tx, cx, &request.association_id)?;
            let mut new = RouteTable::clone(&*need::<RouteTable>(tx, cx.scope(), &request.route_table_id)?);
            if old.vpc != new.vpc {
                return Err(invalid_value(format!(
                    "Route table {} and association {} belong to different networks",
                    new.id, request.association_id
                )));
            }
            let id = RouteTableAssociationId::new(cx.ids());
            let user = old.associations.remove(at).user;
            if old.id == new.id {
                new = old;
            } else {
                tx.put(cx.scope(), &old.id.clone(), old)?;
            }
            new.associations.push(RouteAssociation { id: id.clone(), user });
            tx.put(cx.scope(), &new.id.clone(), new)?;
            Ok(id)
        })
        .await?;
    Ok(ReplaceRouteTableAssociationResponse {
        new_association_id: Some(id.to_string()),
        association_state: associated("associated"),
    })
}

/// What routes may lead to, to tell an active one from a black hole.
struct Targets {
    vpcs: Vec<(Arc<str>, Arc<Vpc>)>,
    records: VpcRecords,
}

impl Targets {
    fn read(cx: &Cx) -> Result<Self, Error> {
        let gateways = cx.store().list::<InternetGateway>(cx.scope())?;
        let nats = cx.store().list::<NatGateway>(cx.scope())?;
        Ok(Self {
            vpcs: cx.store().list::<Vpc>(cx.scope())?,
            records: VpcRecords {
                gateways: gateways.into_iter().map(|(_, r)| r).collect(),
                nats: nats.into_iter().map(|(_, r)| r).collect(),
                ..VpcRecords::default()
            },
        })
    }

    fn state(&self, table: &RouteTable, route: &Route) -> &'static str {
        if is_active(&table.vpc, &route.target, &self.records) { "active" } else { "blackhole" }
    }

    fn local(&self, table: &RouteTable) -> Vec<String> {
        let vpc = self.vpcs.iter().find(|(_, vpc)| vpc.id == table.vpc);
        vpc.map(|(_, vpc)| vpc.cidrs.iter().map(|b| b.cidr.to_string()).collect()).unwrap_or_default()
    }
}

const FILTERS: &[&str] = &[
    "association.gateway-id",
    "association.main",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.origin",
    "route.state",
    "route.transit-gateway-id",
    "route.vpc-peering-connection-id",
    "vpc-id",
];

async fn describe_route_tables(
    cx: &Cx,
    request: DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let targets = Targets::read(cx)?;
    let mut tables = asked::<RouteTable>(cx, &request.route_table_ids, &filters, "route-table-id")?;
    tables.retain(|(_, table)| {
        let routes = |of: fn(&shapes::Route) -> &Option<String>| -> Vec<String> {
            routes(table, &targets).iter().filter_map(|route| of(route).clone()).collect()
        };
        filters.accept(&table.tags, |name| match name {
            "association.main" => match table.associations.is_empty() {
                true => flag(false),
                false => table.associations.iter().map(|a| (a.user == RouteUser::Main).to_string()).collect(),
            },
            "association.route-table-association-id" => table.associations.iter().map(|a| a.id.to_string()).collect(),
            "association.route-table-id" => table.associations.iter().map(|_| table.id.to_string()).collect(),
            "association.subnet-id" => {
                let subnet = |a: &RouteAssociation| match &a.user {
                    RouteUser::Subnet(id) => Some(id.to_string()),
                    RouteUser::Main => None,
                };
                table.associations.iter().filter_map(subnet).collect()
            }
            "owner-id" => one(cx.account()),
            "route-table-id" => one(&table.id),
            "route.destination-cidr-block" => routes(|r| &r.destination_cidr_block),
            "route.destination-ipv6-cidr-block" => routes(|r| &r.destination_ipv6_cidr_block),
            "route.gateway-id" => routes(|r| &r.gateway_id),
            "route.nat-gateway-id" => routes(|r| &r.nat_gateway_id),
            "route.origin" => routes(|r| &r.origin),
            "route.state" => routes(|r| &r.state),
            "vpc-id" => one(&table.vpc),
            _ => vec![],
        })
    });
    let page = page(tables, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeRouteTablesResponse {
        next_token: page.next_token,
        route_tables: page.items.iter().map(|table| shown(cx, table, &targets)).collect(),
    })
}

fn shown(cx: &Cx, table: &RouteTable, targets: &Targets) -> shapes::RouteTable {
    let association = |a: &RouteAssociation| shapes::RouteTableAssociation {
        main: Some(a.user == RouteUser::Main),
        route_table_association_id: Some(a.id.to_string()),
        route_table_id: Some(table.id.to_string()),
        subnet_id: match &a.user {
            RouteUser::Subnet(id) => Some(id.to_string()),
            RouteUser::Main => None,
        },
        association_state: associated("associated"),
        ..Default::default()
    };
    shapes::RouteTable {
        associations: table.associations.iter().map(association).collect(),
        route_table_id: Some(table.id.to_string()),
        routes: routes(table, targets),
        tags: tags::shown(&table.tags),
        vpc_id: Some(table.vpc.to_string()),
        owner_id: Some(cx.account().to_owned()),
        ..Default::default()
    }
}

/// The local routes first, then the others.
fn routes(table: &RouteTable, targets: &Targets) -> Vec<shapes::Route> {
    let local = targets.local(table).into_iter().map(|block| shapes::Route {
        destination_cidr_block: Some(block),
        gateway_id: Some("local".to_owned()),
        origin: Some("CreateRouteTable".to_owned()),
        state: Some("active".to_owned()),
        ..Default::default()
    });
    let others = table.routes.iter().map(|route| {
        let text = Some(route.destination.text().to_owned());
        let (v4, v6) = match route.destination {
            Destination::AnyV4 => (text, None),
            Destination::AnyV6 => (None, text),
        };
        let (gateway, nat) = match &route.target {
            RouteTarget::InternetGateway(id) => (Some(id.to_string()), None),
            RouteTarget::NatGateway(id) => (None, Some(id.to_string())),
        };
        shapes::Route {
            destination_cidr_block: v4,
            destination_ipv6_cidr_block: v6,
            gateway_id: gateway,
            nat_gateway_id: nat,
            origin: Some("CreateRoute".to_owned()),
            state: Some(targets.state(table, route).to_owned()),
            ..Default::default()
        }
    });
    local.chain(others).collect()
}
