//! How long the codecs take. `cargo run --release -p kiln-protocol --example speed`.

use kiln_ec2_shapes as ec2;
use kiln_protocol::{Protocol, Request, Shape, StructTyped, encode_response, json, query, validate};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median of nine runs, per call.
fn measure(name: &str, calls: u32, mut call: impl FnMut()) {
    let mut runs: Vec<Duration> = (0..9)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..calls {
                call();
            }
            started.elapsed() / calls
        })
        .collect();
    runs.sort();
    println!("{name:<58} {:>10.2} µs", runs[4].as_secs_f64() * 1e6);
}

fn main() {
    let body = br#"{"Name":"/app/db/url","WithDecryption":true}"#;
    measure("json: decode + validate + encode, GetParameter", 20_000, || {
        let value = json::decode(black_box(body), kiln_ssm_shapes::GetParameterRequest::SHAPE).expect("good");
        validate(&value, kiln_ssm_shapes::GetParameterRequest::SHAPE, Protocol::Json11).expect("good");
        black_box(json::encode(&value, kiln_ssm_shapes::GetParameterRequest::SHAPE));
    });
    let form = b"Action=CreateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=web&MinSize=1&MaxSize=3\
        &LaunchTemplate.LaunchTemplateName=web&AvailabilityZones.member.1=us-east-1a";
    let shape = kiln_autoscaling_shapes::CreateAutoScalingGroupRequest::SHAPE;
    measure("query: decode + validate, CreateAutoScalingGroup", 20_000, || {
        let value = query::decode(black_box(form), shape).expect("good");
        validate(&value, shape, Protocol::Query).expect("good");
        black_box(value);
    });
    let form = b"Action=GetCallerIdentity&Version=2011-06-15";
    let identity = kiln_sts_shapes::GetCallerIdentityResponse {
        user_id: Some("AIDAEXAMPLE".into()),
        account: Some("000000000000".into()),
        arn: Some("arn:aws:iam::000000000000:user/root".into()),
    };
    measure("query: decode + validate + encode, GetCallerIdentity", 20_000, || {
        let shape = kiln_sts_shapes::GetCallerIdentityRequest::SHAPE;
        let value = query::decode(black_box(form), shape).expect("good");
        validate(&value, shape, Protocol::Query).expect("good");
        let shape = kiln_sts_shapes::GetCallerIdentityResponse::SHAPE;
        let model = &kiln_sts_shapes::SERVICE;
        black_box(encode_response(
            Protocol::Query,
            model,
            "GetCallerIdentity",
            shape,
            &identity.clone().into_value(),
            "id",
        ));
    });
    let many: String = (1..=10_000).map(|i| format!("&InstanceId.{i}=i-{i:017x}")).collect();
    let many = format!("Action=DescribeInstances{many}");
    measure("ec2: decode 10,000 instance ids", 20, || {
        black_box(kiln_protocol::ec2::decode(many.as_bytes(), ec2::DescribeInstancesRequest::SHAPE).expect("good"));
    });
    let answer = instances(1_000);
    let encode = |answer: &ec2::DescribeInstancesResponse| {
        let shape = <ec2::DescribeInstancesRequest as Request>::Response::SHAPE;
        encode_response(Protocol::Ec2, &ec2::SERVICE, "DescribeInstances", shape, &answer.clone().into_value(), "id")
    };
    measure("ec2: 1,000 instances to values (a part of the next)", 20, || {
        black_box(answer.clone().into_value());
    });
    measure("ec2: encode 1,000 instances", 20, || {
        black_box(encode(&answer));
    });
    println!("  which are {} KiB", encode(&answer).body.len() / 1024);
}

/// As DescribeInstances shows running machines.
fn instances(count: usize) -> ec2::DescribeInstancesResponse {
    let some = |text: &str| Some(text.to_owned());
    let instance = |i: usize| ec2::Instance {
        instance_id: Some(format!("i-{i:017x}")),
        image_id: some("ami-0123456789abcdef0"),
        instance_type: some("t3.micro"),
        state: Some(ec2::InstanceState { code: Some(16), name: some("running") }),
        private_ip_address: some("10.0.0.1"),
        private_dns_name: some("ip-10-0-0-1.ec2.internal"),
        subnet_id: some("subnet-0123456789abcdef0"),
        vpc_id: some("vpc-0123456789abcdef0"),
        architecture: some("x86_64"),
        root_device_name: some("/dev/xvda"),
        root_device_type: some("ebs"),
        launch_time: Some(kiln_protocol::Timestamp::from_millis(1_767_323_045_678)),
        placement: Some(ec2::Placement { availability_zone: some("us-east-1a"), ..Default::default() }),
        security_groups: vec![ec2::GroupIdentifier { group_id: some("sg-1"), group_name: some("web") }],
        tags: vec![ec2::Tag { key: some("Name"), value: some("web") }],
        ..Default::default()
    };
    let reservation = |i| ec2::Reservation {
        reservation_id: Some(format!("r-{i:017x}")),
        owner_id: some("000000000000"),
        instances: vec![instance(i)],
        ..Default::default()
    };
    ec2::DescribeInstancesResponse { reservations: (0..count).map(reservation).collect(), ..Default::default() }
}
