//! CloudFormation types of the network: made once per token, read back, updated, removed.

use crate::tests::{World, resource_request as request};
use kiln_ec2_shapes::*;
use kiln_service_kit::{ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn of(w: &World, name: &str) -> Arc<dyn ResourceType> {
    w.platform.resource_type(name).unwrap_or_else(|| panic!("no type {name}"))
}

#[tokio::test]
async fn a_route_is_read_back_whatever_address_of_its_block_the_template_names() {
    let w = World::new();
    let make = async |name: &str, properties: Json| {
        of(&w, name).create(&w.cx, &request("R", properties)).await.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let vpc = make("AWS::EC2::VPC", json!({"CidrBlock": "10.0.0.0/16"})).await;
    let gateway = make("AWS::EC2::InternetGateway", json!({})).await;
    make("AWS::EC2::VPCGatewayAttachment", json!({"VpcId": vpc, "InternetGatewayId": gateway})).await;
    let table = make("AWS::EC2::RouteTable", json!({"VpcId": vpc})).await;
    let properties = json!({"RouteTableId": table, "DestinationCidrBlock": "10.1.2.3/0", "GatewayId": gateway});
    let route = make("AWS::EC2::Route", properties.clone()).await;
    let kind = of(&w, "AWS::EC2::Route");
    let read = kind.read(&w.cx, &route, &properties).await.unwrap();
    assert!(format!("{read:?}").contains(&gateway), "{read:?}");
    // No table has a route to a prefix list, since none is taken.
    let listed = json!({"RouteTableId": table, "DestinationPrefixListId": "pl-1", "GatewayId": gateway});
    let refused = kind.create(&w.cx, &request("L", listed.clone())).await.unwrap_err();
    assert!(refused.message.contains("DestinationPrefixListId"), "{refused}");
    assert!(kind.read(&w.cx, &format!("{table}|pl-1"), &listed).await.unwrap().is_none());
}

#[tokio::test]
async fn a_stack_of_networks_is_made_once_and_removed() {
    let w = World::new();
    let mut made: Vec<(&str, String, ResourceRequest)> = vec![];
    let mut make = async |name: &'static str, logical: &str, properties: Json| {
        let request = request(logical, properties);
        let first = of(&w, name).create(&w.cx, &request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        // The engine died before it noted the id, and asks again.
        let second = of(&w, name).create(&w.cx, &request).await.unwrap_or_else(|e| panic!("{name} again: {e}"));
        assert_eq!(first, second, "{name}");
        for _ in 0..2 {
            let complete = of(&w, name).complete(&w.cx, &first, &request).await;
            complete.unwrap_or_else(|e| panic!("the rest of {name}: {e}"));
        }
        made.push((name, first.clone(), request));
        first
    };
    let vpc = make("AWS::EC2::VPC", "Vpc", json!({"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": "true"})).await;
    let gateway = make("AWS::EC2::InternetGateway", "Gateway", json!({})).await;
    let attached = json!({"VpcId": vpc, "InternetGatewayId": gateway});
    make("AWS::EC2::VPCGatewayAttachment", "Attachment", attached).await;
    let properties = json!({"VpcId": vpc, "CidrBlock": "10.0.0.0/24", "MapPublicIpOnLaunch": true,
        "Tags": [{"Key": "Name", "Value": "a"}]});
    let subnet = make("AWS::EC2::Subnet", "SubnetA", properties).await;
    let table = make("AWS::EC2::RouteTable", "Table", json!({"VpcId": vpc})).await;
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    make("AWS::EC2::Route", "Route", route).await;
    let association = json!({"RouteTableId": table, "SubnetId": subnet});
    make("AWS::EC2::SubnetRouteTableAssociation", "Association", association).await;
    let rules = json!({"VpcId": vpc, "GroupDescription": "shop",
        "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": "80", "CidrIp": "0.0.0.0/0"}],
        "SecurityGroupEgress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}]});
    let group = make("AWS::EC2::SecurityGroup", "Group", rules).await;
    let rule = json!({"GroupId": group, "IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "CidrIp": "10.0.0.0/8"});
    make("AWS::EC2::SecurityGroupIngress", "Ingress", rule.clone()).await;
    make("AWS::EC2::SecurityGroupEgress", "Egress", rule).await;
    let card = json!({"SubnetId": subnet, "GroupSet": [group], "PrivateIpAddress": "10.0.0.9",
        "SecondaryPrivateIpAddressCount": "1"});
    let interface = make("AWS::EC2::NetworkInterface", "Card", card).await;
    let ip = make("AWS::EC2::EIP", "Address", json!({"Domain": "vpc"})).await;
    let found = w.call(DescribeAddressesRequest { public_ips: vec![ip], ..Default::default() }).await.addresses;
    let allocation = found[0].allocation_id.clone();
    let held = json!({"AllocationId": allocation, "NetworkInterfaceId": interface});
    make("AWS::EC2::EIPAssociation", "Held", held).await;
    let second = make("AWS::EC2::EIP", "NatAddress", json!({})).await;
    let found = w.call(DescribeAddressesRequest { public_ips: vec![second], ..Default::default() }).await.addresses;
    let nat = json!({"SubnetId": subnet, "AllocationId": found[0].allocation_id});
    let nat_id = make("AWS::EC2::NatGateway", "Nat", nat).await;
    w.settle_network(&vpc).await;

    let groups = w.call(DescribeSecurityGroupsRequest { group_ids: vec![group], ..Default::default() }).await;
    let shown = &groups.security_groups[0];
    assert_eq!(shown.group_name.as_deref(), Some("shop-Group-ABC"));
    assert_eq!(shown.tags.len(), 1, "the token is not shown: {:?}", shown.tags);
    assert_eq!((shown.ip_permissions.len(), shown.ip_permissions_egress.len()), (2, 2));
    for (name, id, request) in &made {
        let kind = of(&w, name);
        let ready = kind.stability(&w.cx, id, request).await.expect("a state");
        assert_eq!(ready, Stability::Ready, "{name}");
        let values = kind.attributes(&w.cx, id, request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(values.values().all(|value| !value.is_null()), "{name}: {values:?}");
        let text = serde_json::to_string(&values).expect("plain data");
        let expected = match *name {
            "AWS::EC2::VPC" => "DefaultSecurityGroup",
            "AWS::EC2::Subnet" => "us-east-1",
            "AWS::EC2::NetworkInterface" => "10.0.0.9",
            _ => "",
        };
        assert!(text.contains(expected), "{name}: {text}");
    }
    assert!(nat_id.starts_with("nat-"));
    for (name, id, request) in made.iter().rev() {
        for _ in 0..2 {
            let gone = of(&w, name).delete(&w.cx, id, request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(gone, Stability::Ready, "{name}");
        }
    }
    w.settle_network(&vpc).await;
    assert_eq!(w.call(DescribeVpcsRequest::default()).await.vpcs.len(), 1);
    assert!(w.on_host(&vpc).await.is_none());
}

#[tokio::test]
async fn an_update_changes_only_what_changed_and_unknown_properties_fail() {
    let w = World::new();
    let vpc = w.vpc("10.0.0.0/16").await;
    let rule = |port: i32| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0"});
    let properties = |ports: &[i32]| {
        let rules: Vec<Json> = ports.iter().map(|p| rule(*p)).collect();
        json!({"VpcId": vpc, "GroupDescription": "shop", "SecurityGroupIngress": rules})
    };
    let kind = of(&w, "AWS::EC2::SecurityGroup");
    let first = request("Group", properties(&[80, 443]));
    let id = kind.create(&w.cx, &first).await.expect("a group");
    kind.complete(&w.cx, &id, &first).await.expect("its rules");
    let look = || DescribeSecurityGroupRulesRequest {
        filters: vec![crate::tests::filter("group-id", &[&id])],
        ..Default::default()
    };
    let before = w.call(look()).await.security_group_rules;
    let update = ResourceRequest { previous: first.properties, ..request("Group", properties(&[443, 8080])) };
    for _ in 0..2 {
        kind.update(&w.cx, &id, &update).await.expect("an update");
    }
    let after = w.call(look()).await.security_group_rules;
    let ports = |rules: &[SecurityGroupRule]| {
        let mut ports: Vec<_> = rules.iter().filter_map(|r| r.from_port).collect();
        ports.sort();
        ports
    };
    assert_eq!((ports(&before), ports(&after)), (vec![-1, 80, 443], vec![-1, 443, 8080]));
    let kept = |rules: &[SecurityGroupRule]| rules.iter().find(|r| r.from_port == Some(443)).cloned().expect("kept");
    assert_eq!(kept(&before).security_group_rule_id, kept(&after).security_group_rule_id);
    let odd = request("Odd", json!({"CidrBlock": "10.0.0.0/16", "Ipv4IpamPoolId": "ipam-1"}));
    let error = of(&w, "AWS::EC2::VPC").create(&w.cx, &odd).await.expect_err("refused");
    assert!(error.is("NotImplemented") && error.message.contains("Ipv4IpamPoolId"), "{error}");
}

#[tokio::test]
async fn the_name_of_a_group_is_taken_in_its_own_vpc_only() {
    let w = World::new();
    let group = of(&w, "AWS::EC2::SecurityGroup");
    let vpc = request("Vpc", json!({"CidrBlock": "10.0.0.0/16"}));
    let vpc = of(&w, "AWS::EC2::VPC").create(&w.cx, &vpc).await.unwrap();
    let within = json!({"VpcId": vpc});
    let taken = async |properties: &Json| group.exists(&w.cx, "web", properties).await.unwrap();
    let named = json!({"GroupName": "web", "GroupDescription": "web", "VpcId": vpc});
    group.create(&w.cx, &request("Web", named)).await.unwrap();
    assert_eq!((taken(&within).await, taken(&json!({})).await), (true, false), "the default VPC has none");
    let named = json!({"GroupName": "web", "GroupDescription": "web"});
    group.create(&w.cx, &request("Default", named)).await.unwrap();
    assert!(taken(&json!({})).await);
    assert!(!taken(&json!({"VpcId": "vpc-00000000000000000"})).await);
}
