//! What an instance is told, and the token rules.

use super::answer::{Answer, Asked, answer};
use super::tokens::{Presented, Tokens};
use super::world::{Interface, World};
use crate::instances::records::{
    Instance, InstanceOptions, InstanceState, MetadataOptions, ProfileAssociation, Wanted,
};
use crate::interfaces::records::{Attachment, NetworkInterface, PublicAddress};
use crate::tags::Tags;
use kiln_ids::*;
use kiln_machines_spec::MacAddr;
use kiln_service_kit::{Scope, Timestamp};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const VALID: Presented = Presented::Valid { left: 60 };

/// An instance with a key, user data, a profile, a tag and a public address.
fn given() -> World {
    let ids = IdSource::seeded(1);
    let ip = Ipv4Addr::new(172, 31, 0, 9);
    let at = Timestamp::from_epoch_seconds(1_767_323_045);
    let (vpc, subnet, group) = (VpcId::new(&ids), SubnetId::new(&ids), SecurityGroupId::new(&ids));
    let interface = NetworkInterfaceId::new(&ids);
    let id = InstanceId::new(&ids);
    let instance = Instance {
        id: id.clone(),
        reservation: ReservationId::new(&ids),
        requester: None,
        launch_index: 0,
        client_token: None,
        image: ImageId::new(&ids),
        machine_image: "base".to_owned(),
        architecture: "x86_64".to_owned(),
        instance_type: "t3.micro".to_owned(),
        key_name: Some("ada".to_owned()),
        ssh_keys: vec!["ssh-ed25519 AAAA ada".to_owned()],
        user_data: Some("IyEvYmluL3NoAP8=".to_owned()),
        vpc: vpc.clone(),
        subnet: subnet.clone(),
        zone: "us-east-1a".to_owned(),
        ip,
        mac: MacAddr::from_ip(ip),
        interface: interface.clone(),
        more_interfaces: vec![],
        volume: VolumeId::new(&ids),
        root_device: "/dev/xvda".to_owned(),
        profile: Some(ProfileAssociation {
            association: "iip-assoc-1".to_owned(),
            arn: "arn:aws:iam::000000000000:instance-profile/web".to_owned(),
            id: "AIPA1".to_owned(),
            at,
        }),
        options: InstanceOptions::plain(),
        metadata: MetadataOptions { tokens_required: true, hop_limit: 2, enabled: true, tags_enabled: false },
        wanted: Wanted::Running,
        state: InstanceState::Running,
        state_since: at,
        transition_reason: String::new(),
        reason: None,
        impaired: None,
        launched: true,
        boots: 1,
        reboot_wanted: false,
        skip_os_shutdown: false,
        launch_failures: 0,
        last_failure: None,
        last_reason: None,
        retry_at: None,
        captured_by: None,
        launch_time: at,
        tags: Tags::from([
            ("Name".to_owned(), "web 1".to_owned()),
            (crate::tags::TOKEN.to_owned(), "inner".to_owned()),
        ]),
    };
    let public = Ipv4Addr::new(203, 0, 113, 7);
    let record = NetworkInterface {
        id: interface,
        vpc,
        subnet,
        zone: "us-east-1a".to_owned(),
        description: String::new(),
        ip,
        mac: MacAddr::from_ip(ip),
        groups: vec![group.clone()],
        source_dest_check: true,
        attachment: Some(Attachment {
            id: AttachmentId::new(&ids),
            instance: id,
            device_index: 0,
            delete_on_termination: true,
            at,
            plugged: true,
            detaching: false,
        }),
        public: Some(PublicAddress { ip: public, elastic: None }),
        secondary: vec![],
        auto_public: true,
        managed_by: None,
        interface_type: "interface".to_owned(),
        created: at,
        tags: Tags::new(),
    };
    World {
        scope: Scope::new("000000000000", "us-east-1"),
        instance: Arc::new(instance),
        zone_id: Some("use1-az1".to_owned()),
        public_ip: Some(public),
        public_dns: Some("ec2-203-0-113-7.compute-1.amazonaws.com".to_owned()),
        in_a_group: false,
        interfaces: vec![Interface {
            record: Arc::new(record),
            subnet_cidr: Some("172.31.0.0/20".to_owned()),
            public_dns: Some("ec2-203-0-113-7.compute-1.amazonaws.com".to_owned()),
            vpc_cidrs: vec!["172.31.0.0/16".to_owned()],
            groups: vec![(group.to_string(), "default".to_owned())],
        }],
    }
}

fn with(change: impl FnOnce(&mut Instance)) -> World {
    let mut world = given();
    change(Arc::get_mut(&mut world.instance).expect("nobody else holds it"));
    world
}

fn ask(method: &'static str, path: &'static str) -> Asked<'static> {
    Asked { method, path, token: Presented::Absent, ttl: None, forwarded: false }
}

/// With a token that is right.
fn get(world: &World, path: &'static str) -> Answer {
    answer(world, &Asked { token: VALID, ..ask("GET", path) })
}

fn text(world: &World, path: &'static str) -> String {
    match get(world, path) {
        Answer::Text(text) => text,
        other => panic!("{path}: {other:?}"),
    }
}

/// Every text an instance can reach, by following the listings as a client does.
fn walk(world: &World, directory: &str, seen: &mut String) {
    for name in text(world, directory.to_owned().leak()).lines() {
        let name = name.split_once('=').map_or(name.to_owned(), |(index, _)| format!("{index}/"));
        let path = format!("{directory}{name}");
        if name.ends_with('/') && path != "/latest/meta-data/iam/" {
            walk(world, &path, seen);
        } else if !name.ends_with('/') {
            let value = text(world, path.clone().leak()).trim_end().replace('\n', " | ");
            seen.push_str(&format!("{} = {value}\n", path.trim_start_matches("/latest/meta-data/")));
        }
    }
}

#[test]
fn the_tree_is_what_the_listings_say() {
    let world = with(|instance| instance.metadata.tags_enabled = true);
    let mut seen = String::new();
    walk(&world, "/latest/meta-data/", &mut seen);
    let id = |text: &str| seen.lines().find_map(|line| line.strip_prefix(text)).unwrap_or_default().to_owned();
    assert_eq!(id("instance-id = "), world.instance.id.to_string());
    assert_eq!(id("ami-id = "), world.instance.image.to_string());
    // Ids are random; the rest is compared as a whole.
    let rest: Vec<&str> = seen.lines().filter(|l| !["-id = ", "-ids = "].iter().any(|end| l.contains(end))).collect();
    let mac = world.instance.mac;
    let of = |line: &str| format!("network/interfaces/macs/{mac}/{line}");
    let mut wanted: Vec<String> = [
        "ami-launch-index = 0",
        "ami-manifest-path = (unknown)",
        "block-device-mapping/ami = /dev/xvda",
        "block-device-mapping/root = /dev/xvda",
        "events/maintenance/history = []",
        "events/maintenance/scheduled = []",
        "hostname = ip-172-31-0-9.ec2.internal",
        "instance-action = none",
        "instance-life-cycle = on-demand",
        "instance-type = t3.micro",
        "local-hostname = ip-172-31-0-9.ec2.internal",
        "local-ipv4 = 172.31.0.9",
    ]
    .map(str::to_owned)
    .to_vec();
    wanted.push(format!("mac = {mac}"));
    wanted.extend([
        of("device-number = 0"),
        of("ipv4-associations/203.0.113.7 = 172.31.0.9"),
        of("local-hostname = ip-172-31-0-9.ec2.internal"),
        of("local-ipv4s = 172.31.0.9"),
        of(&format!("mac = {mac}")),
        of("network-card = 0"),
        of("public-hostname = ec2-203-0-113-7.compute-1.amazonaws.com"),
        of("public-ipv4s = 203.0.113.7"),
        of("security-groups = default"),
        of("subnet-ipv4-cidr-block = 172.31.0.0/20"),
        of("vpc-ipv4-cidr-block = 172.31.0.0/16"),
        of("vpc-ipv4-cidr-blocks = 172.31.0.0/16"),
    ]);
    wanted.extend(
        [
            "placement/availability-zone = us-east-1a",
            "placement/region = us-east-1",
            "profile = default-hvm",
            "public-hostname = ec2-203-0-113-7.compute-1.amazonaws.com",
            "public-ipv4 = 203.0.113.7",
            "public-keys/0/openssh-key = ssh-ed25519 AAAA ada",
            "security-groups = default",
            "services/domain = amazonaws.com",
            "services/partition = aws",
            "tags/instance/Name = web 1",
        ]
        .map(str::to_owned),
    );
    assert_eq!(rest, wanted);
}

#[test]
fn listings_are_as_clients_read_them() {
    let world = given();
    assert_eq!(text(&world, "/latest"), "dynamic\nmeta-data\nuser-data");
    assert_eq!(text(&world, "/latest/meta-data/public-keys/"), "0=ada");
    assert_eq!(text(&world, "/2021-03-23/meta-data/iam"), "info\nsecurity-credentials/");
    assert_eq!(text(&world, "/latest/dynamic/instance-identity/"), "document");
    assert_eq!(get(&world, "/latest/user-data"), Answer::Bytes(b"#!/bin/sh\0\xff".to_vec()));
    assert_eq!(get(&world, "/latest/meta-data/iam/security-credentials/"), Answer::RoleName);
    let role = "web".to_owned();
    assert_eq!(get(&world, "/latest/meta-data/iam/security-credentials/web"), Answer::Credentials { role });
    let Answer::Json(document) = get(&world, "/latest/dynamic/instance-identity/document") else { panic!() };
    assert_eq!(document["pendingTime"], "2026-01-02T03:04:05Z");
    assert_eq!(document["privateIp"], "172.31.0.9");
}

#[test]
fn every_version_shows_what_was_there_then() {
    let mut world = with(|instance| instance.metadata.tags_enabled = true);
    world.in_a_group = true;
    let versions = text(&world, "/");
    assert!(versions.starts_with("1.0\n2007-01-19\n") && versions.ends_with("\n2024-04-11\nlatest"), "{versions}");
    for version in versions.lines() {
        // Each is served, and its listing names what it has.
        let mut seen = String::new();
        for name in text(&world, format!("/{version}/meta-data/").leak()).lines() {
            seen.push_str(name);
            seen.push(' ');
            assert_ne!(
                get(&world, format!("/{version}/meta-data/{name}").leak()),
                Answer::Refused(404),
                "{version} {name}"
            );
        }
        assert!(seen.starts_with("ami-id ami-launch-index ami-manifest-path "), "{version}: {seen}");
    }
    let old = "ami-id\nami-launch-index\nami-manifest-path\nhostname\ninstance-id\nlocal-ipv4\nprofile\npublic-keys/\nreservation-id\nsecurity-groups";
    assert_eq!(text(&world, "/1.0/meta-data/"), old);
    assert_eq!(text(&world, "/1.0/"), "meta-data\nuser-data");
    assert_eq!(text(&world, "/2020-08-24/meta-data/placement/"), "availability-zone\navailability-zone-id\nregion");
    assert_eq!(text(&world, "/2018-09-24/meta-data/placement/"), "availability-zone");
    let mac = world.instance.mac;
    for (path, since) in [
        ("meta-data/iam/info", "2012-01-12"),
        ("meta-data/iam/", "2012-01-12"),
        ("meta-data/autoscaling/target-lifecycle-state", "2021-07-15"),
        ("meta-data/autoscaling/", "2021-07-15"),
        ("meta-data/tags/instance/Name", "2021-03-23"),
        ("meta-data/network/", "2011-01-01"),
        (&*format!("meta-data/network/interfaces/macs/{mac}/network-card"), "2021-01-03"),
        ("dynamic/instance-identity/document", "2009-04-04"),
    ] {
        for version in versions.lines() {
            let found = get(&world, format!("/{version}/{path}").leak()) != Answer::Refused(404);
            assert_eq!(found, version == "latest" || version >= since, "{version} {path}");
        }
    }
}

#[test]
fn a_group_s_instance_is_asked_for_its_state() {
    let mut world = given();
    let path = "/latest/meta-data/autoscaling/target-lifecycle-state";
    assert_eq!(get(&world, path), Answer::Refused(404));
    world.in_a_group = true;
    assert_eq!(get(&world, path), Answer::TargetLifecycleState);
    assert_eq!(text(&world, "/latest/meta-data/autoscaling/"), "target-lifecycle-state");
}

#[test]
fn what_is_not_there_is_not_found() {
    let world = with(|instance| {
        (instance.user_data, instance.profile, instance.key_name) = (None, None, None);
        instance.ssh_keys.clear();
    });
    assert_eq!(text(&world, "/latest/"), "dynamic\nmeta-data");
    for path in [
        "/latest/user-data",
        "/latest/meta-data/iam/",
        "/latest/meta-data/iam/info",
        "/latest/meta-data/iam/security-credentials/web",
        "/latest/meta-data/public-keys/",
        "/latest/meta-data/tags/instance/Name",
        "/latest/meta-data/instance",
        "/latest/meta-data/instance-id/x",
        "/latest/dynamic/instance-identity/pkcs7",
        "/1999-01-01/meta-data/",
    ] {
        assert_eq!(get(&world, path), Answer::Refused(404), "{path}");
    }
}

#[test]
fn tokens_are_needed_where_they_are_required() {
    let (required, optional) = (given(), with(|instance| instance.metadata.tokens_required = false));
    let off = with(|instance| instance.metadata.enabled = false);
    let served = Answer::Text(required.instance.id.to_string());
    for (world, token, wanted) in [
        (&required, Presented::Absent, Answer::Refused(401)),
        (&required, Presented::Invalid, Answer::Refused(401)),
        (&required, VALID, served),
        (&optional, Presented::Absent, Answer::Text(optional.instance.id.to_string())),
        (&optional, Presented::Invalid, Answer::Refused(401)),
        (&off, VALID, Answer::Refused(403)),
    ] {
        let asked = Asked { token, ..ask("GET", "/latest/meta-data/instance-id") };
        assert_eq!(answer(world, &asked), wanted, "{token:?}");
    }
    assert_eq!(answer(&optional, &ask("POST", "/latest/meta-data/")), Answer::Refused(405));
}

#[test]
fn who_is_given_a_token() {
    let world = given();
    let put = |ttl, forwarded| answer(&world, &Asked { ttl, forwarded, ..ask("PUT", "/latest/api/token") });
    for (ttl, wanted) in [
        (Some("1"), Answer::NewToken { seconds: 1 }),
        (Some("21600"), Answer::NewToken { seconds: 21_600 }),
        (Some("0"), Answer::Refused(400)),
        (Some("21601"), Answer::Refused(400)),
        (Some("soon"), Answer::Refused(400)),
        (Some("-1"), Answer::Refused(400)),
        (Some("60.5"), Answer::Refused(400)),
        (Some("99999999999999999999"), Answer::Refused(400)),
        (Some(""), Answer::Refused(400)),
        (None, Answer::Refused(400)),
    ] {
        assert_eq!(put(ttl, false), wanted, "{ttl:?}");
    }
    assert_eq!(put(Some("60"), true), Answer::Refused(403));
    for method in ["GET", "POST", "DELETE", "HEAD"] {
        let asked = Asked { token: VALID, ttl: Some("60"), ..ask(method, "/latest/api/token") };
        assert_eq!(answer(&world, &asked), Answer::Refused(405), "{method}");
    }
    // Only there; and not from a machine whose service is off.
    assert_eq!(answer(&world, &Asked { ttl: Some("60"), ..ask("PUT", "/2021-07-15/api/token") }), Answer::Refused(405));
    assert_eq!(answer(&world, &Asked { ttl: Some("60"), ..ask("PUT", "/latest/meta-data/") }), Answer::Refused(405));
    let off = with(|instance| instance.metadata.enabled = false);
    assert_eq!(answer(&off, &Asked { ttl: Some("60"), ..ask("PUT", "/latest/api/token") }), Answer::Refused(403));
}

#[test]
fn a_token_is_one_instance_s_and_ends() {
    let (tokens, ids, now) = (Tokens::default(), IdSource::seeded(2), Timestamp::from_epoch_seconds(1_000));
    let token = tokens.give(&ids, "i-1", 60, now);
    assert_eq!(token.len(), 56);
    assert_eq!(tokens.judge("i-1", Some(&token), now + Duration::from_secs(59)), Presented::Valid { left: 1 });
    assert_eq!(tokens.judge("i-1", Some(&token), now + Duration::from_secs(60)), Presented::Invalid);
    assert_eq!(tokens.judge("i-2", Some(&token), now), Presented::Invalid);
    assert_eq!(tokens.judge("i-1", None, now), Presented::Absent);

    // A machine that asks without end loses the token that ends first.
    for _ in 0..1_000 {
        tokens.give(&ids, "i-1", 600, now);
    }
    assert_eq!(tokens.judge("i-1", Some(&token), now), Presented::Invalid);
}
