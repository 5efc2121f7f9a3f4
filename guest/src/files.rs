//! Writing files the way user data and templates ask for it: content, mode, owner.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::machine::Machine;

/// A file somebody wants on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WantedFile {
    /// Where, as the machine sees it.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Permission bits; 0644 unless said.
    pub mode: Option<u32>,
    /// Owner by name or number.
    pub owner: Option<String>,
    /// Group by name or number.
    pub group: Option<String>,
    /// Add to the end instead of replacing.
    pub append: bool,
}

impl WantedFile {
    /// Puts the file on `machine`, making the folders above it.
    pub fn write(&self, machine: &Machine) -> Result<(), String> {
        if !self.path.starts_with('/') {
            return Err(format!("file {}: the path must be absolute", self.path));
        }
        let path = machine.path(&self.path);
        let doing =
            |what: &str, cause: &dyn std::fmt::Display| format!("file {}: failed to {what}: {cause}", self.path);
        let uid = self.owner.as_deref().map(|o| machine.uid(o)).transpose()?;
        let gid = self.group.as_deref().map(|g| machine.gid(g)).transpose()?;
        if let Some(parent) = path.parent() {
            make_folders(parent, uid, gid).map_err(|e| doing("make its folder", &e))?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).mode(0o600);
        if self.append {
            options.append(true);
        } else {
            options.truncate(true);
        }
        let fresh = !path.exists();
        let mut file = options.open(&path).map_err(|e| doing("open it", &e))?;
        file.write_all(&self.content).map_err(|e| doing("write it", &e))?;
        if uid.is_some() || gid.is_some() {
            std::os::unix::fs::chown(&path, uid, gid).map_err(|e| doing("set its owner", &e))?;
        }
        if let Some(mode) = self.mode.or((fresh || !self.append).then_some(0o644)) {
            set_mode(&path, mode).map_err(|e| doing("set its mode", &e))?;
        }
        Ok(())
    }
}

/// Makes the folders that are missing; they belong to whom the file in them does.
fn make_folders(folder: &Path, uid: Option<u32>, gid: Option<u32>) -> std::io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    std::fs::create_dir_all(folder)?;
    if uid.is_some() || gid.is_some() {
        missing.into_iter().try_for_each(|made| std::os::unix::fs::chown(made, uid, gid))?;
    }
    Ok(())
}

/// Sets the permission bits of `path`.
pub fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Reads a mode written in octal, such as `0644` or `0o755`.
pub fn parse_mode(text: &str) -> Result<u32, String> {
    let digits = text.trim().trim_start_matches("0o");
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err(format!("{text:?} is not an octal file mode")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_content_mode_and_folder_and_can_grow() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let machine = Machine::at(dir.path());
        let mut file = WantedFile {
            path: "/etc/shop/config".into(),
            content: b"one\n".to_vec(),
            mode: Some(0o640),
            ..WantedFile::default()
        };
        file.write(&machine).expect("written");
        file.content = b"two\n".to_vec();
        file.append = true;
        file.mode = None;
        file.write(&machine).expect("appended");
        let on_disk = dir.path().join("etc/shop/config");
        assert_eq!(std::fs::read(&on_disk).expect("readable"), b"one\ntwo\n");
        let mode = on_disk.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "appending keeps the mode");
    }

    #[test]
    fn new_folders_belong_to_whom_the_file_does() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        if dir.path().metadata().expect("there").uid() != 0 {
            return; // only root gives files away
        }
        let machine = Machine::at(dir.path());
        std::fs::create_dir(dir.path().join("srv")).expect("a folder");
        let (owner, group) = (Some("1234".into()), Some("2345".into()));
        let file = WantedFile { path: "/srv/a/b/file".into(), owner, group, ..WantedFile::default() };
        file.write(&machine).expect("written");
        let of = |path: &str| {
            let meta = dir.path().join(path).metadata().expect(path);
            (meta.uid(), meta.gid())
        };
        assert_eq!(of("srv"), (0, 0), "it was there");
        for path in ["srv/a", "srv/a/b", "srv/a/b/file"] {
            assert_eq!(of(path), (1234, 2345), "{path}");
        }
    }

    #[test]
    fn a_relative_path_and_an_unknown_owner_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let machine = Machine::at(dir.path());
        let file = |path: &str, owner: Option<&str>| WantedFile {
            path: path.into(),
            owner: owner.map(str::to_owned),
            ..WantedFile::default()
        };
        assert!(file("etc/x", None).write(&machine).is_err());
        let error = file("/etc/x", Some("nobody-here")).write(&machine).expect_err("there is no such user");
        assert!(error.contains("nobody-here"), "{error}");
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(parse_mode("0644"), Ok(0o644));
        assert_eq!(parse_mode("0o4755"), Ok(0o4755));
        assert!(parse_mode("rw-r--r--").is_err());
        assert!(parse_mode("99").is_err());
    }
}
