//! Boot in a temporary root: given a seed, when it boots, then the machine is so.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

struct Box {
    dir: tempfile::TempDir,
}

impl Box {
    fn given(instance: &str, user_data: &[u8]) -> Box {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let owner = dir.path().metadata().expect("it is there");
        let machine = Box { dir };
        for folder in ["run/kiln", "etc", "root", "home/admin", "dev"] {
            std::fs::create_dir_all(machine.at(folder)).expect("a folder");
        }
        let (uid, gid) = (owner.uid(), owner.gid());
        machine.put(
            "etc/passwd",
            &format!("root:x:{uid}:{gid}::/root:/bin/sh\nadmin:x:{uid}:{gid}::/home/admin:/bin/sh\n"),
        );
        machine.put("etc/group", "root:x:0:\n");
        machine.put("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 builder\n");
        machine.put("dev/console", "");
        std::fs::write(machine.at("run/kiln/user-data"), user_data).expect("user data");
        machine.becomes(instance);
        machine
    }

    fn becomes(&self, instance: &str) {
        self.put(
            "run/kiln/seed.json",
            &format!(
                r#"{{"instance_id":"{instance}","hostname":"ip-10-0-0-7","region":"us-east-1",
                "first_boot_key":"{instance}","user_data_path":"/run/kiln/user-data",
                "ssh_authorized_keys":["ssh-ed25519 AAAA me"]}}"#
            ),
        );
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).expect("the file is written");
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn boots(&self) -> i32 {
        boot(&Options { root: self.dir.path().to_owned(), stage: Stage::All }).expect("the machine boots")
    }
}

#[test]
fn a_machine_gets_its_name_and_keys() {
    let machine = Box::given("i-1", b"");
    assert_eq!(machine.boots(), 0);
    assert_eq!(machine.text("etc/hostname"), "ip-10-0-0-7\n");
    assert_eq!(machine.text("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 ip-10-0-0-7\n");
    let keys = machine.at("home/admin/.ssh/authorized_keys");
    assert_eq!(std::fs::read_to_string(&keys).expect("keys"), "ssh-ed25519 AAAA me\n");
    let mode = keys.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let root = machine.text("root/.ssh/authorized_keys");
    assert!(root.contains("rather than the user") && root.contains("ssh-ed25519 AAAA me"));
    assert_eq!(machine.text("var/lib/cloud/instance/boot-finished"), "0\n");
}

#[test]
fn user_data_runs_once_per_instance_and_again_in_a_machine_made_from_its_image() {
    let machine = Box::given("i-1", b"#!/bin/sh\necho run of $INSTANCE_ID >> ran\necho hello\nexit 7\n");
    assert_eq!(machine.boots(), 7);
    assert_eq!(machine.boots(), 0);
    assert_eq!(machine.text("ran"), "run of i-1\n");
    let console = machine.text("dev/console");
    assert!(console.contains("user data of i-1 begins (60 bytes, 1 part)\nhello\n"), "{console}");
    assert!(console.contains("kiln-guest: user data finished with exit status 7 in 0."), "{console}");
    assert_eq!(console.matches("hello").count(), 1);
    assert_eq!(console, machine.text("var/log/cloud-init-output.log"));

    machine.becomes("i-2");
    assert_eq!(machine.boots(), 7);
    assert_eq!(machine.text("ran"), "run of i-1\nrun of i-2\n");
}

#[test]
fn user_data_that_was_cut_off_is_not_run_again_and_says_so() {
    let machine = Box::given("i-1", b"#!/bin/sh\necho again >> ran\n");
    std::fs::create_dir_all(machine.at("var/lib/cloud/instances/i-1/sem")).expect("a folder");
    machine.put("var/lib/cloud/instances/i-1/sem/user_data", "");
    machine.boots();
    assert!(!machine.at("ran").exists());
    assert!(machine.text("dev/console").contains("did not finish"));
}

#[test]
fn a_cloud_config_is_carried_out_and_what_is_not_is_named() {
    let machine = Box::given(
        "i-1",
        b"#cloud-config
hostname: shop.example.com
bootcmd: ['echo boot >> order']
runcmd: ['cat etc/made >> order', [sh, -c, 'echo run >> order']]
write_files: [{path: /etc/made, content: \"made\\n\", permissions: '0600'}]
ntp: {}
",
    );
    assert_eq!(machine.boots(), 1, "ntp is not supported");
    assert_eq!(machine.text("order"), "boot\nmade\nrun\n");
    assert_eq!(machine.text("etc/hostname"), "shop\n");
    assert!(machine.text("etc/hosts").ends_with("127.0.1.1 shop.example.com shop\n"));
    assert!(machine.text("dev/console").contains("kiln-guest: #cloud-config ntp: not supported\n"));
    machine.boots();
    assert_eq!(machine.text("order"), "boot\nmade\nrun\nboot\n", "bootcmd runs on every boot");
    assert_eq!(machine.text("etc/hostname"), "shop\n", "the user's name stays");
}

#[test]
fn parts_of_a_message_run_in_order() {
    let machine = Box::given(
        "i-1",
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/cloud-config\n\n#cloud-config\nruncmd: ['echo last >> order']\n--B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho first >> order\n--B--\n",
    );
    assert_eq!(machine.boots(), 0);
    assert_eq!(machine.text("order"), "first\nlast\n");
}

#[test]
fn unreadable_user_data_is_said_once_and_fails() {
    let machine = Box::given("i-1", &[0x1f, 0x8b, 1, 2]);
    assert_eq!(machine.boots(), 1);
    assert!(machine.text("dev/console").contains("user data can not be read"));
}

#[test]
fn packages_are_never_installed_into_a_folder() {
    let machine = Box::given("i-1", b"#cloud-config\npackages: [hello]\n");
    assert_eq!(machine.boots(), 1);
    assert!(machine.text("dev/console").contains("apt-get"));
}

#[test]
fn a_machine_from_an_image_gets_a_host_key_of_its_own() {
    let machine = Box::given("i-1", b"");
    std::fs::create_dir_all(machine.at("etc/ssh")).expect("a folder");
    assert_eq!(machine.boots(), 0, "needs ssh-keygen (openssh-client)");
    let first = machine.text("etc/ssh/ssh_host_ed25519_key.pub");
    assert_eq!(machine.boots(), 0);
    assert_eq!(machine.text("etc/ssh/ssh_host_ed25519_key.pub"), first);
    machine.becomes("i-2");
    assert_eq!(machine.boots(), 0);
    assert_ne!(machine.text("etc/ssh/ssh_host_ed25519_key.pub"), first);
}
