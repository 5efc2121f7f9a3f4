//! The base image: Debian, made by mmdebstrap, with systemd, ssh and the guest's unit.
//!
//! The guest program itself is not in the image: the driver puts it into every
//! machine, so that a new kiln brings its new guest to old images too.

use super::layers::{FIXED_TIME, PackOptions};
use super::store::ImageStore;
use crate::host::child::{self, Surroundings};
use crate::host::files;
use kiln_machines_spec::{BaseRecipe, DriverError, DriverResult, LayerRef, Progress};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

/// Where every machine finds the guest.
pub const GUEST_PATH: &str = "/usr/lib/kiln/kiln-guest";

/// CloudFormation's programs in `/opt/aws/bin`: links to the guest.
const GUEST_LINKS: [&str; 3] = ["cfn-init", "cfn-signal", "cfn-get-metadata"];

/// Files put into the base image: path, permissions, content.
const FILES: [(&str, u32, &str); 8] = [
    (
        "etc/systemd/system/kiln-guest-init.service",
        0o644,
        include_str!("../../../../guest/units/kiln-guest-init.service"),
    ),
    ("etc/systemd/system/kiln-guest.service", 0o644, include_str!("../../../../guest/units/kiln-guest.service")),
    ("etc/systemd/system/ssh.service.d/kiln.conf", 0o644, include_str!("base/ssh.service.conf")),
    ("etc/systemd/journald.conf.d/kiln.conf", 0o644, include_str!("base/journald.conf")),
    (
        "etc/ssh/sshd_config.d/kiln.conf",
        0o644,
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\n",
    ),
    ("etc/sudoers.d/90-kiln", 0o440, "admin ALL=(ALL) NOPASSWD:ALL\n"),
    // Filled in at boot; empty means "not known yet" to systemd.
    ("etc/machine-id", 0o444, ""),
    // What the driver puts over these at boot needs something to be put over.
    ("usr/lib/kiln/kiln-guest", 0o755, ""),
];

/// Units without sense in a machine whose hardware, clock and disks are the host's.
const MASKED: [&str; 27] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "console-getty.service",
    "systemd-logind.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-remount-fs.service",
    "systemd-modules-load.service",
    "systemd-update-utmp.service",
    "systemd-random-seed.service",
    "dev-hugepages.mount",
    "hwclock.service",
    // Their work is done when the image is built; each costs 20 to 40 ms of every boot.
    "systemd-sysusers.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-journal-flush.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-machine-id-commit.service",
    "systemd-firstboot.service",
    "systemd-initctl.socket",
    // There is no terminal to ask at.
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "getty-static.service",
];

/// Packages every base image has beside the recipe's.
const ALWAYS: [&str; 1] = ["sudo"];

/// What identifies a base image: the recipe and all that this file adds.
pub fn digest(recipe: &BaseRecipe) -> DriverResult<String> {
    let all = serde_json::to_vec(&(recipe, FILES, GUEST_LINKS, MASKED, ALWAYS))
        .map_err(|e| DriverError::failed("describe the base image", e))?;
    Ok(hex::encode(&Sha256::digest(&all)[..16]))
}

/// Builds it: 30 to 60 seconds, most of it downloads.
pub fn build(store: &ImageStore, recipe: &BaseRecipe, progress: &dyn Progress) -> DriverResult<LayerRef> {
    let work = store.work_dir("base")?;
    let built = build_in(store, recipe, progress, &work);
    files::remove_all(&work)?;
    built
}

fn build_in(store: &ImageStore, recipe: &BaseRecipe, progress: &dyn Progress, work: &Path) -> DriverResult<LayerRef> {
    for word in recipe.packages.iter().chain([&recipe.suite]) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-+.:".contains(&b);
        if word.is_empty() || !word.bytes().all(plain) || word.starts_with('-') {
            return Err(DriverError::Invalid(format!("{word:?} is no package or release name")));
        }
    }
    let root = work.join("root");
    bootstrap(recipe, progress, &root)?;
    progress.step("setting up the base image", Some(0.85));
    furnish(&root)?;
    progress.step("packing the base image", Some(0.9));
    let one_time = true;
    let layer = store.pack(&root, PackOptions { one_time, ..PackOptions::default() })?;
    progress.step("the base image is ready", Some(1.0));
    Ok(layer)
}

fn bootstrap(recipe: &BaseRecipe, progress: &dyn Progress, root: &Path) -> DriverResult<()> {
    let mut packages: Vec<&str> = recipe.packages.iter().map(String::as_str).collect();
    packages.extend(ALWAYS);
    let program = child::which("mmdebstrap").ok_or_else(|| child::missing("mmdebstrap"))?;
    // It runs many others. In a process namespace that ends with kiln they all end
    // with it, so that they do not write on where the next kiln builds.
    let mut mmdebstrap = child::command("unshare")?;
    let around = Surroundings { dies_with_kiln: true, ..Surroundings::default() };
    around.apply(&mut mmdebstrap);
    mmdebstrap
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .args(["--variant=minbase", "--mode=root"])
        .arg(format!("--include={}", packages.join(",")))
        .arg("--dpkgopt=path-exclude=/usr/share/man/*")
        .arg("--dpkgopt=path-exclude=/usr/share/locale/*")
        .arg("--dpkgopt=path-exclude=/usr/share/doc/*")
        .arg("--dpkgopt=path-include=/usr/share/doc/*/copyright")
        .arg("--customize-hook=chroot \"$1\" useradd --create-home --shell /bin/bash admin")
        .arg(&recipe.suite)
        .arg(root)
        // With this, Python's compiled files hold a digest of their source, not its time.
        .env("SOURCE_DATE_EPOCH", FIXED_TIME.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = mmdebstrap.spawn();
    let mut running = started.map_err(|e| child::start_error("mmdebstrap", e))?;
    let mut said = String::new();
    if let Some(stderr) = running.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.map_err(|e| DriverError::failed("read mmdebstrap's output", e))?;
            if let Some(step) = line.strip_prefix("I: ") {
                progress.step(step, stage(step));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    let doing = "build the base image (it needs Debian's package registry)";
    let status = running.wait().map_err(|e| DriverError::failed(doing, e))?;
    if !status.success() {
        let status = status.to_string();
        return Err(child::exit_error(doing, "mmdebstrap", &status, &said));
    }
    Ok(())
}

/// How far a line of mmdebstrap's means it is, as measured.
fn stage(step: &str) -> Option<f32> {
    let stages = [
        ("automatically chosen", 0.01),
        ("running apt-get update", 0.03),
        ("downloading packages", 0.15),
        ("extracting archives", 0.35),
        ("installing essential", 0.45),
        ("installing remaining", 0.6),
        ("running --customize-hook", 0.8),
        ("cleaning", 0.82),
    ];
    let stage = stages.iter().find(|(text, _)| step.starts_with(text));
    stage.map(|(_, fraction)| *fraction)
}

/// Puts kiln's own files in and takes out what each machine makes for itself.
fn furnish(root: &Path) -> DriverResult<()> {
    let failed = |path: &Path, e| DriverError::failed(format!("write {}", path.display()), e);
    for (path, mode, content) in FILES {
        let file = root.join(path);
        if let Some(dir) = file.parent() {
            files::make_image_dir(dir)?;
        }
        files::remove_all(&file)?;
        fs::write(&file, content).map_err(|e| failed(&file, e))?;
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&file, mode).map_err(|e| failed(&file, e))?;
    }
    for path in ["etc/resolv.conf", "etc/hostname", "etc/hosts"] {
        let file = root.join(path);
        files::remove_all(&file)?;
        fs::write(&file, "").map_err(|e| failed(&file, e))?;
    }
    let units = root.join("etc/systemd/system");
    for unit in ["kiln-guest-init.service", "kiln-guest.service"] {
        let wanted = units.join("multi-user.target.wants").join(unit);
        link(&format!("/etc/systemd/system/{unit}"), &wanted)?;
    }
    for program in GUEST_LINKS {
        link(GUEST_PATH, &root.join("opt/aws/bin").join(program))?;
    }
    link("/lib/systemd/system/multi-user.target", &units.join("default.target"))?;
    for unit in MASKED {
        link("/dev/null", &units.join(unit))?;
    }
    for name in files::names_in(&root.join("etc/ssh"))? {
        if name.starts_with("ssh_host_") {
            files::remove_all(&root.join("etc/ssh").join(name))?;
        }
    }
    for left in ["var/log/bootstrap.log", "var/cache/ldconfig/aux-cache", "var/lib/apt/lists"] {
        files::remove_all(&root.join(left))?;
    }
    files::make_image_dir(&root.join("var/lib/apt/lists/partial"))?;
    // Device nodes: every machine has its own /dev.
    for name in files::names_in(&root.join("dev"))? {
        files::remove_all(&root.join("dev").join(name))?;
    }
    Ok(())
}

fn link(to: &str, at: &Path) -> DriverResult<()> {
    files::remove_all(at)?;
    if let Some(dir) = at.parent() {
        files::make_image_dir(dir)?;
    }
    symlink(to, at).map_err(|e| DriverError::failed(format!("link {}", at.display()), e))
}
