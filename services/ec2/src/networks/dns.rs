//! The DNS of a VPC, at the second address of its first block and at 169.254.169.253.
//!
//! It answers private names of instances (A), public names of addresses of the VPC (with the
//! private address, as on AWS) and names of load balancers whose interfaces are in the VPC. With
//! `EnableDnsSupport` off everything is REFUSED. Everything else goes to the host's resolver, byte for byte, when the subnet of the
//! machine that asks leads to the internet; else the answer is REFUSED. Only the question of a
//! message is read here; RFC 1035 says how. A DNS library was turned down: this is all of it.

use crate::instances::records::Instance;
use crate::interfaces::records::{NetworkInterface, address_in};
use crate::names::{private_domain, public_domain};
use crate::networks::records::Vpc;
use kiln_doors::{DNS, Door};
use kiln_elbv2_shapes::{DescribeLoadBalancersRequest, LoadBalancer, names as balancer_names};
use kiln_machines_spec::{MachineDriver, VpcId};
use kiln_service_kit::{Cx, Error};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Whose the interfaces of load balancers are.
const BALANCERS: &str = "elasticloadbalancing.amazonaws.com";
const A: u16 = 1;
const INTERNET: u16 = 1;
/// A host may get another address with the same name soon after.
const TTL: u32 = 60;
/// The longest message over UDP that is taken (with EDNS).
const LARGEST: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(4);

/// Response codes.
const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;
const REFUSED: u8 = 5;

/// Serves a VPC's DNS over UDP and TCP until dropped. `cx` is the VPC's scope.
pub async fn serve(cx: Cx, vpc: String, udp: Vec<UdpSocket>, tcp: Vec<TcpListener>) {
    // Questions over it are dropped, and asked again.
    let door = Arc::new(Door::new(&DNS, &vpc));
    let datagrams = udp.into_iter().map(|socket| over_udp(cx.clone(), vpc.clone(), socket, door.clone()));
    let streams = tcp.into_iter().map(|listener| over_tcp(cx.clone(), vpc.clone(), listener, door.clone()));
    let (datagrams, streams) = (futures_util::future::join_all(datagrams), futures_util::future::join_all(streams));
    tokio::join!(datagrams, streams);
}

async fn over_udp(cx: Cx, vpc: String, socket: UdpSocket, door: Arc<Door>) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%vpc, %error, "a DNS question was not taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(ticket) = door.admit(from.ip()) else { continue };
        let (cx, vpc, socket, message) = (cx.clone(), vpc.clone(), socket.clone(), buffer[..length].to_vec());
        tokio::spawn(async move {
            if let Some(answer) = answer(&cx, &vpc, from.ip(), &message, false).await {
                // The one who asked may be gone.
                let _ = socket.send_to(&answer, from).await;
            }
            drop(ticket);
        });
    }
}

async fn over_tcp(cx: Cx, vpc: String, listener: TcpListener, door: Arc<Door>) {
    loop {
        let (mut stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%vpc, %error, "a DNS connection was not taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(ticket) = door.admit(from.ip()) else { continue };
        let (cx, vpc) = (cx.clone(), vpc.clone());
        tokio::spawn(async move {
            let one = async {
                let message = read_framed(&mut stream).await?;
                if let Some(answer) = answer(&cx, &vpc, from.ip(), &message, true).await {
                    write_framed(&mut stream, &answer).await?;
                }
                Ok::<_, std::io::Error>(())
            };
            // A client that goes away or says nothing is not an event.
            let _ = tokio::time::timeout(PATIENCE * 2, one).await;
            drop(ticket);
        });
    }
}

async fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
    let framed = [&length.to_be_bytes()[..], message].concat();
    stream.write_all(&framed).await
}

/// A message's one question.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    /// Lower case, without the last dot.
    name: String,
    kind: u16,
    class: u16,
    /// Where the question ends in the message.
    end: usize,
}

/// Reads a query with one question. `None`: it is none, or malformed.
fn question(message: &[u8]) -> Option<Question> {
    let (flags, count) = (*message.get(2)?, message.get(4..6)?);
    let is_query = flags & 0xf8 == 0;
    if !is_query || count != [0, 1] {
        return None;
    }
    let (mut at, mut labels, mut length) = (12, vec![], 0);
    loop {
        let size = usize::from(*message.get(at)?);
        at += 1;
        if size == 0 {
            break;
        }
        // A question comes first, so there is nothing before it that a pointer could mean.
        if size > 63 {
            return None;
        }
        let label = std::str::from_utf8(message.get(at..at + size)?).ok()?;
        length += size + 1;
        if length > 255 {
            return None;
        }
        labels.push(label.to_ascii_lowercase());
        at += size;
    }
    let rest = message.get(at..at + 4)?;
    let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    Some(Question { name: labels.join("."), kind: number(0), class: number(2), end: at + 4 })
}

/// The reply to a question: its code and addresses.
fn reply(message: &[u8], question: &Question, code: u8, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let count = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(question.end + addresses.len() * 16);
    out.extend(&message[..2]);
    // A reply, with authority, recursion as was asked for and to be had.
    out.extend([0x84 | (message[2] & 0x01), 0x80 | code]);
    out.extend([0, 1]);
    out.extend(count.to_be_bytes());
    out.extend([0; 4]);
    out.extend(&message[12..question.end]);
    for address in addresses.iter().take(usize::from(count)) {
        // The name is the question's, at byte 12.
        out.extend([0xc0, 12]);
        out.extend(A.to_be_bytes());
        out.extend(INTERNET.to_be_bytes());
        out.extend(TTL.to_be_bytes());
        out.extend(4u16.to_be_bytes());
        out.extend(address.octets());
    }
    out
}

/// A reply without a question, for a message that cannot be read.
fn malformed(message: &[u8]) -> Option<Vec<u8>> {
    let is_reply = message.get(2)? & 0x80 != 0;
    (message.len() >= 12 && !is_reply).then(|| [&message[..2], &[0x80, FORMAT_ERROR, 0, 0, 0, 0, 0, 0, 0, 0]].concat())
}

async fn answer(cx: &Cx, vpc: &str, from: IpAddr, message: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let Some(question) = question(message) else { return malformed(message) };
    match cx.store().get::<Vpc>(cx.scope(), vpc) {
        Ok(Some(vpc)) if vpc.enable_dns_support => {}
        Ok(_) => return Some(reply(message, &question, REFUSED, &[])),
        Err(error) => return failed(message, &question, &Error::from(error)),
    }
    match own_name(cx, vpc, &question).await {
        Ok(Some(addresses)) => {
            let code = if addresses.is_empty() { NO_SUCH_NAME } else { NO_ERROR };
            let addresses = if question.kind == A { addresses } else { vec![] };
            Some(reply(message, &question, code, &addresses))
        }
        Ok(None) => match leads_out(cx, vpc, from).await {
            Ok(true) => match forward(message, tcp).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    tracing::debug!(%error, name = question.name, "the host's resolver did not answer");
                    Some(reply(message, &question, SERVER_FAILURE, &[]))
                }
            },
            Ok(false) => Some(reply(message, &question, REFUSED, &[])),
            Err(error) => failed(message, &question, &error),
        },
        Err(error) => failed(message, &question, &error),
    }
}

fn failed(message: &[u8], question: &Question, error: &Error) -> Option<Vec<u8>> {
    tracing::warn!(error = error.chain(), name = question.name, "a name could not be looked up");
    Some(reply(message, question, SERVER_FAILURE, &[]))
}

/// The addresses of a name that this VPC answers for, none for one that does not exist; `None` for
/// a name of somebody else.
async fn own_name(cx: &Cx, vpc: &str, question: &Question) -> Result<Option<Vec<Ipv4Addr>>, Error> {
    if question.class != INTERNET {
        return Ok(None);
    }
    let of_vpc = |interface: &NetworkInterface| *interface.vpc == *vpc;
    if let Some(host) = question.name.strip_suffix(&private_domain(cx.region())).and_then(|h| h.strip_suffix('.')) {
        if let Some(wanted) = host.strip_prefix("ip-").and_then(|text| text.replace('-', ".").parse::<Ipv4Addr>().ok())
        {
            let has = cx.store().by_key::<NetworkInterface>(cx.scope(), "vpc and address", &address_in(vpc, wanted))?;
            let found = has.iter().map(|_| wanted);
            return Ok(Some(found.take(1).collect()));
        }
        let instance = cx.store().get::<Instance>(cx.scope(), host)?;
        let named = |i: &Instance| {
            !i.is_terminated()
                && *i.vpc == *vpc
                && (i.options.resource_name_dns_a || i.options.hostname_type == "resource-name")
        };
        return Ok(Some(instance.filter(|i| named(i)).map(|i| i.ip).into_iter().collect()));
    }
    if let Some(ip) = public_address(cx.region(), &question.name) {
        return holder(cx, vpc, ip);
    }
    if balancer_names::is_name(&question.name) {
        return balancer(cx, &balancer_names::at_host(&question.name), of_vpc).await.map(Some);
    }
    Ok(None)
}

/// The address that a public name of the region stands for.
fn public_address(region: &str, name: &str) -> Option<Ipv4Addr> {
    let host = name.strip_suffix(&public_domain(region))?.strip_suffix('.')?;
    host.strip_prefix("ec2-")?.replace('-', ".").parse().ok()
}

/// What a public name means to a machine in `vpc`: the holder's private address if it is a
/// neighbour, else nothing, as the public one is the host's to reach (a machine that was told a
/// loopback address would speak to itself); `None` if nobody here holds it.
fn holder(cx: &Cx, vpc: &str, ip: Ipv4Addr) -> Result<Option<Vec<Ipv4Addr>>, Error> {
    let key = "addresses.association.public-ip";
    let all = cx.store().by_key::<NetworkInterface>(cx.scope(), key, &ip.to_string())?;
    let private = |i: &NetworkInterface| {
        i.addresses().find(|(_, public)| public.is_some_and(|public| public.ip == ip)).map(|(ip, _)| ip)
    };
    let holder = all.into_iter().find_map(|(_, i)| private(&i).map(|ip| (i, ip)));
    let Some((holder, private)) = holder else { return Ok(None) };
    let named = cx.store().get::<Vpc>(cx.scope(), &holder.vpc)?.is_some_and(|vpc| vpc.gives_public_names());
    Ok(named.then(|| if *holder.vpc == *vpc { vec![private] } else { vec![] }))
}

/// The addresses in this VPC of the load balancer with that name, as the host has it ([`balancer_names`]).
async fn balancer(cx: &Cx, name: &str, of_vpc: impl Fn(&NetworkInterface) -> bool) -> Result<Vec<Ipv4Addr>, Error> {
    let named = |lb: &LoadBalancer| lb.dns_name.as_deref().is_some_and(|its| balancer_names::at_host(its) == name);
    let service = cx.as_service("ec2.amazonaws.com");
    let find = async |names: Vec<String>| match service
        .call(DescribeLoadBalancersRequest { names, ..Default::default() })
        .await
    {
        Err(error) if error.is("LoadBalancerNotFound") => Ok(None),
        found => found.map(|found| found.load_balancers.into_iter().find(named)),
    };
    // `NAME-NUMBER.…`, in lower case: most are found by their name, those with capitals among all.
    let first = name.split('.').next().unwrap_or_default();
    let first = first.strip_prefix("internal-").unwrap_or(first);
    let mut found = None;
    if let Some((name, _)) = first.rsplit_once('-') {
        found = find(vec![name.to_owned()]).await?;
    }
    if found.is_none() {
        found = find(vec![]).await?;
    }
    let Some(found) = found else { return Ok(vec![]) };
    let arn = found.load_balancer_arn.unwrap_or_default();
    let Some((_, full_name)) = arn.split_once(":loadbalancer/") else { return Ok(vec![]) };
    let description = format!("ELB {full_name}");
    // Its interfaces are those that the load balancers' service made; anybody may describe one so.
    let own = |i: &NetworkInterface| i.managed_by.as_deref() == Some(BALANCERS) && i.description == description;
    let interfaces = cx.store().by_key::<NetworkInterface>(cx.scope(), "description", &description)?;
    Ok(interfaces.iter().filter(|(_, i)| of_vpc(i) && own(i)).map(|(_, i)| i.ip).collect())
}

/// Whether the subnet of the machine that asks leads to the internet, as the host has it now.
async fn leads_out(cx: &Cx, vpc: &str, from: IpAddr) -> Result<bool, Error> {
    let IpAddr::V4(from) = from else { return Ok(false) };
    let asking = cx.store().by_key::<NetworkInterface>(cx.scope(), "vpc and address", &address_in(vpc, from))?;
    let Some((_, interface)) = asking.into_iter().next() else { return Ok(false) };
    let driver = cx.part::<Arc<dyn MachineDriver>>()?;
    let networks = driver.networks().await.map_err(|e| Error::failed("look at the host's networks", e))?;
    let network = networks.into_iter().find(|network| network.id == VpcId::new(vpc));
    Ok(network.is_some_and(|n| n.subnets.iter().any(|s| s.id.as_str() == interface.subnet.as_str() && s.internet)))
}

/// Asks the host's first resolver.
async fn forward(message: &[u8], tcp: bool) -> std::io::Result<Vec<u8>> {
    let resolver = SocketAddr::new(host_resolver().await?, 53);
    let ask = async {
        if tcp {
            let mut stream = TcpStream::connect(resolver).await?;
            write_framed(&mut stream, message).await?;
            return read_framed(&mut stream).await;
        }
        let local: IpAddr =
            if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(resolver).await?;
        socket.send(message).await?;
        let mut buffer = vec![0; LARGEST];
        loop {
            let length = socket.recv(&mut buffer).await?;
            // Only the answer to this question.
            if buffer[..length].get(..2) == message.get(..2) {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}

async fn host_resolver() -> std::io::Result<IpAddr> {
    let text = tokio::fs::read_to_string("/etc/resolv.conf").await?;
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let first = servers.filter_map(|rest| rest.trim().parse().ok()).next();
    first.ok_or_else(|| std::io::Error::other("the host's /etc/resolv.conf names no server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend(label.as_bytes());
        }
        message.push(0);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message
    }

    #[test]
    fn a_question_is_read_and_answered() {
        let message = query("Ip-10-0-0-5.EC2.internal", A);
        let question = question(&message).expect("a question");
        assert_eq!(
            (question.name.as_str(), question.kind, question.end),
            ("ip-10-0-0-5.ec2.internal", A, message.len())
        );
        let answer = reply(&message, &question, NO_ERROR, &[Ipv4Addr::new(10, 0, 0, 5)]);
        assert_eq!(answer[..12], [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[message.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 5]);
    }

    /// The code and the addresses that a machine of the VPC gets for a name.
    async fn asked(cx: &Cx, vpc: &str, name: &str) -> (u8, Vec<Ipv4Addr>) {
        let message = query(name, A);
        let from = IpAddr::from([172, 31, 0, 9]);
        let answer = answer(cx, vpc, from, &message, false).await.expect("an answer");
        let records = answer[message.len()..].chunks(16);
        let address = |record: &[u8]| Ipv4Addr::new(record[12], record[13], record[14], record[15]);
        (answer[3] & 0x0f, records.map(address).collect())
    }

    #[tokio::test]
    async fn public_names_lead_to_neighbours_and_support_can_be_switched_off() {
        use kiln_ec2_shapes::*;
        let w = crate::tests::World::new();
        let home = w.call(DescribeVpcsRequest::default()).await.vpcs.remove(0).vpc_id.expect("an id");
        let other = w.vpc("10.0.0.0/16").await;
        let subnet = w.call(DescribeSubnetsRequest::default()).await.subnets.remove(0).subnet_id.expect("an id");
        let made = CreateNetworkInterfaceRequest { subnet_id: subnet, ..Default::default() };
        let made = w.call(made).await.network_interface.expect("an interface");
        let private: Ipv4Addr = made.private_ip_address.expect("an address").parse().expect("IPv4");
        let address = w.call(AllocateAddressRequest::default()).await;
        let public: Ipv4Addr = address.public_ip.expect("an address").parse().expect("IPv4");
        let give = AssociateAddressRequest {
            allocation_id: address.allocation_id,
            network_interface_id: made.network_interface_id,
            ..Default::default()
        };
        w.call(give).await;
        let name = crate::names::public_dns_name("us-east-1", public);
        assert_eq!(name, format!("ec2-{}.compute-1.amazonaws.com", public.to_string().replace('.', "-")));
        assert_eq!(asked(&w.cx, &home, &name).await, (NO_ERROR, vec![private]));
        assert_eq!(asked(&w.cx, &other, &name).await, (NO_SUCH_NAME, vec![]));
        let shown = w.call(DescribeNetworkInterfacesRequest::default()).await.network_interfaces.remove(0);
        assert_eq!(shown.association.and_then(|a| a.public_dns_name), Some(name.clone()));

        let off = |vpc_id: &str| ModifyVpcAttributeRequest {
            vpc_id: vpc_id.to_owned(),
            enable_dns_support: Some(AttributeBooleanValue { value: Some(false) }),
            ..Default::default()
        };
        w.call(off(&home)).await;
        assert_eq!(asked(&w.cx, &home, &name).await, (REFUSED, vec![]));
        let private_name = format!("{}.ec2.internal", crate::names::ip_host(private));
        assert_eq!(asked(&w.cx, &home, &private_name).await, (REFUSED, vec![]));
        let shown = w.call(DescribeNetworkInterfacesRequest::default()).await.network_interfaces.remove(0);
        assert_eq!(shown.association.and_then(|a| a.public_dns_name).as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_question_is_refused_without_harm() {
        let good = query("a.b", A);
        for length in 0..good.len() {
            assert_eq!(question(&good[..length]), None, "{length} bytes");
        }
        let mut pointer = good.clone();
        pointer[12] = 0xc0;
        assert_eq!(question(&pointer), None);
        let mut reply = good;
        reply[2] |= 0x80;
        assert_eq!((question(&reply), malformed(&reply)), (None, None));
        assert_eq!(malformed(&[]), None);
    }
}
