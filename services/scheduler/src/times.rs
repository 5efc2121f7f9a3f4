//! When a schedule is due: its expression in its zone, between its dates, and when within the window.

use crate::errors::validation;
use crate::records::Set;
use kiln_schedules::{Schedule, Zone};
use kiln_service_kit::{Error, IdSource, Timestamp};

/// The expression and the zone of what is set.
pub fn read(set: &Set) -> Result<(Schedule, Zone), Error> {
    let invalid = |_| validation(format!("Invalid Schedule Expression {}.", set.expression));
    let schedule = Schedule::scheduler(&set.expression).map_err(invalid)?;
    let zone = match set.zone.as_deref() {
        None => Zone::utc(),
        Some(name) => {
            Zone::named(name).ok_or_else(|| validation(format!("The ScheduleExpressionTimezone {name} is invalid.")))?
        }
    };
    Ok((schedule, zone))
}

/// The next time after one, of a schedule that was made then; and when it is told.
///
/// # Errors
/// The expression or the zone does not read.
pub fn next(
    set: &Set,
    made: Timestamp,
    after: Timestamp,
    ids: &IdSource,
) -> Result<Option<(Timestamp, Timestamp)>, Error> {
    if !set.enabled {
        return Ok(None);
    }
    let (schedule, zone) = read(set)?;
    // `at` is one time, whatever dates there are. Source: the API Reference, StartDate and EndDate.
    let once = matches!(schedule, Schedule::At(_));
    let second = |time: Timestamp| time.millis().div_euclid(1_000);
    let since = if once { second(made) } else { second(set.start.unwrap_or(made)) };
    // The start itself is a time of it.
    let after = if once { second(after) } else { second(after).max(since - 1) };
    let Some(next) = schedule.next(&zone, since, after) else { return Ok(None) };
    let due = Timestamp::from_millis(next * 1_000);
    if !once && set.end.is_some_and(|end| due > end) {
        return Ok(None);
    }
    let window = u64::from(set.window.unwrap_or(0).unsigned_abs()) * 60;
    let late = if window == 0 { 0 } else { ids.below(window) };
    Ok(Some((due, due + std::time::Duration::from_secs(late))))
}
