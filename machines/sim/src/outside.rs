//! What happens to simulated machines from outside, and what they are told to be: for tests and stories.

use crate::SimDriver;
use crate::guest::Answer;
use crate::world::Machine;
use kiln_machines_spec::*;
use std::path::Path;
use std::sync::Arc;

impl SimDriver {
    /// Ends a machine's first process with SIGKILL, as the outside world might.
    pub fn crash(&self, id: &MachineId) -> DriverResult<()> {
        self.exit(id, ExitCause::Signalled { signal: 9 }, "its first process was ended by signal 9 (SIGKILL)")
    }

    /// The machine switches itself off.
    pub fn power_off(&self, id: &MachineId) -> DriverResult<()> {
        self.exit(id, ExitCause::PoweredOff, "the machine switched itself off")
    }

    /// The next launch meets this error; several queue up.
    pub fn fail_next_launch(&self, error: DriverError) {
        self.world.lock().launch_failures.push_back(error);
    }

    /// Copies do this from now on, on threads that go on when their callers go away: as those of a driver that
    /// keeps something on a disk.
    pub fn copy_by(&self, copying: impl Fn(&MachineId, &Path) -> DriverResult<Copied> + Send + Sync + 'static) {
        self.world.lock().copying = Some(Arc::new(copying));
    }

    /// Cuts the power of a zone or gives it back: its machines end at once, and none can be
    /// launched or started in it.
    pub fn power_zone(&self, zone: &ZoneName, on: bool) {
        let ended: Vec<MachineId> = {
            let mut world = self.world.lock();
            if on {
                world.dark.remove(zone);
                return;
            }
            world.dark.insert(zone.clone());
            let here = |m: &&Machine| world.zone(&m.spec.vpc, &m.spec.subnet) == Some(zone);
            world.machines.values().filter(here).map(|m| m.spec.id.clone()).collect()
        };
        for id in ended {
            // One that is gone by now needs no end.
            let _ = self.exit(&id, ExitCause::Unknown, &format!("zone {zone} lost its power"));
        }
    }

    /// How many machines run.
    pub fn running(&self) -> usize {
        self.world.lock().machines.values().filter(|m| m.status().is_running()).count()
    }

    /// Room for so many machines and no more; `None`: any number.
    pub fn set_room(&self, machines: Option<usize>) {
        self.world.lock().room = machines;
    }

    /// What the machine answers on every port from now on.
    pub fn set_answer(&self, id: &MachineId, answer: Answer) -> DriverResult<()> {
        self.world.lock().machine(id)?.answer = answer;
        Ok(())
    }

    /// Damages an image: launches from it meet `CorruptLayer`.
    pub fn corrupt(&self, id: &ImageId) {
        self.world.lock().corrupt.insert(id.clone());
    }

    fn exit(&self, id: &MachineId, cause: ExitCause, text: &str) -> DriverResult<()> {
        let exit = ExitInfo { cause, at_ms: self.now(), text: text.to_owned() };
        {
            let mut world = self.world.lock();
            let machine = world.machine(id)?;
            if !matches!(machine.state, MachineState::Running { .. }) {
                return Ok(());
            }
            machine.state = MachineState::Exited(exit.clone());
        }
        // Nobody listening is fine: the state tells the same.
        let _ = self.events.send(MachineEvent::Exited { id: id.clone(), exit });
        Ok(())
    }
}
