//! What is due at a midnight. Pure.
//!
//! An age is rounded up to a midnight: what was made on the 15th at 10:30 and lives three days goes at midnight of the 19th.
//! Source: Amazon S3 User Guide, "Lifecycle configuration elements", "Lifecycle rules based on an object's age".

use super::{Expiration, Lifecycle, Rule};
use crate::records::{Kept, Object, Upload};
use kiln_service_kit::Timestamp;

const DAY: i64 = 24 * 3_600 * 1_000;

/// The midnight, UTC, that a time is or was last.
pub fn midnight_before(time: Timestamp) -> Timestamp {
    Timestamp(time.millis().div_euclid(DAY) * DAY)
}

/// The first midnight after a time.
pub fn midnight_after(time: Timestamp) -> Timestamp {
    Timestamp(midnight_before(time).millis() + DAY)
}

/// When what began then is so many days old.
fn aged(began: Timestamp, days: i32) -> Timestamp {
    midnight_after(Timestamp(began.millis().saturating_add(i64::from(days) * DAY)))
}

fn enabled(lifecycle: &Lifecycle) -> impl Iterator<Item = &Rule> {
    lifecycle.rules.iter().filter(|rule| rule.enabled)
}

/// When an object that is its key's latest expires, and by which rule: the first of all.
pub fn expiration<'l>(lifecycle: &'l Lifecycle, key: &str, object: &Object) -> Option<(Timestamp, &'l Rule)> {
    let due = enabled(lifecycle)
        .filter(|rule| rule.filter.takes(key, object.size, &object.tags))
        .filter_map(|rule| Some((at(rule.expiration?, object.modified)?, rule)));
    due.min_by_key(|(at, _)| *at)
}

fn at(expiration: Expiration, made: Timestamp) -> Option<Timestamp> {
    match expiration {
        Expiration::Days(days) => Some(aged(made, days)),
        Expiration::Date(date) => Some(date),
        Expiration::Marker(_) => None,
    }
}

/// When an upload is given up, and by which rule.
pub fn abort<'l>(lifecycle: &'l Lifecycle, key: &str, initiated: Timestamp) -> Option<(Timestamp, &'l Rule)> {
    let due = enabled(lifecycle)
        .filter(|rule| rule.filter.takes_without_object(key))
        .filter_map(|rule| Some((aged(initiated, rule.abort?), rule)));
    due.min_by_key(|(at, _)| *at)
}

/// Whether an upload is given up by that midnight.
pub fn aborted(lifecycle: &Lifecycle, upload: &Upload, midnight: Timestamp) -> bool {
    abort(lifecycle, &upload.key, upload.initiated).is_some_and(|(at, _)| at <= midnight)
}

/// What is done to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Its latest, an object of that version: deleted as a delete without a version does.
    Expire(String),
    /// That version goes for good.
    Remove(String),
}

/// What is due of a key by a midnight. Its versions are given, the latest first; where versions were never kept there is
/// one.
pub fn decide(lifecycle: &Lifecycle, key: &str, versions: &[&Kept], midnight: Timestamp) -> Vec<Do> {
    let Some((latest, older)) = versions.split_first() else { return vec![] };
    let mut due = vec![];
    match latest {
        Kept::Object(object) => {
            if expiration(lifecycle, key, object).is_some_and(|(at, _)| at <= midnight) {
                due.push(Do::Expire(object.place.version.clone()));
            }
        }
        // Nothing is behind it any more.
        Kept::Marker(marker) if older.is_empty() => {
            let of_it = enabled(lifecycle).filter(|rule| rule.filter.takes_without_object(key));
            let goes = of_it.filter_map(|rule| rule.expiration).any(|expiration| match expiration {
                Expiration::Marker(goes) => goes,
                other => at(other, marker.modified).is_some_and(|at| at <= midnight),
            });
            if goes {
                due.push(Do::Remove(marker.place.version.clone()));
            }
        }
        Kept::Marker(_) => {}
    }
    for (number, (version, next)) in older.iter().zip(versions).enumerate() {
        let takes = |rule: &&Rule| match version {
            Kept::Object(object) => rule.filter.takes(key, object.size, &object.tags),
            Kept::Marker(_) => rule.filter.takes_without_object(key),
        };
        let goes = enabled(lifecycle).filter(takes).filter_map(|rule| rule.noncurrent).any(|noncurrent| {
            let kept = usize::try_from(noncurrent.keep.unwrap_or(0)).unwrap_or(0);
            number >= kept && aged(modified(next), noncurrent.days) <= midnight
        });
        if goes {
            due.push(Do::Remove(version.place().version.clone()));
        }
    }
    due
}

fn modified(version: &Kept) -> Timestamp {
    match version {
        Kept::Object(object) => object.modified,
        Kept::Marker(marker) => marker.modified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{Filter, Form, Mark, Noncurrent};
    use crate::records::{Marker, Place};

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn filter(prefix: &str) -> Filter {
        let prefix = Some(prefix.to_owned());
        Filter { form: Form::Single, prefix, tags: Default::default(), greater: None, less: None }
    }

    fn rule(prefix: &str) -> Rule {
        let id = format!("of {prefix}");
        Rule { id, enabled: true, filter: filter(prefix), expiration: None, noncurrent: None, abort: None }
    }

    fn of(rules: Vec<Rule>) -> Lifecycle {
        Lifecycle { mark: Mark::Has, rules, set: Timestamp(0), smallest_moved: None }
    }

    fn object(version: &str, made: &str) -> Object {
        serde_json::from_value(serde_json::json!({
            "size": 10, "etag": "e", "modified": time(made).millis(), "pieces": [], "parts": 0, "checksum": null,
            "tags": {"kind": "log"}, "described": crate::records::Described::default(),
            "place": Place { version: version.into(), number: 0 },
        }))
        .unwrap()
    }

    fn kept(version: &str, made: &str) -> Kept {
        Kept::Object(Box::new(object(version, made)))
    }

    fn marker(version: &str, made: &str) -> Kept {
        Kept::Marker(Marker { place: Place { version: version.into(), number: 0 }, modified: time(made) })
    }

    #[test]
    fn an_age_is_rounded_up_to_midnight() {
        let lifecycle = of(vec![Rule { expiration: Some(Expiration::Days(3)), ..rule("logs/") }]);
        let made = object("null", "2014-01-15T10:30:00Z");
        let (at, by) = expiration(&lifecycle, "logs/a", &made).unwrap();
        assert_eq!((at, by.id.as_str()), (time("2014-01-19T00:00:00Z"), "of logs/"));
        assert!(expiration(&lifecycle, "a", &made).is_none());
        let one = kept("null", "2014-01-15T10:30:00Z");
        assert_eq!(decide(&lifecycle, "logs/a", &[&one], time("2014-01-18T00:00:00Z")), []);
        assert_eq!(decide(&lifecycle, "logs/a", &[&one], at), [Do::Expire("null".into())]);
    }

    #[test]
    fn a_rule_is_about_what_its_filter_says() {
        let by = |change: &dyn Fn(&mut Filter)| {
            let mut one = Rule { expiration: Some(Expiration::Days(1)), ..rule("") };
            change(&mut one.filter);
            expiration(&of(vec![one]), "a", &object("null", "2014-01-15T10:30:00Z")).is_some()
        };
        assert!(by(&|_| {}));
        assert!(by(&|filter| filter.tags = [("kind".into(), "log".into())].into()));
        assert!(!by(&|filter| filter.tags = [("kind".into(), "mail".into())].into()));
        assert!(by(&|filter| filter.greater = Some(9)));
        assert!(!by(&|filter| filter.greater = Some(10)));
        assert!(by(&|filter| filter.less = Some(11)));
        assert!(!by(&|filter| filter.less = Some(10)));
        let off = Rule { enabled: false, expiration: Some(Expiration::Days(1)), ..rule("") };
        assert!(expiration(&of(vec![off]), "a", &object("null", "2014-01-15T10:30:00Z")).is_none());
    }

    #[test]
    fn versions_go_by_when_a_later_one_came_and_the_last_of_them_stay() {
        let all = [
            kept("4", "2014-01-04T12:00:00Z"),
            kept("3", "2014-01-03T12:00:00Z"),
            kept("2", "2014-01-02T12:00:00Z"),
            kept("1", "2014-01-01T12:00:00Z"),
        ];
        let all: Vec<&Kept> = all.iter().collect();
        let due = |days, keep, at: &str| {
            let noncurrent = Some(Noncurrent { days, keep });
            decide(&of(vec![Rule { noncurrent, ..rule("") }]), "a", &all, time(at))
        };
        let remove = |versions: &[&str]| versions.iter().map(|v| Do::Remove(v.to_string())).collect::<Vec<_>>();
        // The first is not the latest since the second came, on the 2nd at noon.
        assert_eq!(due(1, None, "2014-01-03T00:00:00Z"), remove(&[]));
        assert_eq!(due(1, None, "2014-01-04T00:00:00Z"), remove(&["1"]));
        assert_eq!(due(1, None, "2014-01-06T00:00:00Z"), remove(&["3", "2", "1"]));
        assert_eq!(due(1, Some(2), "2014-01-06T00:00:00Z"), remove(&["1"]));
    }

    #[test]
    fn a_marker_goes_once_nothing_is_behind_it() {
        let (mark, behind) = (marker("2", "2014-01-02T12:00:00Z"), kept("1", "2014-01-01T12:00:00Z"));
        let goes = |expiration, versions: &[&Kept], at: &str| {
            decide(&of(vec![Rule { expiration: Some(expiration), ..rule("") }]), "a", versions, time(at))
        };
        let soon = "2014-01-03T00:00:00Z";
        assert_eq!(goes(Expiration::Marker(true), &[&mark], soon), [Do::Remove("2".into())]);
        assert_eq!(goes(Expiration::Marker(false), &[&mark], soon), []);
        assert_eq!(goes(Expiration::Marker(true), &[&mark, &behind], soon), []);
        assert_eq!(goes(Expiration::Days(1), &[&mark], soon), []);
        assert_eq!(goes(Expiration::Days(1), &[&mark], "2014-01-04T00:00:00Z"), [Do::Remove("2".into())]);
    }
}
