//! Staging labels: where they are, what moves with `AWSCURRENT`, and which versions go. Pure.
//!
//! A label is on one version of a secret. When `AWSCURRENT` moves, `AWSPREVIOUS` goes to the version that it left. Source:
//! AWS Secrets Manager User Guide, "Secret versions"; API Reference, UpdateSecretVersionStage.

use crate::errors::limit;
use crate::records::{Secret, Version};
use kiln_service_kit::{Error, Timestamp};
use std::time::Duration;

pub const CURRENT: &str = "AWSCURRENT";
pub const PREVIOUS: &str = "AWSPREVIOUS";
pub const PENDING: &str = "AWSPENDING";

/// Source: AWS Secrets Manager User Guide, "Quotas": labels of one version, versions of one secret.
const MOST_LABELS: usize = 20;
const MOST_VERSIONS: usize = 100;

/// How old a version without a label must be before it goes. Source: the same page.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

impl Secret {
    /// Takes a label off the version that it is on, and says which that was.
    fn take(&mut self, stage: &str) -> Option<String> {
        let version = self.versions.iter_mut().find(|version| version.stages.iter().any(|on| on == stage))?;
        version.stages.retain(|on| on != stage);
        Some(version.id.clone())
    }

    fn put(&mut self, stage: &str, id: &str) -> Result<(), Error> {
        let Some(version) = self.versions.iter_mut().find(|version| version.id == id) else { return Ok(()) };
        if version.stages.len() >= MOST_LABELS {
            return Err(limit(format!("A version of a secret can have at most {MOST_LABELS} staging labels.")));
        }
        version.stages.push(stage.to_owned());
        Ok(())
    }

    /// Puts a label on a version, and takes it off every other.
    pub fn attach(&mut self, stage: &str, id: &str) -> Result<(), Error> {
        let from = self.take(stage);
        self.put(stage, id)?;
        match from {
            Some(from) if stage == CURRENT && from != id => {
                self.take(PREVIOUS);
                self.put(PREVIOUS, &from)
            }
            _ => Ok(()),
        }
    }

    /// Takes a label off.
    pub fn detach(&mut self, stage: &str) {
        self.take(stage);
    }

    /// Adds a version with its labels, and says which old ones go for it.
    pub fn add(&mut self, version: Version, stages: &[String], now: Timestamp) -> Result<Vec<String>, Error> {
        let id = version.id.clone();
        self.versions.push(version);
        for stage in stages {
            self.attach(stage, &id)?;
        }
        let mut gone = vec![];
        while self.versions.len() > MOST_VERSIONS {
            let old =
                |version: &Version| version.stages.is_empty() && version.id != id && version.created + KEPT <= now;
            let Some(at) = self.versions.iter().position(old) else {
                return Err(limit(format!("A secret can have at most {MOST_VERSIONS} versions.")));
            };
            gone.push(self.versions.remove(at).id);
        }
        Ok(gone)
    }
}

/// The beginning of the day, in UTC: how exactly it is known when something was read last.
pub fn day(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    Timestamp(now.0.div_euclid(DAY) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret {
            name: "s".to_owned(),
            suffix: "abcdef".to_owned(),
            description: None,
            kms_key_id: None,
            versions: vec![],
            tags: Default::default(),
            policy: None,
            created: Timestamp(0),
            changed: Timestamp(0),
            accessed: None,
            deleted: None,
        }
    }

    fn version(id: &str, created: Timestamp) -> Version {
        Version { id: id.to_owned(), created, accessed: None, stages: vec![], key: String::new() }
    }

    fn add(secret: &mut Secret, id: &str, stages: &[&str], now: Timestamp) -> Result<Vec<String>, Error> {
        let stages: Vec<String> = stages.iter().map(|stage| (*stage).to_owned()).collect();
        secret.add(version(id, now), &stages, now)
    }

    fn on(secret: &Secret, stage: &str) -> Option<String> {
        secret.labelled(stage).map(|version| version.id.clone())
    }

    #[test]
    fn previous_follows_current() {
        let mut secret = secret();
        let some = |id: &str| Some(id.to_owned());
        for id in ["a", "b", "c"] {
            add(&mut secret, id, &[CURRENT], Timestamp(0)).expect("room");
        }
        assert_eq!((on(&secret, CURRENT), on(&secret, PREVIOUS)), (some("c"), some("b")));
        assert_eq!(secret.version("a").expect("there").stages, Vec::<String>::new());
        add(&mut secret, "d", &[PENDING, "mine"], Timestamp(0)).expect("room");
        assert_eq!(
            (on(&secret, CURRENT), on(&secret, PREVIOUS), on(&secret, PENDING)),
            (some("c"), some("b"), some("d"))
        );
        // Back to the one before: the two change places.
        secret.attach(CURRENT, "b").expect("room");
        assert_eq!((on(&secret, CURRENT), on(&secret, PREVIOUS)), (some("b"), some("c")));
        secret.attach(CURRENT, "b").expect("room");
        assert_eq!((on(&secret, CURRENT), on(&secret, PREVIOUS)), (some("b"), some("c")), "where it is already");
        secret.detach("mine");
        assert_eq!(on(&secret, "mine"), None);
    }

    #[test]
    fn old_versions_without_a_label_go_once_there_are_too_many() {
        let mut secret = secret();
        let day = Timestamp(0) + KEPT;
        for n in 0..MOST_VERSIONS {
            add(&mut secret, &format!("v{n}"), &[CURRENT], Timestamp(0)).expect("room");
        }
        let mut full = secret.clone();
        let refused = add(&mut full, "new", &[CURRENT], Timestamp(day.0 - 1)).expect_err("none is old enough");
        assert_eq!(refused.code, "LimitExceededException");
        assert_eq!(add(&mut secret, "new", &[CURRENT], day).expect("room"), ["v0"]);
        assert_eq!(secret.versions.len(), MOST_VERSIONS);
        assert_eq!(on(&secret, PREVIOUS).as_deref(), Some("v99"));
    }

    #[test]
    fn a_version_has_twenty_labels() {
        let mut secret = secret();
        add(&mut secret, "a", &[CURRENT], Timestamp(0)).expect("room");
        for n in 1..MOST_LABELS {
            secret.attach(&format!("l{n}"), "a").expect("room");
        }
        assert_eq!(secret.attach("more", "a").expect_err("full").code, "LimitExceededException");
        secret.attach("l1", "a").expect("it is there already");
    }
}
