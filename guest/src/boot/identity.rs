//! A machine's name and keys. Quick, because sshd waits for it.
//!
//! Only an ed25519 host key is made: all types together take two thirds of a
//! second, this one a few milliseconds.

use std::io::Write;
use std::process::Command;

use super::Marks;
use crate::files::{WantedFile, set_mode};
use crate::machine::Machine;
use crate::seed::Seed;

/// The user Debian's cloud images give the key to.
pub const DEFAULT_USER: &str = "admin";

/// What root's key does on cloud images: it says whom to ask instead.
const ROOT_ANSWER: &str = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as the user \\\"admin\\\" rather than the user \\\"root\\\".';echo;sleep 10;exit 142\" ";

/// Gives the machine its name and keys. Answers what did not work.
pub fn assume(machine: &Machine, seed: &Seed, marks: &Marks) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |done: Result<(), String>| problems.extend(done.err());
    if let Some(hostname) = &seed.hostname
        && !marks.has("named_by_user")
    {
        let fqdn = seed.domain.as_ref().map_or_else(|| hostname.clone(), |domain| format!("{hostname}.{domain}"));
        note(set_hostname(machine, hostname, &fqdn));
    }
    if !marks.has("identity") {
        note(host_key(machine, marks.was_another));
        if !seed.ssh_authorized_keys.is_empty() {
            note(ensure_default_user(machine));
            note(authorize(machine, DEFAULT_USER, &seed.ssh_authorized_keys));
            note(turn_root_away(machine, &seed.ssh_authorized_keys));
        }
        if problems.is_empty() {
            problems.extend(marks.make("identity").err());
        }
    }
    problems
}

/// Names the machine, now and for its next boot: `name` is what it calls itself, `fqdn` what
/// `hostname -f` answers.
pub fn set_hostname(machine: &Machine, name: &str, fqdn: &str) -> Result<(), String> {
    for name in [name, fqdn] {
        let plain = !name.is_empty()
            && name.len() <= 253
            && !name.starts_with(['-', '.'])
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        if !plain {
            return Err(format!("{name:?} can not be a host name"));
        }
    }
    hosts_line(machine, name, fqdn)?;
    WantedFile {
        path: "/etc/hostname".to_owned(),
        content: format!("{name}\n").into_bytes(),
        mode: Some(0o644),
        ..WantedFile::default()
    }
    .write(machine)?;
    if machine.is_live() {
        nix::unistd::sethostname(name).map_err(|cause| format!("cannot set the host name {name}: {cause}"))?;
    }
    Ok(())
}

/// Puts the names into `/etc/hosts`, in place of those given last.
pub fn hosts_line(machine: &Machine, name: &str, fqdn: &str) -> Result<(), String> {
    let hosts = machine.path("/etc/hosts");
    let old = match std::fs::read_to_string(&hosts) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned()
        }
        Err(cause) => return Err(format!("cannot read {}: {cause}", hosts.display())),
    };
    // The driver's own line, with the machine's address, is better than ours.
    let known = old.lines().any(|line| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        words.next().is_some_and(|ip| ip != "127.0.1.1")
            && words.next() == Some(fqdn)
            && (name == fqdn || words.any(|word| word == name))
    });
    let mut text: String = old
        .lines()
        .filter(|line| line.split_whitespace().next() != Some("127.0.1.1"))
        .flat_map(|line| [line, "\n"])
        .collect();
    if !known {
        text.push_str(&own_line(name, fqdn));
    }
    write_hosts(machine, text)
}

/// `/etc/hosts` with the usual lines and nothing else.
pub fn whole_hosts(machine: &Machine, name: &str, fqdn: &str) -> Result<(), String> {
    let rest = "127.0.0.1 localhost\n\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n";
    write_hosts(machine, format!("{}{rest}", own_line(name, fqdn)))
}

fn own_line(name: &str, fqdn: &str) -> String {
    if name == fqdn { format!("127.0.1.1 {name}\n") } else { format!("127.0.1.1 {fqdn} {name}\n") }
}

fn write_hosts(machine: &Machine, text: String) -> Result<(), String> {
    WantedFile { path: "/etc/hosts".to_owned(), content: text.into_bytes(), mode: Some(0o644), ..WantedFile::default() }
        .write(machine)
}

/// Makes sure the user that gets the key exists.
fn ensure_default_user(machine: &Machine) -> Result<(), String> {
    if machine.account(DEFAULT_USER).is_some() {
        return Ok(());
    }
    machine.run("useradd", &["--create-home", "--shell", "/bin/bash", DEFAULT_USER])
}

/// Adds lines to a user's `authorized_keys` that are not there yet.
pub fn authorize(machine: &Machine, user: &str, lines: &[String]) -> Result<(), String> {
    let account = machine.account(user).ok_or_else(|| format!("no SSH key for {user}: there is no such user"))?;
    let folder = machine.path(&account.home).join(".ssh");
    let path = folder.join("authorized_keys");
    let doing = |cause: std::io::Error| format!("cannot write {}: {cause}", path.display());
    std::fs::create_dir_all(&folder).map_err(doing)?;
    set_mode(&folder, 0o700).map_err(doing)?;
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(doing(cause)),
    };
    let missing: Vec<&String> =
        lines.iter().filter(|line| !old.lines().any(|have| have.trim() == line.trim())).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(doing)?;
    if !old.is_empty() && !old.ends_with('\n') {
        file.write_all(b"\n").map_err(doing)?;
    }
    for line in missing {
        writeln!(file, "{}", line.trim()).map_err(doing)?;
    }
    set_mode(&path, 0o600).map_err(doing)?;
    for owned in [&folder, &path] {
        std::os::unix::fs::chown(owned, Some(account.uid), Some(account.gid)).map_err(doing)?;
    }
    Ok(())
}

/// Root's keys tell whom to ask instead.
pub fn turn_root_away(machine: &Machine, keys: &[String]) -> Result<(), String> {
    let for_root: Vec<String> = keys.iter().map(|key| format!("{ROOT_ANSWER}{key}")).collect();
    authorize(machine, "root", &for_root)
}

/// Takes lines out of a user's `authorized_keys`.
pub fn withdraw(machine: &Machine, user: &str, lines: &[String]) -> Result<(), String> {
    let Some(account) = machine.account(user) else { return Ok(()) };
    let path = machine.path(&account.home).join(".ssh/authorized_keys");
    let doing = |cause: std::io::Error| format!("cannot write {}: {cause}", path.display());
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(doing(cause)),
    };
    let kept = old.lines().filter(|have| !lines.iter().any(|line| line.trim() == have.trim()));
    std::fs::write(&path, kept.flat_map(|line| [line, "\n"]).collect::<String>()).map_err(doing)
}

/// Makes a host key when the machine has none of its own.
fn host_key(machine: &Machine, was_another: bool) -> Result<(), String> {
    let folder = machine.path("/etc/ssh");
    if !folder.is_dir() {
        return Ok(()); // no sshd in this image
    }
    if was_another {
        // These came with the image; two machines must not share a key.
        let entries =
            std::fs::read_dir(&folder).map_err(|cause| format!("cannot read {}: {cause}", folder.display()))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
                std::fs::remove_file(entry.path())
                    .map_err(|cause| format!("cannot remove {}: {cause}", entry.path().display()))?;
            }
        }
    }
    let key = folder.join("ssh_host_ed25519_key");
    if key.exists() {
        return Ok(());
    }
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", ""])
        .arg("-f")
        .arg(&key)
        .output()
        .map_err(|cause| format!("no SSH host key: cannot start ssh-keygen: {cause}"))?;
    if made.status.success() {
        Ok(())
    } else {
        Err(format!(
            "no SSH host key: ssh-keygen ended with {}: {}",
            made.status,
            String::from_utf8_lossy(&made.stderr).trim()
        ))
    }
}
