//! How an entry is named, and how the engine orders names.
//!
//! ```text
//! KIND ␟ ACCOUNT ␟ REGION ␟ STREAM     POSITION
//! ```
//! A stream's whole name begins with its kind, so that all streams of a kind are neighbours. A position is the time
//! in 16 hexadecimal digits and then whatever tells entries of one millisecond apart; its text has its order, and
//! is what a page's token holds.

use crate::JournalError;
use kiln_clock::Timestamp;
use kiln_store::Scope;
use std::fmt;
use std::str::FromStr;

/// Between the parts of a name; in none of them.
pub const UNIT: char = '\u{1f}';

/// Where an entry stands in its stream: by time, then by `tie`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The entry's time; none before 1970.
    pub at: Timestamp,
    /// Tells entries of one millisecond apart and orders them.
    pub tie: String,
}

impl Position {
    /// A position from its two parts.
    pub fn new(at: Timestamp, tie: impl Into<String>) -> Position {
        Position { at, tie: tie.into() }
    }

    /// A position by time and name, for listings newest first: read backwards, names of one millisecond come in their
    /// order.
    pub fn named(at: Timestamp, name: &str) -> Position {
        let mut tie: String = name.bytes().map(|byte| format!("{:02x}", !byte)).collect();
        // Greater than a digit: the beginning of a name comes before it, so here behind it.
        tie.push('~');
        Position { at, tie }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.at.millis().max(0), self.tie)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Position, NoPosition> {
        let (time, tie) = text.split_at_checked(16).ok_or(NoPosition)?;
        if tie.contains(UNIT) || !time.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(NoPosition);
        }
        let millis = i64::from_str_radix(time, 16).map_err(|_| NoPosition)?;
        Ok(Position::new(Timestamp::from_millis(millis), tie))
    }
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no position in a journal")]
pub struct NoPosition;

/// A stream's whole name.
pub fn stream(kind: &str, scope: &Scope, stream: &str) -> Result<String, JournalError> {
    for part in [kind, &scope.account, &scope.region, stream] {
        if part.contains(UNIT) {
            return Err(JournalError::BadName { name: part.to_owned() });
        }
    }
    Ok(format!("{kind}{UNIT}{}{UNIT}{}{UNIT}{stream}", scope.account, scope.region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_as_their_texts_and_read_back() {
        let at = |millis, tie: &str| Position::new(Timestamp::from_millis(millis), tie);
        let sorted = [at(0, ""), at(15, "z"), at(16, "a"), at(16, "b"), at(1_767_323_045_678, "0")];
        assert!(sorted.windows(2).all(|two| two[0] < two[1] && two[0].to_string() < two[1].to_string()));
        for position in sorted {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let named = ["a", "a-b", "a/b", "ab", "b"].map(|name| Position::named(Timestamp(1), name).to_string());
        assert!(named.windows(2).all(|two| two[0] > two[1]), "{named:?}");
        for bad in ["", "1", "000000000000000G", "+00000000000000f", "0000000000000001\u{1f}", "ä00000000000000000"] {
            assert_eq!(bad.parse::<Position>(), Err(NoPosition), "{bad}");
        }
    }
}
