//! Dates as SigV4 writes them (`20260131T235959Z`). Written by hand because the format is fixed
//! and this runs on every request.

use time::{Date, Month, OffsetDateTime, Time, format_description::well_known::Rfc2822};

/// Reads `YYYYMMDDTHHMMSSZ`.
pub fn parse_amz_date(text: &str) -> Option<OffsetDateTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u16> {
        bytes[from..to]
            .iter()
            .try_fold(0u16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')))
    };
    let small = |from: usize| number(from, from + 2).and_then(|n| u8::try_from(n).ok());
    let month = Month::try_from(small(4)?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(6)?).ok()?;
    let time = Time::from_hms(small(9)?, small(11)?, small(13)?).ok()?;
    Some(date.with_time(time).assume_utc())
}

/// Writes `YYYYMMDDTHHMMSSZ`, in UTC.
pub fn format_amz_date(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads a plain `Date` header, which old clients send instead of `X-Amz-Date`: SigV4's own
/// format or HTTP's (`Sat, 31 Jan 2026 23:59:59 GMT`).
pub(crate) fn parse_date_header(text: &str) -> Option<OffsetDateTime> {
    parse_amz_date(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok())
}
