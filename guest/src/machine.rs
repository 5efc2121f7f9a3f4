//! The machine this program changes: its root folder, its accounts, its programs.
//!
//! Normally the root is `/`. With `--root DIR` every file lands below `DIR` and
//! what can only be done to a running system (its kernel host name, its
//! services) is left alone; tests and image builds use that.
//!
//! Accounts are read from `/etc/passwd` and `/etc/group` directly: the name
//! service of a static C library loads shared objects, which an image need not have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The machine, seen from its root.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Numeric user id.
    pub uid: u32,
    /// Numeric id of the first group.
    pub gid: u32,
    /// Home folder, as the machine sees it.
    pub home: String,
}

impl Machine {
    /// The machine whose root folder is `root`.
    pub fn at(root: impl Into<PathBuf>) -> Machine {
        Machine { root: root.into() }
    }

    /// Whether this is the running system, not a folder that looks like one.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where `path`, as the machine sees it, lies on disk.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The account called `name`, if there is one.
    pub fn account(&self, name: &str) -> Option<Account> {
        let passwd = std::fs::read_to_string(self.path("/etc/passwd")).ok()?;
        parse_account(&passwd, name)
    }

    /// The numeric id of the group called `name`, if there is one.
    pub fn group(&self, name: &str) -> Option<u32> {
        let group = std::fs::read_to_string(self.path("/etc/group")).ok()?;
        parse_group(&group, name)
    }

    /// A user by name or number.
    pub fn uid(&self, name: &str) -> Result<u32, String> {
        match (self.account(name), name.parse()) {
            (Some(account), _) => Ok(account.uid),
            (None, Ok(uid)) => Ok(uid),
            (None, Err(_)) => Err(format!("there is no user {name} on this machine")),
        }
    }

    /// A group by name or number.
    pub fn gid(&self, name: &str) -> Result<u32, String> {
        match (self.group(name), name.parse()) {
            (Some(gid), _) => Ok(gid),
            (None, Ok(gid)) => Ok(gid),
            (None, Err(_)) => Err(format!("there is no group {name} on this machine")),
        }
    }

    /// Runs a program that changes the running system; its output goes to our own.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<(), String> {
        let spoken = spoken(program, args);
        if !self.is_live() {
            return Err(format!("`{spoken}` changes the running system and is not done below {}", self.root.display()));
        }
        let status = Command::new(program)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status()
            .map_err(|cause| format!("cannot start `{spoken}`: {cause}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{spoken}` ended with {status}")) }
    }
}

fn spoken(program: &str, args: &[&str]) -> String {
    std::iter::once(program).chain(args.iter().copied()).collect::<Vec<_>>().join(" ")
}

fn parse_account(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [found, _, uid, gid, _, home, ..] if *found == name => {
                Some(Account { uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: (*home).to_owned() })
            }
            _ => None,
        }
    })
}

fn parse_group(group: &str, name: &str) -> Option<u32> {
    group.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_from_the_machines_own_files() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1001::/home/admin:/bin/bash\n";
        assert_eq!(parse_account(passwd, "admin"), Some(Account { uid: 1000, gid: 1001, home: "/home/admin".into() }));
        assert_eq!(parse_account(passwd, "adm"), None);
        assert_eq!(parse_group("root:x:0:\nadm:x:4:admin\n", "adm"), Some(4));
        assert_eq!(parse_group("root:x:0:\nadm:x:4:admin\n", "ad"), None);
    }

    #[test]
    fn a_folder_is_never_changed_by_programs_of_the_running_system() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = Machine::at(dir.path()).run("true", &[]).expect_err("refused below a folder");
        assert!(error.contains("changes the running system"), "{error}");
    }
}
