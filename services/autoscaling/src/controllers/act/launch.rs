//! Launching: first it is written down with all that the call needs, then EC2 is called with the
//! activity's id as client token. A crash in between repeats the same call.

use crate::controllers::place::Place;
use crate::notify;
use crate::records::{
    Activity, Group, Health, Interface, Launch, LaunchConfiguration, Lifecycle, Member, Status, Template,
};
use crate::templates;
use kiln_ec2_shapes as ec2;
use kiln_service_kit::{Cx, Error, Fault, Timestamp};

/// Launches that shall be made: the step's members.
pub struct Decision<'a> {
    pub first: u64,
    pub places: &'a [Place],
    pub cause: &'a str,
    pub rebalance: bool,
    pub replaces: usize,
}

/// Decides launches at the given places, unless that was done.
pub async fn decide(cx: &Cx, name: &str, decision: &Decision<'_>) -> Result<(), Error> {
    let Decision { first, places, cause, rebalance, replaces } = *decision;
    let Some(group) = cx.store().get::<Group>(cx.scope(), name)? else { return Ok(()) };
    let resolved = match &group.launch_template {
        Some(template) => match templates::resolve(cx, template).await {
            Ok(resolved) => Ok(Some(resolved)),
            Err(error) if error.fault == Fault::Sender => Err(error),
            Err(error) => return Err(error),
        },
        None => Ok(None),
    };
    let activities: Vec<String> = places.iter().map(|_| cx.ids().uuid()).collect();
    cx.store()
        .write(|tx| {
            let Some(group) = tx.get::<Group>(cx.scope(), name)? else { return Ok(()) };
            if group.launch_count + 1 != first {
                return Ok(());
            }
            let mut group = group.as_ref().clone();
            group.to_replace -= i32::try_from(replaces).unwrap_or(i32::MAX);
            let tags = instance_tags(&group);
            for (place, id) in places.iter().zip(activities) {
                let mut activity = Activity {
                    id: id.clone(),
                    group: group.name.clone(),
                    group_uuid: group.uuid.clone(),
                    description: "Launching a new EC2 instance".to_owned(),
                    cause: cause.to_owned(),
                    start: tx.now(),
                    end: None,
                    status: Status::WaitingForInstanceId,
                    message: None,
                    progress: 0,
                    zone: place.zone.clone(),
                    subnet: place.subnet.clone(),
                };
                group.launch_count += 1;
                let number = group.launch_count;
                match &resolved {
                    Ok(template) => group.launches.push(Launch {
                        number,
                        activity: id.clone(),
                        at: tx.now(),
                        zone: place.zone.clone(),
                        subnet: place.subnet.clone(),
                        template: template.as_ref().map(|(template, _)| template.clone()),
                        configuration: group.launch_configuration.clone(),
                        interface: template.as_ref().and_then(|(_, interface)| interface.clone()),
                        tags: tags.clone(),
                        protected: group.new_instances_protected,
                        rebalance,
                    }),
                    Err(error) => {
                        failed(&mut activity, &error.message, tx.now());
                        group.put_off(tx.now(), tx.now());
                    }
                }
                notify::keep(activity, tx, cx)?;
            }
            tx.put(cx.scope(), name, group)?;
            Ok(())
        })
        .await
}

/// The tags an instance is launched with.
fn instance_tags(group: &Group) -> Vec<(String, String)> {
    let propagated = group.tags.iter().filter(|t| t.propagate).map(|t| (t.key.clone(), t.value.clone()));
    propagated.chain([(super::ways::GROUP_TAG.to_owned(), group.name.clone())]).collect()
}

/// Ends the activity of a launch that EC2 refused.
fn failed(activity: &mut Activity, message: &str, now: Timestamp) {
    let message = format!("{message} Launching EC2 instance failed.");
    activity.description = format!("Launching a new EC2 instance.  Status Reason: {message}");
    activity.finish(Status::Failed, Some(message), now);
}

/// Launches what was decided under that number, unless that was done.
pub async fn launch(cx: &Cx, name: &str, number: u64) -> Result<(), Error> {
    let open = |group: &Group| group.launches.iter().find(|l| l.number == number).cloned();
    let Some(group) = cx.store().get::<Group>(cx.scope(), name)? else { return Ok(()) };
    let Some(launch) = open(&group) else { return Ok(()) };
    let answer = match request(cx, &launch) {
        Ok(request) => cx.call(request).await,
        Err(error) => Err(error),
    };
    let outcome = match answer {
        Ok(answer) => match answer.instances.into_iter().next() {
            Some(instance) => Ok(instance),
            None => return Err(Error::internal("EC2 launched nothing and said nothing")),
        },
        // Ours to repair: the same call is made again.
        Err(error) if error.fault == Fault::Receiver && error.status != 501 => return Err(error),
        Err(error) => Err(error),
    };
    cx.store()
        .write(|tx| {
            let Some(group) = tx.get::<Group>(cx.scope(), name)? else { return Ok(()) };
            if open(&group).is_none() {
                return Ok(());
            }
            let mut group = group.as_ref().clone();
            group.launches.retain(|l| l.number != number);
            let mut activity = match tx.get::<Activity>(cx.scope(), &launch.activity)? {
                Some(activity) => activity.as_ref().clone(),
                None => return Err(Error::internal(format!("activity {} is missing", launch.activity))),
            };
            match &outcome {
                Ok(instance) => {
                    let member = member(&group, &launch, instance, tx.now())?;
                    activity.description = format!("Launching a new EC2 instance: {}", member.id);
                    activity.status = Status::PreInService;
                    activity.progress = 30;
                    if member.subnet.is_some() {
                        activity.subnet = member.subnet.clone();
                    }
                    let id = member.id.clone();
                    tx.put(cx.scope(), &id, member)?;
                }
                Err(error) => {
                    failed(&mut activity, &error.message, tx.now());
                    // A refused request is no zone's fault, unless it says so.
                    match error.is("InsufficientInstanceCapacity") {
                        true => group.failed_in(&launch.zone, launch.at, launch.rebalance, tx.now()),
                        false => group.put_off(launch.at, tx.now()),
                    }
                }
            }
            notify::keep(activity, tx, cx)?;
            tx.put(cx.scope(), name, group)?;
            Ok(())
        })
        .await
}

fn member(group: &Group, launch: &Launch, instance: &ec2::Instance, now: Timestamp) -> Result<Member, Error> {
    let lacks = |what: &str| Error::internal(format!("EC2 described a new instance without {what}"));
    let zone = instance.placement.as_ref().and_then(|p| p.availability_zone.clone());
    Ok(Member {
        id: instance.instance_id.clone().ok_or_else(|| lacks("its id"))?,
        group: group.name.clone(),
        zone: zone.ok_or_else(|| lacks("its zone"))?,
        subnet: launch.subnet.clone().or_else(|| instance.subnet_id.clone()),
        instance_type: instance.instance_type.clone().ok_or_else(|| lacks("its type"))?,
        image: instance.image_id.clone().ok_or_else(|| lacks("its image"))?,
        template: launch.template.clone(),
        configuration: launch.configuration.clone(),
        lifecycle: Lifecycle::Pending,
        health: Health::Healthy,
        unhealthy: None,
        protected: launch.protected,
        rebalance: launch.rebalance,
        launched: now,
        in_service: None,
        activity: Some(launch.activity.clone()),
        registered: vec![],
        draining: vec![],
        left_out: vec![],
        action: None,
        hooks_done: vec![],
        terminate_called: false,
    })
}

/// The same call for the same launch, however often it is made.
fn request(cx: &Cx, launch: &Launch) -> Result<ec2::RunInstancesRequest, Error> {
    let tags = launch.tags.iter().map(|(k, v)| ec2::Tag { key: Some(k.clone()), value: Some(v.clone()) }).collect();
    let mut request = ec2::RunInstancesRequest {
        min_count: 1,
        max_count: 1,
        client_token: Some(launch.activity.clone()),
        tag_specifications: vec![ec2::TagSpecification { resource_type: Some("instance".to_owned()), tags }],
        ..Default::default()
    };
    let mut interface = launch.interface.clone();
    if let Some(Template { id, version, .. }) = &launch.template {
        request.launch_template = Some(ec2::LaunchTemplateSpecification {
            launch_template_id: Some(id.clone()),
            version: Some(version.clone()),
            ..Default::default()
        });
    } else if let Some(name) = &launch.configuration {
        let configuration = cx
            .store()
            .get::<LaunchConfiguration>(cx.scope(), name)?
            .ok_or_else(|| crate::errors::configuration_not_found(name))?;
        interface = configure(&mut request, &configuration);
    }
    match (interface, &launch.subnet) {
        (Some(Interface { groups, public_address, delete_on_termination, description }), subnet) => {
            request.security_group_ids = vec![];
            request.network_interfaces = vec![ec2::InstanceNetworkInterfaceSpecification {
                device_index: Some(0),
                subnet_id: subnet.clone(),
                groups,
                associate_public_ip_address: public_address,
                delete_on_termination,
                description,
                ..Default::default()
            }];
        }
        (None, subnet) => request.subnet_id = subnet.clone(),
    }
    if launch.subnet.is_none() {
        request.placement = Some(ec2::Placement { availability_zone: Some(launch.zone.clone()), ..Default::default() });
    }
    Ok(request)
}

/// Fills the request from a launch configuration; one that decides about a public address needs a
/// network interface to say so.
fn configure(request: &mut ec2::RunInstancesRequest, from: &LaunchConfiguration) -> Option<Interface> {
    request.image_id = Some(from.image.clone());
    request.instance_type = Some(from.instance_type.clone());
    request.key_name = from.key_name.clone();
    request.security_group_ids = from.security_groups.clone();
    request.user_data = from.user_data.clone();
    request.monitoring = Some(ec2::RunInstancesMonitoringEnabled { enabled: from.monitoring });
    request.ebs_optimized = from.ebs_optimized.then_some(true);
    request.iam_instance_profile = from.profile.as_ref().map(|profile| match profile.starts_with("arn:") {
        true => ec2::IamInstanceProfileSpecification { arn: Some(profile.clone()), name: None },
        false => ec2::IamInstanceProfileSpecification { arn: None, name: Some(profile.clone()) },
    });
    if from.http_tokens.is_some() || from.http_hop_limit.is_some() || from.http_endpoint.is_some() {
        request.metadata_options = Some(ec2::InstanceMetadataOptionsRequest {
            http_tokens: from.http_tokens.clone(),
            http_put_response_hop_limit: from.http_hop_limit,
            http_endpoint: from.http_endpoint.clone(),
            ..Default::default()
        });
    }
    request.block_device_mappings = from
        .devices
        .iter()
        .map(|device| ec2::BlockDeviceMapping {
            device_name: Some(device.name.clone()),
            no_device: device.left_out.then(String::new),
            ebs: (!device.left_out).then(|| ec2::EbsBlockDevice {
                volume_size: device.size,
                volume_type: device.kind.clone(),
                delete_on_termination: device.delete_on_termination,
                snapshot_id: device.snapshot.clone(),
                iops: device.iops,
                throughput: device.throughput,
                encrypted: device.encrypted,
                ..Default::default()
            }),
            ..Default::default()
        })
        .collect();
    from.public_address.map(|public| Interface {
        groups: from.security_groups.clone(),
        public_address: Some(public),
        delete_on_termination: None,
        description: None,
    })
}
