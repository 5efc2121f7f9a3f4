//! Listening ports, and the threads that serve what arrives there.
//!
//! One task per port accepts and hands each connection to the worker with the fewest; a worker is a
//! thread with a single-threaded runtime and its own kept connections to targets, so a request
//! never changes threads. `SO_REUSEPORT` was turned down: it spreads connections by chance, and it
//! hides that a port is already in use. With no workers (simulation) all runs where it is.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use kiln_doors::{BALANCER, Door, Seldom, Ticket};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::lb::Lb;
use crate::serve::{self, ClientConnection};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// Tasks that a thread polls before it asks the system again what has arrived. With many connections
/// tokio's own 61 asks in the middle of a batch; measured, see docs/decisions/0003-load-balancer-library.md.
const POLLS: u32 = 256;

/// A connection to be served.
struct Job {
    lb: Arc<Lb>,
    port: u16,
    stream: StdStream,
    client: SocketAddr,
    open: Arc<OpenConnections>,
    ticket: Ticket,
}

struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    load: Arc<AtomicUsize>,
}

/// The serving threads. Dropping them ends them and their connections.
pub(crate) struct Workers(Vec<Worker>);

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        (1..=count)
            .map(|index| {
                let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
                let load = Arc::new(AtomicUsize::new(0));
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().event_interval(POLLS).build()?;
                let own_load = load.clone();
                std::thread::Builder::new().name(format!("balancer-{index}")).spawn(move || {
                    runtime.block_on(async move {
                        while let Some(job) = inbox.recv().await {
                            let load = own_load.clone();
                            tokio::spawn(async move {
                                run(job, index).await;
                                load.fetch_sub(1, Ordering::Relaxed);
                            });
                        }
                    });
                })?;
                Ok(Worker { jobs, load })
            })
            .collect::<io::Result<_>>()
            .map(Workers)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn give(&self, job: Job) {
        match self.0.iter().min_by_key(|w| w.load.load(Ordering::Relaxed)) {
            None => {
                tokio::spawn(run(job, 0));
            }
            Some(worker) => {
                worker.load.fetch_add(1, Ordering::Relaxed);
                // A closed inbox means that the balancer is being dropped; so is the connection.
                let _ = worker.jobs.send(job);
            }
        }
    }
}

async fn run(job: Job, worker: usize) {
    let Job { lb, port, stream, client, open, ticket } = job;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "failed to take over a client connection");
            return;
        }
    };
    let (id, known) = open.add(client);
    serve::connection(lb, port, stream, client, worker, &known, Some(ticket)).await;
    open.remove(id);
}

/// The client connections of one listener.
#[derive(Default)]
struct OpenConnections {
    next: AtomicU64,
    open: Mutex<HashMap<u64, (SocketAddr, Arc<ClientConnection>)>>,
}

impl OpenConnections {
    fn add(&self, client: SocketAddr) -> (u64, Arc<ClientConnection>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let known = Arc::new(ClientConnection::default());
        self.open.lock().insert(id, (client, known.clone()));
        (id, known)
    }

    fn remove(&self, id: u64) {
        self.open.lock().remove(&id);
    }
}

/// An open port.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
    open: Arc<OpenConnections>,
}

impl Listening {
    /// Opens `address` and serves it; `port` is the listener's name even if `address` says 0.
    pub(crate) fn start(
        lb: &Arc<Lb>,
        address: SocketAddr,
        port: u16,
        runtime: &Handle,
        workers: &Arc<Workers>,
    ) -> io::Result<Self> {
        let _inside = runtime.enter();
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let open = Arc::new(OpenConnections::default());
        let accepting = runtime.spawn(accept(listener, lb.clone(), port, workers.clone(), open.clone()));
        Ok(Listening { address, accepting, open })
    }

    /// One that is only told, where there is no host whose port it could be.
    pub(crate) fn told(address: SocketAddr, runtime: &Handle) -> Self {
        Listening { address, accepting: runtime.spawn(std::future::pending()), open: Arc::default() }
    }
}

impl Listening {
    /// Ends the connections of clients that are not let in any more, as a security group whose rule
    /// is taken away does.
    pub(crate) fn cut_unadmitted(&self, lb: &Lb, port: u16) {
        let plan = lb.plan();
        for (client, connection) in self.open.open.lock().values() {
            if !plan.admits(port, client.ip()) {
                connection.cut.cut();
            }
        }
    }
}

impl Drop for Listening {
    /// Closes the port and the connections at rest; requests under way are finished.
    fn drop(&mut self) {
        self.accepting.abort();
        for (_, connection) in self.open.open.lock().values() {
            if connection.requests.in_hand.load(Ordering::Relaxed) == 0 {
                connection.cut.cut();
            }
        }
    }
}

async fn accept(listener: TcpListener, lb: Arc<Lb>, port: u16, workers: Arc<Workers>, open: Arc<OpenConnections>) {
    static NOT_ACCEPTED: Seldom = Seldom::new();
    let door = Door::new(&BALANCER, &lb.plan().config.id);
    loop {
        let accepted = listener.accept().await.and_then(|(stream, client)| {
            stream.set_nodelay(true)?;
            Ok((stream.into_std()?, client))
        });
        match accepted {
            // As a security group would: what is not let in gets no answer.
            Ok((_, client)) if !lb.plan().admits(port, client.ip()) => {
                tracing::debug!(port, %client, "the security groups do not let this client in");
            }
            Ok((stream, client)) => {
                let Some(ticket) = door.admit(client.ip()) else {
                    lb.done.rejected_connections.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                workers.give(Job { lb: lb.clone(), port, stream, client, open: open.clone(), ticket });
            }
            Err(error) => {
                // Out of descriptors, most likely: others must end before it can go on.
                if let Some(unsaid) = NOT_ACCEPTED.now() {
                    tracing::warn!(port, %error, unsaid, "failed to accept a connection");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
