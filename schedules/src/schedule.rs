//! Reading an expression, and when it is due next.

use crate::cron::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The longest expression. Source: API References, ScheduleExpression: 256 characters.
const LONGEST: usize = 256;
/// The largest number in a rate: what fits into a few thousand years.
const MOST: i64 = 1_000_000;

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule: {0}")]
pub struct InvalidSchedule(pub String);

/// When something is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Seconds.
    Rate(i64),
    Cron(Cron),
    /// By the clock on the wall.
    At(DateTime),
}

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// By its name in the IANA database; none: there is no such zone.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "UTC" => Some(Self::utc()),
            name => TimeZone::get(name).ok().map(Self),
        }
    }

    /// The second at which the clock shows a time; none: it is skipped. Of one that is shown twice the first.
    fn second(&self, at: DateTime) -> Option<i64> {
        let offset = match self.0.to_ambiguous_zoned(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { .. } => return None,
        };
        offset.to_timestamp(at).ok().map(|time| time.as_second())
    }

    fn clock(&self, second: i64) -> Option<DateTime> {
        let time = jiff::Timestamp::from_second(second).ok()?;
        Some(self.0.to_offset(time).to_datetime(time))
    }
}

impl Schedule {
    /// As a rule says it: `rate(…)` or `cron(…)`.
    ///
    /// # Errors
    /// It is neither.
    pub fn rule(text: &str) -> Result<Self, InvalidSchedule> {
        match Self::scheduler(text)? {
            Self::At(_) => Err(InvalidSchedule("at() is Scheduler's".to_owned())),
            other => Ok(other),
        }
    }

    /// As Scheduler says it: also `at(yyyy-mm-ddThh:mm:ss)`.
    ///
    /// # Errors
    /// It is none of them.
    pub fn scheduler(text: &str) -> Result<Self, InvalidSchedule> {
        let wrong = || InvalidSchedule(text.chars().take(LONGEST).collect());
        if text.len() > LONGEST {
            return Err(wrong());
        }
        let (word, inside) = text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(wrong)?;
        match word {
            "rate" => rate(inside).map(Self::Rate).ok_or_else(wrong),
            "cron" => Cron::parse(inside).map(Self::Cron).ok_or_else(wrong),
            "at" => at(inside).map(Self::At).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    /// The first time after `after`; a rate is counted from `since`, which is its first. None: never again.
    pub fn next(&self, zone: &Zone, since: i64, after: i64) -> Option<i64> {
        match self {
            Self::Rate(_) if after < since => Some(since),
            Self::Rate(seconds) => {
                let gone = after.checked_sub(since)?.max(0).div_euclid(*seconds);
                since.checked_add(seconds.checked_mul(gone + 1)?)
            }
            Self::At(at) => zone.second(*at).filter(|at| *at > after),
            Self::Cron(cron) => {
                let mut from = zone.clock(after)?;
                loop {
                    // Where the clock is set back, what it shows may have been passed once: then the next is looked for.
                    let shown = cron.after(from)?;
                    if let Some(second) = zone.second(shown).filter(|second| *second > after) {
                        return Some(second);
                    }
                    from = shown;
                }
            }
        }
    }

    /// The same by UTC, as rules are.
    pub fn next_utc(&self, since: i64, after: i64) -> Option<i64> {
        self.next(&Zone::utc(), since, after)
    }
}

/// `5 minutes`: one of a unit in the singular, more in the plural.
fn rate(text: &str) -> Option<i64> {
    let (number, unit) = text.split_once(' ')?;
    let number: i64 = Some(number).filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let (unit, is_plural) = unit.strip_suffix('s').map_or((unit, false), |unit| (unit, true));
    let seconds = match unit {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    ((1..=MOST).contains(&number) && is_plural == (number != 1)).then_some(number * seconds)
}

fn at(text: &str) -> Option<DateTime> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    (shape == "0000-00-00T00:00:00").then(|| text.parse().ok()).flatten()
}
