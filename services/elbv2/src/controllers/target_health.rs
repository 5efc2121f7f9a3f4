//! `elbv2/target-health`: one per target group. Tells the balancer which machines are gone or
//! back, takes targets out of the record when they have drained or their instance was terminated,
//! and writes each target's health where Auto Scaling is woken by it. Writes only what changed.

use crate::data_plane::DataPlane;
use crate::network::{self, Instance};
use crate::operations::target_groups::users;
use crate::records::{Target, TargetGroup, TargetHealth, TargetType};
use crate::{PRINCIPAL, arns, health};
use kiln_balancer as lb;
use kiln_ec2_shapes::kinds::INSTANCE;
use kiln_elbv2_shapes::kinds::TargetHealthId;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Platform, Record, RecordKind, Report, Scope, Store, Timestamp, Waiting,
    async_trait,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// See the module's head.
pub struct Health;

/// What was found.
#[derive(Debug)]
pub struct Seen {
    /// `None`: deleted.
    pub group: Option<Arc<TargetGroup>>,
    /// What the balancer says; `None` when no load balancer uses the group.
    pub live: Option<Vec<lb::TargetHealth>>,
    /// The instances that are registered and still known.
    pub instances: BTreeMap<String, Instance>,
    /// What was last written.
    pub written: BTreeMap<String, TargetHealth>,
}

/// What is done.
pub enum Step {
    /// The machine is dead: nothing more is sent there.
    Gone {
        vpc: String,
        ip: IpAddr,
    },
    /// The machine runs again.
    Back {
        vpc: String,
        ip: IpAddr,
    },
    /// These are registered no more.
    Forget(Vec<Target>),
    Write {
        put: Vec<TargetHealth>,
        remove: Vec<String>,
    },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |targets: &[Target]| targets.iter().map(|t| format!("{}:{}", t.id, t.port)).collect::<Vec<_>>();
        match self {
            Step::Gone { ip, .. } => write!(f, "send nothing more to {ip}"),
            Step::Back { ip, .. } => write!(f, "look at {ip} again"),
            Step::Forget(targets) => write!(f, "forget {}", names(targets).join(", ")),
            Step::Write { put, remove } => {
                let put: Vec<String> = put.iter().map(|h| format!("{}:{} {}", h.target, h.port, h.state)).collect();
                write!(f, "note {}; {} gone", put.join(", "), remove.len())
            }
        }
    }
}

#[async_trait]
impl Controller for Health {
    const NAME: &'static str = "elbv2/target-health";
    const ABOUT: &'static str = "one target group: what its checks saw, written down for those who wait for it";
    const STEPS: &'static [&'static str] = &["forget", "look at", "note", "send nothing more"];
    const ACTS_AS: &'static str = PRINCIPAL;
    const WATCHES: &'static [RecordKind] = &[TargetGroup::KIND, INSTANCE];
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, store: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        if change.is::<TargetGroup>() {
            return Ok(vec![Name::new(&change.scope, change.id.clone())]);
        }
        let all = store.by_key::<TargetGroup>(&change.scope, "target", &change.id)?;
        Ok(all.into_iter().map(|(arn, _)| Name::new(&change.scope, arn)).collect())
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let written = store.ids_everywhere::<TargetHealth>().into_iter();
        let of = |(scope, id): (Scope, Arc<str>)| Some((scope, TargetHealthId::parse(&id)?.target_group.into()));
        let all: BTreeSet<_> =
            store.ids_everywhere::<TargetGroup>().into_iter().chain(written.filter_map(of)).collect();
        Ok(all.into_iter().map(|(scope, arn)| Name::new(&scope, arn)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let (store, scope, arn) = (cx.store(), cx.scope(), &*name.id);
        let plane: Arc<DataPlane> = cx.part()?;
        let group = store.get::<TargetGroup>(scope, arn)?;
        let written = store.list_prefix::<TargetHealth>(scope, &TargetHealthId::prefix(arn))?.into_iter();
        let written: BTreeMap<String, TargetHealth> =
            written.map(|(id, health)| (id.to_string(), (*health).clone())).collect();
        if group.is_none() && written.is_empty() {
            return Ok(None);
        }
        let used = !users(store, scope, arn)?.is_empty();
        let instances = match &group {
            Some(group) if group.target_type == TargetType::Instance => {
                let ids: BTreeSet<String> = group.targets.iter().map(|t| t.id.clone()).collect();
                network::instances(cx, &ids.into_iter().collect::<Vec<_>>()).await?
            }
            _ => BTreeMap::new(),
        };
        // Looked at last: it is the newest that counts.
        let live = health::live(plane.balancer().health(arn), used);
        Ok(Some(Seen { group, live, instances, written }))
    }

    fn plan(&self, seen: &Seen, _now: Timestamp) -> Plan<Step> {
        let live = seen.live.as_deref();
        let Some(group) = &seen.group else {
            let remove = seen.written.keys().cloned().collect();
            return Plan::new(vec![Step::Write { put: vec![], remove }], Report::default());
        };
        let mut steps = machine_steps(group, live, &seen.instances);
        let leaving: Vec<Target> = group.targets.iter().filter(|t| leaves(group, t, seen)).cloned().collect();
        if !leaving.is_empty() {
            steps.push(Step::Forget(leaving));
        }
        let wanted: BTreeMap<String, TargetHealth> = health::records(group, live)
            .into_iter()
            .map(|h| (TargetHealth::id(&h.target_group, &h.target, h.port), h))
            .collect();
        let put: Vec<TargetHealth> =
            wanted.iter().filter(|(id, h)| seen.written.get(*id) != Some(h)).map(|(_, h)| h.clone()).collect();
        let remove: Vec<String> = seen.written.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        let waiting_for = live.and_then(|_| waits(wanted.values()));
        let count = |state: &str| wanted.values().filter(|h| h.state == state).count();
        let sees = match live {
            None => format!("{} targets, used by no load balancer", wanted.len()),
            Some(_) => format!(
                "{} targets: {} healthy, {} initial, {} unhealthy, {} draining, {} unused",
                wanted.len(),
                count("healthy"),
                count("initial"),
                count("unhealthy"),
                count("draining"),
                count("unused")
            ),
        };
        if !put.is_empty() || !remove.is_empty() {
            steps.push(Step::Write { put, remove });
        }
        let wants = "every target healthy, and what its checks say written down".to_owned();
        Plan::new(steps, Report { sees, wants, waiting_for, ..Report::default() })
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let plane: Arc<DataPlane> = cx.part()?;
        match step {
            Step::Gone { vpc, ip } => {
                plane.balancer().target_gone(vpc, *ip);
                Ok(())
            }
            Step::Back { vpc, ip } => {
                plane.balancer().target_back(vpc, *ip);
                Ok(())
            }
            Step::Forget(leaving) => {
                cx.store()
                    .write(|tx| {
                        let Some(found) = tx.get::<TargetGroup>(cx.scope(), &name.id)? else { return Ok(()) };
                        let mut group = (*found).clone();
                        // Only as it was seen: one that was registered again meanwhile stays.
                        group.targets.retain(|t| !leaving.contains(t));
                        tx.put_if_changed(cx.scope(), &name.id, group)?;
                        Ok::<_, Error>(())
                    })
                    .await
            }
            Step::Write { put, remove } => {
                cx.store()
                    .write(|tx| {
                        for health in put {
                            let id = TargetHealth::id(&health.target_group, &health.target, health.port);
                            tx.put_if_changed(cx.scope(), &id, health.clone())?;
                        }
                        for id in remove {
                            tx.delete::<TargetHealth>(cx.scope(), id);
                        }
                        Ok::<_, Error>(())
                    })
                    .await
            }
        }
    }
}

/// What the balancer must be told of the machines behind the targets.
fn machine_steps(
    group: &TargetGroup,
    live: Option<&[lb::TargetHealth]>,
    instances: &BTreeMap<String, Instance>,
) -> Vec<Step> {
    if group.target_type != TargetType::Instance {
        return vec![];
    }
    let mut steps = vec![];
    for target in &group.targets {
        let same = |t: &&lb::TargetHealth| t.id == target.id && t.port == target.port;
        let Some(seen) = live.and_then(|live| live.iter().find(same)) else { continue };
        let (vpc, ip) = (group.vpc.clone(), target.ip);
        let runs = instances.get(&target.id).is_some_and(|i| matches!(i.state.as_str(), "running" | "pending"));
        let told = seen.health.reason == Some(lb::Reason::InvalidState);
        let gets_requests = match seen.health.state {
            lb::HealthState::Unused => false,
            lb::HealthState::Draining => seen.in_flight > 0,
            _ => true,
        };
        if !runs && gets_requests {
            steps.push(Step::Gone { vpc, ip });
        } else if runs && told {
            steps.push(Step::Back { vpc, ip });
        }
    }
    steps
}

/// Whether a target's registration ends now: it has drained, or its instance is no more.
fn leaves(group: &TargetGroup, target: &Target, seen: &Seen) -> bool {
    let terminated = group.target_type == TargetType::Instance
        && seen.instances.get(&target.id).is_none_or(|i| i.state == "terminated");
    terminated || health::is_drained(target, seen.live.as_deref())
}

/// Which targets are on their way to another state, and why they are not there.
fn waits<'a>(targets: impl Iterator<Item = &'a TargetHealth>) -> Option<Waiting> {
    let of = |h: &TargetHealth| {
        let what = match h.state.as_str() {
            "initial" | "unhealthy" => "to be healthy",
            "draining" => "to be drained",
            _ => return None,
        };
        let why = h.description.as_deref().or(h.reason.as_deref()).map(|why| format!(" ({why})"));
        Some(format!("{}:{} {what}{}", h.target, h.port, why.unwrap_or_default()))
    };
    let what: Vec<String> = targets.filter_map(of).collect();
    (!what.is_empty()).then(|| Waiting { what: what.join("; "), until: None })
}

/// Wakes the controller when the balancer sees a target change.
pub fn follow_health(platform: Arc<Platform>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    Box::pin(async move {
        let plane: Arc<DataPlane> = platform.part()?;
        let mut changes = plane.balancer().subscribe();
        // Weakly: this must not keep a platform alive that is being taken down.
        let platform = Arc::downgrade(&platform);
        tokio::spawn(async move {
            loop {
                let change = changes.recv().await;
                let Some(platform) = platform.upgrade() else { return };
                match change {
                    Ok(change) => match arns::scope_of(&change.target_group) {
                        Some(scope) => platform.wake(Health::NAME, Name::new(&scope, change.target_group)),
                        None => tracing::error!(target_group = change.target_group, "not an ARN"),
                    },
                    Err(RecvError::Lagged(_)) => match Health.all(platform.store()) {
                        Ok(all) => all.into_iter().for_each(|name| platform.wake(Health::NAME, name)),
                        Err(error) => tracing::error!(error = error.chain(), "cannot list target groups"),
                    },
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::HealthCheck;

    const ID: &str = "i-1";

    fn seen(draining: bool, instance: Option<&str>, live: Option<(lb::HealthState, Option<lb::Reason>)>) -> Seen {
        let target =
            Target { id: ID.into(), port: 80, ip: "10.0.0.5".parse().expect("an address"), zone: "a".into(), draining };
        let group = TargetGroup {
            arn: "tg".into(),
            name: "tg".into(),
            port: 80,
            vpc: "vpc-1".into(),
            target_type: TargetType::Instance,
            check: HealthCheck {
                port: None,
                path: "/".into(),
                interval: 30,
                timeout: 5,
                healthy: 5,
                unhealthy: 2,
                matcher: "200".into(),
            },
            attributes: Default::default(),
            targets: vec![target.clone()],
            tags: vec![],
        };
        let live = live.map(|(state, reason)| {
            vec![lb::TargetHealth {
                id: ID.into(),
                ip: target.ip,
                port: 80,
                zone: "a".into(),
                health_check_port: 80,
                health: lb::Health { state, reason },
                in_flight: 0,
            }]
        });
        let of = |state: &str| Instance { state: state.into(), vpc: None, zone: "a".into(), ip: None };
        let instances = instance.map(|state| (ID.to_owned(), of(state))).into_iter().collect();
        Seen { group: Some(Arc::new(group)), live, instances, written: BTreeMap::new() }
    }

    #[test]
    fn what_is_seen_decides_what_is_done() {
        use lb::HealthState::{Draining, Healthy, Unused};
        let up = Some((Healthy, None));
        let dead = Some((Unused, Some(lb::Reason::InvalidState)));
        let leaving = Some((Draining, Some(lb::Reason::DeregistrationInProgress)));
        let left = Some((Unused, Some(lb::Reason::NotRegistered)));
        let forget = "forget i-1:80";
        let table: Vec<(&str, Seen, Vec<&str>)> = vec![
            ("well", seen(false, Some("running"), up.clone()), vec!["note i-1:80 healthy; 0 gone"]),
            (
                "stopped",
                seen(false, Some("stopped"), up.clone()),
                vec!["send nothing more to 10.0.0.5", "note i-1:80 healthy; 0 gone"],
            ),
            ("told", seen(false, Some("stopped"), dead.clone()), vec!["note i-1:80 unused; 0 gone"]),
            ("back", seen(false, Some("running"), dead), vec!["look at 10.0.0.5 again", "note i-1:80 unused; 0 gone"]),
            (
                "terminated",
                seen(false, Some("terminated"), up),
                vec!["send nothing more to 10.0.0.5", forget, "note i-1:80 healthy; 0 gone"],
            ),
            ("draining", seen(true, Some("running"), leaving), vec!["note i-1:80 draining; 0 gone"]),
            ("drained", seen(true, Some("running"), left), vec![forget, "note i-1:80 draining; 0 gone"]),
            ("unused", seen(false, Some("running"), None), vec!["note i-1:80 unused; 0 gone"]),
            ("unused, deregistered", seen(true, Some("running"), None), vec![forget, "note i-1:80 unused; 0 gone"]),
        ];
        for (name, seen, expected) in table {
            let plan = Health.plan(&seen, Timestamp::from_millis(0));
            let steps: Vec<String> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
            assert_eq!(steps, expected, "{name}");
        }
    }

    #[test]
    fn a_target_that_is_not_healthy_is_waited_for_and_says_why() {
        let waits = |state, reason| {
            let plan = Health.plan(&seen(false, Some("running"), Some((state, reason))), Timestamp::from_millis(0));
            plan.report.waiting_for.map(|w| w.what)
        };
        assert_eq!(waits(lb::HealthState::Healthy, None), None);
        let text = waits(lb::HealthState::Unhealthy, Some(lb::Reason::Timeout)).expect("waits");
        assert_eq!(text, "i-1:80 to be healthy (Request timed out)");
        let text = waits(lb::HealthState::Draining, Some(lb::Reason::DeregistrationInProgress)).expect("waits");
        assert!(text.starts_with("i-1:80 to be drained ("), "{text}");
    }
}
