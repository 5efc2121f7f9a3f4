//! Capture: a machine's upper layer becomes one more layer of its image.
//!
//! The upper layer is owned by the machine's range of ids. It is read through a
//! mount that turns them back, so the new layer has the ids of the image.

use super::disk::Device;
use super::record::{Machine, Record};
use super::still::{Caller, Hold};
use crate::host::{mounts, userns};
use crate::images::PackOptions;
use crate::state::Host;
use kiln_machines_spec::{DriverError, DriverResult, ImageManifest, ImageSource, LayerRef};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// What belongs to one machine and not to an image: its host keys, its id, its name and its
/// passing files.
const LEFT_OUT: [&str; 6] = [
    "^etc/ssh/ssh_host_.*",
    "^etc/machine-id$",
    "^etc/(hosts|hostname|resolv\\.conf)$",
    "^var/lib/systemd/random-seed$",
    "^run/.*",
    "^tmp/.*",
];

/// Makes an image of a machine. The caller has its turn. A running one is held still for as long as that takes (AWS
/// shuts it down meanwhile), unless kiln is left or nobody waits any more.
pub fn capture(host: &Host, machine: &Machine, name: &str, caller: &Caller) -> DriverResult<ImageManifest> {
    machine.status_or_gone()?;
    let record = machine.record.lock().clone();
    let _adding = host.images.adding();
    let runs = machine.running.lock().is_some();
    let group = machine.group(host);
    let freeze = |still| group.freeze(still);
    let top = match runs {
        true => {
            let hold = Hold { id: &machine.id, most: None, caller, freeze: &freeze };
            host.stills.hold(&hold, |_| pack_upper(host, machine, &record))?
        }
        false => pack_upper(host, machine, &record)?,
    };
    let mut layers = Vec::new();
    for digest in &record.layers {
        let bytes = host.images.layer_size(digest)?;
        let digest = digest.clone();
        layers.push(LayerRef { digest, bytes });
    }
    layers.push(top);
    let source = ImageSource::Capture { machine: machine.id.to_string(), parent: record.spec.image.clone() };
    let architecture = crate::images::ARCHITECTURE;
    host.images.keep(name, layers, record.entry, architecture, source)
}

fn pack_upper(host: &Host, machine: &Machine, record: &Record) -> DriverResult<LayerRef> {
    let id = &machine.id;
    let failed = |e: io::Error| DriverError::failed(format!("read the changes of {id}"), e);
    let back = userns::with_map(record.ids, 0).map_err(failed)?;
    let share = || Device::share(id, &machine.disk(host), &host.dirs.nodes);
    let device = (record.spec.disk_bytes > 0).then(share).transpose()?;
    let scratch = &host.dirs.lower;
    let tree = mounts::aside(&format!("read the changes of {id}"), || {
        let upper = match &device {
            Some(device) => {
                device.mount(scratch).map_err(failed)?;
                scratch.join("upper")
            }
            None => machine.dir(host).join("upper"),
        };
        mounts::idmapped_copy(&upper, back.as_fd(), true).map_err(failed)
    })?;
    drop(device);
    let work = host.images.work_dir("capture")?;
    let options = PackOptions {
        leave_out: LEFT_OUT.map(str::to_owned).to_vec(),
        through: Some(Arc::new(tree)),
        ..PackOptions::default()
    };
    let packed = host.images.pack(&work, options);
    crate::host::files::remove_all(&work)?;
    packed
}
