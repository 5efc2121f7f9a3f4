//! What the page reads: one collector for each part of kiln.

use super::rows::{Labels, counter, gauge};
use kiln_elbv2::DataPlane;
use kiln_machines_spec::{MachineState, MachineStatus};
use kiln_reconcile::{ControllerFigures, Figures};
use kiln_service_kit::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One row for each controller.
#[derive(Debug)]
pub struct Controllers(pub Arc<Figures>);

impl Collector for Controllers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        fn rows<V>(all: &Figures, value: impl Fn(&ControllerFigures) -> V) -> Vec<(Labels<'_>, V)> {
            all.iter().map(|one| (vec![("controller", one.name())], value(one))).collect()
        }
        let (to, all) = (&mut encoder, &*self.0);
        let help = "Things that wait for one of their controller's slots";
        gauge(to, ("kiln_controller_queue_length", None, help), rows(all, |c| c.waiting()))?;
        gauge(to, ("kiln_controller_slots", None, "Passes that may run at a time"), rows(all, |c| c.slots()))?;
        gauge(to, ("kiln_controller_running_passes", None, "Passes that run now"), rows(all, |c| c.running()))?;
        counter(to, ("kiln_controller_passes", None, "Passes that ended, well or not"), rows(all, |c| c.passes()))?;
        let help = "Passes that ended with a failure";
        counter(to, ("kiln_controller_failed_passes", None, help), rows(all, |c| c.failures()))?;
        let help = "Times it could not say whom a change concerns, or what there is";
        counter(to, ("kiln_controller_unread_changes", None, help), rows(all, |c| c.not_read()))?;
        let help = "Time in passes, those at the same time added up";
        let time = rows(all, |c| c.time().as_secs_f64());
        counter(to, ("kiln_controller_pass_duration", Some(&Unit::Seconds), help), time)?;
        let help = "When a pass last failed, since 1970; absent if none has";
        let failed = all.iter().filter_map(|c| Some((vec![("controller", c.name())], c.last_failure()?)));
        let failed = failed.map(|(labels, at)| (labels, at.millis() as f64 / 1000.0));
        gauge(to, ("kiln_controller_last_failure_timestamp", Some(&Unit::Seconds), help), failed)
    }
}

/// What is kept and how busy the database is.
pub struct Stored(pub Store);

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

impl Collector for Stored {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (to, figures) = (&mut encoder, self.0.figures());
        let counts = self.0.record_counts();
        let kinds = counts.iter().map(|(kind, count)| (vec![("kind", &**kind)], *count as u64));
        gauge(to, ("kiln_store_records", None, "Records kept, by kind"), kinds)?;
        let help = "Records handed out to readers and transactions";
        counter(to, ("kiln_store_read_records", None, help), [(vec![], figures.records_read)])?;
        let help = "Transactions that changed something";
        counter(to, ("kiln_store_transactions", None, help), [(vec![], figures.transactions)])?;
        let help = "Groups of transactions written to disk, each with one fsync";
        counter(to, ("kiln_store_commits", None, help), [(vec![], figures.disk_commits)])?;
        let (help, time) = ("Time that writing them took", figures.disk_time.as_secs_f64());
        counter(to, ("kiln_store_commit_duration", Some(&Unit::Seconds), help), [(vec![], time)])?;
        let (help, stopped) = ("1 when no writes are taken until kiln is restarted", self.0.stopped().is_some());
        gauge(to, ("kiln_store_stopped", None, help), [(vec![], u64::from(stopped))])
    }
}

/// Machines by what they do; all states, also those that none is in.
#[derive(Debug)]
pub struct Machines(pub Vec<MachineStatus>);

impl Collector for Machines {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let state = |machine: &MachineStatus| match machine.state {
            MachineState::Running { .. } => "running",
            MachineState::Exited(_) => "exited",
            MachineState::Stopped { .. } => "stopped",
        };
        let rows = ["running", "exited", "stopped"].map(|name| {
            let count = self.0.iter().filter(|machine| state(machine) == name).count();
            (vec![("state", name)], count as u64)
        });
        gauge(&mut encoder, ("kiln_machines", None, "Machines of this host, by state"), rows)
    }
}

/// What load balancers did; by ARN, as CloudWatch's metrics are.
pub struct LoadBalancers(pub Arc<DataPlane>);

impl fmt::Debug for LoadBalancers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadBalancers")
    }
}

impl Collector for LoadBalancers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (to, balancer) = (&mut encoder, self.0.balancer());
        let named = balancer.load_balancers();
        let all: Vec<_> = named.iter().filter_map(|(arn, _)| Some((&**arn, balancer.counters(arn)?))).collect();
        let of = |arn| vec![("load_balancer", arn)];
        let rows = all.iter().map(|(arn, seen)| (of(*arn), seen.total.requests));
        counter(to, ("kiln_load_balancer_requests", None, "Requests that arrived"), rows)?;
        let rows = all.iter().map(|(arn, seen)| (of(*arn), seen.total.new_connections));
        counter(to, ("kiln_load_balancer_connections", None, "Connections that clients made"), rows)?;
        let rows = all.iter().map(|(arn, seen)| (of(*arn), seen.total.active_connections));
        gauge(to, ("kiln_load_balancer_open_connections", None, "Connections of clients that are open"), rows)?;
        let rows = all.iter().flat_map(|(arn, seen)| {
            seen.target_groups.iter().flat_map(move |(group, seen)| {
                let classes = ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(seen.target);
                let of = move |class| vec![("load_balancer", *arn), ("target_group", &**group), ("code", class)];
                classes.map(move |(class, count)| (of(class), count))
            })
        });
        counter(to, ("kiln_load_balancer_target_responses", None, "Answers of targets, by class"), rows)?;
        let rows = all.iter().flat_map(|(arn, seen)| {
            let classes = ["3xx", "4xx", "5xx"].into_iter().zip(seen.total.elb);
            classes.map(move |(class, count)| (vec![("load_balancer", *arn), ("code", class)], count))
        });
        let help = "Answers that the load balancer gave itself, by class";
        counter(to, ("kiln_load_balancer_own_responses", None, help), rows)
    }
}

/// Connections at this process' listeners, by kind of listener.
#[derive(Debug)]
pub struct Doors;

impl Collector for Doors {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut open: BTreeMap<&'static str, u64> = BTreeMap::new();
        for door in kiln_doors::figures() {
            *open.entry(door.door).or_default() += u64::from(door.open);
        }
        let rows = open.into_iter().map(|(door, open)| (vec![("door", door)], open));
        gauge(&mut encoder, ("kiln_door_open_connections", None, "Open connections, by kind of listener"), rows)
    }
}
