//! Load balancers: made, listed, deleted. Source: the API Reference's CreateLoadBalancer,
//! DescribeLoadBalancers and DeleteLoadBalancer.

use super::{about, check_name, page};
use crate::arns::{self, Kind};
use crate::attributes::LOAD_BALANCER;
use crate::names;
use crate::network::{self, Subnet};
use crate::records::{Listener, LoadBalancer, Rule, Standing, State, Zone};
use crate::targets::created;
use crate::{errors, tags};
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLoadBalancer: create_load_balancer(CreateLoadBalancerRequest),
        on |cx, r| created(cx, "CreateLoadBalancer", "loadbalancer/app", &r.name, &r.tags)),
    operation!(DescribeLoadBalancers: describe_load_balancers(DescribeLoadBalancersRequest), on everything),
    operation!(DeleteLoadBalancer: delete_load_balancer(DeleteLoadBalancerRequest), on about),
];

/// Load balancers of an account in a region.
pub const MOST: usize = 50;
/// Security groups of one load balancer.
const MOST_GROUPS: usize = 5;
/// Hosted zone ids of load balancers; only clients that make Route 53 records look at them.
const HOSTED_ZONE: &str = "Z35SXDOTRQ7X7K";

async fn create_load_balancer(
    cx: &Cx,
    request: CreateLoadBalancerRequest,
) -> Result<CreateLoadBalancerResponse, Error> {
    let kind = request.r#type.as_deref().unwrap_or("application");
    if kind != "application" {
        return Err(Error::not_built(format!("elasticloadbalancing:CreateLoadBalancer with Type={kind}")));
    }
    check_name("Load balancer", &request.name)?;
    if request.name.starts_with("internal-") {
        let text = format!("Load balancer name '{}' cannot begin with 'internal-'", request.name);
        return Err(errors::invalid(text));
    }
    not_built(&request)?;
    check_address_type(request.ip_address_type.as_deref())?;
    let scheme = request.scheme.clone().unwrap_or_else(|| "internet-facing".to_owned());
    let wanted = subnet_ids(&request.subnets, &request.subnet_mappings)?;
    let subnets = network::subnets(cx, &wanted).await?;
    let zones = zones(&subnets)?;
    let vpc = subnets[0].vpc.clone();
    if scheme == "internet-facing" && !network::has_internet_gateway(cx, &vpc).await? {
        return Err(Error::sender("InvalidSubnet", format!("VPC {vpc} has no internet gateway")));
    }
    let security_groups = match request.security_groups.is_empty() {
        true => vec![network::default_group(cx, &vpc).await?],
        false => check_groups(cx, &request.security_groups, &vpc).await?,
    };
    let tags = tags::checked(cx, &request.tags)?;
    let arn = arns::load_balancer(cx, &request.name);
    // AWS's form: NAME-NUMBER.REGION.elb…; an internal one says so.
    let number = cx.ids().of(b"123456789", 1) + &cx.ids().of(b"0123456789", 9);
    let prefix = if scheme == "internal" { "internal-" } else { "" };
    let dns_name = format!("{prefix}{}-{number}.{}{}", request.name, cx.region(), names::GIVEN).to_ascii_lowercase();
    let chosen: Vec<Ipv4Addr> = (0..16).map(|_| loopback(cx)).collect();
    let made = cx
        .store()
        .write(|tx| {
            let same_name = tx.by_key::<LoadBalancer>(cx.scope(), "name", &request.name)?;
            if let Some((_, found)) = same_name.first() {
                let same = found.scheme == scheme && found.zones == zones && found.security_groups == security_groups;
                return match same {
                    true => Ok(found.clone()),
                    false => Err(Error::sender(
                        "DuplicateLoadBalancerName",
                        format!(
                            "A load balancer with the same name '{}' exists, but with different settings",
                            request.name
                        ),
                    )),
                };
            }
            if tx.count::<LoadBalancer>(cx.scope()) >= MOST {
                let text = format!("You have reached the limit of {MOST} application load balancers in this region");
                return Err(Error::sender("TooManyLoadBalancers", text));
            }
            let record = LoadBalancer {
                arn: arn.clone(),
                name: request.name.clone(),
                dns_name,
                scheme,
                vpc,
                zones,
                security_groups,
                created: tx.now(),
                attributes: Default::default(),
                address: free_address(tx, &chosen)?,
                tags,
            };
            let standing = Standing { state: State::Provisioning, reason: None, interfaces: vec![] };
            tx.put(cx.scope(), &arn, record.clone())?;
            tx.put(cx.scope(), &arn, standing)?;
            Ok(Arc::new(record))
        })
        .await?;
    let standing = cx.store().get::<Standing>(cx.scope(), &made.arn)?;
    Ok(CreateLoadBalancerResponse { load_balancers: vec![shape(&made, standing.as_deref())] })
}

fn not_built(request: &CreateLoadBalancerRequest) -> Result<(), Error> {
    let given = [
        ("CustomerOwnedIpv4Pool", request.customer_owned_ipv4_pool.is_some()),
        ("EnablePrefixForIpv6SourceNat", request.enable_prefix_for_ipv6_source_nat.is_some()),
        ("IpamPools", request.ipam_pools.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::not_built(format!("elasticloadbalancing:CreateLoadBalancer with {name}"))),
        None => Ok(()),
    }
}

/// Kiln's networks carry IPv4 only.
pub fn check_address_type(given: Option<&str>) -> Result<(), Error> {
    match given {
        None | Some("ipv4") => Ok(()),
        Some(other) => Err(Error::not_built(format!("elasticloadbalancing: IpAddressType={other}"))),
    }
}

/// The subnets a request names, in either of its two ways.
pub fn subnet_ids(subnets: &[String], mappings: &[SubnetMapping]) -> Result<Vec<String>, Error> {
    if !subnets.is_empty() && !mappings.is_empty() {
        return Err(errors::invalid("You can specify either 'Subnets' or 'SubnetMappings', but not both"));
    }
    let mut ids = subnets.to_vec();
    for mapping in mappings {
        if mapping.allocation_id.is_some()
            || mapping.private_ipv4_address.is_some()
            || mapping.ipv6_address.is_some()
            || mapping.source_nat_ipv6_prefix.is_some()
        {
            return Err(errors::invalid(
                "You cannot specify addresses for the subnets of an application load balancer",
            ));
        }
        ids.push(mapping.subnet_id.clone().ok_or_else(|| errors::invalid("A subnet ID must be specified"))?);
    }
    if ids.is_empty() {
        return Err(errors::invalid("You must specify subnets"));
    }
    Ok(ids)
}

/// The zones of the subnets: one VPC, at least two zones, one subnet in each.
pub fn zones(subnets: &[Subnet]) -> Result<Vec<Zone>, Error> {
    let mut seen = BTreeSet::new();
    for subnet in subnets {
        if subnet.vpc != subnets[0].vpc {
            return Err(errors::bad_configuration("All subnets must belong to the same VPC"));
        }
        if !seen.insert(&subnet.zone) {
            return Err(errors::bad_configuration(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
    }
    if seen.len() < 2 {
        return Err(errors::invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    let mut zones: Vec<Zone> = subnets.iter().map(|s| Zone { zone: s.zone.clone(), subnet: s.id.clone() }).collect();
    zones.sort_by(|a, b| a.zone.cmp(&b.zone));
    Ok(zones)
}

/// Checks that the security groups are there and in the VPC.
pub async fn check_groups(cx: &Cx, ids: &[String], vpc: &str) -> Result<Vec<String>, Error> {
    let mut unique: Vec<String> = vec![];
    ids.iter().for_each(|id| {
        if !unique.contains(id) {
            unique.push(id.clone());
        }
    });
    if unique.len() > MOST_GROUPS {
        return Err(errors::bad_configuration(format!(
            "A load balancer can have at most {MOST_GROUPS} security groups"
        )));
    }
    let found = network::groups(cx, &unique).await?;
    for id in &unique {
        match found.iter().find(|g| g.id == *id) {
            None => {
                return Err(Error::sender("InvalidSecurityGroup", format!("The security group '{id}' does not exist")));
            }
            Some(group) if group.vpc != vpc => {
                let text = format!("One or more security groups are invalid: '{id}' is not in the VPC '{vpc}'");
                return Err(errors::bad_configuration(text));
            }
            Some(_) => {}
        }
    }
    Ok(unique)
}

/// An address out of 127.64.0.0–127.127.255.254: loopback, and away from what programs use by
/// habit (127.0.0.1, 127.0.0.53, 127.0.1.1).
fn loopback(cx: &Cx) -> Ipv4Addr {
    let octet =
        |least: u64, count: u64| u8::try_from(least + cx.ids().below(count)).expect("below 256 by the sums below");
    // 64 + 64 = 128, 1 + 254 = 255
    Ipv4Addr::new(127, octet(64, 64), octet(0, 256), octet(1, 254))
}

fn free_address(tx: &Tx<'_>, chosen: &[Ipv4Addr]) -> Result<Ipv4Addr, Error> {
    for address in chosen {
        if tx.by_key_everywhere::<LoadBalancer>("address", &address.to_string())?.is_empty() {
            return Ok(*address);
        }
    }
    Err(Error::receiver("InternalFailure", "No loopback address is free for the load balancer."))
}

/// As answers have it.
pub fn shape(lb: &LoadBalancer, standing: Option<&Standing>) -> kiln_elbv2_shapes::LoadBalancer {
    kiln_elbv2_shapes::LoadBalancer {
        load_balancer_arn: Some(lb.arn.clone()),
        dns_name: Some(lb.dns_name.clone()),
        canonical_hosted_zone_id: Some(HOSTED_ZONE.to_owned()),
        created_time: Some(lb.created),
        load_balancer_name: Some(lb.name.clone()),
        scheme: Some(lb.scheme.clone()),
        vpc_id: Some(lb.vpc.clone()),
        state: Some(LoadBalancerState {
            code: Some(standing.map_or(State::Provisioning, |s| s.state).as_str().to_owned()),
            reason: standing.and_then(|s| s.reason.clone()),
        }),
        r#type: Some("application".to_owned()),
        availability_zones: zone_shapes(lb),
        security_groups: lb.security_groups.clone(),
        ip_address_type: Some("ipv4".to_owned()),
        ..Default::default()
    }
}

/// The enabled zones as answers have them.
pub fn zone_shapes(lb: &LoadBalancer) -> Vec<AvailabilityZone> {
    let zone = |z: &Zone| AvailabilityZone {
        zone_name: Some(z.zone.clone()),
        subnet_id: Some(z.subnet.clone()),
        ..Default::default()
    };
    lb.zones.iter().map(zone).collect()
}

async fn describe_load_balancers(
    cx: &Cx,
    request: DescribeLoadBalancersRequest,
) -> Result<DescribeLoadBalancersResponse, Error> {
    if !request.load_balancer_arns.is_empty() && !request.names.is_empty() {
        return Err(errors::invalid("Load balancer names and load balancer ARNs cannot be specified at the same time"));
    }
    let (store, scope) = (cx.store(), cx.scope());
    let mut all: BTreeMap<Arc<str>, Arc<LoadBalancer>> = BTreeMap::new();
    for arn in &request.load_balancer_arns {
        Kind::LoadBalancer.check(cx, arn)?;
        let found = store.get::<LoadBalancer>(scope, arn)?.ok_or_else(errors::no_load_balancer)?;
        all.insert(Arc::from(arn.as_str()), found);
    }
    let mut missing: Vec<String> = vec![];
    for name in &request.names {
        let named = store.by_key::<LoadBalancer>(scope, "name", name)?;
        if named.is_empty() {
            missing.push(name.clone());
        }
        all.extend(named);
    }
    if !missing.is_empty() {
        return Err(errors::no_named_load_balancers(&missing));
    }
    if request.load_balancer_arns.is_empty() && request.names.is_empty() {
        all.extend(store.list::<LoadBalancer>(scope)?);
    }
    let all: Vec<Arc<LoadBalancer>> = all.into_values().collect();
    let page = page(all, |lb| &lb.arn, request.marker.as_deref(), request.page_size)?;
    let shown = page.items.iter().map(|lb| {
        let standing = cx.store().get::<Standing>(cx.scope(), &lb.arn)?;
        Ok(shape(lb, standing.as_deref()))
    });
    Ok(DescribeLoadBalancersResponse {
        load_balancers: shown.collect::<Result<_, Error>>()?,
        next_marker: page.next_token,
    })
}

/// Deleting one that is not there is a success. Its listeners and rules go with it; its ports and
/// interfaces as soon as the controller has looked.
async fn delete_load_balancer(
    cx: &Cx,
    request: DeleteLoadBalancerRequest,
) -> Result<DeleteLoadBalancerResponse, Error> {
    let arn = &request.load_balancer_arn;
    Kind::LoadBalancer.check(cx, arn)?;
    cx.store()
        .write(|tx| {
            let Some(lb) = tx.get::<LoadBalancer>(cx.scope(), arn)? else { return Ok(()) };
            if LOAD_BALANCER.is_on(&lb.attributes, "deletion_protection.enabled") {
                let text = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
                return Err(errors::not_permitted(text));
            }
            for (id, _) in tx.list_prefix::<Listener>(cx.scope(), &arns::listeners_prefix(arn))? {
                tx.delete::<Listener>(cx.scope(), &id);
            }
            for (id, _) in tx.list_prefix::<Rule>(cx.scope(), &arns::all_rules_prefix(arn))? {
                tx.delete::<Rule>(cx.scope(), &id);
            }
            tx.delete::<LoadBalancer>(cx.scope(), arn);
            Ok::<_, Error>(())
        })
        .await?;
    Ok(DeleteLoadBalancerResponse {})
}

/// A load balancer that must be there.
pub fn find(tx: &Tx<'_>, cx: &Cx, arn: &str) -> Result<LoadBalancer, Error> {
    let found = tx.get::<LoadBalancer>(cx.scope(), arn)?;
    found.map(|lb| (*lb).clone()).ok_or_else(errors::no_load_balancer)
}
