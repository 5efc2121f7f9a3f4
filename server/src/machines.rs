//! Which driver makes machines, and the base image they start from.

use crate::base_image::BaseImage;
use kiln_cli::Machines;
use kiln_clock::Clock;
use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_sim::{Durations, SimDriver};
use kiln_machines_spec::{BaseRecipe, MachineDriver, MachineId};
use kiln_service_kit::Platform;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The guest program, built by build.rs.
static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kiln-guest"));

/// Opens the driver.
pub async fn open(which: Machines, state_dir: &Path) -> Result<Arc<dyn MachineDriver>, String> {
    match which {
        Machines::Sim => Ok(Arc::new(SimDriver::new(Clock::system(), Durations::default()))),
        Machines::Local => {
            let place = state_dir.join("machines");
            let lacks: Vec<String> = kiln_machines_local::preflight(&place).iter().map(|e| e.chain()).collect();
            if !lacks.is_empty() {
                return Err(lacks.join("\nkiln: "));
            }
            let config = LocalConfig::new(place, GUEST.to_vec());
            let driver = LocalDriver::open(config).await.map_err(|e| e.chain())?;
            Ok(Arc::new(driver))
        }
    }
}

/// Builds the base image, or finds it built.
pub async fn build_base(platform: Arc<Platform>, driver: Arc<dyn MachineDriver>, progress: Arc<BaseImage>) {
    match driver.ensure_base(&BaseRecipe::default(), progress.clone()).await {
        Ok(manifest) => match kiln_ec2::register_base(&platform, &manifest).await {
            Ok(image) => {
                tracing::info!(image, "the base image is ready");
                progress.ready();
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "the base image could not be made known to EC2");
                progress.failed(error.chain());
            }
        },
        Err(error) => {
            tracing::error!(error = %error.chain(), "the base image could not be built");
            progress.failed(error.chain());
        }
    }
}

/// Imports an OCI layout or docker archive, or `docker://…` from a registry.
pub async fn import(
    control: &crate::control::Control,
    from: &str,
    credentials: Option<&str>,
    name: &str,
) -> Result<serde_json::Value, String> {
    let progress = Arc::new(BaseImage::new());
    control.imports.lock().insert(name.to_owned(), progress.clone());
    let imported = match from.starts_with("docker://") {
        true => control.driver.import_from_registry(from, credentials.map(Path::new), name, progress).await,
        false => control.driver.import_oci(Path::new(from), name, progress).await,
    };
    control.imports.lock().remove(name);
    let image = imported.map_err(|e| e.chain())?;
    let id = kiln_ec2::register_import(&control.platform, &image).await.map_err(|e| e.chain())?;
    Ok(serde_json::json!({"image": id, "layers": image.id.as_str()}))
}

/// Stand-ins, for the command line.
pub fn stand_ins(all: Vec<kiln_ec2::stand_ins::StandIn>) -> serde_json::Value {
    let line = |one: kiln_ec2::stand_ins::StandIn| serde_json::json!({"id": one.id, "like": one.like, "name": one.name, "image": one.image});
    serde_json::json!({"stand_ins": all.into_iter().map(line).collect::<Vec<_>>()})
}

/// Waits until a TCP port of a machine answers, asked from its network's router.
pub async fn probe(
    control: &crate::control::Control,
    instance: &str,
    port: u16,
    seconds: u64,
) -> Result<serde_json::Value, String> {
    let id = MachineId::new(instance);
    let began = tokio::time::Instant::now();
    let end = began + Duration::from_secs(seconds.min(600));
    loop {
        let failure = match control.driver.observe(&id).await {
            Ok(machine) => {
                let at = SocketAddrV4::new(machine.spec.private_ip, port);
                match control.driver.dial(&machine.spec.vpc, None, at, Duration::from_millis(250)).await {
                    Ok(_) => {
                        let text =
                            format!("{instance} answers on port {port} after {} ms", began.elapsed().as_millis());
                        return Ok(serde_json::json!({"text": text}));
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if tokio::time::Instant::now() >= end {
            return Err(format!("{instance} does not answer on port {port}: {}", failure.chain()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
