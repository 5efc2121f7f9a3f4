//! Schedules as EventBridge's rules and EventBridge Scheduler write them: `rate(5 minutes)`, `cron(0 12 * * ? *)`, and
//! Scheduler's `at(2026-03-29T02:30:00)`. Pure: times come in and go out as seconds of the epoch.
//!
//! | | rule | Scheduler |
//! |---|---|---|
//! | rate | minutes, hours, days; counted from when the rule was set | the same, from the start date or creation |
//! | cron | UTC | in a time zone: a time that the clock skips is skipped, one that it shows twice comes once |
//! | at | no | once, in a time zone |
//!
//! Sources: Amazon EventBridge User Guide, "Creating an EventBridge rule that runs on a schedule"; EventBridge Scheduler
//! User Guide, "Schedule types in EventBridge Scheduler". Time zones are those of the IANA database in the crate `jiff`,
//! whose tables are part of the binary: a host without tzdata has them too.

mod cron;
mod field;
mod schedule;

#[cfg(test)]
mod tests;

pub use schedule::{InvalidSchedule, Schedule, Zone};
