//! What every driver keeps of [`MachineDriver`]'s contract: the same tests on real machines and on simulated ones.
//!
//! Both drivers' tests take this folder in by its path and run each test on a world of their own ([`tests!`]).
//!
//! Where the simulation differs, and says so: it runs no commands (`Unsupported`), has no resources that are used
//! up, and takes in no image from a file or a registry. All else is the same here or is a defect.

mod images;
mod life;
mod networks;
pub mod parts;
mod refusals;

pub use images::*;
pub use life::*;
pub use networks::*;
pub use refusals::*;

use kiln_machines_spec::*;
use parts::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long something may take that is a matter of moments.
pub const MOMENT: Duration = Duration::from_secs(30);

/// A driver and what its tests need.
pub trait World: Sized {
    fn driver(&self) -> &dyn MachineDriver;
    /// An image whose machines answer HTTP on port 80.
    fn image(&self) -> &ImageId;
    /// Whether commands can be run in its machines.
    const RUNS_COMMANDS: bool;
    /// Takes everything down and fails if something is left.
    fn ends(self) -> impl Future<Output = ()>;
}

/// The contract's tests: `tests!(#[tokio::test] given())`, where `given()` becomes a [`World`].
macro_rules! tests {
    (#[$test:meta] $given:expr) => {
        $crate::contract::tests!(#[$test] $given;
            launched_twice_is_one_launch
            what_ends_by_itself_is_told_and_kept
            what_is_stopped_keeps_its_place_and_starts_again
            a_reboot_is_a_boot_more
            terminated_leaves_nothing_and_may_be_asked_twice
            machines_are_listed_in_the_order_of_their_ids
            what_is_set_is_seen
            commands_run_or_are_refused_by_name
            what_is_not_there_is_said_so
            what_makes_no_sense_is_refused_and_leaves_nothing
            a_network_is_as_it_was_applied_last
            what_a_group_opens_is_reached_and_nothing_else
            a_zone_that_is_cut_off_reaches_nobody
            a_captured_machine_is_an_image_of_one_layer_more
            an_image_is_whole_until_it_is_deleted
        );
    };
    (#[$test:meta] $given:expr; $($name:ident)*) => {
        mod keeps_the_contract {
            use super::*;
            $(
                #[$test]
                async fn $name() {
                    contract::$name($given.await).await;
                }
            )*
        }
    };
}
pub(crate) use tests;

/// A machine of this world at that address.
fn spec(world: &impl World, id: &str, address: &str) -> MachineSpec {
    spec_of(world.image(), id, address)
}

/// Applies the network with these machines (id, address, security group) and launches them.
async fn launched(world: &impl World, machines: &[(&str, &str, &str)]) -> VpcSpec {
    let mut network = vpc();
    for (id, address, group) in machines {
        network = with(network, address, &[group], machine(id));
    }
    world.driver().apply_network(&network).await.unwrap();
    for (id, address, _) in machines {
        let status = world.driver().launch(spec(world, id, address)).await;
        let status = status.unwrap_or_else(|e| panic!("launch {id}: {}", e.chain()));
        assert!(status.is_running(), "{status:?}");
    }
    network
}

/// The exit that is told of next.
async fn next_exit(events: &mut ExitEvents) -> (MachineId, ExitInfo) {
    let event = tokio::time::timeout(MOMENT, events.recv()).await.expect("told of in time").expect("told of");
    let MachineEvent::Exited { id, exit } = event else { panic!("another event: {event:?}") };
    (id, exit)
}

/// Whether port 80 of an address answers; one that is not listening yet is asked again.
async fn answers(world: &impl World, address: &str) -> Result<(), String> {
    let to = format!("{address}:80").parse().unwrap();
    let until = tokio::time::Instant::now() + MOMENT;
    loop {
        match world.driver().dial(&VPC.into(), None, to, Duration::from_millis(700)).await {
            Ok(mut stream) => {
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.map_err(|e| e.to_string())?;
                let mut head = [0; 5];
                let read = tokio::time::timeout(MOMENT, stream.read_exact(&mut head)).await;
                read.map_err(|_| "no answer")?.map_err(|e| e.to_string())?;
                return if &head == b"HTTP/" { Ok(()) } else { Err(format!("{head:?}")) };
            }
            Err(e) if e.chain().contains("refused") && tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(e) => return Err(e.chain()),
        }
    }
}
