//! Who a program runs as: names looked up in the image's own passwd and group.

use crate::host::files;
use kiln_machines_spec::{DriverError, DriverResult};
use std::io::Read;
use std::path::{Path, PathBuf};

/// So much of a list is read.
const MOST: u64 = 4 << 20;

/// uid and gid of `user`, `user:group`, numbers or names. `layers` are the
/// mounted layers, from the uppermost down.
pub fn numbers_of(who: &str, layers: &[PathBuf]) -> DriverResult<(u32, u32)> {
    let (user, group) = match who.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (who, None),
    };
    let unknown = |what: &str, name: &str| DriverError::Invalid(format!("the image has no {what} {name:?} to run as"));
    let entry = line_of("passwd", user, layers);
    let uid = match user.parse() {
        Ok(uid) => uid,
        Err(_) => number(entry.as_deref(), 2).ok_or_else(|| unknown("user", user))?,
    };
    let gid = match group {
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => number(line_of("group", group, layers).as_deref(), 2).ok_or_else(|| unknown("group", group))?,
        },
        None => number(entry.as_deref(), 3).unwrap_or(0),
    };
    Ok((uid, gid))
}

fn number(line: Option<&str>, field: usize) -> Option<u32> {
    line?.split(':').nth(field)?.parse().ok()
}

fn line_of(file: &str, name: &str, layers: &[PathBuf]) -> Option<String> {
    let way = Path::new("etc").join(file);
    let text = layers.iter().find_map(|layer| {
        let mut text = String::new();
        files::open_inside(layer, &way).ok()?.take(MOST).read_to_string(&mut text).ok()?;
        Some(text)
    })?;
    let numeric = name.parse::<u32>().is_ok();
    let matches = |line: &&str| {
        let mut fields = line.split(':');
        if numeric { fields.nth(2) == Some(name) } else { fields.next() == Some(name) }
    };
    text.lines().find(matches).map(str::to_owned)
}
