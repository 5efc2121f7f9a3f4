//! Simulated machines keep the contract that real ones keep.

use contract::World;
use kiln_clock::{Clock, Timestamp};
use kiln_machines_sim::{Durations, SimDriver};
use kiln_machines_spec::{BaseRecipe, ImageId, MachineDriver, NoProgress};
use std::sync::Arc;

#[path = "../../spec/contract/mod.rs"]
mod contract;

struct Simulated {
    driver: SimDriver,
    image: ImageId,
}

impl World for Simulated {
    fn driver(&self) -> &dyn MachineDriver {
        &self.driver
    }

    fn image(&self) -> &ImageId {
        &self.image
    }

    const RUNS_COMMANDS: bool = false;

    async fn ends(self) {
        self.driver.shutdown(false).await.expect("nothing can fail");
        assert!(self.driver.list().await.expect("listed").is_empty());
    }
}

async fn given() -> Simulated {
    let driver = SimDriver::new(Clock::simulated(Timestamp(0)), Durations::default());
    let base = driver.ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("built");
    Simulated { driver, image: base.id }
}

contract::tests!(
    #[tokio::test(start_paused = true)]
    given()
);
