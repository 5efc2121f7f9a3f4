//! Parts of a time, in UTC.

/// Days of the civil calendar: year, month, day. Source: H. Hinnant, "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// What a function of that name says of a time.
pub fn part(name: &str, seconds: i64) -> Option<f64> {
    let days = seconds.div_euclid(86_400);
    let (year, month, date) = civil(days);
    Some(match name {
        "MINUTE" => seconds.rem_euclid(3600) / 60,
        "HOUR" => seconds.rem_euclid(86_400) / 3600,
        // 1970 began on a Thursday; Monday is 1.
        "DAY" => (days + 3).rem_euclid(7) + 1,
        "DATE" => date,
        "MONTH" => month,
        "YEAR" => year,
        "EPOCH" => seconds,
        _ => return None,
    } as f64)
}
