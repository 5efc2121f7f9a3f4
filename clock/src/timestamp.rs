//! A point in time, to the millisecond, and the forms AWS writes it in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;
use time::format_description::well_known::{Iso8601, Rfc2822};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// Milliseconds since 1970-01-01T00:00:00Z. Kept and sent as that integer; shown as
/// `2026-01-02T03:04:05.678Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// The text is none of the forms [`Timestamp::parse`] reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a time: expected ISO 8601, RFC 2822 or seconds since 1970")]
pub struct ParseTimestampError {
    text: String,
}

/// The first and last millisecond that four year digits can show.
const FIRST: i64 = -62_167_219_200_000; // 0000-01-01T00:00:00.000Z
const LAST: i64 = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// From whole seconds since 1970.
    pub const fn from_epoch_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn epoch_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since 1970 with the milliseconds as fraction: the form of the JSON protocols.
    pub fn epoch_seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `2026-01-02T03:04:05Z`, without a fraction.
    pub fn iso8601(self) -> String {
        let t = self.date_time();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// `2026-01-02T03:04:05.678Z`.
    pub fn iso8601_millis(self) -> String {
        self.to_string()
    }

    /// `20260102T030405Z`, the form in signatures.
    pub fn iso8601_basic(self) -> String {
        let t = self.date_time();
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// `Fri, 02 Jan 2026 03:04:05 GMT`, the form of HTTP headers.
    pub fn http_date(self) -> String {
        let t = self.date_time();
        let (weekday, month) = (t.weekday().to_string(), t.month().to_string());
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            &weekday[..3],
            t.day(),
            &month[..3],
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }

    /// Reads any form an AWS client may send: ISO 8601 (extended or basic, with `Z`, an offset or
    /// nothing, which means UTC; a date alone is its midnight), RFC 2822 and HTTP dates, and
    /// seconds since 1970 with or without a fraction. Years 0 to 9999.
    pub fn parse(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let text = text.trim();
        epoch(text)
            .or_else(|| calendar(text))
            .filter(|t| (FIRST..=LAST).contains(&t.0))
            .ok_or_else(|| ParseTimestampError { text: shown(text) })
    }

    /// The calendar form. A number beyond the years 0 to 9999 is shown as the nearest end.
    fn date_time(self) -> OffsetDateTime {
        let nanos = i128::from(self.0.clamp(FIRST, LAST)) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("every millisecond of the years 0 to 9999 is a date")
    }
}

fn calendar(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Iso8601::PARSING)
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::PARSING).map(|t| t.assume_utc()))
        .or_else(|_| Date::parse(text, &Iso8601::PARSING).map(|d| d.midnight().assume_utc()))
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822))
        .ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp)
}

/// Reads `-12`, `1767323045`, `1767323045.678`, `1.767323045678E9`. Whole digits are read without
/// going through a float.
fn epoch(text: &str) -> Option<Timestamp> {
    // ISO 8601 also allows a bare year or date of digits; AWS clients never send those.
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')) {
        return None;
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1000).map(Timestamp);
    }
    let millis = (text.parse::<f64>().ok()? * 1000.0).round();
    (millis >= FIRST as f64 && millis <= LAST as f64).then_some(Timestamp(millis as i64))
}

/// The start of the text, so that an absurd input does not fill a log.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.date_time();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        )
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;
    fn from_str(text: &str) -> Result<Timestamp, ParseTimestampError> {
        Timestamp::parse(text)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp(1_767_323_045_678);

    #[test]
    fn it_is_written_in_every_form_aws_uses() {
        assert_eq!(T.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(T.iso8601(), "2026-01-02T03:04:05Z");
        assert_eq!(T.iso8601_millis(), "2026-01-02T03:04:05.678Z");
        assert_eq!(T.iso8601_basic(), "20260102T030405Z");
        assert_eq!(T.http_date(), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(T.epoch_seconds_f64(), 1_767_323_045.678);
        assert_eq!(serde_json::to_string(&T).unwrap(), "1767323045678");
        assert_eq!(serde_json::from_str::<Timestamp>("1767323045678").unwrap(), T);
    }

    #[test]
    fn every_form_is_read_back() {
        let whole = Timestamp(1_767_323_045_000);
        for (text, expected) in [
            ("2026-01-02T03:04:05.678Z", T),
            ("2026-01-02T03:04:05Z", whole),
            ("2026-01-02T05:04:05+02:00", whole),
            ("2026-01-02T03:04:05", whole),
            ("20260102T030405Z", whole),
            ("2026-01-02", Timestamp::parse("2026-01-02T00:00:00Z").unwrap()),
            ("Fri, 02 Jan 2026 03:04:05 GMT", whole),
            ("Fri, 02 Jan 2026 05:04:05 +0200", whole),
            ("1767323045", whole),
            ("1767323045.678", T),
            ("1.767323045678E9", T),
            (" 1767323045 ", whole),
            ("0", Timestamp(0)),
            ("-1", Timestamp(-1000)),
        ] {
            assert_eq!(Timestamp::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_an_error() {
        for text in [
            "",
            "yesterday",
            "2026-13-02T03:04:05Z",
            "2026-01-02T25:00:00Z",
            "NaN",
            "inf",
            "1e300",
            "99999999999999999999",
            "9223372036854775807",
            "-",
            "2026-01-02T03:04:05+99:00",
            "💥",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text} was read as a time");
        }
        let long = "x".repeat(1 << 20);
        assert!(Timestamp::parse(&long).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn arithmetic_never_overflows() {
        assert_eq!((T + Duration::from_secs(1)).since(T), Duration::from_secs(1));
        assert_eq!(T.since(T + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(T + Duration::MAX, Timestamp(i64::MAX));
        assert_eq!(T - Duration::MAX, Timestamp(i64::MAX).min(Timestamp(T.0 - i64::MAX)));
        assert_eq!(Timestamp(i64::MAX).since(Timestamp(i64::MIN)).as_millis(), u128::from(u64::MAX));
        assert_eq!(Timestamp(i64::MAX).iso8601(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }
}
