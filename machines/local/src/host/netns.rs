//! Network namespaces: made by a thread, kept alive by a file, entered by threads.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, mpsc};

/// Makes a namespace and keeps it alive by a mount of it on the file `at`.
pub fn make(at: &Path) -> io::Result<OwnedFd> {
    fs::write(at, b"")?;
    let at = at.to_owned();
    on_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let own = Path::new("/proc/thread-self/ns/net");
        let none = None::<&str>;
        mount(Some(own), at.as_path(), none, MsFlags::MS_BIND, none)?;
        Ok(File::open(own)?.into())
    })
}

/// Runs `work` on a thread of its own in the namespace.
pub fn inside<T: Send + 'static>(ns: &OwnedFd, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let ns = ns.try_clone()?;
    on_thread(move || {
        setns(ns.as_fd(), CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn on_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let builder = std::thread::Builder::new().name("kiln-netns".into()).stack_size(256 * 1024);
    builder.spawn(work)?.join().map_err(|_| io::Error::other("a network thread panicked"))?
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that stays in a namespace and makes sockets there: a socket belongs
/// for its whole life to the namespace it was made in.
#[derive(Clone)]
pub struct SocketMaker {
    jobs: mpsc::Sender<Job>,
}

/// Which kind of socket.
#[derive(Clone, Copy, Debug)]
pub enum SocketKind {
    /// A TCP socket.
    Tcp,
    /// A UDP socket.
    Udp,
}

impl SocketMaker {
    /// Starts the thread. It ends when the last clone is dropped.
    pub fn start(ns: Arc<OwnedFd>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (entered, result) = mpsc::channel();
        std::thread::Builder::new().name("kiln-sockets".into()).stack_size(64 * 1024).spawn(move || {
            let done = setns(ns.as_fd(), CloneFlags::CLONE_NEWNET);
            drop(ns);
            let go_on = done.is_ok();
            if entered.send(done).is_err() || !go_on {
                return;
            }
            for job in queue {
                job();
            }
        })?;
        result.recv().map_err(io::Error::other)??;
        Ok(Self { jobs })
    }

    /// A non-blocking IPv4 socket of the namespace.
    pub async fn socket(&self, kind: SocketKind) -> io::Result<OwnedFd> {
        let (done, result) = tokio::sync::oneshot::channel();
        let job = Box::new(move || {
            // The receiver may be gone: then nobody wants the socket any more.
            let _ = done.send(make_socket(kind));
        });
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the network was taken down");
        self.jobs.send(job).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

fn make_socket(kind: SocketKind) -> io::Result<OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let kind = match kind {
        SocketKind::Tcp => SockType::Stream,
        SocketKind::Udp => SockType::Datagram,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket(AddressFamily::Inet, kind, flags, None)?)
}

/// The network namespace of a process.
pub fn of_process(pid: u32) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/{pid}/ns/net"))?.into())
}
