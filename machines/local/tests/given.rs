//! A driver with its own state directory, a tiny image, and a VPC; all of it is
//! taken down when the test ends, however it ends.

use crate::contract::World;
pub use crate::contract::parts::*;
use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_spec::*;
use std::net::SocketAddrV4;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long something may take that is a matter of moments: then the test fails and says what it
/// waited for, instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a test starts from.
pub struct Given {
    pub driver: Arc<LocalDriver>,
    pub image: ImageId,
    dir: tempfile::TempDir,
}

impl World for Given {
    fn driver(&self) -> &dyn MachineDriver {
        &*self.driver
    }

    fn image(&self) -> &ImageId {
        &self.image
    }

    const RUNS_COMMANDS: bool = true;

    async fn ends(self) {
        Given::ends(self).await;
    }
}

/// A driver, and the image of busybox's web server as first process.
pub async fn given() -> Given {
    assert!(nix::unistd::geteuid().is_root(), "these tests boot real machines: run them as root");
    // Not /tmp: layers cannot be mounted from tmpfs.
    let dir = tempfile::Builder::new()
        .prefix("kiln-test-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir_in("/var/tmp")
        .unwrap();
    let driver = open(&dir.path().join("state")).await;
    driver.adopt().await.unwrap();
    let root = dir.path().join("root");
    busybox_tree(&root);
    let entry = Entry::Program(Program {
        argv: ["/bin/httpd", "-f", "-p", "80", "-h", "/www"].map(String::from).to_vec(),
        ..Program::default()
    });
    let image = driver.import_directory(&root, "web", entry).await.unwrap();
    Given { driver, image: image.id, dir }
}

pub async fn open(state: &Path) -> Arc<LocalDriver> {
    let config = LocalConfig::new(state, Vec::new());
    Arc::new(LocalDriver::open(config).await.unwrap())
}

/// A root file system with busybox and nothing else.
pub fn busybox_tree(root: &Path) {
    for dir in ["bin", "dev", "etc", "proc", "sys", "run", "tmp", "www"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    let busybox = root.join("bin/busybox");
    std::fs::copy("/bin/busybox", &busybox).expect("install busybox-static");
    for applet in ["sh", "httpd", "cat", "id", "sleep", "nc", "wget", "echo", "mount", "ls", "kill"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("www/index.html"), "hello from a machine\n").unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n").unwrap();
    for name in ["hosts", "hostname", "resolv.conf"] {
        std::fs::write(root.join("etc").join(name), "").unwrap();
    }
}

impl Given {
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Lets the driver go as a crash would, does something, opens another one.
    pub async fn replace_driver(&mut self, between: impl AsyncFnOnce(LocalDriver)) {
        let state = self.state();
        let placeholder = open(&self.dir.path().join("unused")).await;
        let old = std::mem::replace(&mut self.driver, placeholder);
        let old = Arc::try_unwrap(old).ok().expect("nobody else has the driver");
        between(old).await;
        let until = tokio::time::Instant::now() + PATIENCE;
        let new = loop {
            match LocalDriver::open(LocalConfig::new(&state, Vec::new())).await {
                Ok(driver) => break driver,
                // A watcher's last step may hold the old one for a moment.
                Err(DriverError::Conflict { .. }) if tokio::time::Instant::now() < until => {}
                Err(e) => panic!("{}", e.chain()),
            }
        };
        let placeholder = std::mem::replace(&mut self.driver, Arc::new(new));
        placeholder.shutdown(false).await.unwrap();
    }

    /// A machine at that address, as the image says.
    pub fn spec(&self, id: &str, address: &str) -> MachineSpec {
        spec_of(&self.image, id, address)
    }

    /// Applies a VPC with these machines and launches them.
    pub async fn launch(&self, machines: &[(&str, &str, &[&str])]) -> VpcSpec {
        let mut network = vpc();
        for (id, address, groups) in machines {
            network = with(network, address, groups, machine(id));
        }
        self.driver.apply_network(&network).await.unwrap();
        for (id, address, _) in machines {
            let launched = self.driver.launch(self.spec(id, address)).await;
            let status = launched.unwrap_or_else(|e| panic!("launch {id}: {}", e.chain()));
            assert!(status.is_running());
        }
        network
    }

    /// GET / at an address, asked from the router or a router-owned address.
    pub async fn get(&self, from: Option<&str>, to: &str) -> Result<String, String> {
        let to: SocketAddrV4 = to.parse().unwrap();
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        loop {
            let dialled = self.driver.dial(&VPC.into(), from.map(ip), to, Duration::from_millis(700)).await;
            match dialled {
                Ok(mut stream) => {
                    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
                    let mut text = String::new();
                    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await;
                    read.map_err(|_| format!("{to} let in and did not answer"))?.unwrap();
                    return Ok(text);
                }
                // Not listening yet.
                Err(e) if e.chain().contains("refused") && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(e) => return Err(e.chain()),
            }
        }
    }

    /// Runs a shell command inside.
    pub async fn sh(&self, id: &str, script: &str) -> ExecOutput {
        let request = ExecRequest::new(["/bin/sh", "-c", script]);
        let done = self.driver.exec(&id.into(), request).await;
        done.unwrap_or_else(|e| panic!("exec in {id}: {}", e.chain()))
    }

    /// What the command printed.
    pub async fn out(&self, id: &str, script: &str) -> String {
        let done = self.sh(id, script).await;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.code, 0, "{script}: {text} {}", String::from_utf8_lossy(&done.stderr));
        text
    }

    /// Takes everything down and checks that nothing is left.
    pub async fn ends(self) {
        for status in self.driver.list().await.unwrap() {
            self.driver.terminate(&status.spec.id).await.unwrap();
        }
        for network in self.driver.networks().await.unwrap() {
            self.driver.remove_network(&network.id).await.unwrap();
        }
        let left = self.driver.leftovers().await.unwrap();
        assert!(left.is_clean(), "left over: {left:?}");
        self.driver.shutdown(false).await.unwrap();
    }
}

impl Drop for Given {
    /// After a failed test: the same, as far as it goes.
    fn drop(&mut self) {
        take_down(self.driver.clone());
    }
}

/// A second driver of a test; taken down with its machines, however the test ends.
pub struct Second(pub Arc<LocalDriver>);

impl Drop for Second {
    fn drop(&mut self) {
        take_down(self.0.clone());
    }
}

/// As far as it goes.
fn take_down(driver: Arc<LocalDriver>) {
    let down = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            for status in driver.list().await.unwrap_or_default() {
                if let Err(e) = driver.terminate(&status.spec.id).await {
                    eprintln!("clean up {}: {}", status.spec.id, e.chain());
                }
            }
            if let Err(e) = driver.shutdown(false).await {
                eprintln!("clean up: {}", e.chain());
            }
        });
    });
    if down.join().is_err() {
        eprintln!("clean up failed");
    }
}
