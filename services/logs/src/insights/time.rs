//! Times and periods: written as AWS writes them, cut to whole periods.

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Millis(i64),
    Months(i64),
}

const DAY: i64 = 24 * 3600 * 1000;

impl Period {
    /// Of a number and a unit. Source: CloudWatch Logs User Guide, "Supported units for datetime functions".
    pub fn of(count: i64, unit: &str) -> Option<Self> {
        let millis = match unit {
            "ms" | "msec" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "second" | "seconds" => 1000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => 7 * DAY,
            "mo" | "mon" | "month" | "months" => return Self::months(count, 1),
            "q" | "qtr" | "quarter" | "quarters" => return Self::months(count, 3),
            "y" | "yr" | "year" | "years" => return Self::months(count, 12),
            _ => return None,
        };
        let millis = count.checked_mul(millis)?;
        (count > 0 && millis <= 400 * 366 * DAY).then_some(Self::Millis(millis))
    }

    fn months(count: i64, each: i64) -> Option<Self> {
        let months = count.checked_mul(each)?;
        (count > 0 && months <= 400 * 12).then_some(Self::Months(months))
    }

    /// The beginning of the period that a time is in.
    pub fn floor(self, time: i64) -> i64 {
        match self {
            Self::Millis(millis) => time - time.rem_euclid(millis),
            Self::Months(months) => {
                let (year, month, _) = date(time.div_euclid(DAY));
                let number = year * 12 + i64::from(month) - 1;
                first_of(number - number.rem_euclid(months))
            }
        }
    }

    /// The end of the period that a time is in; a beginning is its own.
    pub fn ceil(self, time: i64) -> i64 {
        let floor = self.floor(time);
        match (floor == time, self) {
            (true, _) => time,
            (false, Self::Millis(millis)) => floor.saturating_add(millis),
            (false, Self::Months(months)) => {
                let (year, month, _) = date(floor.div_euclid(DAY));
                first_of(year * 12 + i64::from(month) - 1 + months)
            }
        }
    }
}

/// The first moment of a month, counted from the year 0.
fn first_of(month: i64) -> i64 {
    days(month.div_euclid(12), month.rem_euclid(12) + 1).saturating_mul(DAY)
}

/// Days from 1970 to the first of a month. The calendar is counted from March, so that the leap day is the last.
fn days(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970.
fn date(day: i64) -> (i64, u32, u32) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u32, day_of_month as u32)
}

/// `2026-12-01 02:48:33.000`
pub fn written(time: i64) -> String {
    let (year, month, day) = date(time.div_euclid(DAY));
    let of_day = time.rem_euclid(DAY);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_cut() {
        let time = 1_709_210_096_789; // 2024-02-29T12:34:56.789Z
        assert_eq!(written(time), "2024-02-29 12:34:56.789");
        assert_eq!(written(0), "1970-01-01 00:00:00.000");
        let cut = |count, unit| {
            let period = Period::of(count, unit).expect("a period");
            (written(period.floor(time)), written(period.ceil(time)))
        };
        let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(cut(5, "m"), both("2024-02-29 12:30:00.000", "2024-02-29 12:35:00.000"));
        assert_eq!(cut(1, "d"), both("2024-02-29 00:00:00.000", "2024-03-01 00:00:00.000"));
        assert_eq!(cut(1, "mo"), both("2024-02-01 00:00:00.000", "2024-03-01 00:00:00.000"));
        assert_eq!(cut(1, "q"), both("2024-01-01 00:00:00.000", "2024-04-01 00:00:00.000"));
        assert_eq!(cut(1, "y"), both("2024-01-01 00:00:00.000", "2025-01-01 00:00:00.000"));
        assert_eq!(Period::of(0, "s"), None);
        assert_eq!(Period::of(i64::MAX, "y"), None);
        assert_eq!(Period::of(1, "x"), None);
    }
}
