//! The names under which scripts call this program.
//!
//! The driver puts the program into every machine, so the links are made there too, at each boot:
//! an image need not know them, and one that brings a program of that name keeps its own.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use crate::machine::Machine;

/// Where the driver puts the program.
const PROGRAM: &str = "/usr/lib/kiln/kiln-guest";

const LINKS: [&str; 9] = [
    "/usr/bin/cloud-init",
    "/opt/aws/bin/cfn-init",
    "/opt/aws/bin/cfn-signal",
    "/opt/aws/bin/cfn-get-metadata",
    "/opt/aws/bin/cfn-hup",
    "/usr/local/bin/cfn-init",
    "/usr/local/bin/cfn-signal",
    "/usr/local/bin/cfn-get-metadata",
    "/usr/local/bin/cfn-hup",
];

/// Makes those that are missing.
pub fn make(machine: &Machine) -> Result<(), String> {
    for link in LINKS {
        let path = machine.path(link);
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let failed = |cause: std::io::Error| format!("cannot make the link {link}: {cause}");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        match symlink(PROGRAM, &path) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => return Err(failed(cause)),
            _ => {}
        }
    }
    Ok(())
}
