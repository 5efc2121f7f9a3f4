//! The credentials of the account's root user, made once at the first start.

use kiln_cli::State;
use kiln_ids::IdSource;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where they lie in a state directory.
pub const FILE: &str = "state.json";

/// Reads what an earlier start left and updates it, or makes new credentials. The file is readable
/// by its owner only, and replaced in one step.
pub fn prepare(state_dir: &Path, ids: &IdSource, endpoint: &str, region: &str, account: &str) -> Result<State, String> {
    let path = state_dir.join(FILE);
    let earlier: Option<State> = match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).map_err(|e| {
            format!("{} is damaged: {e}. Restore it, or remove it to get new credentials", path.display())
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("failed to read {}: {error}", path.display())),
    };
    let (account, access_key, secret) = match earlier {
        Some(state) => (state.account, state.access_key, state.secret),
        None => (
            account.to_owned(),
            format!("AKIA{}", ids.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
            ids.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 40),
        ),
    };
    let state = State {
        pid: std::process::id(),
        endpoint: endpoint.to_owned(),
        region: region.to_owned(),
        account,
        access_key,
        secret,
    };
    write(&path, &state).map_err(|e| match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            format!("no space left to write {}: free some space on its disk, then start kiln again", path.display())
        }
        _ => format!("failed to write {}: {e}", path.display()),
    })?;
    Ok(state)
}

/// Whether a kiln used this state directory before and is gone.
pub fn last_one_died(state_dir: &Path) -> bool {
    let text = std::fs::read_to_string(state_dir.join(FILE));
    // What cannot be read is reported by `prepare`.
    let state = text.ok().and_then(|text| serde_json::from_str::<State>(&text).ok());
    state.is_some_and(|state| !Path::new("/proc").join(state.pid.to_string()).exists())
}

fn write(path: &Path, state: &State) -> std::io::Result<()> {
    let next = path.with_extension("json.next");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    std::fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_the_same_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let one = prepare(dir.path(), &IdSource::seeded(1), "http://a", "r", "000000000000").expect("made");
        let two = prepare(dir.path(), &IdSource::seeded(2), "http://b", "r", "111111111111").expect("read");
        assert_eq!((&one.access_key, &one.secret, &one.account), (&two.access_key, &two.secret, &two.account));
        assert_eq!(two.endpoint, "http://b");
        let mode = std::fs::metadata(dir.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(FILE), "{").expect("written");
        assert!(prepare(dir.path(), &IdSource::seeded(1), "", "", "").is_err());
    }
}
