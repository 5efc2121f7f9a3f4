//! Stories of instances with several interfaces and addresses, with all controllers running.

use kiln_ec2_shapes::*;
use kiln_machines_sim::Durations;
use kiln_machines_spec::{BaseRecipe, MachineDriver, MachineId, MachineSpec, NoProgress};
use kiln_service_kit::{Error, Request};
use kiln_testkit::{Testkit, break_each_step, simulate};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A default VPC's subnets in two zones, and an image.
struct Given {
    kit: Arc<Testkit>,
    image: String,
    subnet: String,
    elsewhere: String,
}

impl Given {
    async fn of(kit: Arc<Testkit>) -> Self {
        let manifest =
            kit.machines().ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image");
        let image = crate::register_base(kit.platform(), &manifest).await.expect("registered");
        let found = kit.call(DescribeSubnetsRequest::default()).await.expect("described").subnets;
        let of_zone = |zone: &str| {
            let is = |subnet: &&Subnet| subnet.availability_zone.as_deref() == Some(zone);
            found.iter().find(is).and_then(|subnet| subnet.subnet_id.clone()).expect("a subnet")
        };
        let (subnet, elsewhere) = (of_zone("us-east-1a"), of_zone("us-east-1b"));
        Self { kit, image, subnet, elsewhere }
    }

    async fn call<R: Request>(&self, request: R) -> R::Response {
        self.kit.call(request).await.unwrap_or_else(|error| panic!("{}: {error}", R::OPERATION))
    }

    async fn refused<R: Request>(&self, request: R) -> Error {
        self.kit.call(request).await.err().unwrap_or_else(|| panic!("{} was not refused", R::OPERATION))
    }

    fn launch(&self, interfaces: Vec<InstanceNetworkInterfaceSpecification>) -> RunInstancesRequest {
        RunInstancesRequest {
            image_id: Some(self.image.clone()),
            instance_type: Some("t3.small".into()),
            min_count: 1,
            max_count: 1,
            subnet_id: interfaces.is_empty().then(|| self.subnet.clone()),
            network_interfaces: interfaces,
            ..Default::default()
        }
    }

    async fn run(&self, interfaces: Vec<InstanceNetworkInterfaceSpecification>) -> String {
        let made = self.call(self.launch(interfaces)).await.instances;
        let id = made.into_iter().next().and_then(|instance| instance.instance_id).expect("an id");
        self.until_state(&id, "running").await;
        id
    }

    async fn instance(&self, id: &str) -> Instance {
        let request = DescribeInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
        self.call(request).await.reservations.into_iter().flat_map(|r| r.instances).next().expect("the instance")
    }

    async fn until_state(&self, id: &str, wanted: &str) {
        let is = || async { self.instance(id).await.state.and_then(|s| s.name).as_deref() == Some(wanted) };
        self.kit.until(wanted, MINUTE, is).await;
    }

    async fn create(&self, subnet: &str, more: i32) -> String {
        let request = CreateNetworkInterfaceRequest {
            subnet_id: subnet.into(),
            secondary_private_ip_address_count: Some(more),
            ..Default::default()
        };
        self.call(request).await.network_interface.and_then(|i| i.network_interface_id).expect("an id")
    }

    fn attach(&self, interface: &str, instance: &str, index: i32) -> AttachNetworkInterfaceRequest {
        AttachNetworkInterfaceRequest {
            network_interface_id: interface.into(),
            instance_id: instance.into(),
            device_index: index,
            ..Default::default()
        }
    }

    async fn show(&self, id: &str) -> NetworkInterface {
        let request = DescribeNetworkInterfacesRequest { network_interface_ids: vec![id.into()], ..Default::default() };
        self.call(request).await.network_interfaces.remove(0)
    }

    /// Its status and its attachment's.
    async fn status(&self, id: &str) -> (String, Option<String>) {
        let shown = self.show(id).await;
        (shown.status.unwrap_or_default(), shown.attachment.and_then(|a| a.status))
    }

    async fn until_status(&self, id: &str, attachment: Option<&str>) {
        let is = || async { self.status(id).await.1.as_deref() == attachment };
        self.kit.until("the attachment's status", MINUTE, is).await;
    }

    async fn machine(&self, id: &str) -> Arc<MachineSpec> {
        self.kit.machines().observe(&MachineId::new(id)).await.expect("a machine").spec
    }

    async fn assign(
        &self,
        id: &str,
        listed: &[&str],
        count: Option<i32>,
        may_move: bool,
    ) -> Result<Vec<String>, Error> {
        let request = AssignPrivateIpAddressesRequest {
            network_interface_id: id.into(),
            private_ip_addresses: listed.iter().map(|ip| ip.to_string()).collect(),
            secondary_private_ip_address_count: count,
            allow_reassignment: Some(may_move),
            ..Default::default()
        };
        let assigned = self.kit.call(request).await?.assigned_private_ip_addresses;
        Ok(assigned.into_iter().filter_map(|one| one.private_ip_address).collect())
    }
}

fn new(index: i32, subnet: &str) -> InstanceNetworkInterfaceSpecification {
    InstanceNetworkInterfaceSpecification {
        device_index: Some(index),
        subnet_id: Some(subnet.into()),
        ..Default::default()
    }
}

fn kit() -> kiln_testkit::Builder {
    Testkit::new(7).service(crate::service()).durations(Durations::default())
}

#[test]
fn an_interface_is_attached_to_a_running_instance_and_detached() {
    simulate(async {
        let given = Given::of(Arc::new(kit().start().await)).await;
        let id = given.run(vec![]).await;
        let interface = given.create(&given.subnet, 1).await;
        assert_eq!(given.status(&interface).await, ("available".into(), None));
        let attached = given.call(given.attach(&interface, &id, 1)).await.attachment_id.expect("an id");
        assert_eq!(given.status(&interface).await, ("in-use".into(), Some("attaching".into())));
        given.until_status(&interface, Some("attached")).await;
        let shown = given.show(&interface).await;
        let addresses: Vec<_> =
            shown.private_ip_addresses.iter().filter_map(|a| a.private_ip_address.clone()).collect();
        let machine = given.machine(&id).await;
        let has = &machine.interfaces[0];
        assert_eq!((has.device, machine.interfaces.len(), addresses.len()), (1, 1, 2));
        assert_eq!(vec![has.ip.to_string(), has.secondary_ips[0].to_string()], addresses);
        let instance = given.instance(&id).await;
        assert_eq!(instance.network_interfaces.len(), 2);
        assert_eq!(instance.network_interfaces[1].network_interface_id.as_deref(), Some(&*interface));

        let error = given.refused(given.attach(&interface, &id, 2)).await;
        assert_eq!(error.code, "InvalidNetworkInterface.InUse");
        let error = given
            .refused(DeleteNetworkInterfaceRequest { network_interface_id: interface.clone(), ..Default::default() });
        assert_eq!(error.await.message, format!("Network interface '{interface}' is currently in use."));

        let detach = DetachNetworkInterfaceRequest { attachment_id: attached, ..Default::default() };
        given.call(detach.clone()).await;
        assert_eq!(given.status(&interface).await.1.as_deref(), Some("detaching"));
        given.until_status(&interface, None).await;
        assert_eq!(given.status(&interface).await.0, "available");
        assert!(given.machine(&id).await.interfaces.is_empty());
        assert_eq!(given.refused(detach).await.code, "InvalidAttachmentID.NotFound");
        let first = given.instance(&id).await.network_interfaces.remove(0).attachment.and_then(|a| a.attachment_id);
        let detach = DetachNetworkInterfaceRequest { attachment_id: first.expect("an id"), ..Default::default() };
        assert_eq!(given.refused(detach).await.code, "OperationNotPermitted");
    });
}

#[test]
fn what_cannot_be_attached_is_refused_as_aws_does() {
    simulate(async {
        let given = Given::of(Arc::new(kit().start().await)).await;
        let id = given.run(vec![]).await;
        let far = given.create(&given.elsewhere, 0).await;
        let error = given.refused(given.attach(&far, &id, 1)).await;
        assert_eq!(error.code, "InvalidParameterCombination");
        assert!(error.message.ends_with("not in the same availability zone"), "{error}");
        let (one, two) = (given.create(&given.subnet, 0).await, given.create(&given.subnet, 0).await);
        let error = given.refused(given.attach(&one, &id, 0)).await;
        assert_eq!(error.message, format!("Instance '{id}' already has an interface attached at device index '0'."));
        given.call(given.attach(&one, &id, 1)).await;
        given.call(given.attach(&two, &id, 2)).await;
        let three = given.create(&given.subnet, 0).await;
        let error = given.refused(given.attach(&three, &id, 3)).await;
        assert_eq!(error, Error::sender("AttachmentLimitExceeded", "Interface count 4 exceeds the limit for t3.small"));
        let error = given.assign(&one, &[], Some(4), false).await.expect_err("four more than the first");
        assert_eq!(error.code, "PrivateIpAddressLimitExceeded");
        let source = AttributeBooleanValue { value: Some(false) };
        let change =
            ModifyInstanceAttributeRequest { instance_id: id, source_dest_check: Some(source), ..Default::default() };
        assert_eq!(given.refused(change).await.code, "InvalidInstanceID");
    });
}

#[test]
fn a_stopped_instance_gets_it_at_its_start_and_terminating_deletes_what_it_is_told_to() {
    simulate(async {
        let given = Given::of(Arc::new(kit().start().await)).await;
        let id = given.run(vec![new(0, &given.subnet), new(1, &given.subnet)]).await;
        let instance = given.instance(&id).await;
        assert_eq!(instance.public_ip_address, None, "several interfaces: no public address by habit");
        let second = instance.network_interfaces[1].network_interface_id.clone().expect("an id");
        given.until_status(&second, Some("attached")).await;
        given.call(StopInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() }).await;
        given.until_state(&id, "stopped").await;
        let third = given.create(&given.subnet, 0).await;
        given.call(given.attach(&third, &id, 2)).await;
        given.until_status(&third, Some("attached")).await;
        given.call(StartInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() }).await;
        given.until_state(&id, "running").await;
        let devices: Vec<u32> = given.machine(&id).await.interfaces.iter().map(|i| i.device).collect();
        assert_eq!(devices, [1, 2]);
        given.call(TerminateInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() }).await;
        given.until_state(&id, "terminated").await;
        let gone = DescribeNetworkInterfacesRequest { network_interface_ids: vec![second], ..Default::default() };
        assert_eq!(given.refused(gone).await.code, "InvalidNetworkInterfaceID.NotFound");
        assert_eq!(given.status(&third).await, ("available".into(), None), "attached by a call: it stays");
    });
}

#[test]
fn addresses_are_assigned_moved_with_their_elastic_ip_and_taken_away() {
    simulate(async {
        let given = Given::of(Arc::new(kit().start().await)).await;
        let id = given.run(vec![]).await;
        let first = given.instance(&id).await.network_interfaces.remove(0);
        let (first, primary) = (first.network_interface_id.expect("an id"), first.private_ip_address.expect("one"));
        let assigned = given.assign(&first, &[], Some(2), false).await.expect("assigned");
        given.kit.settle().await;
        let on_machine: Vec<_> = given.machine(&id).await.secondary_ips.iter().map(ToString::to_string).collect();
        assert_eq!(on_machine, assigned);

        let allocated = given.call(AllocateAddressRequest::default()).await;
        let associate = AssociateAddressRequest {
            allocation_id: allocated.allocation_id.clone(),
            network_interface_id: Some(first.clone()),
            private_ip_address: Some(assigned[0].clone()),
            ..Default::default()
        };
        given.call(associate.clone()).await;
        let other = given.create(&given.subnet, 0).await;
        let moved: &[&str] = &[&assigned[0]];
        let error = given.assign(&other, moved, None, false).await.expect_err("it has a holder");
        assert_eq!(error.message, format!("[{}] is assigned, but move is not allowed.", assigned[0]));
        assert_eq!(given.assign(&other, moved, None, true).await.expect("moved"), moved);
        let shown = given.call(DescribeAddressesRequest::default()).await.addresses.remove(0);
        assert_eq!(shown.network_interface_id.as_deref(), Some(&*other), "the Elastic IP moved along");
        assert_eq!(shown.private_ip_address.as_deref(), Some(moved[0]));
        let error = given.refused(AssociateAddressRequest { ..associate }).await;
        assert_eq!(error.code, "InvalidParameterValue", "the interface does not have the address any more");
        assert!(given.assign(&other, &[&primary], None, true).await.is_err(), "a primary address stays");

        let take = |id: &str, ip: &str| UnassignPrivateIpAddressesRequest {
            network_interface_id: id.into(),
            private_ip_addresses: vec![ip.into()],
            ..Default::default()
        };
        given.call(take(&other, moved[0])).await;
        let shown = given.call(DescribeAddressesRequest::default()).await.addresses.remove(0);
        assert_eq!(shown.association_id, None, "and is free when the address is taken away");
        given.call(take(&first, &assigned[1])).await;
        given.kit.settle().await;
        assert!(given.machine(&id).await.secondary_ips.is_empty());
        assert_eq!(given.refused(take(&first, &primary)).await.code, "InvalidParameterValue");
        let error = given.refused(take(&first, "172.31.0.200")).await;
        assert_eq!(error.message, format!("Some of [172.31.0.200] are not assigned to interface {first}"));
    });
}

#[test]
fn a_launch_takes_interfaces_that_exist_and_new_ones() {
    simulate(async {
        let given = Given::of(Arc::new(kit().start().await)).await;
        let (zero, one) = (given.create(&given.subnet, 0).await, given.create(&given.subnet, 0).await);
        let existing = |index: i32, id: &str| InstanceNetworkInterfaceSpecification {
            device_index: Some(index),
            network_interface_id: Some(id.into()),
            ..Default::default()
        };
        let two = InstanceNetworkInterfaceSpecification {
            secondary_private_ip_address_count: Some(2),
            ..new(2, &given.subnet)
        };
        // The order of a list says nothing; the index does.
        let id = given.run(vec![existing(1, &one), two, existing(0, &zero)]).await;
        let shown = given.instance(&id).await.network_interfaces;
        let ids: Vec<_> = shown.iter().filter_map(|i| i.network_interface_id.clone()).collect();
        assert_eq!(ids[..2], [zero, one]);
        assert_eq!(shown[2].private_ip_addresses.len(), 3);
        let keeps: Vec<_> = shown.iter().map(|i| i.attachment.as_ref().and_then(|a| a.delete_on_termination)).collect();
        assert_eq!(keeps, [Some(false), Some(false), Some(true)]);

        let public =
            InstanceNetworkInterfaceSpecification { associate_public_ip_address: Some(true), ..new(0, &given.subnet) };
        for (what, interfaces, code) in [
            ("no index 0", vec![new(1, &given.subnet)], "InvalidParameterValue"),
            ("twice the same index", vec![new(0, &given.subnet), new(0, &given.subnet)], "InvalidParameterValue"),
            ("two zones", vec![new(0, &given.subnet), new(1, &given.elsewhere)], "InvalidParameterCombination"),
            ("a public address", vec![public, new(1, &given.subnet)], "InvalidParameterCombination"),
            ("in use", vec![existing(0, &ids[0])], "InvalidNetworkInterface.InUse"),
            ("too many", (0..4).map(|index| new(index, &given.subnet)).collect(), "AttachmentLimitExceeded"),
        ] {
            assert_eq!(given.refused(given.launch(interfaces)).await.code, code, "{what}");
        }
    });
}

#[test]
fn every_step_of_attaching_may_run_twice_and_fail() {
    break_each_step(kit, |kit| async move {
        let given = Given::of(kit).await;
        let id = given.run(vec![new(0, &given.subnet), new(1, &given.subnet)]).await;
        let interface = given.create(&given.subnet, 1).await;
        let attached = given.call(given.attach(&interface, &id, 2)).await.attachment_id.expect("an id");
        given.kit.settle().await;
        let (with, status) = (given.machine(&id).await.interfaces.len(), given.status(&interface).await);
        given.call(DetachNetworkInterfaceRequest { attachment_id: attached, ..Default::default() }).await;
        given.kit.settle().await;
        let (without, after) = (given.machine(&id).await.interfaces.len(), given.status(&interface).await);
        format!("{with} more and {status:?}, then {without} and {after:?}")
    });
}
