//! `kiln down --stop-machines` where no kiln runs: what the last one left on the host ends without one.
//!
//! Machines, networks and their helpers outlive kiln, and a kiln that cannot be started any more (its database is
//! damaged, its port is taken) would leave them for ever. The machines' driver alone finds and ends them; neither the
//! database nor a port is needed. It has the driver's lock meanwhile: a kiln that is just being started and does not
//! answer yet, or one that hangs, is not robbed of its machines, but named. The next kiln finds them stopped, as after
//! any `kiln down --stop-machines`.

use crate::machines;
use kiln_cli::Machines;
use kiln_machines_spec::MachineDriver;
use std::path::Path;

/// Ends what is left; a line that says what that was.
pub async fn stop_left(state_dir: &Path) -> Result<String, String> {
    // Simulated machines end with kiln.
    if !state_dir.join("machines").is_dir() {
        return Ok("kiln was not running, and left no machines".to_owned());
    }
    let state_dir = state_dir.canonicalize().map_err(|e| format!("{}: {e}", state_dir.display()))?;
    let driver = machines::open(Machines::Local, &state_dir).await?;
    end_all(&*driver).await
}

async fn end_all(driver: &dyn MachineDriver) -> Result<String, String> {
    let adopted = driver.adopt().await.map_err(|e| format!("failed to adopt running machines: {}", e.chain()));
    // Whatever could not be adopted: what was is ended.
    let ended = driver.shutdown(false).await.map_err(|e| format!("failed to stop the machines: {}", e.chain()));
    let ran = adopted?.iter().filter(|machine| machine.is_running()).count();
    ended?;
    Ok(match ran {
        0 => "kiln was not running, and left no machine that runs".to_owned(),
        1 => "kiln was not running; the machine that it left is stopped".to_owned(),
        _ => format!("kiln was not running; the {ran} machines that it left are stopped"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_no_machines_are_none_are_made_ready_for() {
        let dir = tempfile::tempdir().expect("a folder");
        for place in [dir.path().to_owned(), dir.path().join("absent")] {
            assert_eq!(stop_left(&place).await.expect("fine"), "kiln was not running, and left no machines");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 0);
    }
}
