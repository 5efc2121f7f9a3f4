//! What a pass and a call read does not grow with the world: the same story, told beside 9 other machines and
//! beside 999, reads as many records in both. Counts, not times, so that it repeats exactly.

use crate::broken_steps::base_image;
use crate::play::platform;
use kiln_autoscaling_shapes as asg;
use kiln_cloudformation_shapes as cfn;
use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_service_kit::{Chaos, Name, Reads};
use kiln_testkit::{Testkit, simulate};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Machines of a group, in both worlds.
const MACHINES: i32 = 10;

/// Load balancers and stacks are made in the first sites only: an account has 50 load balancers.
const FURNISHED: usize = 20;

/// A VPC with a group of machines in it, and in the first ones a load balancer and a stack.
struct Site {
    group: String,
    target_group: Option<String>,
    load_balancer: Option<String>,
}

async fn site(kit: &Testkit, image: &str, n: usize, machines: i32) -> Site {
    let create = ec2::CreateVpcRequest { cidr_block: Some(format!("10.{n}.0.0/16")), ..Default::default() };
    let vpc_id = kit.call(create).await.expect("a VPC").vpc.and_then(|vpc| vpc.vpc_id).expect("an id");
    let mut subnets = vec![];
    for (zone, block) in [("us-east-1a", 0), ("us-east-1b", 16)] {
        let create = ec2::CreateSubnetRequest {
            vpc_id: vpc_id.clone(),
            availability_zone: Some(zone.to_owned()),
            cidr_block: Some(format!("10.{n}.{block}.0/20")),
            ..Default::default()
        };
        subnets.push(kit.call(create).await.expect("a subnet").subnet.and_then(|s| s.subnet_id).expect("an id"));
    }
    let (mut target_group, mut load_balancer) = (None, None);
    if n < FURNISHED {
        let create = elb::CreateTargetGroupRequest {
            name: format!("tg-{n}"),
            protocol: Some("HTTP".to_owned()),
            port: Some(80),
            vpc_id: Some(vpc_id.clone()),
            ..Default::default()
        };
        target_group = kit.call(create).await.expect("a target group").target_groups.remove(0).target_group_arn;
        let create = elb::CreateLoadBalancerRequest {
            name: format!("lb-{n}"),
            subnets: subnets.clone(),
            scheme: Some("internal".to_owned()),
            ..Default::default()
        };
        load_balancer = kit.call(create).await.expect("a load balancer").load_balancers.remove(0).load_balancer_arn;
        let action =
            elb::Action { r#type: "forward".to_owned(), target_group_arn: target_group.clone(), ..Default::default() };
        let listen = elb::CreateListenerRequest {
            load_balancer_arn: load_balancer.clone().expect("an ARN"),
            protocol: Some("HTTP".to_owned()),
            port: Some(80),
            default_actions: vec![action],
            ..Default::default()
        };
        kit.call(listen).await.expect("a listener");
        let template = "Parameters: {Vpc: {Type: String}}\nResources: {G: {Type: AWS::EC2::SecurityGroup, Properties: \
                        {GroupDescription: g, VpcId: !Ref Vpc}}}";
        let parameter = cfn::Parameter {
            parameter_key: Some("Vpc".to_owned()),
            parameter_value: Some(vpc_id.clone()),
            ..Default::default()
        };
        let create = cfn::CreateStackRequest {
            stack_name: format!("stack-{n}"),
            template_body: Some(template.to_owned()),
            parameters: vec![parameter],
            ..Default::default()
        };
        kit.call(create).await.expect("a stack");
    }
    let data = ec2::RequestLaunchTemplateData {
        image_id: Some(image.to_owned()),
        instance_type: Some("t3.micro".to_owned()),
        ..Default::default()
    };
    let template = ec2::CreateLaunchTemplateRequest {
        launch_template_name: format!("template-{n}"),
        launch_template_data: data,
        ..Default::default()
    };
    kit.call(template).await.expect("a template");
    let group = format!("group-{n}");
    let create = asg::CreateAutoScalingGroupRequest {
        auto_scaling_group_name: group.clone(),
        launch_template: Some(asg::LaunchTemplateSpecification {
            launch_template_name: Some(format!("template-{n}")),
            ..Default::default()
        }),
        min_size: machines,
        max_size: machines,
        vpc_zone_identifier: Some(subnets.join(",")),
        target_group_arns: target_group.clone().into_iter().collect(),
        ..Default::default()
    };
    kit.call(create).await.expect("a group");
    Site { group, target_group, load_balancer }
}

async fn world(kit: &Testkit, sites: usize, machines: i32) -> Vec<Site> {
    let image = base_image(kit).await;
    let mut all = vec![];
    for n in 0..sites {
        all.push(site(kit, &image, n, machines).await);
    }
    kit.settle().await;
    assert_eq!(kit.machines().running(), sites * machines as usize, "all run");
    all
}

/// What the same story reads in a world of so many sites, by who reads.
fn story(sites: usize) -> BTreeMap<String, Reads> {
    simulate(async {
        let kit = platform().start().await;
        let all = world(&kit, sites, MACHINES).await;
        let first = &all[0];
        let group = |kit: &Testkit| {
            let auto_scaling_group_names = vec![first.group.clone()];
            let cx = kit.cx();
            async move {
                cx.call(asg::DescribeAutoScalingGroupsRequest { auto_scaling_group_names, ..Default::default() }).await
            }
        };
        let instances = group(&kit).await.expect("described").auto_scaling_groups.remove(0).instances;
        let one = instances[0].instance_id.clone().expect("an id");

        kit.store().forget_reads();
        // A round at least.
        kit.advance(Duration::from_secs(90)).await;
        kit.kill(&one).expect("killed");
        kit.settle().await;
        assert_eq!(kit.machines().running(), sites * MACHINES as usize, "it was replaced");
        let described = group(&kit).await.expect("described").auto_scaling_groups.remove(0).instances;
        assert!(described.iter().all(|instance| instance.instance_id.as_ref() != Some(&one)), "{described:?}");

        let other = described[0].instance_id.clone().expect("an id");
        let look = ec2::DescribeInstancesRequest { instance_ids: vec![other.clone()], ..Default::default() };
        let ip = kit.call(look).await.expect("described").reservations.remove(0).instances.remove(0);
        let (vpc, ip) = (ip.vpc_id.expect("a VPC"), ip.private_ip_address.expect("an address"));
        let caller = kiln_ec2::metadata_caller(kit.platform(), &vpc, ip.parse().expect("an address")).expect("asked");
        assert_eq!(caller.as_deref(), Some(other.as_str()));
        let filter = ec2::Filter { name: Some("vpc-id".to_owned()), values: vec![vpc] };
        let inside = ec2::DescribeInstancesRequest { filters: vec![filter], ..Default::default() };
        kit.call(inside).await.expect("described");
        let member = asg::DescribeAutoScalingInstancesRequest { instance_ids: vec![other], ..Default::default() };
        kit.call(member).await.expect("described");
        let health = elb::DescribeTargetHealthRequest {
            target_group_arn: first.target_group.clone().expect("an ARN"),
            ..Default::default()
        };
        kit.call(health).await.expect("described");
        let balancer = elb::DescribeLoadBalancersRequest {
            load_balancer_arns: first.load_balancer.clone().into_iter().collect(),
            ..Default::default()
        };
        let name = kit.call(balancer).await.expect("described").load_balancers.remove(0).dns_name.expect("a name");
        let place = || kiln_elbv2::find_place(kit.store(), &name).expect("asked").expect("there");
        kit.store().counted_sync(|| "load balancer by host name".to_owned(), place);
        let stack = cfn::DescribeStackResourcesRequest { stack_name: Some("stack-0".to_owned()), ..Default::default() };
        kit.call(stack).await.expect("described");
        let stack = cfn::DeleteStackRequest { stack_name: "stack-0".to_owned(), ..Default::default() };
        kit.call(stack).await.expect("begun");
        kit.settle().await;
        kit.store().reads()
    })
}

#[test]
fn what_a_pass_and_a_call_read_does_not_grow_with_the_world() {
    if !cfg!(debug_assertions) {
        return;
    }
    let (small, large) = (story(1), story(100));
    let grown: Vec<String> = large
        .iter()
        .filter_map(|(name, reads)| {
            let before = small.get(name).map_or(0, |before| before.most);
            (reads.most > before)
                .then(|| format!("{name}: {before} records at most, {} in the larger world", reads.most))
        })
        .collect();
    assert!(grown.is_empty(), "who reads all there is:\n{}", grown.join("\n"));
    for wanted in [
        "pass autoscaling/group",
        "pass ec2/instance",
        "pass elbv2/load-balancer",
        "metadata",
        "wakes ec2/instance ec2/network-interface",
        "wakes ec2/instance ec2/network-status",
        "wakes autoscaling/group ec2/instance",
    ] {
        assert!(large.contains_key(wanted), "{wanted} was not counted: {:?}", large.keys());
    }
}

/// Times on this machine, in a debug build an upper bound:
/// `cargo test -p kiln-sim -- --ignored --nocapture growth::measured`.
#[test]
#[ignore = "a measurement, not a promise"]
fn measured_with_ten_and_with_ten_thousand_machines() {
    for (sites, machines) in [(1, 10), (200, 50)] {
        let began = Instant::now();
        simulate(async {
            let kit = platform().start().await;
            let all = world(&kit, sites, machines).await;
            let all_run = began.elapsed();
            // Each thing is looked at once in each minute.
            let (began, rounds) = (Instant::now(), 5);
            kit.advance(Duration::from_secs(60 * rounds)).await;
            let round = began.elapsed() / rounds as u32;
            let controllers = kit.platform().controllers();
            let groups = controllers.iter().find(|c| c.name() == "autoscaling/group").expect("it is there");
            let (cx, name) = (kit.cx(), Name::new(&kit.scope(), all[0].group.as_str()));
            let began = Instant::now();
            for _ in 0..100 {
                assert!(groups.pass(&cx, &name, &|_| Chaos::None).await.error.is_none());
            }
            let pass = began.elapsed() / 100 / machines as u32;
            let instances = kit.call(ec2::DescribeInstancesRequest::default()).await.expect("described").reservations;
            let instance = instances.into_iter().flat_map(|r| r.instances).next().expect("one");
            let (vpc, ip) = (instance.vpc_id.expect("a VPC"), instance.private_ip_address.expect("an address"));
            let ip = ip.parse().expect("an address");
            let began = Instant::now();
            for _ in 0..1000 {
                assert!(kiln_ec2::metadata_caller(kit.platform(), &vpc, ip).expect("asked").is_some());
            }
            let metadata = began.elapsed() / 1000;
            println!(
                "{} machines in {sites} groups: made in {all_run:?}, a round {round:?}, a group's pass {pass:?} for each \
                 of its machines, a metadata look-up {metadata:?}",
                sites * machines as usize
            );
        });
    }
}
