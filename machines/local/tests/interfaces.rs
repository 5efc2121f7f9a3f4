//! More than one interface, and more than one address.

use crate::given::*;
use kiln_machines_spec::*;

fn extra(device: u32, vpc: &str, subnet: &str, address: &str, secondary: &[&str]) -> ExtraInterface {
    ExtraInterface {
        device,
        vpc: vpc.into(),
        subnet: subnet.into(),
        ip: ip(address),
        mac: MacAddr::from_ip(ip(address)),
        secondary_ips: secondary.iter().map(|a| ip(a)).collect(),
    }
}

/// Adds further addresses to the latest interface.
fn and(mut vpc: VpcSpec, addresses: &[&str]) -> VpcSpec {
    let last = vpc.interfaces.last_mut().unwrap();
    last.secondary = addresses.iter().map(|a| SecondaryAddress { ip: ip(a), internet: false, public: None }).collect();
    vpc
}

/// What one machine sees of another's address.
async fn page(given: &Given, from: &str, address: &str) -> bool {
    let done = given.sh(from, &format!("echo 'GET / HTTP/1.0\n' | nc -w 1 {address} 80")).await;
    String::from_utf8_lossy(&done.stdout).contains("hello from a machine")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_is_plugged_in_and_out_of_a_running_machine() {
    let mut given = given().await;
    let network = given.launch(&[("i-1", "10.0.1.10", &["closed"]), ("i-2", "10.0.1.20", &["closed"])]).await;
    let network = and(with(network, "10.0.2.15", &["web"], machine("i-1")), &["10.0.2.16"]);
    given.driver.apply_network(&network).await.unwrap();
    assert!(!page(&given, "i-2", "10.0.2.15").await, "nothing is plugged in");

    let (id, second) = (MachineId::from("i-1"), extra(1, VPC, "subnet-b", "10.0.2.15", &["10.0.2.16"]));
    for _ in 0..2 {
        given.driver.set_interfaces(&id, vec![], vec![second.clone()]).await.unwrap();
    }
    assert!(page(&given, "i-2", "10.0.2.15").await, "its group lets everybody in, and answers leave by it");
    assert!(page(&given, "i-2", "10.0.2.16").await, "so with its second address");
    assert!(!page(&given, "i-2", "10.0.1.10").await, "the first interface is as closed as before");
    assert_eq!(given.driver.observe(&id).await.unwrap().spec.interfaces, vec![second.clone()]);

    // A killed kiln: the next finds the interface, and the machine goes on.
    given.replace_driver(async |driver| drop(driver)).await;
    given.driver.adopt().await.unwrap();
    assert_eq!(given.driver.leftovers().await.unwrap().links, 3);
    assert!(page(&given, "i-2", "10.0.2.15").await);
    given.driver.reboot(&id).await.unwrap();
    assert!(given.get(None, "10.0.2.16:80").await.is_ok(), "it has both after a reboot");
    assert!(page(&given, "i-2", "10.0.2.15").await);

    let fewer = ExtraInterface { secondary_ips: vec![], ..second.clone() };
    given.driver.set_interfaces(&id, vec![], vec![fewer]).await.unwrap();
    assert!(page(&given, "i-2", "10.0.2.15").await);
    assert!(!page(&given, "i-2", "10.0.2.16").await, "the address was taken away");

    given.driver.set_interfaces(&id, vec![], vec![]).await.unwrap();
    assert!(!page(&given, "i-2", "10.0.2.15").await, "it was plugged out");
    assert_eq!(given.driver.leftovers().await.unwrap().links, 2);
    given.driver.set_interfaces(&id, vec![], vec![second]).await.unwrap();
    assert!(page(&given, "i-2", "10.0.2.15").await, "and in again");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_interface_has_more_addresses_and_another_network_is_joined() {
    let given = given().await;
    let network = given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    let network = and(network, &["10.0.1.11"]);
    given.driver.apply_network(&network).await.unwrap();
    // The other network has the same blocks.
    let other = VpcSpec { id: "vpc-2".into(), ..with(vpc(), "10.0.2.10", &["web"], machine("i-1")) };
    given.driver.apply_network(&other).await.unwrap();
    let id = MachineId::from("i-1");
    let second = extra(2, "vpc-2", "subnet-b", "10.0.2.10", &[]);
    given.driver.set_interfaces(&id, vec![ip("10.0.1.11")], vec![second]).await.unwrap();
    assert!(given.get(None, "10.0.1.11:80").await.is_ok());
    let to = "10.0.2.10:80".parse().unwrap();
    let dialled = given.driver.dial(&other.id, None, to, std::time::Duration::from_secs(2)).await;
    dialled.unwrap_or_else(|e| panic!("{}", e.chain()));
    assert!(given.driver.remove_network(&other.id).await.is_err(), "a machine is plugged into it");
    // At rest it is only written down; a start plugs in what is wanted then.
    given.driver.stop(&id, std::time::Duration::ZERO).await.unwrap();
    given.driver.set_interfaces(&id, vec![], vec![]).await.unwrap();
    given.driver.start(&id).await.unwrap();
    assert!(given.get(None, "10.0.1.10:80").await.is_ok());
    assert!(given.get(None, "10.0.1.11:80").await.is_err());
    assert_eq!(given.driver.leftovers().await.unwrap().links, 1);
    let wrong = extra(1, VPC, "subnet-b", "10.9.9.9", &[]);
    let refused = given.driver.set_interfaces(&id, vec![], vec![wrong]).await;
    assert!(matches!(refused, Err(DriverError::Invalid(_))), "{refused:?}");
    given.ends().await;
}

/// Killed between the first cable and the note that all is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_kiln_began_to_plug_in_is_not_forgotten() {
    let mut given = given().await;
    let network = given.launch(&[("i-1", "10.0.1.10", &["web"])]).await;
    given.driver.apply_network(&with(network, "10.0.2.15", &["web"], machine("i-1"))).await.unwrap();
    let id = MachineId::from("i-1");
    let second = extra(1, VPC, "subnet-b", "10.0.2.15", &[]);
    given.driver.set_interfaces(&id, vec![], vec![second.clone()]).await.unwrap();
    let record = given.state().join("machines/i-1/machine.json");
    given
        .replace_driver(async |driver| {
            drop(driver);
            let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
            let begun = text["spec"]["interfaces"].take();
            text["spec"]["interfaces"] = serde_json::json!([]);
            text["unfinished"] = serde_json::json!([{"secondary_ips": [], "interfaces": begun}]);
            std::fs::write(&record, text.to_string()).unwrap();
        })
        .await;
    given.driver.adopt().await.unwrap();
    assert_eq!(given.driver.observe(&id).await.unwrap().spec.interfaces, vec![], "it was not done");
    // It is wanted no longer: the cable that was plugged in goes.
    given.driver.set_interfaces(&id, vec![], vec![]).await.unwrap();
    assert_eq!(given.driver.leftovers().await.unwrap().links, 1);
    assert!(given.get(None, "10.0.2.15:80").await.is_err());
    given.driver.set_interfaces(&id, vec![], vec![second]).await.unwrap();
    // The kernel asks for a neighbour that did not answer once a second: the first try may be too early.
    let early = given.get(None, "10.0.2.15:80").await;
    assert!(early.is_ok() || given.get(None, "10.0.2.15:80").await.is_ok(), "{early:?}");
    given.ends().await;
}
