//! Stories told through public operations, on an in-memory store with simulated machines.

use kiln_clock::Clock;
use kiln_ec2_shapes::*;
use kiln_machines_sim::{Durations, SimDriver};
use kiln_machines_spec::{MachineDriver, VpcSpec};
use kiln_service_kit::{
    Caller, Chaos, Cx, Error, IdSource, Name, Pass, Platform, PlatformBuilder, Request, ResourceRequest, Scope, Store,
    Timestamp,
};
use serde_json::Value as Json;
use std::sync::Arc;

/// A platform with EC2 alone; controllers run only when a test says so.
pub struct World {
    pub platform: Arc<Platform>,
    pub cx: Cx,
    pub driver: SimDriver,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
        let driver = SimDriver::new(clock.clone(), Durations::default());
        let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, IdSource::seeded(1))
            .service(crate::service())
            .part::<Arc<dyn MachineDriver>>(Arc::new(driver.clone()))
            .build();
        let account = "123456789012";
        let scope = Scope::new(account, "us-east-1");
        let cx = Cx::new(platform.clone(), scope, Caller::root(account), "test");
        Self { platform, cx, driver }
    }

    pub async fn call<R: Request>(&self, request: R) -> R::Response {
        self.cx.call(request).await.unwrap_or_else(|error| panic!("{}: {error}", R::OPERATION))
    }

    pub async fn refused<R: Request>(&self, request: R) -> Error {
        self.cx.call(request).await.err().unwrap_or_else(|| panic!("{} was not refused", R::OPERATION))
    }

    pub async fn pass(&self, controller: &str, id: &str, chaos: Chaos) -> Pass {
        let controllers = self.platform.controllers();
        let controller = controllers.iter().find(|c| c.name() == controller).expect("the controller");
        let cx = Cx::for_service(self.platform.clone(), self.cx.scope().clone(), controller.acts_as());
        controller.pass(&cx, &Name::new(self.cx.scope(), id), &|_| chaos).await
    }

    /// Passes until nothing is left to do.
    pub async fn settle_network(&self, vpc: &str) -> Vec<String> {
        let mut story = vec![];
        for _ in 0..10 {
            let pass = self.pass("ec2/network", vpc, Chaos::None).await;
            assert_eq!(pass.error, None);
            if pass.steps.is_empty() {
                return story;
            }
            story.extend(pass.steps);
        }
        panic!("the network does not come to rest: {story:?}");
    }

    pub async fn on_host(&self, vpc: &str) -> Option<VpcSpec> {
        let networks = self.driver.networks().await.expect("the simulated networks");
        networks.into_iter().find(|spec| spec.id.as_str() == vpc)
    }

    pub async fn vpc(&self, cidr: &str) -> String {
        let request = CreateVpcRequest { cidr_block: Some(cidr.into()), ..Default::default() };
        self.call(request).await.vpc.and_then(|vpc| vpc.vpc_id).expect("an id")
    }

    pub async fn subnet(&self, vpc: &str, cidr: &str, zone: &str) -> String {
        let request = CreateSubnetRequest {
            vpc_id: vpc.into(),
            cidr_block: Some(cidr.into()),
            availability_zone: Some(zone.into()),
            ..Default::default()
        };
        self.call(request).await.subnet.and_then(|subnet| subnet.subnet_id).expect("an id")
    }

    pub async fn group(&self, vpc: &str, name: &str) -> String {
        let request = CreateSecurityGroupRequest {
            description: name.into(),
            group_name: name.into(),
            vpc_id: Some(vpc.into()),
            ..Default::default()
        };
        self.call(request).await.group_id.expect("an id")
    }

    /// An interface of a load balancer: in use from the start, owned by the router.
    pub async fn service_interface(&self, subnet: &str, ip: &str, groups: &[&str]) -> String {
        let cx = self.cx.as_service("elasticloadbalancing.amazonaws.com");
        let request = CreateNetworkInterfaceRequest {
            subnet_id: subnet.into(),
            private_ip_address: Some(ip.into()),
            groups: groups.iter().map(|g| g.to_string()).collect(),
            ..Default::default()
        };
        let made = cx.call(request).await.expect("an interface").network_interface;
        made.and_then(|i| i.network_interface_id).expect("an id")
    }
}

/// What a stack asks of a resource type.
pub fn resource_request(logical_id: &str, properties: Json) -> ResourceRequest {
    ResourceRequest {
        stack_id: "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1".into(),
        stack_name: "shop".into(),
        logical_id: logical_id.into(),
        token: format!("token-{logical_id}"),
        physical_name: format!("shop-{logical_id}-ABC"),
        properties,
        previous: Json::Null,
        previous_tags: vec![],
        since: Timestamp(0),
        tags: vec![("aws:cloudformation:stack-name".into(), "shop".into())],
    }
}

pub fn filter(name: &str, values: &[&str]) -> Filter {
    Filter { name: Some(name.into()), values: values.iter().map(|v| v.to_string()).collect() }
}

pub fn tcp(port: i32, cidr: Option<&str>, group: Option<&str>) -> IpPermission {
    IpPermission {
        ip_protocol: Some("tcp".into()),
        from_port: Some(port),
        to_port: Some(port),
        ip_ranges: cidr.map(|c| IpRange { description: None, cidr_ip: Some(c.into()) }).into_iter().collect(),
        user_id_group_pairs: group
            .map(|g| UserIdGroupPair { group_id: Some(g.into()), ..Default::default() })
            .into_iter()
            .collect(),
        ..Default::default()
    }
}

pub fn ingress(group: &str, permissions: Vec<IpPermission>) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.into()),
        ip_permissions: permissions,
        ..Default::default()
    }
}
