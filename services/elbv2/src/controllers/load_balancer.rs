//! `elbv2/load-balancer`: one per load balancer. Its interfaces exist, the balancer is what the
//! records say, ports are open; only then is it `active`. A deleted one is taken down.
//!
//! ```text
//! no interface in a zone -> make it -> (network carries it) -> apply -> active
//! deleted -> take down -> remove interfaces -> forget
//! ```

mod plan;

use super::Health;
use crate::config::{Parts, named_groups};
use crate::data_plane::DataPlane;
use crate::network;
use crate::records::{Listener, LoadBalancer, Rule, Standing, State, TargetGroup};
use crate::{PRINCIPAL, arns};
use kiln_balancer::ApplyError;
use kiln_ec2_shapes::kinds::{NETWORK_INTERFACE, NETWORK_STATUS, SECURITY_GROUP};
use kiln_service_kit::{Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Store, Timestamp, async_trait};
use plan::{Seen, Step, Wanted};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See the module's head.
pub struct LoadBalancers;

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
        seen.plan(now)
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
