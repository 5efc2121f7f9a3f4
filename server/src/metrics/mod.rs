//! `GET /_kiln/metrics`: figures of this kiln in Prometheus' text form.
//!
//! ```text
//! controllers (reconcile) ┐
//! calls (service-kit)     │
//! store, machines,        ├─ read when somebody asks ─► one page
//! load balancers, doors,  │
//! the process (/proc)     ┘
//! ```
//!
//! Nobody samples: parts count what they do, the page reads it. Its rows are bounded by what there is:
//! kinds of records, controllers, operations that are served, load balancers. Who may read it: see [`door`].
//! Decision 0019 says why this library and these names.

mod door;
mod process;
mod rows;
mod sources;

pub use door::MetricsDoor;

use kiln_elbv2::DataPlane;
use kiln_machines_spec::MachineDriver;
use kiln_reconcile::Figures;
use kiln_service_kit::Platform;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use sources::{Controllers, Doors, LoadBalancers, Machines, Stored};
use std::sync::Arc;

/// Everything the page tells of.
pub struct Metrics {
    pub platform: Arc<Platform>,
    pub controllers: Arc<Figures>,
    pub driver: Arc<dyn MachineDriver>,
    pub balancers: Arc<DataPlane>,
    /// Pages are made one at a time: making them costs, and asking is free.
    pub turn: tokio::sync::Mutex<()>,
}

impl Metrics {
    /// The page as of now.
    ///
    /// # Errors
    /// What could not be read, in words for the log.
    pub async fn page(&self) -> Result<String, String> {
        let _turn = self.turn.lock().await;
        let machines = self.driver.list().await.map_err(|e| format!("cannot list the machines: {}", e.chain()))?;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Controllers(self.controllers.clone())));
        self.platform.calls().figures().register(&mut registry);
        registry.register_collector(Box::new(Stored(self.platform.store().clone())));
        registry.register_collector(Box::new(Machines(machines)));
        registry.register_collector(Box::new(LoadBalancers(self.balancers.clone())));
        registry.register_collector(Box::new(Doors));
        registry.register_collector(Box::new(process::read().map_err(|e| format!("cannot read /proc: {e}"))?));
        let mut page = String::new();
        prometheus_text::encode(&mut page, &registry).map_err(|_| "cannot write the page of metrics".to_owned())?;
        Ok(page)
    }
}
