//! From which to which second is asked, and in which steps. Source: the API Reference, GetMetricData and
//! GetMetricStatistics, StartTime and Period.

/// Seconds: how old what is asked from may be for steps of a minute, and of five.
const MINUTES: i64 = 15 * 24 * 3600;
const FIVE_MINUTES: i64 = 63 * 24 * 3600;
/// Steps below a minute.
const FINE: [i64; 5] = [1, 5, 10, 20, 30];
/// The longest: a day is the longest of alarms, a year is more than anybody asks for.
const LONGEST: i64 = 365 * 24 * 3600;

/// Whether a period is one: 1, 5, 10, 20, 30 or a multiple of 60.
pub fn is_period(seconds: i64) -> bool {
    FINE.contains(&seconds) || (seconds % 60 == 0 && (60..=LONGEST).contains(&seconds))
}

/// Where the first period begins: rounded down as documented.
pub fn start(from: i64, period: i64, now: i64) -> i64 {
    let step = match now - from {
        _ if period < 60 => period,
        age if age < MINUTES => 60,
        age if age < FIVE_MINUTES => 300,
        _ => 3600,
    };
    from - from.rem_euclid(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_rounded_by_their_age() {
        let now = 1_800_000_000;
        let at = now - 100 + 34;
        assert_eq!(start(at, 10, now), at - at.rem_euclid(10));
        assert_eq!(start(at, 60, now), at - at.rem_euclid(60));
        let old = at - 20 * 24 * 3600;
        assert_eq!(start(old, 300, now), old - old.rem_euclid(300));
        let older = at - 100 * 24 * 3600;
        assert_eq!(start(older, 3600, now), older - older.rem_euclid(3600));
        assert!(
            is_period(5) && is_period(60) && is_period(86_400) && !is_period(45) && !is_period(0) && !is_period(-60)
        );
    }
}
