//! The balancer at work, with its ways into the VPCs. A part that the server installs
//! (`Arc<DataPlane>`); the controllers steer it, and nothing of it has to survive a restart.
//!
//! Clients come in three ways: on the load balancer's own loopback address (the balancer listens),
//! by host name on the main port (the server hands requests over), and from machines of the VPC at
//! the load balancer's interfaces (listeners opened here, through the driver).

use async_trait::async_trait;
use kiln_balancer::{Balancer, Dialer, Options, Stream};
use kiln_doors::{BALANCER_IN_VPC, Door, Seldom};
use kiln_machines_spec::{DriverError, MachineDriver, VpcId};
use kiln_service_kit::Error;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// See the module's head.
pub struct DataPlane {
    balancer: Arc<Balancer>,
    driver: Option<Arc<dyn MachineDriver>>,
    inside: Mutex<BTreeMap<(String, SocketAddrV4), Inside>>,
}

/// A listener inside a VPC; ends when dropped.
struct Inside(JoinHandle<()>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DataPlane {
    /// Reaches targets through the machines' driver.
    pub fn new(driver: Arc<dyn MachineDriver>, options: Options) -> io::Result<Arc<Self>> {
        Self::with_dialer(driver.clone(), Arc::new(DriverDialer(driver)), options)
    }

    /// Reaches targets in the driver's networks by another dialer than the driver's own.
    pub fn with_dialer(
        driver: Arc<dyn MachineDriver>,
        dialer: Arc<dyn Dialer>,
        options: Options,
    ) -> io::Result<Arc<Self>> {
        let balancer = Balancer::new(dialer, options)?;
        Ok(Arc::new(Self { balancer: Arc::new(balancer), driver: Some(driver), inside: Mutex::default() }))
    }

    /// Reaches targets by another dialer and has no VPC networks at all: for tests with targets on
    /// this host.
    pub fn without_networks(dialer: Arc<dyn Dialer>, options: Options) -> io::Result<Arc<Self>> {
        let balancer = Arc::new(Balancer::new(dialer, options)?);
        Ok(Arc::new(Self { balancer, driver: None, inside: Mutex::default() }))
    }

    /// The balancer itself.
    pub fn balancer(&self) -> &Arc<Balancer> {
        &self.balancer
    }

    /// The addresses that the network of a VPC has given to Kiln itself; `None` without networks.
    pub(crate) async fn router_addresses(&self, vpc: &str) -> Result<Option<Vec<IpAddr>>, Error> {
        let Some(driver) = &self.driver else { return Ok(None) };
        let networks = driver.networks().await.map_err(|e| Error::failed("list the networks", e))?;
        let network = networks.into_iter().find(|n| n.id.as_str() == vpc);
        let own = |i: &kiln_machines_spec::InterfaceSpec| i.owner == kiln_machines_spec::InterfaceOwner::Router;
        Ok(Some(network.iter().flat_map(|n| &n.interfaces).filter(|i| own(i)).map(|i| IpAddr::V4(i.ip)).collect()))
    }

    /// Where a load balancer listens inside its VPC.
    pub(crate) fn inside(&self, load_balancer: &str) -> Vec<SocketAddrV4> {
        let inside = self.inside.lock();
        inside.keys().filter(|(id, _)| id == load_balancer).map(|(_, at)| *at).collect()
    }

    /// Listens inside the VPC, for its machines; the network enforces the security groups there.
    pub(crate) async fn open_inside(&self, load_balancer: &str, vpc: &str, at: SocketAddrV4) -> Result<(), Error> {
        let Some(driver) = &self.driver else { return Ok(()) };
        let key = (load_balancer.to_owned(), at);
        if self.inside.lock().contains_key(&key) {
            return Ok(());
        }
        let listener = driver.listen(&VpcId::new(vpc), at).await;
        let listener = listener.map_err(|e| Error::failed(format_args!("listen on {at} in {vpc}"), e))?;
        static NOT_ACCEPTED: Seldom = Seldom::new();
        let (balancer, id, door) = (self.balancer.clone(), load_balancer.to_owned(), Door::new(&BALANCER_IN_VPC, vpc));
        let serving = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, client)) => {
                        let Some(ticket) = door.admit(client.ip()) else {
                            balancer.rejected(&id);
                            continue;
                        };
                        // Answers are small; waiting to fill a packet would cost 40 ms each.
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%error, "cannot set TCP_NODELAY");
                        }
                        let (balancer, id) = (balancer.clone(), id.clone());
                        tokio::spawn(async move {
                            if let Err(error) = balancer.serve(&id, at.port(), stream, client, Some(ticket)).await {
                                tracing::debug!(%error, "a connection from inside the VPC came too late");
                            }
                        });
                    }
                    Err(error) => {
                        if let Some(unsaid) = NOT_ACCEPTED.now() {
                            tracing::warn!(%at, %error, unsaid, "failed to accept a connection inside a VPC");
                        }
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        self.inside.lock().insert(key, Inside(serving));
        Ok(())
    }

    /// Stops listening inside the VPC.
    pub(crate) fn close_inside(&self, load_balancer: &str, at: SocketAddrV4) {
        self.inside.lock().remove(&(load_balancer.to_owned(), at));
    }

    /// Takes a load balancer down, wherever it listens.
    pub(crate) fn remove(&self, load_balancer: &str) {
        self.inside.lock().retain(|(id, _), _| id != load_balancer);
        self.balancer.remove(load_balancer);
    }
}

/// Opens connections inside VPCs, from the load balancer's interface.
pub struct DriverDialer(pub Arc<dyn MachineDriver>);

#[async_trait]
impl Dialer for DriverDialer {
    async fn dial(&self, vpc: &str, from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        let SocketAddr::V4(to) = to else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "VPC networks carry IPv4 only"));
        };
        let from = match from {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        };
        let stream = self.0.dial(&VpcId::new(vpc), from, to, timeout).await.map_err(dial_error)?;
        stream.set_nodelay(true)?;
        Ok(Stream::Tcp(stream))
    }
}

/// A driver's failure as a dialer tells it: the balancer tells a timeout from a refusal by the error's kind.
pub fn dial_error(error: DriverError) -> io::Error {
    let mut kind = io::ErrorKind::Other;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<io::Error>() {
            kind = io.kind();
            break;
        }
        cause = e.source();
    }
    io::Error::new(kind, error)
}
