//! What a load balancer lacks, and in which order it gets it. Pure.

use crate::config::Parts;
use crate::network::Interface;
use crate::records::{Standing, State};
use kiln_balancer::LoadBalancerConfig;
use kiln_service_kit::{Plan, Report, Timestamp, Waiting};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// How soon to look again whether the VPC's network carries the interfaces, if no change of the
/// store told before.
const NETWORK_LOOK: Duration = Duration::from_millis(250);

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

impl Seen {
    /// The steps to what is wanted.
    pub fn plan(&self, now: Timestamp) -> Plan<Step> {
        match self {
            Self::Deleted { held, interfaces } => deleted(*held, interfaces),
            Self::Wanted(wanted) => wanted.plan(now),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Listener, LoadBalancer, Zone};
    use std::net::Ipv4Addr;
    use std::sync::Arc;

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
