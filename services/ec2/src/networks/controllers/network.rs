//! Puts VPCs on the host: one pass per VPC, woken by any change of what belongs to it.
//!
//! ```text
//! observe: records of the VPC -> wanted spec; driver.networks() -> what is there
//! plan:    differ -> Apply; nobody uses it -> Remove; same -> note what is applied
//! act:     driver.apply_network, then the record `ec2/network-status` that others wait for
//! ```
//!
//! What is there is asked of the driver, never remembered: after a restart of Kiln or of the host
//! the same pass puts things right. A VPC is on the host only while somebody uses an address of it.

use crate::driver::{driver, failed};
use crate::firewall::records::{NetworkAcl, SecurityGroup};
use crate::interfaces::records::NetworkInterface;
use crate::networks::records::{InternetGateway, NatGateway, NatState, NetworkStatus, RouteTable, Subnet, Vpc};
use crate::networks::spec::{self, VpcRecords};
use kiln_machines_spec as host;
use kiln_machines_spec::VpcSpec;
use kiln_service_kit::{
    Before, Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting,
    async_trait,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The controller; it has no state.
pub struct Network;

/// What a pass looks at.
pub struct Seen {
    vpc: String,
    wanted: Option<VpcSpec>,
    on_host: Option<VpcSpec>,
    status: Option<NetworkStatus>,
    /// Ids of the interfaces in `wanted`.
    interfaces: BTreeSet<String>,
    /// NAT gateways that wait for an outcome, and whether they can have a good one.
    pending_nats: Vec<(String, bool)>,
}

/// One thing to do.
#[derive(Clone)]
pub enum Step {
    /// Make the host's network be this, then note it.
    Apply { spec: Box<VpcSpec>, status: NetworkStatus },
    /// The host has it; note it.
    Note { status: NetworkStatus },
    /// The NAT gateway works.
    NatAvailable { id: String },
    /// The NAT gateway cannot work.
    NatFailed { id: String },
    /// Take it off the host, then forget the note.
    Remove,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Apply { spec, .. } => write!(f, "apply the network: {}", describe(spec)),
            Step::Note { status } => write!(f, "note that {} interfaces are applied", status.interfaces.len()),
            Step::NatAvailable { id } => write!(f, "note that {id} is available"),
            Step::NatFailed { id } => write!(f, "note that {id} failed"),
            Step::Remove => write!(f, "remove the network from the host"),
        }
    }
}

#[async_trait]
impl Controller for Network {
    const NAME: &'static str = "ec2/network";
    const ABOUT: &'static str = "one VPC: router namespace, bridges, security groups";
    const STEPS: &'static [&'static str] = &["apply the network", "note that", "note that nat", "remove the network"];
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[
        Vpc::KIND,
        Subnet::KIND,
        RouteTable::KIND,
        SecurityGroup::KIND,
        NetworkInterface::KIND,
        NetworkAcl::KIND,
        NatGateway::KIND,
        InternetGateway::KIND,
    ];
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        let vpcs = match &*change.kind {
            Subnet::KIND => vpcs(store, change, |r: &Subnet| Some(r.vpc.to_string())),
            RouteTable::KIND => vpcs(store, change, |r: &RouteTable| Some(r.vpc.to_string())),
            SecurityGroup::KIND => vpcs(store, change, |r: &SecurityGroup| Some(r.vpc.to_string())),
            NetworkInterface::KIND => vpcs(store, change, |r: &NetworkInterface| Some(r.vpc.to_string())),
            NetworkAcl::KIND => vpcs(store, change, |r: &NetworkAcl| Some(r.vpc.to_string())),
            NatGateway::KIND => vpcs(store, change, |r: &NatGateway| Some(r.vpc.to_string())),
            InternetGateway::KIND => vpcs(store, change, |r: &InternetGateway| r.vpc.as_ref().map(|v| v.to_string())),
            _ => Ok(BTreeSet::from([change.id.to_string()])),
        }?;
        Ok(vpcs.into_iter().map(|vpc| Name::new(&change.scope, vpc)).collect())
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let mut names: BTreeSet<Name> = BTreeSet::new();
        names.extend(store.ids_everywhere::<Vpc>().into_iter().map(|(scope, id)| Name::new(&scope, id)));
        names.extend(store.ids_everywhere::<NetworkStatus>().into_iter().map(|(scope, id)| Name::new(&scope, id)));
        Ok(names.into_iter().collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let (store, scope, id) = (cx.store(), cx.scope(), &*name.id);
        let status = store.get::<NetworkStatus>(scope, id)?.map(|status| NetworkStatus::clone(&status));
        let vpc = store.get::<Vpc>(scope, id)?;
        if vpc.is_none() && status.is_none() {
            return Ok(None);
        }
        let records = read(store, scope, id)?;
        let wanted = vpc.as_ref().and_then(|vpc| spec::wanted(vpc, &records));
        let interfaces = match &wanted {
            Some(_) => records.interfaces.iter().filter(|i| i.in_use()).map(|i| i.id.to_string()).collect(),
            None => BTreeSet::new(),
        };
        let pending_nats = match &vpc {
            // The VPC's gateway is asked for, not the route to it, which may come later.
            Some(_) => records
                .nats
                .iter()
                .filter(|nat| nat.state == NatState::Pending)
                .map(|nat| (nat.id.to_string(), !records.gateways.is_empty()))
                .collect(),
            None => vec![],
        };
        // Nothing wanted and nothing noted: there is nothing on the host to ask for.
        let on_host = match wanted.is_some() || status.is_some() {
            true => networks(cx).await?.remove(id),
            false => None,
        };
        Ok(Some(Seen { vpc: id.to_owned(), wanted, on_host, status, interfaces, pending_nats }))
    }

    fn plan(&self, seen: &Seen, _now: Timestamp) -> Plan<Step> {
        plan(seen)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let (store, scope, id) = (cx.store(), cx.scope(), &*name.id);
        match step {
            Step::Apply { spec, status } => {
                driver(cx)?.apply_network(spec).await.map_err(|e| failed("apply", id, e))?;
                store.write(|tx| -> Result<_, Error> { Ok(tx.put_if_changed(scope, id, status.clone())?) }).await?;
            }
            Step::Note { status } => {
                store.write(|tx| -> Result<_, Error> { Ok(tx.put_if_changed(scope, id, status.clone())?) }).await?;
            }
            Step::NatAvailable { id } => settle(cx, id, NatState::Available).await?,
            Step::NatFailed { id } => {
                let message = format!("Network {} has no Internet gateway attached", name.id);
                settle(cx, id, NatState::Failed { code: "Gateway.NotAttached".to_owned(), message }).await?
            }
            Step::Remove => {
                driver(cx)?.remove_network(&host::VpcId::new(id)).await.map_err(|e| failed("remove", id, e))?;
                store.write(|tx| -> Result<_, Error> { Ok(tx.delete::<NetworkStatus>(scope, id)) }).await?;
            }
        }
        Ok(())
    }
}

/// Decides.
fn plan(seen: &Seen) -> Plan<Step> {
    let there = match &seen.on_host {
        Some(spec) => format!("{} on the host with {}", seen.vpc, describe(spec)),
        None => format!("{} not on the host", seen.vpc),
    };
    let Some(wanted) = &seen.wanted else {
        let report =
            Report { sees: there, wants: "nothing: nobody uses an address of it".to_owned(), ..Report::default() };
        let steps = if seen.on_host.is_some() || seen.status.is_some() { vec![Step::Remove] } else { vec![] };
        return Plan::new(steps, report);
    };
    let status = NetworkStatus { digest: spec::digest(wanted), interfaces: seen.interfaces.clone() };
    let mut steps = vec![];
    if seen.on_host.as_ref() != Some(wanted) {
        steps.push(Step::Apply { spec: Box::new(wanted.clone()), status });
    } else if seen.status.as_ref() != Some(&status) {
        steps.push(Step::Note { status });
    }
    for (id, works) in &seen.pending_nats {
        let id = id.clone();
        steps.push(if *works { Step::NatAvailable { id } } else { Step::NatFailed { id } });
    }
    let waiting_for = steps.is_empty().then(|| Waiting { what: "a change of its records".to_owned(), until: None });
    let at_rest = steps.is_empty();
    Plan::new(steps, Report { sees: there, wants: describe(wanted), waiting_for, at_rest, ..Report::default() })
}

fn describe(spec: &VpcSpec) -> String {
    let (subnets, groups) = (spec.subnets.len(), spec.groups.len());
    format!("{} interfaces, {groups} security groups, {subnets} subnets", spec.interfaces.len())
}

/// The VPCs that a changed record was and is of.
fn vpcs<R: Record>(
    store: &Store,
    change: &Change,
    of: impl Fn(&R) -> Option<String>,
) -> Result<BTreeSet<String>, Error> {
    let before = change.before::<R>()?;
    if matches!(before, Before::Untold) {
        // Nobody knows whose it was: every VPC of the scope, also one that is only on the host.
        let mut all: BTreeSet<String> = BTreeSet::new();
        all.extend(store.ids::<Vpc>(&change.scope).into_iter().map(|id| id.to_string()));
        all.extend(store.ids::<NetworkStatus>(&change.scope).into_iter().map(|id| id.to_string()));
        return Ok(all);
    }
    let versions = [store.get::<R>(&change.scope, &change.id)?, before.record()];
    Ok(versions.iter().flatten().filter_map(|record| of(record)).collect())
}

fn read(store: &Store, scope: &kiln_service_kit::Scope, vpc: &str) -> Result<VpcRecords, Error> {
    fn of<R: Record>(
        store: &Store,
        scope: &kiln_service_kit::Scope,
        key: &'static str,
        vpc: &str,
    ) -> Result<Vec<Arc<R>>, Error> {
        // What is not there is taken off the host: one that does not read and may be of the VPC holds up its pass.
        Ok(store.whole().by_key::<R>(scope, key, vpc)?.into_iter().map(|(_, record)| record).collect())
    }
    Ok(VpcRecords {
        subnets: of(store, scope, "vpc-id", vpc)?,
        tables: of(store, scope, "vpc-id", vpc)?,
        gateways: of(store, scope, "attachment.vpc-id", vpc)?,
        nats: of(store, scope, "vpc-id", vpc)?,
        groups: of(store, scope, "vpc-id", vpc)?,
        acls: of(store, scope, "vpc-id", vpc)?,
        interfaces: of(store, scope, "vpc-id", vpc)?,
    })
}

async fn settle(cx: &Cx, id: &str, state: NatState) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let Some(nat) = tx.get::<NatGateway>(cx.scope(), id)? else { return Ok(()) };
            if nat.state != NatState::Pending {
                return Ok(());
            }
            let mut nat = NatGateway::clone(&nat);
            if matches!(state, NatState::Failed { .. }) {
                crate::interfaces::allocation::release_interface(tx, cx.scope(), &nat.interface)?;
            }
            nat.state = state.clone();
            Ok(tx.put(cx.scope(), id, nat)?)
        })
        .await
}

async fn networks(cx: &Cx) -> Result<BTreeMap<String, VpcSpec>, Error> {
    let networks = driver(cx)?.networks().await.map_err(|e| failed("look at", "the host's networks", e))?;
    Ok(networks.into_iter().map(|spec| (spec.id.to_string(), spec)).collect())
}
