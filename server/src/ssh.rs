//! What `kiln ssh` asks: where an instance's sshd is reached from this host, or what stands in the
//! way. It looks at what AWS would let in and then at what really answers.

use crate::control::Control;
use kiln_ec2_shapes::{DescribeInstancesRequest, Instance};
use kiln_machines_spec::{MachineId, MachineStatus};
use kiln_service_kit::{Cx, Scope};
use serde_json::{Value as Json, json};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const PORT: u16 = 22;
/// sshd greets first; one that has just been started is given this long.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

/// The address of its sshd and a note for who logs in, or what stands in the way.
pub async fn place(control: &Control, instance: &str) -> Result<Json, String> {
    let id = MachineId::new(instance);
    let machine = control.driver.observe(&id).await.map_err(|e| e.chain())?;
    let shown = described(control, &machine, instance).await?;
    let state = shown.state.and_then(|state| state.name).unwrap_or_default();
    if state != "running" {
        return Err(format!("{instance} is {state}"));
    }
    let public: Option<Ipv4Addr> = shown.public_ip_address.as_deref().and_then(|ip| ip.parse().ok());
    let Some(public) = public else {
        return Err(format!(
            "{instance} has no public address: launch it in a subnet that gives one, or associate an Elastic IP \
             (aws ec2 allocate-address; aws ec2 associate-address). `kiln shell {instance}` needs none"
        ));
    };
    let networks = control.driver.networks().await.map_err(|e| e.chain())?;
    let interfaces = networks.iter().filter(|network| network.id == machine.spec.vpc).flat_map(|n| &n.interfaces);
    let led_to = interfaces.flat_map(|interface| interface.public_addresses()).any(|(ip, _)| ip == public);
    if !led_to {
        let subnet = shown.subnet_id.unwrap_or_default();
        return Err(format!(
            "no internet gateway leads to {instance}: the route table of {subnet} has no route to one"
        ));
    }
    let groups: Vec<String> = shown.security_groups.into_iter().filter_map(|group| group.group_id).collect();
    greeting(instance, public, &groups).await?;
    let note = match shown.key_name {
        Some(_) => None,
        None => Some(format!(
            "{instance} was launched without a key pair: only keys from its user data or image let you in"
        )),
    };
    Ok(json!({"address": public.to_string(), "user": "admin", "note": note}))
}

async fn described(control: &Control, machine: &MachineStatus, instance: &str) -> Result<Instance, String> {
    let label = |name: &str| machine.spec.labels.get(name).cloned().ok_or_else(|| format!("{instance} has no {name}"));
    let scope = Scope::new(label("account")?, label("region")?);
    let cx = Cx::for_service(control.platform.clone(), scope, "ec2.amazonaws.com");
    let asked = DescribeInstancesRequest { instance_ids: vec![instance.to_owned()], ..Default::default() };
    let found = cx.call(asked).await.map_err(|e| e.chain())?;
    let all = found.reservations.into_iter().flat_map(|reservation| reservation.instances);
    all.into_iter().next().ok_or_else(|| format!("EC2 does not know {instance}"))
}

/// Waits until sshd says who it is.
async fn greeting(instance: &str, at: Ipv4Addr, groups: &[String]) -> Result<(), String> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let tried = tokio::time::timeout_at(end, hear(at)).await;
        let refusal = match tried {
            Ok(Ok(heard)) if heard.starts_with(b"SSH-") => return Ok(()),
            Ok(Ok(heard)) if !heard.is_empty() => {
                return Err(format!("what answers on port {PORT} of {instance} is no sshd"));
            }
            // Nobody steers such connections to the machine: its groups are closed to the host.
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                let group = groups.first().map_or("GROUP", String::as_str);
                return Err(format!(
                    "the security groups of {instance} ({}) do not let this host in to port {PORT}: aws ec2 \
                     authorize-security-group-ingress --group-id {group} --protocol tcp --port {PORT} --cidr 127.0.0.1/32",
                    groups.join(", ")
                ));
            }
            Err(_) => format!("{instance} does not answer on port {PORT}"),
            _ => format!("nothing listens on port {PORT} of {instance}: its image may have no sshd"),
        };
        if tokio::time::Instant::now() + PAUSE >= end {
            return Err(refusal);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(at: Ipv4Addr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((at, PORT)).await?;
    let mut greeting = vec![0; 4];
    let mut heard = 0;
    while heard < greeting.len() {
        match stream.read(&mut greeting[heard..]).await? {
            0 => break,
            more => heard += more,
        }
    }
    greeting.truncate(heard);
    Ok(greeting)
}
