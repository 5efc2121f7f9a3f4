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
                r#"{{"instance_id":"{instance}","hostname":"ip-10-0-0-7","domain":"ec2.internal","region":"us-east-1",
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
    assert_eq!(machine.text("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 ip-10-0-0-7.ec2.internal ip-10-0-0-7\n");
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
fn user_data_that_was_cut_off_goes_on_behind_what_it_had_begun() {
    let machine = Box::given("i-1", b"#cloud-config\nruncmd: ['echo again >> ran']\nwrite_files: [{path: /written}]\n");
    std::fs::create_dir_all(machine.at("var/lib/cloud/instances/i-1/sem")).expect("a folder");
    for mark in ["user_data", "user_data.begun", "by_module", "config_scripts_user"] {
        machine.put(&format!("var/lib/cloud/instances/i-1/sem/{mark}"), "");
    }
    machine.boots();
    assert!(!machine.at("ran").exists(), "scripts had begun");
    assert!(machine.at("written").exists(), "files had not");
    assert!(machine.text("dev/console").contains("did not finish"));
}

#[test]
fn an_older_guest_s_mark_stands_for_everything() {
    let machine = Box::given("i-1", b"#cloud-config\nruncmd: ['echo again >> ran']\nwrite_files: [{path: /written}]\n");
    std::fs::create_dir_all(machine.at("var/lib/cloud/instances/i-1/sem")).expect("a folder");
    machine.put("var/lib/cloud/instances/i-1/sem/user_data", "");
    machine.put("var/lib/cloud/instances/i-1/sem/user_data.finished", "");
    assert_eq!(machine.boots(), 0);
    assert!(!machine.at("ran").exists() && !machine.at("written").exists());
}

#[test]
fn changed_user_data_runs_what_every_boot_runs_and_nothing_else() {
    let boothook = |word: &str| format!("#cloud-boothook\r\n#!/bin/sh\r\necho {word} $INSTANCE_ID >> ran\r\n");
    let machine = Box::given("i-1", boothook("hook").as_bytes());
    let changed = |text: &str| machine.put("run/kiln/user-data", text);
    assert_eq!(machine.boots(), 0);
    changed("#!/bin/sh\necho script >> ran\n");
    assert_eq!(machine.boots(), 0);
    changed(
        "#cloud-config\nbootcmd: ['echo bootcmd >> ran']\nruncmd: ['echo runcmd >> ran']\nwrite_files: [{path: /x}]\n",
    );
    assert_eq!(machine.boots(), 0);
    assert_eq!(machine.text("ran"), "hook i-1\nbootcmd\n");
    assert!(!machine.at("x").exists());
    // AWS's own way to have it run on every boot. Scripts kept before are run with it.
    changed(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/cloud-config\n\n#cloud-config\ncloud_final_modules:\n- [scripts-user, always]\n--B\nContent-Type: text/x-shellscript\nContent-Disposition: attachment; filename=always.sh\n\n#!/bin/sh\necho always >> ran\n--B--\n",
    );
    machine.put("ran", "");
    machine.boots();
    assert_eq!(machine.text("ran"), "always\nscript\n");
}

#[test]
fn an_instance_that_began_without_user_data_runs_none_that_it_gets_later() {
    let machine = Box::given("i-1", b"");
    assert_eq!(machine.boots(), 0);
    machine.put("run/kiln/user-data", "#!/bin/sh\necho late >> ran\n");
    assert_eq!(machine.boots(), 0);
    assert!(!machine.at("ran").exists());
    assert!(!machine.text("dev/console").contains("begins"));
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
fn scripts_run_in_the_order_of_their_file_names_and_runcmd_is_one_of_them() {
    let part = |kind: &str, name: &str, text: &str| {
        format!("--B\nContent-Type: text/{kind}\nContent-Disposition: attachment; filename={name}\n\n{text}\n")
    };
    let script = |name: &str| part("x-shellscript", name, &format!("#!/bin/sh\necho {name} >> order"));
    let message = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}{}{}{}{}--B--\n",
        script("z.sh"),
        part("cloud-config", "c", "#cloud-config\nruncmd: ['echo runcmd >> order']"),
        script("a.sh"),
        part("x-shellscript-per-boot", "b", "#!/bin/sh\necho boot >> order"),
        part("x-shellscript-per-once", "o", "#!/bin/sh\necho once >> order"),
    );
    let machine = Box::given("i-1", message.as_bytes());
    assert_eq!(machine.boots(), 0, "{}", machine.text("dev/console"));
    assert_eq!(machine.text("order"), "once\nboot\na.sh\nruncmd\nz.sh\n");
    machine.put("order", "");
    machine.boots();
    assert_eq!(machine.text("order"), "boot\n");
    machine.becomes("i-2");
    machine.put("order", "");
    machine.boots();
    assert_eq!(machine.text("order"), "boot\na.sh\nruncmd\nz.sh\n", "once is once");
}

#[test]
fn files_come_before_names_of_users_unless_deferred() {
    let machine = Box::given(
        "i-1",
        b"#cloud-config\nwrite_files:\n- {path: /early, content: !!binary aGk=, owner: 'nobody-here'}\n- {path: /srv/new/late, content: late, owner: admin, defer: true}\nfinal_message: \"the end of $datasource\"\nmanage_etc_hosts: true\nhostname: web\npower_state: {mode: poweroff, condition: 'false'}\n",
    );
    assert_eq!(machine.boots(), 1);
    let console = machine.text("dev/console");
    assert!(console.contains("there is no user nobody-here"), "{console}");
    assert_eq!(machine.text("srv/new/late"), "late");
    assert!(console.contains("\nthe end of DataSourceKiln [seed=/run/kiln]\n"), "{console}");
    assert!(console.ends_with("power_state: its condition does not hold\n"), "{console}");
    assert!(machine.text("etc/hosts").starts_with("127.0.1.1 web.ec2.internal web\n127.0.0.1 localhost\n"));
}

#[test]
fn settings_are_made_or_said_to_be_impossible() {
    let machine = Box::given("i-1", b"#cloud-config\nlocale: C.UTF-8\ntimezone: Mars/Olympus\n");
    assert_eq!(machine.boots(), 1);
    assert_eq!(machine.text("etc/default/locale"), "LANG=C.UTF-8\n");
    assert!(machine.text("dev/console").contains("there is no time zone \"Mars/Olympus\""));
    let machine = Box::given("i-1", b"#cloud-config\nlocale: de_DE.UTF-8\n");
    assert_eq!(machine.boots(), 1);
    assert!(machine.text("dev/console").contains("no locale-gen"));
    assert!(!machine.at("etc/default/locale").exists());
}

#[test]
fn a_file_s_content_is_fetched_and_what_is_written_stands_in() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut link, _) = listener.accept().expect("a client");
        let mut head = [0; 4096];
        let _ = link.read(&mut head).expect("readable");
        link.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nfetched").expect("writable");
    });
    let text = format!(
        "#cloud-config\nwrite_files:\n- {{path: /a, source: {{uri: 'http://{at}/x'}}, content: unused}}\n- {{path: /b, source: {{uri: 'ftp://{at}/x'}}, content: instead}}\n- {{path: /c, source: {{uri: 'ftp://{at}/x'}}}}\n"
    );
    let text = text.replace("write_files:", "write_files: ").replace("path: /", "owner: admin, path: /");
    let machine = Box::given("i-1", text.as_bytes());
    assert_eq!(machine.boots(), 1);
    served.join().expect("served");
    assert_eq!((machine.text("a").as_str(), machine.text("b").as_str()), ("fetched", "instead"));
    assert!(!machine.at("c").exists());
    assert!(machine.text("dev/console").contains("file /c: only http and https are supported"));
}

#[test]
fn how_far_it_is_can_be_read() {
    let machine = Box::given(
        "i-1",
        b"#!/bin/sh\ncp run/cloud-init/status.json seen\ntest ! -e run/cloud-init/result.json\nexit 3\n",
    );
    assert_eq!(boot(&Options { root: machine.dir.path().to_owned(), stage: Stage::Identity }), Ok(0));
    assert_eq!(machine.boots(), 3);
    let read = |path: &str| serde_json::from_str::<serde_json::Value>(&machine.text(path)).expect("JSON")["v1"].clone();
    let (seen, after) = (read("seen"), read("run/cloud-init/status.json"));
    assert_eq!(
        (&seen["stage"], &seen["modules-final"]["finished"]),
        (&"modules-final".into(), &serde_json::Value::Null)
    );
    assert!(seen["init-local"]["finished"].is_f64() && after["modules-final"]["finished"].is_f64());
    assert_eq!(read("run/cloud-init/result.json")["errors"], serde_json::json!(["part-001 ended with exit status 3"]));
    assert_eq!(machine.at("usr/bin/cloud-init").read_link().ok(), Some("/usr/lib/kiln/kiln-guest".into()));

    let left = Box::given("i-1", b"#!/bin/sh\necho ran > ran\n");
    std::fs::create_dir_all(left.at("etc/cloud")).expect("a folder");
    left.put("etc/cloud/cloud-init.disabled", "");
    assert_eq!(left.boots(), 0);
    assert!(!left.at("ran").exists() && left.text("dev/console").contains("left alone"));
}

#[test]
fn a_script_behind_white_space_fails_as_the_kernel_says() {
    let machine = Box::given("i-1", b"\n#!/bin/sh\necho ran > ran\n");
    assert_eq!(machine.boots(), 1);
    assert!(machine.text("dev/console").contains("Exec format error"), "{}", machine.text("dev/console"));
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
