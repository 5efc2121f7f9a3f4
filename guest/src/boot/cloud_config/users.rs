//! `users`, `groups`, `chpasswd`: who is on the machine.

use serde_json::Value;

use super::values::{boolean, items, names, split, string, strings};

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Login shell.
    pub shell: Option<String>,
    /// Home folder.
    pub homedir: Option<String>,
    /// Free text.
    pub gecos: Option<String>,
    /// First group.
    pub primary_group: Option<String>,
    /// More groups.
    pub groups: Vec<String>,
    /// Number.
    pub uid: Option<String>,
    /// A service account: low id, no home.
    pub system: bool,
    /// Do not make the home folder.
    pub no_create_home: bool,
    /// Do not make a group of the user's name.
    pub no_user_group: bool,
    /// Day the account ends.
    pub expiredate: Option<String>,
    /// Days after the password's end until it is switched off.
    pub inactive: Option<String>,
    /// A hashed password, set when the user is made.
    pub passwd: Option<String>,
    /// A hashed password, set also when the user was there.
    pub hashed_passwd: Option<String>,
    /// A password.
    pub plain_text_passwd: Option<String>,
    /// Whether passwords are of no use; yes unless said.
    pub lock_passwd: bool,
    /// Lines for sudo.
    pub sudo: Vec<String>,
    /// Keys for this user.
    pub ssh_authorized_keys: Vec<String>,
}

/// A group to create, and who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its members, who may be there already.
    pub members: Vec<String>,
}

/// A password to set.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// Whose.
    pub user: String,
    /// The password, or its hash.
    pub text: String,
    /// Which of both.
    pub hashed: bool,
}

/// Passwords are shown nowhere.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("user", &self.user).field("hashed", &self.hashed).finish_non_exhaustive()
    }
}

/// `users`: what it says of the default user, and the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    /// Whether the image's own user is wanted.
    pub default: bool,
    /// The others.
    pub others: Vec<User>,
    /// Keys that are not served.
    pub not_supported: Vec<String>,
}

/// Reads `users`: a list, or names apart by commas.
pub fn users(value: &Value) -> Result<Users, String> {
    let mut users = Users::default();
    let listed;
    let list = match value {
        Value::String(text) => {
            listed = split(text).into_iter().map(Value::String).collect::<Vec<_>>();
            &listed
        }
        other => items(other)?,
    };
    for item in list {
        match item {
            Value::String(name) => {
                for name in split(name) {
                    match name.as_str() {
                        "default" => users.default = true,
                        _ => users.others.push(User { name, lock_passwd: true, ..User::default() }),
                    }
                }
            }
            Value::Object(map) if map.get("name") == Some(&"default".into()) => users.default = true,
            item => {
                let user = user(item, &mut users.not_supported)?;
                users.others.push(user);
            }
        }
    }
    Ok(users)
}

fn user(item: &Value, not_supported: &mut Vec<String>) -> Result<User, String> {
    let mut user = User { lock_passwd: true, ..User::default() };
    let map = item.as_object().ok_or("a user is a name or a mapping")?;
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        match key.replace('-', "_").as_str() {
            "name" => user.name = string(value)?,
            "shell" => user.shell = Some(string(value)?),
            "homedir" => user.homedir = Some(string(value)?),
            "gecos" => user.gecos = Some(string(value)?),
            "primary_group" => user.primary_group = Some(string(value)?),
            "groups" => {
                user.groups = match value {
                    Value::Object(map) => map.keys().cloned().collect(),
                    other => names(other)?,
                }
            }
            "uid" => user.uid = Some(string(value)?),
            "system" => user.system = boolean(value)?,
            "no_create_home" => user.no_create_home = boolean(value)?,
            "no_user_group" => user.no_user_group = boolean(value)?,
            "expiredate" => user.expiredate = Some(string(value)?),
            "inactive" => user.inactive = Some(string(value)?),
            "passwd" => user.passwd = Some(string(value)?),
            "hashed_passwd" => user.hashed_passwd = Some(string(value)?),
            "plain_text_passwd" => user.plain_text_passwd = Some(string(value)?),
            "lock_passwd" => user.lock_passwd = boolean(value)?,
            "sudo" => {
                user.sudo = match value {
                    Value::Bool(false) => Vec::new(),
                    other => strings(other)?,
                };
            }
            "ssh_authorized_keys" => user.ssh_authorized_keys = keys(value)?,
            // Groups that are named and not there are made in any case.
            "create_groups" if boolean(value)? => {}
            // Nothing keeps logs of logins here that it would change.
            "no_log_init" => user_flag(value)?,
            _ => not_supported.push(format!("users.{key}")),
        }
    }
    if user.name.is_empty() {
        return Err("a user needs a name".to_owned());
    }
    Ok(user)
}

fn user_flag(value: &Value) -> Result<(), String> {
    boolean(value).map(drop)
}

/// Keys: a list, a mapping's values, or lines.
pub fn keys(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => Ok(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()),
        Value::Object(map) => map.values().map(string).collect(),
        other => strings(other),
    }
}

/// Reads `groups`: names apart by commas, or a list of names and of mappings to members.
pub fn groups(value: &Value) -> Result<Vec<Group>, String> {
    let plain = |name: String| Group { name, members: Vec::new() };
    let mapped = |map: &serde_json::Map<String, Value>| -> Result<Vec<Group>, String> {
        let group = |(name, members): (&String, &Value)| {
            let members = if members.is_null() { Vec::new() } else { names(members)? };
            Ok(Group { name: name.clone(), members })
        };
        map.iter().map(group).collect()
    };
    Ok(match value {
        Value::String(list) => split(list).into_iter().map(plain).collect(),
        Value::Object(map) => mapped(map)?,
        other => {
            let mut groups = Vec::new();
            for item in items(other)? {
                match item {
                    Value::Object(map) => groups.extend(mapped(map)?),
                    other => groups.extend(split(&string(other)?).into_iter().map(plain)),
                }
            }
            groups
        }
    })
}

/// `chpasswd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwords {
    /// Whether they must be changed at the first login.
    pub expire: bool,
    /// Which.
    pub list: Vec<Password>,
    /// What is not served.
    pub not_supported: Vec<String>,
}

/// Reads `chpasswd`.
pub fn passwords(value: &Value) -> Result<Passwords, String> {
    let map = value.as_object().ok_or("it is not a mapping")?;
    let mut passwords = Passwords { expire: true, list: Vec::new(), not_supported: Vec::new() };
    for (key, value) in map {
        match key.as_str() {
            "expire" => passwords.expire = boolean(value)?,
            "list" => {
                let lines = match value {
                    Value::String(text) => text.lines().map(str::to_owned).collect(),
                    other => strings(other)?,
                };
                for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
                    // The line itself is secret.
                    let (user, text) = line.split_once(':').ok_or("a line of list is not user:password")?;
                    passwords.add(user, text, None);
                }
            }
            "users" => {
                for item in items(value)? {
                    let field = |name: &str| item.get(name).map(string).transpose();
                    let user = field("name")?.ok_or("a user of chpasswd needs a name")?;
                    let kind = field("type")?.unwrap_or_else(|| "hash".to_owned());
                    match (kind.as_str(), field("password")?) {
                        ("RANDOM", _) => passwords.add(&user, "RANDOM", None),
                        ("hash", Some(text)) => passwords.add(&user, &text, Some(true)),
                        ("text", Some(text)) => passwords.add(&user, &text, Some(false)),
                        ("hash" | "text", None) => return Err(format!("{user} has no password")),
                        (other, _) => return Err(format!("there is no type {other} of passwords")),
                    }
                }
            }
            other => passwords.not_supported.push(format!("chpasswd.{other}")),
        }
    }
    Ok(passwords)
}

impl Passwords {
    fn add(&mut self, user: &str, text: &str, hashed: Option<bool>) {
        if hashed.is_none() && (text == "R" || text == "RANDOM") {
            self.not_supported.push(format!("chpasswd: a random password for {user}"));
            return;
        }
        let hashed = hashed.unwrap_or_else(|| is_hash(text));
        self.list.push(Password { user: user.to_owned(), text: text.to_owned(), hashed });
    }
}

/// What crypt(3) makes begins so.
pub fn is_hash(text: &str) -> bool {
    ["$1$", "$2a$", "$2y$", "$5$", "$6$", "$y$"].iter().any(|start| text.starts_with(start))
        && text.matches('$').count() >= 3
        && !text.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn users_are_read_with_all_that_is_said_of_them() {
        let read = users(&json!(["default", "plain", {
            "name": "shop", "system": true, "groups": "adm, shop", "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "ssh-authorized-keys": ["ssh-ed25519 AAAA x"], "passwd": "$6$a$b", "lock_passwd": false, "uid": 1500,
            "ssh_import_id": ["gh:x"],
        }]))
        .expect("valid");
        assert!(read.default);
        assert_eq!(read.not_supported, ["users.ssh_import_id"]);
        let [plain, shop] = &read.others[..] else { panic!("{read:?}") };
        assert!(plain.lock_passwd && !shop.lock_passwd);
        assert_eq!(
            (shop.groups.as_slice(), shop.uid.as_deref()),
            (["adm", "shop"].map(String::from).as_slice(), Some("1500"))
        );
        assert!(!users(&json!([])).expect("valid").default);
        assert!(users(&json!([{"gecos": "x"}])).is_err());
    }

    #[test]
    fn groups_have_members() {
        let group = |name: &str, members: &[&str]| Group {
            name: name.into(),
            members: members.iter().map(|m| (*m).to_owned()).collect(),
        };
        assert_eq!(
            groups(&json!(["shop", {"ops": ["root", "sys"]}, {"empty": null}])),
            Ok(vec![group("shop", &[]), group("ops", &["root", "sys"]), group("empty", &[])])
        );
        assert_eq!(groups(&json!("a, b")), Ok(vec![group("a", &[]), group("b", &[])]));
    }

    #[test]
    fn passwords_are_plain_or_hashed_and_never_shown() {
        let read = passwords(&json!({"expire": false, "list": "a:secret\nb:$6$salt$hash\nc:RANDOM\n", "users": [
            {"name": "d", "password": "secret", "type": "text"}, {"name": "e", "password": "h"}]}))
        .expect("valid");
        let seen: Vec<_> = read.list.iter().map(|p| (p.user.as_str(), p.hashed)).collect();
        assert_eq!(seen, [("a", false), ("b", true), ("d", false), ("e", true)]);
        assert_eq!(read.not_supported, ["chpasswd: a random password for c"]);
        assert!(!read.expire && !format!("{read:?}").contains("secret"));
        assert!(!passwords(&json!({"list": "secret"})).expect_err("refused").contains("secret"));
    }
}
