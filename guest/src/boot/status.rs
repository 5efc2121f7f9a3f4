//! How far user data is, for those who wait for it: `/run/cloud-init/status.json`, and
//! `result.json` when it is through.
//!
//! ```text
//!   boot ─► status.json (stages, times, errors) ─► `cloud-init status` (../cloud_init.rs)
//! ```
//!
//! The files and their members are cloud-init's, since scripts read them too. A `kiln-guest.pid`
//! beside them tells a run that goes on from one whose program was killed.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::cloud_config::Stage;
use crate::machine::Machine;

/// Where the files are.
pub const RUN_DIR: &str = "/run/cloud-init";
/// What the machine knows itself by.
pub const DATA_SOURCE: &str = "DataSourceKiln [seed=/run/kiln]";
/// With this file in the image user data is left alone.
pub const DISABLED: &str = "/etc/cloud/cloud-init.disabled";

const LOCAL: &str = "init-local";

/// What has happened in this boot.
pub struct Status {
    run: PathBuf,
    stages: Map<String, Value>,
    stage: Option<&'static str>,
}

impl Status {
    /// Begins a boot, or goes on in one whose names and keys were given already.
    pub fn begin(machine: &Machine) -> Result<Status, String> {
        let run = machine.path(RUN_DIR);
        std::fs::create_dir_all(&run).map_err(|cause| format!("cannot make {}: {cause}", run.display()))?;
        let kept = std::fs::read(run.join("status.json")).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let local = kept.as_ref().and_then(|kept| kept.get("v1")?.get(LOCAL)).cloned();
        let finished = run.join("result.json").exists();
        let stages = local.filter(|_| !finished).map(|local| (LOCAL.to_owned(), local));
        match std::fs::remove_file(run.join("result.json")) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot remove {}/result.json: {cause}", run.display()));
            }
            _ => {}
        }
        write(&run.join("kiln-guest.pid"), &format!("{}\n", std::process::id()))?;
        let data = machine.path("/var/lib/cloud/data");
        std::fs::create_dir_all(&data).map_err(|cause| format!("cannot make {}: {cause}", data.display()))?;
        for name in ["status.json", "result.json"] {
            let link = data.join(name);
            if link.symlink_metadata().is_err() {
                std::os::unix::fs::symlink(format!("{RUN_DIR}/{name}"), &link)
                    .map_err(|cause| format!("cannot make the link {}: {cause}", link.display()))?;
            }
        }
        let status = Status { run, stages: stages.into_iter().collect(), stage: None };
        status.store()?;
        Ok(status)
    }

    /// This program ends here, and its next run goes on.
    pub fn hand_over(&mut self) -> Result<(), String> {
        self.leave();
        self.store()?;
        let pid = self.run.join("kiln-guest.pid");
        std::fs::remove_file(&pid).map_err(|cause| format!("cannot remove {}: {cause}", pid.display()))
    }

    /// Names and keys are being given.
    pub fn local(&mut self) -> Result<(), String> {
        self.stages.remove(LOCAL);
        self.go_to(LOCAL)
    }

    /// A stage begins; the one before has ended.
    pub fn enter(&mut self, stage: Stage) -> Result<(), String> {
        self.go_to(match stage {
            Stage::Init => "init",
            Stage::Config => "modules-config",
            Stage::Final => "modules-final",
        })
    }

    fn go_to(&mut self, stage: &'static str) -> Result<(), String> {
        if self.stage == Some(stage) {
            return Ok(());
        }
        self.leave();
        self.stage = Some(stage);
        let fresh = json!({"start": now(), "finished": null, "errors": [], "recoverable_errors": {}});
        self.stages.insert(stage.to_owned(), fresh);
        self.store()
    }

    /// What is going on has ended.
    pub fn leave(&mut self) {
        let ended = self.stage.take();
        if let Some(stage) = ended.and_then(|stage| self.stages.get_mut(stage)) {
            stage["finished"] = json!(now());
        }
    }

    /// Something failed.
    pub fn error(&mut self, problem: &str) {
        if let Some(errors) = self.current().and_then(|stage| stage["errors"].as_array_mut()) {
            errors.push(json!(problem));
        }
    }

    /// Something was passed over.
    pub fn warning(&mut self, problem: &str) {
        if let Some(kinds) = self.current().and_then(|stage| stage["recoverable_errors"].as_object_mut())
            && let Some(warnings) = kinds.entry("WARNING").or_insert_with(|| json!([])).as_array_mut()
        {
            warnings.push(json!(problem));
        }
    }

    fn current(&mut self) -> Option<&mut Value> {
        self.stages.get_mut(self.stage.unwrap_or("init"))
    }

    /// Everything is done.
    pub fn finish(&mut self) -> Result<(), String> {
        self.leave();
        self.store()?;
        let errors: Vec<&Value> =
            self.stages.values().filter_map(|stage| stage["errors"].as_array()).flatten().collect();
        let result = json!({"v1": {"datasource": DATA_SOURCE, "errors": errors}});
        write(&self.run.join("result.json"), &format!("{result:#}\n"))
    }

    /// Writes down how far it is.
    pub fn store(&self) -> Result<(), String> {
        let mut v1 = self.stages.clone();
        v1.insert("datasource".to_owned(), json!(DATA_SOURCE));
        v1.insert("stage".to_owned(), json!(self.stage));
        write(&self.run.join("status.json"), &format!("{:#}\n", json!({"v1": v1})))
    }
}

/// Whole or not at all: others read while we write.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(|cause| format!("cannot write {}: {cause}", path.display()))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// `Mon, 02 Jan 2006 15:04:05 +0000`, as mail writes it.
pub fn mail_date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that a leap day is a year's last.
    let era_days = days + 719_468;
    let (era, day_of_era) = (era_days / 146_097, era_days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} +0000",
        DAYS[(days % 7) as usize],
        MONTHS[(month as usize).saturating_sub(1) % 12],
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_mail_writes_them() {
        assert_eq!(mail_date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(mail_date(1_136_214_245), "Mon, 02 Jan 2006 15:04:05 +0000");
        assert_eq!(mail_date(951_827_696), "Tue, 29 Feb 2000 12:34:56 +0000");
    }
}
