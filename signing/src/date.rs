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
    let mut text = String::with_capacity(16);
    let mut put = |number: u32, digits: u32| {
        text.extend((0..digits).rev().map(|digit| char::from(b'0' + (number / 10u32.pow(digit) % 10) as u8)));
    };
    // Years before the first are no times that anybody signs at.
    put(at.year().try_into().unwrap_or(0), 4);
    put(u8::from(at.month()).into(), 2);
    put(at.day().into(), 2);
    text.push('T');
    for number in [at.hour(), at.minute(), at.second()] {
        text.extend([number / 10, number % 10].map(|digit| char::from(b'0' + digit)));
    }
    text.push('Z');
    text
}

/// Reads a plain `Date` header, which old clients send instead of `X-Amz-Date`: SigV4's own
/// format or HTTP's (`Sat, 31 Jan 2026 23:59:59 GMT`).
pub(crate) fn parse_date_header(text: &str) -> Option<OffsetDateTime> {
    parse_amz_date(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_it_is_read() {
        for text in ["20260131T235959Z", "20240229T000000Z", "00010101T010203Z", "99991231T101112Z"] {
            assert_eq!(format_amz_date(parse_amz_date(text).expect("a date")), text);
        }
        let elsewhere = parse_amz_date("20260101T003000Z").expect("a date");
        let offset = time::UtcOffset::from_hms(-2, 0, 0).expect("an offset");
        assert_eq!(format_amz_date(elsewhere.to_offset(offset)), "20260101T003000Z");
    }
}
