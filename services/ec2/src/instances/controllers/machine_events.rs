//! What happens to machines without anybody asking, handed on as wakes. An event only says where
//! to look; when some are lost, every machine is looked at.

use crate::instances::controllers::instances::Instances;
use crate::instances::records::Instance;
use futures_util::future::BoxFuture;
use kiln_machines_spec::{MachineDriver, MachineEvent};
use kiln_service_kit::{Controller, Error, Name, Platform};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Listens to the driver as long as it lives.
pub fn forward_machine_events(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        let driver = platform.part::<Arc<dyn MachineDriver>>()?;
        // Subscribed before the controllers' first pass, so nothing falls between the two.
        let mut events = driver.events();
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(MachineEvent::Exited { id, .. } | MachineEvent::Rebooted { id }) => {
                        wake(&platform, |instance| *instance == *id.as_str());
                    }
                    Err(RecvError::Lagged(lost)) => {
                        tracing::warn!(lost, "machine events were lost; looking at every instance");
                        wake(&platform, |_| true);
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(())
    })
}

fn wake(platform: &Platform, which: impl Fn(&str) -> bool) {
    for (scope, id) in platform.store().ids_everywhere::<Instance>().into_iter().filter(|(_, id)| which(id)) {
        platform.wake(Instances::NAME, Name::new(&scope, id));
    }
}
