//! Users, groups, passwords and keys of a `#cloud-config`.

use std::io::Write;
use std::process::{Command, Stdio};

use super::application::Application;
use super::cloud_config::{CloudConfig, Password, User};
use super::identity::{self, DEFAULT_USER};
use crate::files::WantedFile;

/// Module `users_groups`.
pub fn users_groups(run: &mut Application<'_>, config: &CloudConfig) {
    for group in &config.groups {
        let done = make_group(run, &group.name);
        run.note(done);
        for member in &group.members {
            let done = run.program("usermod", &["--append", "--groups", &group.name, "--", member]);
            run.note(done);
        }
    }
    for user in &config.users {
        let done = make_user(run, user);
        run.note(done);
    }
}

fn make_group(run: &mut Application<'_>, group: &str) -> Result<(), String> {
    if run.machine.group(group).is_some() {
        return Ok(());
    }
    run.program("groupadd", &["--", group])
}

fn make_user(run: &mut Application<'_>, user: &User) -> Result<(), String> {
    for group in user.groups.iter().chain(&user.primary_group) {
        make_group(run, group)?;
    }
    let is_new = run.machine.account(&user.name).is_none();
    if is_new {
        let mut args: Vec<&str> = vec![match user.system || user.no_create_home {
            true => "--no-create-home",
            false => "--create-home",
        }];
        if user.system {
            args.push("--system");
        }
        if user.no_user_group {
            args.push("--no-user-group");
        }
        let groups = user.groups.join(",");
        for (option, value) in [
            ("--shell", user.shell.as_deref()),
            ("--home-dir", user.homedir.as_deref()),
            ("--comment", user.gecos.as_deref()),
            ("--gid", user.primary_group.as_deref()),
            ("--groups", Some(groups.as_str())),
            ("--uid", user.uid.as_deref()),
            ("--expiredate", user.expiredate.as_deref()),
            ("--inactive", user.inactive.as_deref()),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                args.extend([option, value]);
            }
        }
        args.extend(["--", user.name.as_str()]);
        run.program("useradd", &args)?;
    }
    let password = |text: &String, hashed| Password { user: user.name.clone(), text: text.clone(), hashed };
    let given = match (&user.plain_text_passwd, &user.hashed_passwd, &user.passwd) {
        (Some(text), ..) => Some(password(text, false)),
        (None, Some(text), _) => Some(password(text, true)),
        (None, None, Some(text)) if is_new => Some(password(text, true)),
        _ => None,
    };
    if let Some(given) = &given {
        set_passwords(run, &[given])?;
    }
    match (user.lock_passwd, &given, is_new) {
        (true, Some(_), _) => run.program("passwd", &["--lock", &user.name])?,
        // A new account without a password is locked by itself.
        (false, None, true) => run.say(&format!("user {}: lock_passwd is false, but there is no password", user.name)),
        _ => {}
    }
    if !user.sudo.is_empty() {
        let lines: String = user.sudo.iter().map(|rule| format!("{} {rule}\n", user.name)).collect();
        WantedFile {
            path: "/etc/sudoers.d/90-cloud-init-users".into(),
            content: lines.into_bytes(),
            mode: Some(0o440),
            append: true,
            ..Default::default()
        }
        .write(run.machine)?;
    }
    if user.ssh_authorized_keys.is_empty() {
        return Ok(());
    }
    identity::authorize(run.machine, &user.name, &user.ssh_authorized_keys)
}

/// Module `ssh`: who may come in with a key.
pub fn ssh(run: &mut Application<'_>, config: &CloudConfig) {
    if config.no_default_user {
        let done = identity::withdraw(run.machine, DEFAULT_USER, &run.seed.ssh_authorized_keys);
        run.note(done);
    } else if !config.ssh_authorized_keys.is_empty() {
        let done = identity::authorize(run.machine, DEFAULT_USER, &config.ssh_authorized_keys);
        run.note(done);
    }
    if config.disable_root == Some(false) {
        let mut keys = run.seed.ssh_authorized_keys.clone();
        keys.extend(config.ssh_authorized_keys.iter().cloned());
        let path = run.machine.path("/root/.ssh/authorized_keys");
        // The lines that turn root away come first in the file and would win.
        let done = match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot replace {}: {cause}", path.display()))
            }
            _ => identity::authorize(run.machine, "root", &keys),
        };
        run.note(done);
    } else if !config.ssh_authorized_keys.is_empty() {
        let done = identity::turn_root_away(run.machine, &config.ssh_authorized_keys);
        run.note(done);
    }
}

/// Module `set_passwords`.
pub fn passwords(run: &mut Application<'_>, config: &CloudConfig) {
    let expire = config.passwords.as_ref().is_none_or(|passwords| passwords.expire);
    let mut list: Vec<Password> = config.passwords.as_ref().map_or_else(Vec::new, |passwords| passwords.list.clone());
    if let Some(text) = config.password.as_ref().filter(|_| list.is_empty()) {
        list.push(Password { user: DEFAULT_USER.to_owned(), text: text.clone(), hashed: false });
    }
    if !list.is_empty() {
        let all: Vec<&Password> = list.iter().collect();
        let done = set_passwords(run, &all);
        let set = done.is_ok();
        run.note(done);
        for password in list.iter().filter(|password| set && expire && !password.hashed) {
            let done = run.program("passwd", &["--expire", &password.user]);
            run.note(done);
        }
    }
    if let Some(allowed) = config.ssh_pwauth {
        let done = WantedFile {
            // sshd takes the first line it finds: before kiln's own file.
            path: "/etc/ssh/sshd_config.d/50-cloud-init.conf".into(),
            content: format!("PasswordAuthentication {}\n", if allowed { "yes" } else { "no" }).into_bytes(),
            mode: Some(0o600),
            ..Default::default()
        }
        .write(run.machine);
        let done = done.and_then(|()| run.program("systemctl", &["try-reload-or-restart", "ssh.service"]));
        run.note(done);
    }
}

/// By chpasswd's input: a password is no word of a command line, which everybody may read.
fn set_passwords(run: &mut Application<'_>, list: &[&Password]) -> Result<(), String> {
    run.must_be_live("chpasswd")?;
    for hashed in [false, true] {
        let lines: String = list
            .iter()
            .filter(|password| password.hashed == hashed)
            .map(|password| format!("{}:{}\n", password.user, password.text))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let mut command = Command::new("chpasswd");
        command.args(hashed.then_some("-e")).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |cause: std::io::Error| format!("cannot run chpasswd: {cause}");
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(lines.as_bytes()).map_err(failed)?;
        }
        let done = child.wait_with_output().map_err(failed)?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(format!("chpasswd ended with {}: {said}", done.status));
        }
    }
    Ok(())
}
