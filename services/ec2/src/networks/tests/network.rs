//! Networks: what operations keep, and what of it reaches the host.

use crate::tests::{World, filter, ingress, tcp};
use kiln_ec2_shapes::*;
use kiln_service_kit::Chaos;

#[tokio::test]
async fn every_scope_has_its_default_network_made_once() {
    let w = World::new();
    for _ in 0..2 {
        let vpcs = w.call(DescribeVpcsRequest::default()).await.vpcs;
        assert_eq!(vpcs.len(), 1);
        assert_eq!((vpcs[0].cidr_block.as_deref(), vpcs[0].is_default), (Some("172.31.0.0/16"), Some(true)));
    }
    let subnets = w.call(DescribeSubnetsRequest::default()).await.subnets;
    let seen: Vec<_> = subnets
        .iter()
        .map(|s| (s.availability_zone.as_deref().expect("a zone"), s.cidr_block.as_deref().expect("a block")))
        .collect();
    for expected in
        [("us-east-1a", "172.31.0.0/20"), ("us-east-1b", "172.31.16.0/20"), ("us-east-1c", "172.31.32.0/20")]
    {
        assert!(seen.contains(&expected), "{seen:?}");
    }
    assert!(
        subnets.iter().all(|s| s.available_ip_address_count == Some(4091) && s.map_public_ip_on_launch == Some(true))
    );
    let tables = w.call(DescribeRouteTablesRequest::default()).await.route_tables;
    let states: Vec<_> = tables[0].routes.iter().map(|r| r.state.as_deref()).collect();
    assert_eq!(states, [Some("active"), Some("active")]);
    let elsewhere = w.cx.in_region("eu-west-1").call(DescribeVpcsRequest::default()).await.expect("vpcs").vpcs;
    let here = w.call(DescribeVpcsRequest::default()).await.vpcs;
    assert_eq!(elsewhere.len(), 1);
    assert_ne!(elsewhere[0].vpc_id, here[0].vpc_id);
}

#[tokio::test]
async fn blocks_must_fit_and_what_is_used_stays() {
    let w = World::new();
    let wide = CreateVpcRequest { cidr_block: Some("10.0.0.0/8".into()), ..Default::default() };
    assert!(w.refused(wide).await.is("InvalidVpc.Range"));
    for never in
        ["0.1.0.0/16", "127.0.0.0/16", "169.254.0.0/16", "169.254.169.240/28", "224.0.0.0/16", "255.255.0.0/16"]
    {
        let never = CreateVpcRequest { cidr_block: Some(never.into()), ..Default::default() };
        assert!(w.refused(never.clone()).await.is("InvalidVpc.Range"), "{never:?}");
    }
    let way_out = CreateVpcRequest { cidr_block: Some("198.19.0.0/16".into()), ..Default::default() };
    assert!(w.refused(way_out).await.is("NotImplemented"));
    w.vpc("198.51.100.0/24").await;
    let vpc = w.vpc("10.0.0.0/16").await;
    let subnet = w.subnet(&vpc, "10.0.0.0/24", "us-east-1a").await;
    let make =
        |cidr: &str| CreateSubnetRequest { vpc_id: vpc.clone(), cidr_block: Some(cidr.into()), ..Default::default() };
    assert!(w.refused(make("10.0.0.128/25")).await.is("InvalidSubnet.Conflict"));
    assert!(w.refused(make("10.1.0.0/24")).await.is("InvalidSubnet.Range"));
    assert!(w.refused(make("nonsense")).await.is("InvalidParameterValue"));
    let delete = DeleteVpcRequest { vpc_id: vpc.clone(), ..Default::default() };
    assert!(w.refused(delete.clone()).await.is("DependencyViolation"));
    let unknown = DeleteVpcRequest { vpc_id: "vpc-00000000000000000".into(), ..Default::default() };
    let error = w.refused(unknown).await;
    assert_eq!(error.to_string(), "InvalidVpcID.NotFound: The vpc ID 'vpc-00000000000000000' does not exist");
    w.call(DeleteSubnetRequest { subnet_id: subnet, ..Default::default() }).await;
    w.call(delete).await;
    let left = w.call(DescribeSecurityGroupsRequest { filters: vec![filter("vpc-id", &[&vpc])], ..Default::default() });
    assert!(left.await.security_groups.is_empty());
}

#[tokio::test]
async fn addresses_are_given_once_and_five_are_kept() {
    let w = World::new();
    let vpc = w.vpc("10.0.0.0/16").await;
    let subnet = w.subnet(&vpc, "10.0.0.0/28", "us-east-1a").await;
    let make = |ip: Option<&str>| CreateNetworkInterfaceRequest {
        subnet_id: subnet.clone(),
        private_ip_address: ip.map(str::to_owned),
        ..Default::default()
    };
    assert!(w.refused(make(Some("10.0.0.3"))).await.is("InvalidParameterValue"));
    assert!(w.refused(make(Some("10.0.0.15"))).await.is("InvalidParameterValue"));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..11 {
        let made = w.call(make(None)).await.network_interface.expect("an interface");
        seen.insert(made.private_ip_address.expect("an address"));
    }
    assert_eq!(seen.len(), 11);
    assert!(w.refused(make(None)).await.is("InsufficientFreeAddressesInSubnet"));
    let taken = seen.first().expect("eleven");
    assert!(w.refused(make(Some(taken))).await.is("InvalidIPAddress.InUse"));
    let error = w.refused(DeleteSubnetRequest { subnet_id: subnet.clone(), ..Default::default() }).await;
    assert!(error.is("DependencyViolation"));
}

#[tokio::test]
async fn rules_are_unique_and_go_by_what_they_allow() {
    let w = World::new();
    let vpc = w.vpc("10.0.0.0/16").await;
    let (web, lb) = (w.group(&vpc, "web").await, w.group(&vpc, "lb").await);
    let made = w.call(ingress(&web, vec![tcp(80, Some("10.9.8.7/16"), Some(&lb))])).await.security_group_rules;
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].cidr_ipv4.as_deref(), Some("10.9.0.0/16"));
    let error = w.refused(ingress(&web, vec![tcp(80, Some("10.9.0.0/16"), None)])).await;
    assert_eq!(
        error.to_string(),
        "InvalidPermission.Duplicate: the specified rule \"peer: 10.9.0.0/16, TCP, from port: 80, to port: 80, ALLOW\" already exists"
    );
    assert!(w.refused(ingress(&web, vec![tcp(70_000, Some("10.0.0.0/8"), None)])).await.is("InvalidParameterValue"));
    let named = DeleteSecurityGroupRequest { group_id: Some(lb.clone()), ..Default::default() };
    assert!(w.refused(named.clone()).await.is("DependencyViolation"));
    let by_peer = vec![filter("ip-permission.group-id", &[&lb])];
    let groups = w.call(DescribeSecurityGroupsRequest { filters: by_peer, ..Default::default() }).await;
    assert_eq!(groups.security_groups.len(), 1);
    let shown = &groups.security_groups[0];
    assert_eq!((shown.ip_permissions.len(), shown.ip_permissions_egress.len()), (1, 1));
    w.call(RevokeSecurityGroupIngressRequest {
        group_id: Some(web.clone()),
        security_group_rule_ids: vec![made[1].security_group_rule_id.clone().expect("an id")],
        ..Default::default()
    })
    .await;
    w.call(named).await;
    let again = RevokeSecurityGroupIngressRequest {
        group_id: Some(web.clone()),
        ip_permissions: vec![tcp(81, Some("10.9.0.0/16"), None)],
        ..Default::default()
    };
    assert!(w.refused(again).await.is("InvalidPermission.NotFound"));
    let error = w
        .refused(DescribeSecurityGroupsRequest { filters: vec![filter("colour", &["red"])], ..Default::default() })
        .await;
    assert_eq!(error.message, "The filter 'colour' is invalid");
    let taken = CreateSecurityGroupRequest {
        description: "web".into(),
        group_name: "web".into(),
        vpc_id: Some(vpc),
        ..Default::default()
    };
    assert!(w.refused(taken).await.is("InvalidGroup.Duplicate"));
}

/// A shop's network; the names of its parts, to write instead of ids.
async fn shop(w: &World) -> (String, Vec<(String, &'static str)>) {
    let vpc = w.vpc("10.0.0.0/16").await;
    let (a, b) = (w.subnet(&vpc, "10.0.0.0/24", "us-east-1a").await, w.subnet(&vpc, "10.0.1.0/24", "us-east-1b").await);
    let gateway = w.call(CreateInternetGatewayRequest::default()).await.internet_gateway;
    let gateway = gateway.and_then(|g| g.internet_gateway_id).expect("an id");
    w.call(AttachInternetGatewayRequest {
        internet_gateway_id: gateway.clone(),
        vpc_id: vpc.clone(),
        ..Default::default()
    })
    .await;
    let table = w.call(CreateRouteTableRequest { vpc_id: vpc.clone(), ..Default::default() }).await.route_table;
    let table = table.and_then(|t| t.route_table_id).expect("an id");
    w.call(CreateRouteRequest {
        route_table_id: table.clone(),
        destination_cidr_block: Some("0.0.0.0/0".into()),
        gateway_id: Some(gateway),
        ..Default::default()
    })
    .await;
    w.call(AssociateRouteTableRequest { route_table_id: table, subnet_id: Some(a.clone()), ..Default::default() })
        .await;
    let (lb, web, idle) = (w.group(&vpc, "lb").await, w.group(&vpc, "web").await, w.group(&vpc, "idle").await);
    w.call(ingress(&lb, vec![tcp(80, Some("0.0.0.0/0"), None)])).await;
    w.call(ingress(&web, vec![tcp(8080, None, Some(&lb))])).await;
    w.service_interface(&a, "10.0.0.10", &[&lb]).await;
    w.service_interface(&b, "10.0.1.10", &[&web]).await;
    let names = vec![(vpc.clone(), "VPC"), (a, "A"), (b, "B"), (lb, "LB"), (web, "WEB"), (idle, "IDLE")];
    (vpc, names)
}

fn written(spec: &impl serde::Serialize, names: &[(String, &'static str)]) -> String {
    let text = serde_json::to_string_pretty(spec).expect("plain data");
    names.iter().fold(text, |text, (id, name)| text.replace(id.as_str(), name)) + "\n"
}

#[tokio::test]
async fn records_become_the_network_on_the_host() {
    let w = World::new();
    let (vpc, names) = shop(&w).await;
    let story = w.settle_network(&vpc).await;
    assert_eq!(story, ["apply the network: 2 interfaces, 2 security groups, 2 subnets"]);
    let spec = w.on_host(&vpc).await.expect("a network");
    let mut sorted = spec.clone();
    // Ids are random; the committed text is in the order of addresses.
    sorted.interfaces.sort_by_key(|i| i.ip);
    sorted.subnets.sort_by_key(|s| s.cidr);
    sorted.groups.sort_by_key(|g| names.iter().position(|(id, _)| id == g.id.as_str()));
    let text = written(&sorted, &names);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/shop_network.json"), &text).expect("written");
    }
    assert_eq!(text, include_str!("shop_network.json"));
}

#[tokio::test]
async fn a_changed_rule_reaches_the_host_and_an_unused_group_does_not() {
    let w = World::new();
    let (vpc, names) = shop(&w).await;
    w.settle_network(&vpc).await;
    let id = |name: &str| names.iter().find(|(_, n)| *n == name).map(|(id, _)| id.clone()).expect("named");
    w.call(ingress(&id("IDLE"), vec![tcp(22, Some("0.0.0.0/0"), None)])).await;
    assert!(w.settle_network(&vpc).await.is_empty());
    w.call(ingress(&id("WEB"), vec![tcp(22, Some("10.0.0.0/16"), None)])).await;
    assert_eq!(w.settle_network(&vpc).await.len(), 1);
    let spec = w.on_host(&vpc).await.expect("a network");
    let web = spec.groups.iter().find(|g| g.id.as_str() == id("WEB")).expect("the group");
    assert_eq!(web.rules.len(), 3);
}

#[tokio::test]
async fn the_network_goes_with_its_last_user_and_comes_back_by_itself() {
    let w = World::new();
    let (vpc, _) = shop(&w).await;
    w.settle_network(&vpc).await;
    // The host forgot (it was restarted): the next pass puts it back.
    w.driver_forgets(&vpc).await;
    assert_eq!(w.settle_network(&vpc).await.len(), 1);
    assert!(w.on_host(&vpc).await.is_some());
    let service = w.cx.as_service("elasticloadbalancing.amazonaws.com");
    for interface in w.call(DescribeNetworkInterfacesRequest::default()).await.network_interfaces {
        let id = interface.network_interface_id.expect("an id");
        assert_eq!(interface.attachment.expect("in use").status.as_deref(), Some("attached"));
        let delete = DeleteNetworkInterfaceRequest { network_interface_id: id, ..Default::default() };
        // A service's interface is not the user's to delete.
        assert!(w.refused(delete.clone()).await.is("InvalidParameterValue"));
        service.call(delete).await.expect("deleted");
    }
    assert_eq!(w.settle_network(&vpc).await, ["remove the network from the host"]);
    assert!(w.on_host(&vpc).await.is_none());
}

#[tokio::test]
async fn every_step_may_run_twice_and_may_fail() {
    for chaos in [Chaos::Twice, Chaos::FailBefore, Chaos::FailAfter] {
        let w = World::new();
        let (vpc, _) = shop(&w).await;
        w.pass("ec2/network", &vpc, chaos).await;
        w.settle_network(&vpc).await;
        assert_eq!(w.on_host(&vpc).await.expect("a network").interfaces.len(), 2, "{chaos:?}");
        let shown = w.call(DescribeNetworkInterfacesRequest::default()).await.network_interfaces;
        assert!(shown.iter().all(|i| i.attachment.as_ref().is_some_and(|a| a.status.as_deref() == Some("attached"))));
    }
}

#[tokio::test]
async fn a_nat_gateway_is_what_became_of_it() {
    let w = World::new();
    let (vpc, names) = shop(&w).await;
    let id = |name: &str| names.iter().find(|(_, n)| *n == name).map(|(id, _)| id.clone()).expect("named");
    let make = async |subnet: String| {
        let address = w.call(AllocateAddressRequest::default()).await;
        let request = CreateNatGatewayRequest {
            subnet_id: Some(subnet),
            allocation_id: address.allocation_id,
            ..Default::default()
        };
        let nat = w.call(request).await.nat_gateway.expect("a gateway");
        assert_eq!(nat.state.as_deref(), Some("pending"));
        nat.nat_gateway_id.expect("an id")
    };
    let state = async |id: &str| {
        let request = DescribeNatGatewaysRequest { nat_gateway_ids: vec![id.to_owned()], ..Default::default() };
        let nat = w.call(request).await.nat_gateways.remove(0);
        (nat.state.expect("a state"), nat.failure_code)
    };
    // A VPC without a way out.
    let closed = w.vpc("10.8.0.0/16").await;
    let bad = make(w.subnet(&closed, "10.8.0.0/24", "us-east-1a").await).await;
    let good = make(id("A")).await;
    // Its subnet has no route out yet: who is sent there gets no further.
    let early = make(id("B")).await;
    w.settle_network(&vpc).await;
    w.settle_network(&closed).await;
    assert_eq!(state(&bad).await, ("failed".to_owned(), Some("Gateway.NotAttached".to_owned())));
    assert_eq!(state(&good).await, ("available".to_owned(), None));
    assert_eq!(state(&early).await, ("available".to_owned(), None));
    w.call(DeleteNatGatewayRequest { nat_gateway_id: early, ..Default::default() }).await;
    w.settle_network(&vpc).await;
    let table = w
        .call(DescribeRouteTablesRequest {
            filters: vec![filter("vpc-id", &[&vpc]), filter("association.main", &["true"])],
            ..Default::default()
        })
        .await
        .route_tables
        .remove(0);
    w.call(CreateRouteRequest {
        route_table_id: table.route_table_id.expect("an id"),
        destination_cidr_block: Some("0.0.0.0/0".into()),
        nat_gateway_id: Some(good.clone()),
        ..Default::default()
    })
    .await;
    w.settle_network(&vpc).await;
    assert!(w.on_host(&vpc).await.expect("a network").subnets.iter().all(|subnet| subnet.internet));
    w.call(DeleteNatGatewayRequest { nat_gateway_id: good.clone(), ..Default::default() }).await;
    w.settle_network(&vpc).await;
    assert_eq!(state(&good).await.0, "deleted");
    let reach = w.on_host(&vpc).await.expect("a network").subnets.iter().filter(|s| s.internet).count();
    assert_eq!(reach, 1);
    let holes = vec![filter("route.state", &["blackhole"])];
    assert_eq!(w.call(DescribeRouteTablesRequest { filters: holes, ..Default::default() }).await.route_tables.len(), 1);
}

#[tokio::test]
async fn a_default_vpc_is_lenient_about_rules_and_addresses() {
    let w = World::new();
    let home = w.call(DescribeVpcsRequest::default()).await.vpcs.remove(0).vpc_id.expect("an id");
    let other = w.vpc("10.0.0.0/16").await;
    let lenient = w.group(&home, "web").await;
    let strict = w.group(&other, "web").await;
    let mut both = tcp(80, Some("10.1.0.0/16"), None);
    both.ip_ranges.extend(tcp(80, Some("10.2.0.0/16"), None).ip_ranges);
    let revoke = |group: &str| RevokeSecurityGroupIngressRequest {
        group_id: Some(group.to_owned()),
        ip_permissions: vec![both.clone()],
        ..Default::default()
    };
    for group in [&lenient, &strict] {
        w.call(ingress(group, vec![tcp(80, Some("10.1.0.0/16"), None)])).await;
    }
    let done = w.call(revoke(&lenient)).await;
    assert_eq!(done.revoked_security_group_rules.len(), 1);
    assert_eq!(done.unknown_ip_permissions, [tcp(80, Some("10.2.0.0/16"), None)]);
    assert!(w.refused(revoke(&strict)).await.is("InvalidPermission.NotFound"));
    let of = |id: &str| DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
    assert!(w.call(of(&lenient)).await.security_groups[0].ip_permissions.is_empty());
    assert_eq!(w.call(of(&strict)).await.security_groups[0].ip_permissions.len(), 1);

    // An address in use is released there; elsewhere it must be taken away first, and needs a gateway.
    let subnet = w.call(DescribeSubnetsRequest::default()).await.subnets.remove(0).subnet_id.expect("an id");
    let private = w.subnet(&other, "10.0.0.0/24", "us-east-1a").await;
    let mut interfaces = vec![];
    for subnet_id in [subnet, private] {
        let made = w.call(CreateNetworkInterfaceRequest { subnet_id, ..Default::default() }).await;
        interfaces.push(made.network_interface.and_then(|i| i.network_interface_id));
    }
    let allocation_id = w.call(AllocateAddressRequest::default()).await.allocation_id;
    let give = |network_interface_id: &Option<String>| AssociateAddressRequest {
        allocation_id: allocation_id.clone(),
        network_interface_id: network_interface_id.clone(),
        ..Default::default()
    };
    assert_eq!(
        w.refused(give(&interfaces[1])).await.to_string(),
        format!("Gateway.NotAttached: Network {other} is not attached to any internet gateway")
    );
    w.call(give(&interfaces[0])).await;
    w.call(ReleaseAddressRequest { allocation_id: allocation_id.clone(), ..Default::default() }).await;
    let left = w.call(DescribeNetworkInterfacesRequest::default()).await.network_interfaces;
    assert!(left.iter().all(|interface| interface.association.is_none()));
}

#[tokio::test]
async fn an_elastic_address_belongs_to_one_interface() {
    let w = World::new();
    let vpc = w.vpc("10.0.0.0/16").await;
    let subnet = w.subnet(&vpc, "10.0.0.0/24", "us-east-1a").await;
    let gateway = w.call(CreateInternetGatewayRequest::default()).await.internet_gateway.expect("a gateway");
    let internet_gateway_id = gateway.internet_gateway_id.expect("an id");
    w.call(AttachInternetGatewayRequest { internet_gateway_id, vpc_id: vpc.clone(), ..Default::default() }).await;
    let mut interfaces = vec![];
    for _ in 0..2 {
        let request = CreateNetworkInterfaceRequest { subnet_id: subnet.clone(), ..Default::default() };
        interfaces.push(w.call(request).await.network_interface.and_then(|i| i.network_interface_id).expect("an id"));
    }
    let address = w.call(AllocateAddressRequest::default()).await;
    let public = address.public_ip.clone().expect("an address");
    assert!(public.starts_with("127."), "{public}");
    let give = |to: &str, may_move| AssociateAddressRequest {
        allocation_id: address.allocation_id.clone(),
        network_interface_id: Some(to.to_owned()),
        allow_reassociation: may_move,
        ..Default::default()
    };
    w.call(give(&interfaces[0], None)).await;
    assert!(w.refused(give(&interfaces[1], Some(false))).await.is("Resource.AlreadyAssociated"));
    w.call(give(&interfaces[1], None)).await;
    let shown = w.call(DescribeAddressesRequest::default()).await.addresses.remove(0);
    assert_eq!(shown.network_interface_id.as_deref(), Some(&*interfaces[1]));
    let holders = w
        .call(DescribeNetworkInterfacesRequest {
            filters: vec![filter("association.public-ip", &["127.*"])],
            ..Default::default()
        })
        .await;
    assert_eq!(holders.network_interfaces.len(), 1);
    let release = ReleaseAddressRequest { allocation_id: address.allocation_id.clone(), ..Default::default() };
    assert!(w.refused(release.clone()).await.is("InvalidIPAddress.InUse"));
    w.call(DisassociateAddressRequest { association_id: shown.association_id, ..Default::default() }).await;
    w.call(release).await;
    assert!(w.call(DescribeAddressesRequest::default()).await.addresses.is_empty());
}

#[tokio::test]
async fn an_internet_gateway_serves_those_who_have_a_public_address() {
    let w = World::new();
    let vpc = w.call(DescribeVpcsRequest::default()).await.vpcs.remove(0).vpc_id.expect("an id");
    let subnet = w.call(DescribeSubnetsRequest::default()).await.subnets.remove(0);
    let (subnet, block) = (subnet.subnet_id.expect("an id"), subnet.cidr_block.expect("a block"));
    let ip = block.replace(".0/20", ".10");
    let interface = w.service_interface(&subnet, &ip, &[]).await;
    let goes_out = || async {
        w.settle_network(&vpc).await;
        let network = w.on_host(&vpc).await.expect("a network");
        assert!(network.subnets.iter().all(|subnet| subnet.internet));
        network.interfaces.iter().any(|i| i.ip.to_string() == ip && i.internet)
    };
    assert!(!goes_out().await);
    let allocation_id = w.call(AllocateAddressRequest::default()).await.allocation_id;
    let give = AssociateAddressRequest { allocation_id, network_interface_id: Some(interface), ..Default::default() };
    let association_id = w.call(give).await.association_id;
    assert!(goes_out().await);
    w.call(DisassociateAddressRequest { association_id, ..Default::default() }).await;
    assert!(!goes_out().await);
}

#[tokio::test]
async fn tags_are_for_everything_and_some_keys_are_not_for_users() {
    let w = World::new();
    let vpc = w.vpc("10.0.0.0/16").await;
    let group = w.group(&vpc, "web").await;
    let rule = w.call(ingress(&group, vec![tcp(80, Some("0.0.0.0/0"), None)])).await.security_group_rules.remove(0);
    let tag = |key: &str| vec![Tag { key: Some(key.into()), value: Some("1".into()) }];
    let resources = vec![vpc.clone(), rule.security_group_rule_id.expect("an id")];
    w.call(CreateTagsRequest { resources: resources.clone(), tags: tag("team"), ..Default::default() }).await;
    let found = w.call(DescribeTagsRequest { filters: vec![filter("key", &["te?m"])], ..Default::default() }).await;
    let kinds: Vec<_> = found.tags.iter().filter_map(|t| t.resource_type.as_deref()).collect();
    assert_eq!(kinds, ["security-group-rule", "vpc"]);
    let outside = w.cx.clone().from_ip(std::net::IpAddr::from([127, 0, 0, 1]));
    let reserved = CreateTagsRequest { resources: vec![vpc.clone()], tags: tag("aws:x"), ..Default::default() };
    assert!(outside.call(reserved).await.expect_err("refused").is("InvalidParameterValue"));
    let missing = vec![vpc, "subnet-00000000000000000".to_owned()];
    let both = CreateTagsRequest { resources: missing, tags: tag("x"), ..Default::default() };
    assert!(w.refused(both).await.is("InvalidSubnetID.NotFound"));
    assert!(
        w.call(DescribeTagsRequest { filters: vec![filter("key", &["x"])], ..Default::default() })
            .await
            .tags
            .is_empty()
    );
    w.call(DeleteTagsRequest {
        resources,
        tags: vec![Tag { key: Some("team".into()), value: None }],
        ..Default::default()
    })
    .await;
    assert!(w.call(DescribeTagsRequest::default()).await.tags.is_empty());
}

impl World {
    async fn driver_forgets(&self, vpc: &str) {
        use kiln_machines_spec::MachineDriver;
        self.driver.remove_network(&kiln_machines_spec::VpcId::new(vpc)).await.expect("no machine runs in it");
    }
}
