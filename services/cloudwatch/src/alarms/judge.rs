//! From points to a state. Pure. Source: the user guide, "Configuring how CloudWatch alarms treat missing data": its two
//! tables and "Avoiding premature transitions to alarm state" are the tests below.
//!
//! More periods are looked at than are evaluated. Where enough of them have points, the newest of these are evaluated
//! and missing ones are passed over. Only otherwise it matters how missing data are treated.

use crate::records::StateValue;

/// Periods that are looked at beyond those that are evaluated.
pub const MORE: i64 = 2;

/// How missing data are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Unknown,
    Ignore,
    Breaching,
    NotBreaching,
}

impl Missing {
    /// As PutMetricAlarm takes it; nothing means `missing`.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        Some(match text {
            None | Some("missing") => Self::Unknown,
            Some("ignore") => Self::Ignore,
            Some("breaching") => Self::Breaching,
            Some("notBreaching") => Self::NotBreaching,
            Some(_) => return None,
        })
    }
}

/// What an alarm asks for: so many breaching of so many periods.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub periods: usize,
    pub breaching: usize,
    pub missing: Missing,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// None: the state stays as it is.
    pub state: Option<StateValue>,
    /// Which points were evaluated, the newest first.
    pub evaluated: Vec<usize>,
    /// How many were missing.
    pub filled: usize,
}

/// Judges points, oldest first: whether each breaches, none where there is none.
pub fn judge(points: &[Option<bool>], asked: Asked) -> Found {
    let there: Vec<usize> = (0..points.len()).rev().filter(|at| points[*at].is_some()).collect();
    let evaluated: Vec<usize> = there.iter().copied().take(asked.periods).collect();
    let filled = asked.periods - evaluated.len();
    let breaching = evaluated.iter().filter(|at| points[**at] == Some(true)).count();
    let by = |breaching: usize| if breaching >= asked.breaching { StateValue::Alarm } else { StateValue::Ok };
    let state = match asked.missing {
        _ if filled == 0 => Some(by(breaching)),
        Missing::Breaching => Some(by(breaching + filled)),
        Missing::NotBreaching => Some(by(breaching)),
        Missing::Unknown if there.is_empty() => Some(StateValue::InsufficientData),
        Missing::Ignore if there.is_empty() => None,
        _ if breaching >= asked.breaching => Some(StateValue::Alarm),
        _ if breaching < there.len() => Some(StateValue::Ok),
        // All that there is breaches and is not enough: an alarm if it has been so for long enough, missing data apart.
        Missing::Unknown => {
            let oldest = there.last().map_or(0, |at| points.len() - at);
            (oldest >= asked.breaching).then_some(StateValue::Alarm)
        }
        Missing::Ignore => None,
    };
    Found { state, evaluated, filled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StateValue::{Alarm, InsufficientData, Ok};

    fn points(text: &str) -> Vec<Option<bool>> {
        let point = |word| match word {
            "0" => Some(false),
            "X" => Some(true),
            _ => None,
        };
        text.split(' ').map(point).collect()
    }

    fn row(text: &str, breaching: usize) -> (usize, [Option<StateValue>; 4]) {
        let each = [Missing::Unknown, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
        let found = each.map(|missing| judge(&points(text), Asked { periods: 3, breaching, missing }));
        (found[0].filled, found.map(|found| found.state))
    }

    /// Retain the current state.
    const STAYS: Option<StateValue> = None;

    /// Three of three datapoints, five periods looked at.
    #[test]
    fn the_first_table_of_the_guide() {
        for (text, filled, states) in [
            ("0 - X - X", 0, [Some(Ok), Some(Ok), Some(Ok), Some(Ok)]),
            ("- - - - 0", 2, [Some(Ok), Some(Ok), Some(Ok), Some(Ok)]),
            ("- - - - -", 3, [Some(InsufficientData), STAYS, Some(Alarm), Some(Ok)]),
            ("0 X X - X", 0, [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)]),
            ("- - X - -", 2, [Some(Alarm), STAYS, Some(Alarm), Some(Ok)]),
        ] {
            assert_eq!(row(text, 3), (filled, states), "{text}");
        }
    }

    /// Two of three datapoints.
    #[test]
    fn the_second_table_of_the_guide() {
        for (text, filled, states) in [
            ("0 - X - X", 0, [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)]),
            ("0 0 X 0 X", 0, [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)]),
            ("0 - X - -", 1, [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - - 0", 2, [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - X -", 2, [Some(Alarm), STAYS, Some(Alarm), Some(Ok)]),
        ] {
            assert_eq!(row(text, 2), (filled, states), "{text}");
        }
    }

    #[test]
    fn no_alarm_before_its_time() {
        for text in ["- - - - X", "- - - X -"] {
            assert_eq!(row(text, 3).1[0], STAYS, "{text}");
        }
        assert_eq!(row("- - X - -", 3).1[0], Some(Alarm));
    }

    #[test]
    fn one_of_one_says_what_the_newest_says() {
        let one = |text: &str| judge(&points(text), Asked { periods: 1, breaching: 1, missing: Missing::Unknown });
        assert_eq!(one("0 0 X").state, Some(Alarm));
        assert_eq!(one("X X 0").state, Some(Ok));
        assert_eq!(one("X - -"), Found { state: Some(Alarm), evaluated: vec![0], filled: 0 });
        assert_eq!(one("- - -").state, Some(InsufficientData));
    }
}
