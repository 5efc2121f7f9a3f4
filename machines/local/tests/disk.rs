//! A machine's disk has the size it was given: seen inside, and enforced.

use crate::given::*;
use kiln_machines_spec::*;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// A machine with a disk of 64 MiB.
async fn small(given: &Given) -> VpcSpec {
    let network = with(vpc(), "10.0.1.10", &["web"], machine("i-1"));
    given.driver.apply_network(&network).await.unwrap();
    let spec = MachineSpec { disk_bytes: 64 * MIB, ..given.spec("i-1", "10.0.1.10") };
    given.driver.launch(spec).await.unwrap();
    network
}

/// What the machine's disk takes on the host.
fn taken(given: &Given) -> u64 {
    std::fs::metadata(given.state().join("machines/i-1/disk")).unwrap().blocks() * 512
}

/// Size of the root as the machine sees it, in KiB.
async fn size(given: &Given, id: &str) -> u64 {
    let shown = given.out(id, "/bin/busybox df -k / | /bin/busybox tail -n 1").await;
    shown.split_whitespace().nth(1).unwrap_or_else(|| panic!("{shown}")).parse().unwrap()
}

/// So many disks have a device. The kernel takes it from a disk that is let go once nobody sees it mounted any
/// longer: a machine that another test launches at that moment begins with a copy of all mounts.
async fn loops(given: &Given, wanted: usize) {
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let left = given.driver.leftovers().await.unwrap().loops;
        if left == wanted {
            return;
        }
        assert!(left > wanted && tokio::time::Instant::now() < until, "{left} devices instead of {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_full_for_its_machine_only() {
    let given = given().await;
    small(&given).await;
    let kib = size(&given, "i-1").await;
    assert!((50 << 10..=64 << 10).contains(&kib), "df shows {kib} KiB");
    assert!(taken(&given) < 2 * MIB, "an idle machine takes {} KiB", taken(&given) >> 10);
    let full =
        given.sh("i-1", "/bin/busybox dd if=/dev/zero of=/big bs=64k; code=$?; /bin/busybox sync; exit $code").await;
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(full.code != 0 && said.contains("No space left on device"), "{} {said}", full.code);
    assert!(taken(&given) <= 64 * MIB, "the host lost {} MiB", taken(&given) >> 20);
    assert!(given.get(None, "10.0.1.10:80").await.is_ok(), "the machine goes on");
    given.out("i-1", "/bin/busybox rm /big; /bin/busybox sync; echo again > /small; /bin/busybox sync").await;
    // What was deleted is given back to the host, in the background.
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    while taken(&given) > 20 * MIB {
        assert!(tokio::time::Instant::now() < until, "still {} MiB", taken(&given) >> 20);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_that_a_machine_can_write_is_on_the_hosts_disk() {
    let given = given().await;
    small(&given).await;
    // Its console is its standard output and error; its names are its own files.
    let pid = match given.driver.observe(&"i-1".into()).await.unwrap().state {
        MachineState::Running { pid, .. } => pid,
        other => panic!("{other:?}"),
    };
    let host = std::fs::metadata(given.state()).unwrap().dev();
    for file in ["fd/1", "fd/2", "root/etc/hosts", "root/etc/hostname", "root/etc/resolv.conf", "root/tmp"] {
        let at = format!("/proc/{pid}/{file}");
        assert_ne!(std::fs::metadata(&at).unwrap().dev(), host, "{file}");
    }
    let much = "/bin/busybox dd if=/dev/zero of=/proc/1/fd/1 bs=1M count=8";
    assert_ne!(given.sh("i-1", much).await.code, 0, "a console has an end");
    assert!(given.driver.console(&"i-1".into()).await.unwrap().len() <= 64 << 10);
    given.out("i-1", "echo mine >> /etc/hosts").await;
    given.driver.reboot(&"i-1".into()).await.unwrap();
    let hosts = given.out("i-1", "cat /etc/hosts").await;
    assert!(hosts.contains("10.0.1.10 ip-10-0-1-10") && hosts.ends_with("mine\n"), "{hosts}");
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_lives_as_long_as_its_machine_and_its_device_while_it_runs() {
    let mut given = given().await;
    let network = small(&given).await;
    loops(&given, 1).await;
    given.out("i-1", "echo kept > /www/index.html").await;
    for _ in 0..5 {
        given.driver.reboot(&"i-1".into()).await.unwrap();
        loops(&given, 1).await;
    }
    // Of a running machine whose driver is another by now, and of one at rest.
    given.replace_driver(async |driver| drop(driver)).await;
    given.driver.adopt().await.unwrap();
    let running = given.driver.capture(&"i-1".into(), "running").await.unwrap();
    loops(&given, 1).await;
    given.driver.stop(&"i-1".into(), Duration::ZERO).await.unwrap();
    loops(&given, 0).await;
    let resting = given.driver.capture(&"i-1".into(), "resting").await.unwrap();
    loops(&given, 0).await;
    assert_eq!(resting.layers, running.layers, "the same changes are the same layer");
    given.driver.start(&"i-1".into()).await.unwrap();
    assert!(given.get(None, "10.0.1.10:80").await.unwrap().contains("kept"));
    // Another size for a machine made of it.
    given.driver.apply_network(&with(network, "10.0.1.11", &["web"], machine("i-2"))).await.unwrap();
    let spec = MachineSpec { image: resting.id, disk_bytes: 128 * MIB, ..given.spec("i-2", "10.0.1.11") };
    given.driver.launch(spec).await.unwrap();
    assert!(given.get(None, "10.0.1.11:80").await.unwrap().contains("kept"));
    let kib = size(&given, "i-2").await;
    assert!((100 << 10..=128 << 10).contains(&kib), "df shows {kib} KiB");
    loops(&given, 2).await;
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_of_another_size_than_there_are_is_refused() {
    let given = given().await;
    given.driver.apply_network(&with(vpc(), "10.0.1.10", &["web"], machine("i-1"))).await.unwrap();
    for bytes in [0, MIB] {
        let spec = MachineSpec { disk_bytes: bytes, ..given.spec("i-1", "10.0.1.10") };
        let error = given.driver.launch(spec).await.unwrap_err();
        assert!(matches!(error, DriverError::Invalid(_)), "{error:?}");
    }
    let spec = MachineSpec { disk_bytes: 1 << 62, ..given.spec("i-1", "10.0.1.10") };
    let error = given.driver.launch(spec).await.unwrap_err();
    assert!(matches!(error, DriverError::Capacity(_)), "{error:?}");
    assert!(given.driver.list().await.unwrap().is_empty());
    given.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_made_before_disks_had_a_size_goes_on_as_it_was() {
    let mut given = given().await;
    small(&given).await;
    given.driver.stop(&"i-1".into(), Duration::ZERO).await.unwrap();
    let dir = given.state().join("machines/i-1");
    given
        .replace_driver(async |driver| {
            drop(driver);
            // As kiln made them then: what it changed is in a folder.
            std::fs::remove_file(dir.join("disk")).unwrap();
            std::fs::create_dir_all(dir.join("upper/www")).unwrap();
            std::fs::write(dir.join("upper/www/index.html"), "from before").unwrap();
            std::fs::create_dir(dir.join("work")).unwrap();
            let record = dir.join("machine.json");
            let text = std::fs::read_to_string(&record).unwrap();
            let line = format!("\"disk_bytes\": {},", 64 * MIB);
            assert!(text.contains(&line), "{text}");
            std::fs::write(&record, text.replace(&line, "")).unwrap();
        })
        .await;
    given.driver.adopt().await.unwrap();
    given.driver.start(&"i-1".into()).await.unwrap();
    assert!(given.get(None, "10.0.1.10:80").await.unwrap().contains("from before"));
    loops(&given, 0).await;
    given.driver.capture(&"i-1".into(), "old").await.unwrap();
    given.ends().await;
}

/// A file system of its own for a state directory, taken away at the end.
struct Small(std::path::PathBuf);

impl Small {
    fn new(at: std::path::PathBuf, size: &str) -> Self {
        std::fs::create_dir(&at).unwrap();
        let file = at.with_extension("img");
        run("truncate", &["-s", size, file.to_str().unwrap()]);
        run("mke2fs", &["-q", "-F", "-t", "ext4", "-m", "0", file.to_str().unwrap()]);
        run("mount", &["-o", "loop", file.to_str().unwrap(), at.to_str().unwrap()]);
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let mut command = std::process::Command::new(program);
    command.args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    assert!(command.status().unwrap().success(), "{program}");
}

/// Writes until there is no room for a note: less and less at once, since what is refused as a whole may have room
/// for a part; and again, since a file system has blocks to give once it has placed what it kept them for.
fn fill(filler: &std::path::Path, note: &std::path::Path) {
    let mut rest = std::fs::File::create(filler).unwrap();
    for _ in 0..100 {
        for piece in [1 << 20, 4096, 512] {
            let piece = vec![1; piece];
            let full = loop {
                if let Err(error) = rest.write_all(&piece) {
                    break error;
                }
            };
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        }
        rest.sync_all().unwrap();
        match std::fs::write(note, "no room for a note") {
            Ok(()) => std::fs::remove_file(note).unwrap(),
            Err(error) => return assert_eq!(error.kind(), std::io::ErrorKind::StorageFull),
        }
    }
    panic!("there is always room again");
}

/// Whether a disk's file system is marked as having errors.
fn errors(disk: &std::path::Path) -> u8 {
    use std::os::unix::fs::FileExt;
    let mut state = [0];
    std::fs::File::open(disk).unwrap().read_exact_at(&mut state, 1024 + 0x3a).unwrap();
    state[0] & 2
}

/// What machines are promised together may be more than there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_host_is_told_to_who_writes_and_to_who_launches() {
    let given = given().await;
    let place = Small::new(given.state().with_file_name("small"), "600M");
    let second = Second(open(&place.0.join("state")).await);
    let driver = &second.0;
    driver.adopt().await.unwrap();
    let root = given.state().with_file_name("root");
    let entry =
        Entry::Program(Program { argv: ["/bin/sleep", "1000"].map(String::from).to_vec(), ..Program::default() });
    let image = driver.import_directory(&root, "sleeper", entry).await.unwrap();
    let network = with(vpc(), "10.0.1.10", &["web"], machine("i-1"));
    driver.apply_network(&with(network, "10.0.1.11", &["web"], machine("i-2"))).await.unwrap();
    let spec = |id, ip| MachineSpec { disk_bytes: 1024 * MIB, ..spec_of(&image.id, id, ip) };
    driver.launch(spec("i-1", "10.0.1.10")).await.unwrap();
    let inside = async |script: &str| {
        let done = driver.exec(&"i-1".into(), ExecRequest::new(["/bin/sh", "-c", script])).await.unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.code, String::from_utf8_lossy(&text).into_owned())
    };
    assert_eq!(inside("echo kept > /kept; /bin/busybox sync").await.0, 0);
    // Of the 600 MiB 200 are left: too few for one more machine, which is said in one line.
    let filler = place.0.join("filler");
    let left = nix::sys::statvfs::statvfs(&place.0).unwrap();
    let left = left.blocks_available() * left.fragment_size();
    run("fallocate", &["-l", &(left - 200 * MIB).to_string(), filler.to_str().unwrap()]);
    let refused = driver.launch(spec("i-2", "10.0.1.11")).await.unwrap_err();
    assert!(matches!(refused, DriverError::NoSpace { .. }), "{refused:?}");
    assert!(
        refused.chain().contains("a new machine needs 256") && !refused.chain().contains('\n'),
        "{}",
        refused.chain()
    );
    // The machine's own disk has room, the host's has not.
    let (code, said) = inside("/bin/busybox dd if=/dev/zero of=/big bs=1M count=400 conv=fsync").await;
    // Unless that takes so long that the file system had to write its journal (every five seconds): that is
    // read-only then, which every writer is told.
    let read_only = |said: &str| {
        ["Read-only file system", "Input/output error", "I/O error"].iter().any(|text| said.contains(text))
    };
    assert!(code != 0 && (said.contains("No space left on device") || read_only(&said)), "{code} {said}");
    std::fs::remove_file(&filler).unwrap();
    // With room again it goes on, or says that it cannot. What was said to be written is there at its next start,
    // which repairs what the file system notes of errors.
    let more = "/bin/busybox rm -f /big && echo more | /bin/busybox dd of=/more conv=fsync";
    let (code, said) = inside(more).await;
    assert!(code == 0 || read_only(&said), "{code} {said}");
    driver.stop(&"i-1".into(), Duration::ZERO).await.unwrap();
    let disk = place.0.join("state/machines/i-1/disk");
    run("debugfs", &["-w", "-R", "set_super_value state 2", disk.to_str().unwrap()]);
    assert_eq!(errors(&disk), 2);
    driver.start(&"i-1".into()).await.unwrap();
    if code != 0 {
        assert_eq!(inside(more).await.0, 0);
    }
    let (code, said) = inside("cat /kept /more").await;
    assert_eq!((code, &*said), (0, "kept\nmore\n"));
    driver.stop(&"i-1".into(), Duration::ZERO).await.unwrap();
    assert_eq!(errors(&disk), 0);
    // A machine can be ended however full the host is: that is what makes room.
    driver.start(&"i-1".into()).await.unwrap();
    fill(&filler, &place.0.join("state/machines/i-1/probe"));
    driver.terminate(&"i-1".into()).await.unwrap();
    assert!(driver.list().await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(place.0.join("state/machines")).unwrap().count(), 0);
    driver.shutdown(false).await.unwrap();
    drop(second);
    drop(place);
    given.ends().await;
}
