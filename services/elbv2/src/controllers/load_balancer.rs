//! `elbv2/load-balancer`: one per load balancer. Its interfaces exist, the balancer is what the
//! records say, ports are open; only then is it `active`. A deleted one is taken down.
//!
//! ```text
//! no interface in a zone -> make it -> (network carries it) -> apply -> active
//! deleted -> take down -> remove interfaces -> forget
//! ```

use super::Health;
use crate::config::{Parts, named_groups};
use crate::data_plane::DataPlane;
use crate::network::{self, Interface};
use crate::records::{Listener, LoadBalancer, Rule, Standing, State, TargetGroup};
use crate::{PRINCIPAL, arns};
use kiln_balancer::{ApplyError, LoadBalancerConfig};
use kiln_ec2_shapes::kinds::{NETWORK_INTERFACE, NETWORK_STATUS, SECURITY_GROUP};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

/// How soon to look again whether the VPC's network carries the interfaces, if no change of the
/// store told before.
const NETWORK_LOOK: Duration = Duration::from_millis(250);

/// See the module's head.
pub struct LoadBalancers;

/// What was found.
#[derive(Debug)]
pub enum Seen {
    /// Deleted; this is what is left of it.
    Deleted { held: bool, interfaces: Vec<Interface> },
    /// Wanted.
    Wanted(Box<Wanted>),
}

#[derive(Debug)]
pub struct Wanted {
    pub parts: Parts,
    pub standing: Option<Standing>,
    /// What the balancer was last told.
    pub applied: Option<LoadBalancerConfig>,
    /// The addresses it has open on the host.
    pub listening: Vec<SocketAddr>,
    /// The addresses it has open inside the VPC.
    pub inside: Vec<SocketAddrV4>,
    /// Addresses that the VPC's network has given to Kiln itself; `None`: there are no networks.
    pub carried: Option<Vec<IpAddr>>,
}

/// What is done.
pub enum Step {
    MakeInterface { subnet: String },
    SetInterfaceGroups { interface: String, groups: Vec<String> },
    RemoveInterface { interface: String },
    Apply(Box<LoadBalancerConfig>),
    OpenInside(SocketAddrV4),
    CloseInside(SocketAddrV4),
    SetStanding(Standing),
    TakeDown,
    Forget,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::MakeInterface { subnet } => write!(f, "make a network interface in {subnet}"),
            Step::SetInterfaceGroups { interface, groups } => {
                write!(f, "give {interface} the security groups {}", groups.join(", "))
            }
            Step::RemoveInterface { interface } => write!(f, "remove {interface}"),
            Step::Apply(config) => {
                let targets: usize = config.target_groups.iter().map(|g| g.targets.len()).sum();
                let (listeners, groups) = (config.listeners.len(), config.target_groups.len());
                write!(f, "serve {listeners} listeners, {groups} target groups, {targets} targets")
            }
            Step::OpenInside(at) => write!(f, "listen inside the VPC at {at}"),
            Step::CloseInside(at) => write!(f, "stop listening inside the VPC at {at}"),
            Step::SetStanding(standing) => write!(f, "say that it is {}", standing.state.as_str()),
            Step::TakeDown => f.write_str("take it down"),
            Step::Forget => f.write_str("forget it"),
        }
    }
}

/// What its interfaces are called, as AWS calls them.
fn description(arn: &str) -> String {
    format!("ELB {}", arns::full_name(arn))
}

#[async_trait]
impl Controller for LoadBalancers {
    const NAME: &'static str = "elbv2/load-balancer";
    const ABOUT: &'static str = "one load balancer: its interfaces, listeners and rules in the data plane";
    const STEPS: &'static [&'static str] = &[
        "forget it",
        "give",
        "listen inside",
        "make a network interface",
        "remove",
        "say that it is",
        "serve",
        "stop listening inside",
        "take it down",
    ];
    const ACTS_AS: &'static str = PRINCIPAL;
    const WATCHES: &'static [RecordKind] = &[
        LoadBalancer::KIND,
        Standing::KIND,
        Listener::KIND,
        Rule::KIND,
        TargetGroup::KIND,
        SECURITY_GROUP,
        NETWORK_STATUS,
        NETWORK_INTERFACE,
    ];
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let scope = &change.scope;
        // Who misses one here is woken by the round of each minute.
        let standings = |key: &'static str, value: &str| -> Result<Vec<Name>, Error> {
            let all = store.by_key::<Standing>(scope, key, value)?.into_iter();
            Ok(all.map(|(arn, _)| Name::new(scope, arn)).collect())
        };
        match &*change.kind {
            Listener::KIND | Rule::KIND => {
                Ok(arns::load_balancer_of(&change.id).map(|arn| Name::new(scope, arn)).into_iter().collect())
            }
            TargetGroup::KIND => Ok(users(store, change)?.into_iter().map(|arn| Name::new(scope, arn)).collect()),
            SECURITY_GROUP => {
                let all = store.by_key::<LoadBalancer>(scope, "security-group", &change.id)?;
                Ok(all.into_iter().map(|(arn, _)| Name::new(scope, arn)).collect())
            }
            // The network of a VPC was applied: who waits for it goes on.
            NETWORK_STATUS => standings("state", State::Provisioning.as_str()),
            NETWORK_INTERFACE => {
                let mut names = standings("interface", &change.id)?;
                for state in [State::Provisioning, State::ActiveImpaired] {
                    names.extend(standings("state", state.as_str())?);
                }
                names.sort();
                names.dedup();
                Ok(names)
            }
            _ => Ok(vec![Name::new(scope, change.id.clone())]),
        }
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let (wanted, left) = (store.ids_everywhere::<LoadBalancer>(), store.ids_everywhere::<Standing>());
        let all: BTreeSet<_> = wanted.into_iter().chain(left).collect();
        Ok(all.into_iter().map(|(scope, arn)| Name::new(&scope, arn)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let (store, scope, arn) = (cx.store(), cx.scope(), &*name.id);
        let plane: Arc<DataPlane> = cx.part()?;
        let load_balancer = store.get::<LoadBalancer>(scope, arn)?;
        let standing = store.get::<Standing>(scope, arn)?;
        if load_balancer.is_none() && standing.is_none() {
            return Ok(None);
        }
        let interfaces = network::interfaces(cx, &description(arn)).await?;
        let applied = plane.balancer().config(arn);
        let Some(load_balancer) = load_balancer else {
            return Ok(Some(Seen::Deleted { held: applied.is_some(), interfaces }));
        };
        // What is not listed is taken down: one that does not read holds up its load balancer's pass.
        let listeners = store.whole().list_prefix::<Listener>(scope, &arns::listeners_prefix(arn))?;
        let listeners: Vec<Arc<Listener>> = listeners.into_iter().map(|(_, listener)| listener).collect();
        let rules = store.whole().list_prefix::<Rule>(scope, &arns::all_rules_prefix(arn))?;
        let rules: Vec<Arc<Rule>> = rules.into_iter().map(|(_, rule)| rule).collect();
        let groups = named_groups(&listeners, &rules).into_iter().map(|group| store.get::<TargetGroup>(scope, group));
        let target_groups = groups.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let all = plane.balancer().load_balancers();
        Ok(Some(Seen::Wanted(Box::new(Wanted {
            standing: standing.map(|s| (*s).clone()),
            applied,
            listening: all.into_iter().find(|(id, _)| id == arn).map(|(_, at)| at).unwrap_or_default(),
            inside: plane.inside(arn),
            carried: plane.router_addresses(&load_balancer.vpc).await?,
            parts: Parts {
                security_groups: network::groups(cx, &load_balancer.security_groups).await?,
                load_balancer,
                listeners,
                rules,
                target_groups,
                interfaces,
            },
        }))))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        match seen {
            Seen::Deleted { held, interfaces } => deleted(*held, interfaces),
            Seen::Wanted(wanted) => wanted.plan(now),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let arn = &*name.id;
        let plane: Arc<DataPlane> = cx.part()?;
        match step {
            Step::MakeInterface { subnet } => {
                let lb = cx.store().get::<LoadBalancer>(cx.scope(), arn)?;
                // Deleted meanwhile: the next pass sees it.
                let Some(lb) = lb else { return Ok(()) };
                // Looked at again, not by client token: a zone that is enabled a second time needs a
                // second interface, and one name is never passed twice at the same time.
                let have = network::interfaces(cx, &description(arn)).await?;
                if have.iter().any(|i| i.subnet == *subnet) {
                    return Ok(());
                }
                network::make_interface(cx, &description(arn), subnet, &lb.security_groups).await
            }
            Step::SetInterfaceGroups { interface, groups } => {
                network::set_interface_groups(cx, interface, groups).await
            }
            Step::RemoveInterface { interface } => network::delete_interface(cx, interface).await,
            Step::Apply(config) => {
                let before = plane.balancer().config(arn);
                let outcome = plane.balancer().apply((**config).clone());
                // Groups that came or went: their targets' health is another now.
                let groups = before.iter().chain([&**config]).flat_map(|c| c.target_groups.iter().map(|g| &g.id));
                for group in groups.collect::<BTreeSet<_>>() {
                    cx.platform().wake(Health::NAME, Name::new(cx.scope(), group.as_str()));
                }
                outcome.map_err(apply_error)
            }
            Step::OpenInside(at) => {
                let vpc = cx.store().get::<LoadBalancer>(cx.scope(), arn)?.map(|lb| lb.vpc.clone());
                match vpc {
                    Some(vpc) => plane.open_inside(arn, &vpc, *at).await,
                    None => Ok(()),
                }
            }
            Step::CloseInside(at) => {
                plane.close_inside(arn, *at);
                Ok(())
            }
            Step::SetStanding(standing) => {
                let write = |tx: &mut kiln_service_kit::Tx<'_>| tx.put_if_changed(cx.scope(), arn, standing.clone());
                cx.store().write(write).await.map(|_| ()).map_err(Error::from)
            }
            Step::TakeDown => {
                let before = plane.balancer().config(arn);
                plane.remove(arn);
                for group in before.iter().flat_map(|c| &c.target_groups) {
                    cx.platform().wake(Health::NAME, Name::new(cx.scope(), group.id.as_str()));
                }
                Ok(())
            }
            Step::Forget => {
                let forget = |tx: &mut kiln_service_kit::Tx<'_>| {
                    tx.delete::<Standing>(cx.scope(), arn);
                    Ok::<_, Error>(())
                };
                cx.store().write(forget).await
            }
        }
    }
}

/// The load balancers whose listeners or rules name a target group.
fn users(store: &Store, change: &Change) -> Result<BTreeSet<String>, Error> {
    let (scope, group) = (&change.scope, &*change.id);
    let listeners = store.by_key::<Listener>(scope, "target-group", group)?.into_iter().map(|(arn, _)| arn);
    let rules = store.by_key::<Rule>(scope, "target-group", group)?.into_iter().map(|(arn, _)| arn);
    Ok(listeners.chain(rules).filter_map(|arn| arns::load_balancer_of(&arn)).collect())
}

fn deleted(held: bool, interfaces: &[Interface]) -> Plan<Step> {
    let mut steps = vec![];
    if held {
        steps.push(Step::TakeDown);
    }
    steps.extend(interfaces.iter().map(|i| Step::RemoveInterface { interface: i.id.clone() }));
    steps.push(Step::Forget);
    let sees = format!("deleted; {} interfaces left", interfaces.len());
    Plan::new(steps, Report { sees, wants: "nothing of it left".into(), ..Report::default() })
}

impl Wanted {
    fn plan(&self, now: Timestamp) -> Plan<Step> {
        let lb = &self.parts.load_balancer;
        let config = self.parts.config();
        let interfaces = &self.parts.interfaces;
        let in_use = |i: &&Interface| lb.zones.iter().any(|z| z.subnet == i.subnet);
        let used: Vec<&Interface> = interfaces.iter().filter(in_use).collect();
        let mut report = Report {
            sees: self.sees(&used),
            wants: format!("{} listeners on {} and in {} zones", config.listeners.len(), lb.address, lb.zones.len()),
            ..Report::default()
        };
        let lacks = lb.zones.iter().filter(|z| !used.iter().any(|i| i.subnet == z.subnet));
        let mut steps: Vec<Step> = lacks.map(|z| Step::MakeInterface { subnet: z.subnet.clone() }).collect();
        let same_groups = |i: &Interface| {
            i.groups.iter().collect::<BTreeSet<_>>() == lb.security_groups.iter().collect::<BTreeSet<_>>()
        };
        steps.extend(
            used.iter()
                .filter(|i| !same_groups(i))
                .map(|i| Step::SetInterfaceGroups { interface: i.id.clone(), groups: lb.security_groups.clone() }),
        );
        if !steps.is_empty() {
            return Plan::new(steps, report);
        }
        let carried = |i: &Interface| self.carried.as_ref().is_none_or(|all| all.contains(&IpAddr::V4(i.ip)));
        let waiting: Vec<&str> = used.iter().filter(|i| !carried(i)).map(|i| i.id.as_str()).collect();
        if !waiting.is_empty() {
            report.waiting_for = Some(Waiting {
                what: format!("the network of {} to carry {}", lb.vpc, waiting.join(", ")),
                until: Some(now + NETWORK_LOOK),
            });
            if self.applied.is_none() {
                return Plan::new(vec![], report);
            }
        }
        let closed: Vec<String> = config
            .listeners
            .iter()
            .map(|l| SocketAddr::new(IpAddr::V4(lb.address), l.port))
            .filter(|at| !self.listening.contains(at))
            .map(|at| at.to_string())
            .collect();
        let as_wanted = self.applied.as_ref() == Some(&config);
        if as_wanted {
            steps.extend(self.standing_step(&used, &closed));
        }
        if !as_wanted || !closed.is_empty() {
            steps.push(Step::Apply(Box::new(config.clone())));
        }
        steps.extend(self.inside_steps(&config, used.iter().filter(|i| carried(i)).copied()));
        let stray = interfaces.iter().filter(|i| !in_use(i));
        steps.extend(stray.map(|i| Step::RemoveInterface { interface: i.id.clone() }));
        Plan::new(steps, report)
    }

    fn sees(&self, used: &[&Interface]) -> String {
        let targets: usize = self.parts.target_groups.iter().map(|g| g.targets.len()).sum();
        format!(
            "{}; {} interfaces, {} ports open, {targets} targets registered",
            self.standing.as_ref().map_or("unknown", |s| s.state.as_str()),
            used.len(),
            self.listening.len()
        )
    }

    /// The balancer is as wanted: says so, unless it was said.
    fn standing_step(&self, used: &[&Interface], closed: &[String]) -> Option<Step> {
        let (state, reason) = match closed {
            [] => (State::Active, None),
            closed => {
                let text = format!("The port could not be opened: {}", closed.join(", "));
                (State::ActiveImpaired, Some(text))
            }
        };
        let standing = Standing { state, reason, interfaces: used.iter().map(|i| i.id.clone()).collect() };
        (self.standing.as_ref() != Some(&standing)).then_some(Step::SetStanding(standing))
    }

    fn inside_steps<'a>(
        &self,
        config: &LoadBalancerConfig,
        interfaces: impl Iterator<Item = &'a Interface>,
    ) -> Vec<Step> {
        if self.carried.is_none() {
            return vec![];
        }
        let wanted: BTreeSet<SocketAddrV4> =
            interfaces.flat_map(|i| config.listeners.iter().map(|l| SocketAddrV4::new(i.ip, l.port))).collect();
        let close = self.inside.iter().filter(|at| !wanted.contains(at)).map(|at| Step::CloseInside(*at));
        let open = wanted.iter().filter(|at| !self.inside.contains(at)).map(|at| Step::OpenInside(*at));
        close.chain(open).collect()
    }
}

/// What the operator reads when a port cannot be opened.
fn apply_error(error: ApplyError) -> Error {
    let ApplyError::Listen { address, source, .. } = &error else {
        return Error::failed("configure the load balancer", error);
    };
    let doing = match source.kind() {
        std::io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "open {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE; the load balancer answers by its name on the main port"
        ),
        std::io::ErrorKind::AddrInUse => format!("open {address}: another program listens there"),
        _ => format!("open {address}"),
    };
    Error::failed(doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Zone;
    use std::net::Ipv4Addr;

    const SUBNETS: [&str; 2] = ["subnet-a", "subnet-b"];

    fn interface(subnet: usize, group: &str) -> Interface {
        Interface {
            id: format!("eni-{subnet}"),
            subnet: SUBNETS[subnet].into(),
            ip: Ipv4Addr::new(10, 0, subnet as u8, 9),
            groups: vec![group.into()],
        }
    }

    /// Wanted in two zones, with one listener; nothing there yet.
    fn wanted() -> Wanted {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/shop/1";
        let fixed = kiln_elbv2_shapes::FixedResponseActionConfig { status_code: "200".into(), ..Default::default() };
        let action = kiln_elbv2_shapes::Action {
            r#type: "fixed-response".into(),
            fixed_response_config: Some(fixed),
            ..Default::default()
        };
        Wanted {
            parts: Parts {
                load_balancer: Arc::new(LoadBalancer {
                    arn: arn.into(),
                    name: "shop".into(),
                    dns_name: "shop-1.us-east-1.elb.localhost.localdomain".into(),
                    scheme: "internal".into(),
                    vpc: "vpc-1".into(),
                    zones: ["a", "b"].map(|z| Zone { zone: z.into(), subnet: format!("subnet-{z}") }).to_vec(),
                    security_groups: vec!["sg-1".into()],
                    created: Timestamp::from_millis(0),
                    attributes: Default::default(),
                    address: Ipv4Addr::new(127, 64, 0, 1),
                    tags: vec![],
                }),
                listeners: vec![Arc::new(Listener {
                    arn: "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/shop/1/2".into(),
                    load_balancer: arn.into(),
                    port: 80,
                    actions: vec![action],
                    attributes: Default::default(),
                    tags: vec![],
                })],
                rules: vec![],
                target_groups: vec![],
                interfaces: vec![],
                security_groups: vec![],
            },
            standing: Some(Standing { state: State::Provisioning, reason: None, interfaces: vec![] }),
            applied: None,
            listening: vec![],
            inside: vec![],
            carried: Some(vec![]),
        }
    }

    fn steps(wanted: &Wanted) -> Vec<String> {
        let plan = wanted.plan(Timestamp::from_millis(0));
        let waits = plan.report.waiting_for.map(|w| format!("wait for {}", w.what));
        plan.steps.iter().map(|step| format!("{step:?}")).chain(waits).collect()
    }

    #[test]
    fn from_nothing_to_active_step_by_step() {
        let mut seen = wanted();
        assert_eq!(steps(&seen), ["make a network interface in subnet-a", "make a network interface in subnet-b"]);
        seen.parts.interfaces = vec![interface(0, "sg-1"), interface(1, "sg-1")];
        seen.carried = Some(vec!["10.0.0.9".parse().expect("an address")]);
        assert_eq!(steps(&seen), ["wait for the network of vpc-1 to carry eni-1"]);
        seen.carried = Some(seen.parts.interfaces.iter().map(|i| IpAddr::V4(i.ip)).collect());
        let inside = ["listen inside the VPC at 10.0.0.9:80", "listen inside the VPC at 10.0.1.9:80"];
        assert_eq!(steps(&seen), ["serve 1 listeners, 0 target groups, 0 targets", inside[0], inside[1]]);
        seen.applied = Some(seen.parts.config());
        seen.inside = ["10.0.0.9:80", "10.0.1.9:80"].map(|at| at.parse().expect("an address")).to_vec();
        assert_eq!(
            steps(&seen),
            ["say that it is active_impaired", "serve 1 listeners, 0 target groups, 0 targets"],
            "the port could not be opened: said, and tried again"
        );
        seen.listening = vec!["127.64.0.1:80".parse().expect("an address")];
        assert_eq!(steps(&seen), ["say that it is active"]);
        let interfaces = vec!["eni-0".into(), "eni-1".into()];
        seen.standing = Some(Standing { state: State::Active, reason: None, interfaces });
        assert_eq!(steps(&seen), Vec::<String>::new(), "at rest");
        // Changes while it serves.
        seen.parts.interfaces[0].groups = vec!["sg-old".into()];
        assert_eq!(steps(&seen), ["give eni-0 the security groups sg-1"]);
        seen.parts.interfaces[0].groups = vec!["sg-1".into()];
        seen.parts.listeners.clear();
        assert_eq!(
            steps(&seen),
            [
                "serve 0 listeners, 0 target groups, 0 targets",
                "stop listening inside the VPC at 10.0.0.9:80",
                "stop listening inside the VPC at 10.0.1.9:80"
            ]
        );
    }

    #[test]
    fn what_was_deleted_is_taken_down() {
        let plan = deleted(true, &[interface(0, "sg-1")]);
        let texts: Vec<String> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
        assert_eq!(texts, ["take it down", "remove eni-0", "forget it"]);
    }
}
