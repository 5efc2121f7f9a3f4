//! What an answer looks at: the instance that calls and what stands around it.

use crate::firewall::records::SecurityGroup;
use crate::instances::records::Instance;
use crate::instances::shown::Around;
use crate::interfaces::records::{NetworkInterface, address_in};
use crate::names::public_dns_name;
use crate::networks::records::{Subnet, Vpc};
use kiln_service_kit::{Cx, Error, Platform, Scope};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Who instances' roles trust.
pub const ACTS_AS: &str = "ec2.amazonaws.com";

/// The tag a group gives its instances. Nobody else may give one of this kind.
pub const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// The caller and its surroundings, as they are now.
pub struct World {
    pub scope: Scope,
    pub instance: Arc<Instance>,
    pub zone_id: Option<String>,
    pub public_ip: Option<Ipv4Addr>,
    pub public_dns: Option<String>,
    pub interfaces: Vec<Interface>,
    /// Whether it says it is of an Auto Scaling group; the group is asked when it matters.
    pub in_a_group: bool,
}

/// One of its interfaces.
pub struct Interface {
    pub record: Arc<NetworkInterface>,
    pub subnet_cidr: Option<String>,
    /// The name of its public address, where the VPC gives out names.
    pub public_dns: Option<String>,
    /// The primary block first.
    pub vpc_cidrs: Vec<String>,
    /// Id and name.
    pub groups: Vec<(String, String)>,
}

/// The instance that asks from this address of a VPC, as the metadata service sees it.
pub fn caller(platform: &Arc<Platform>, vpc: &str, ip: Ipv4Addr) -> Result<Option<String>, Error> {
    let find = || World::find(platform, vpc, ip);
    let found = platform.store().counted_sync(|| "metadata".to_owned(), find)?;
    Ok(found.map(|world| world.instance.id.to_string()))
}

impl World {
    /// Who has this address in this network; nobody when no instance has it.
    pub fn find(platform: &Arc<Platform>, vpc: &str, ip: Ipv4Addr) -> Result<Option<World>, Error> {
        let store = platform.store();
        // VPC ids are unique over all accounts and regions.
        let found = store.by_key_everywhere::<NetworkInterface>("vpc and address", &address_in(vpc, ip))?;
        let Some((scope, _, caller)) = found.first() else { return Ok(None) };
        let Some(attachment) = &caller.attachment else { return Ok(None) };
        let Some(instance) = store.get::<Instance>(scope, &attachment.instance)? else { return Ok(None) };
        let mut attached: Vec<Arc<NetworkInterface>> = vec![];
        for id in std::iter::once(&instance.interface).chain(&instance.more_interfaces) {
            attached.extend(store.get::<NetworkInterface>(scope, id)?);
        }
        attached.retain(|i| i.attachment.as_ref().is_some_and(|a| a.instance == instance.id));
        attached.sort_by_key(|i| i.attachment.as_ref().map(|a| a.device_index));
        let names = store.get::<Vpc>(scope, &instance.vpc)?.is_some_and(|vpc| vpc.gives_public_names());
        let mut interfaces = Vec::with_capacity(attached.len());
        for record in attached {
            let mut groups = vec![];
            for id in &record.groups {
                let name = store.get::<SecurityGroup>(scope, id)?.map_or_else(String::new, |group| group.name.clone());
                groups.push((id.to_string(), name));
            }
            let subnet_cidr = store.get::<Subnet>(scope, &record.subnet)?.map(|subnet| subnet.cidr.to_string());
            let blocks = store.get::<Vpc>(scope, &record.vpc)?;
            let vpc_cidrs = blocks.iter().flat_map(|vpc| &vpc.cidrs).map(|block| block.cidr.to_string()).collect();
            let public = record.public.as_ref().filter(|_| names);
            let public_dns = public.map(|public| public_dns_name(&scope.region, public.ip));
            interfaces.push(Interface { record, subnet_cidr, public_dns, vpc_cidrs, groups });
        }
        let cx = Cx::for_service(platform.clone(), scope.clone(), ACTS_AS);
        let around = Around::of(&cx, &instance)?;
        Ok(Some(World {
            zone_id: crate::zones::zone_id(&scope.region, &instance.zone),
            public_ip: around.public_ip(),
            public_dns: around.public_dns(&scope.region),
            scope: scope.clone(),
            in_a_group: instance.tags.contains_key(GROUP_TAG),
            instance,
            interfaces,
        }))
    }
}
