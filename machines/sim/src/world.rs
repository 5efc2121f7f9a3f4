//! What exists in the simulation.

use crate::guest::Answer;
use kiln_machines_spec::*;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// What the copy of a machine into a folder does.
pub type Copying = Arc<dyn Fn(&MachineId, &Path) -> DriverResult<Copied> + Send + Sync>;

#[derive(Default)]
pub struct World {
    pub machines: BTreeMap<MachineId, Machine>,
    pub images: BTreeMap<ImageId, ImageManifest>,
    pub corrupt: BTreeSet<ImageId>,
    pub networks: BTreeMap<VpcId, VpcSpec>,
    pub cut: BTreeSet<(VpcId, ZoneName)>,
    /// Zones without power.
    pub dark: BTreeSet<ZoneName>,
    /// How many machines there is room for; `None`: any number.
    pub room: Option<usize>,
    /// Errors that the next launches meet, oldest first.
    pub launch_failures: VecDeque<DriverError>,
    /// `None`: nothing, for nothing is kept on a disk.
    pub copying: Option<Copying>,
}

pub struct Machine {
    pub spec: Arc<MachineSpec>,
    pub state: MachineState,
    pub boots: u32,
    pub console: String,
    pub answer: Answer,
}

impl Machine {
    pub fn status(&self) -> MachineStatus {
        MachineStatus { spec: self.spec.clone(), state: self.state.clone(), boots: self.boots }
    }
}

impl World {
    pub fn machine(&mut self, id: &MachineId) -> DriverResult<&mut Machine> {
        self.machines.get_mut(id).ok_or_else(|| DriverError::not_found("machine", id))
    }

    /// Fails when the image is damaged.
    pub fn whole(&self, image: &ImageId) -> DriverResult<()> {
        if !self.corrupt.contains(image) {
            return Ok(());
        }
        Err(DriverError::CorruptLayer {
            image: image.to_string(),
            layer: "simulated".to_owned(),
            actual: "damaged on purpose".to_owned(),
            remedy: "import or build the image again".to_owned(),
        })
    }

    /// Fails when the subnet of one of the interfaces is not there.
    pub fn reachable(&self, interfaces: &[ExtraInterface]) -> DriverResult<()> {
        for interface in interfaces {
            let vpc = &interface.vpc;
            let network = self.networks.get(vpc).ok_or_else(|| DriverError::not_found("network", vpc))?;
            let subnet = &interface.subnet;
            network.subnet(subnet).ok_or_else(|| DriverError::not_found("subnet", subnet))?;
        }
        Ok(())
    }

    /// Whether the machine's zone is cut off.
    pub fn is_cut(&self, vpc: &VpcId, subnet: &SubnetId) -> bool {
        self.zone(vpc, subnet).is_some_and(|zone| self.cut.contains(&(vpc.clone(), zone.clone())))
    }

    /// Fails when the subnet's zone has no power.
    pub fn powered(&self, vpc: &VpcId, subnet: &SubnetId) -> DriverResult<()> {
        match self.zone(vpc, subnet).filter(|zone| self.dark.contains(zone)) {
            Some(zone) => Err(DriverError::Capacity(format!("zone {zone} has no power"))),
            None => Ok(()),
        }
    }

    pub fn zone(&self, vpc: &VpcId, subnet: &SubnetId) -> Option<&ZoneName> {
        self.networks.get(vpc)?.subnet(subnet).map(|subnet| &subnet.zone)
    }
}

/// A layer that stands for something.
pub fn layer(of: &str) -> LayerRef {
    let digest: String = Sha256::digest(of.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    LayerRef { digest: LayerDigest::new(format!("sha256-{digest}")), bytes: 1 << 20 }
}
