//! Keeps a DNS running in every VPC that is on the host: one pass per VPC.
//!
//! The sockets live in this process, so what runs is remembered here, not in the store: after a
//! restart every VPC on the host gets its server anew.

use crate::driver::{driver, failed};
use crate::networks::dns;
use crate::networks::records::NetworkStatus;
use kiln_machines_spec::{DriverError, VpcId};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use tokio::task::JoinHandle;

/// Where it answers beside the VPC's own address.
const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

/// The controller.
#[derive(Default)]
pub struct Dns {
    running: Mutex<HashMap<Name, JoinHandle<()>>>,
}

/// What a pass looks at.
pub struct Seen {
    on_host: bool,
    runs: bool,
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Serve,
    Stop,
}

#[async_trait]
impl Controller for Dns {
    const NAME: &'static str = "ec2/dns";
    const ABOUT: &'static str = "one VPC's DNS, while the VPC is on the host";
    const STEPS: &'static [&'static str] = &["Serve", "Stop"];
    const ACTS_AS: &'static str = "ec2.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[NetworkStatus::KIND];
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, change.id.clone())])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let all = store.ids_everywhere::<NetworkStatus>();
        Ok(all.into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let noted = cx.store().get::<NetworkStatus>(cx.scope(), &name.id)?.is_some();
        let runs = self.running.lock().get(name).is_some_and(|task| !task.is_finished());
        if !noted && !runs {
            return Ok(None);
        }
        // The note is as old as the last pass of the network controller; a host that was restarted
        // has no network yet.
        let networks = driver(cx)?.networks().await.map_err(|e| failed("look at", "the host's networks", e))?;
        let on_host = noted && networks.iter().any(|network| network.id == VpcId::new(&*name.id));
        Ok(Some(Seen { on_host, runs }))
    }

    fn plan(&self, seen: &Seen, _: Timestamp) -> Plan<Step> {
        let report = Report {
            sees: format!(
                "the VPC is {}, its DNS {}",
                if seen.on_host { "on the host" } else { "not on the host" },
                if seen.runs { "runs" } else { "does not run" }
            ),
            wants: "a DNS where there is a VPC".to_owned(),
            waiting_for: Some(Waiting { what: "a change of the VPC's network".to_owned(), until: None }),
            at_rest: true,
            ..Report::default()
        };
        match (seen.on_host, seen.runs) {
            (true, false) => Plan::new(vec![Step::Serve], report),
            (false, true) => Plan::new(vec![Step::Stop], report),
            _ => Plan::rest(report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let before = self.running.lock().remove(name);
        if let Some(task) = before {
            task.abort();
            // Its sockets are closed when it has ended; how it ended does not matter.
            let _ = task.await;
        }
        if *step == Step::Stop {
            return Ok(());
        }
        let (driver, vpc) = (driver(cx)?, VpcId::new(&*name.id));
        let networks = driver.networks().await.map_err(|e| failed("look at", "the host's networks", e))?;
        let Some(spec) = networks.into_iter().find(|network| network.id == vpc) else { return Ok(()) };
        let bad = |error: DriverError| failed("serve DNS in", &name.id, error);
        let (mut udp, mut tcp) = (vec![], vec![]);
        for ip in spec.dns_ip().into_iter().chain([LINK_LOCAL]) {
            let at = SocketAddrV4::new(ip, 53);
            udp.push(driver.bind_udp(&vpc, at).await.map_err(bad)?);
            tcp.push(driver.listen(&vpc, at).await.map_err(bad)?);
        }
        let task = tokio::spawn(dns::serve(cx.clone(), name.id.to_string(), udp, tcp));
        self.running.lock().insert(name.clone(), task);
        Ok(())
    }
}
