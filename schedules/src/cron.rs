//! Cron expressions of six fields: minutes, hours, day of the month, month, day of the week, year. Source: the user guides,
//! "Cron expressions reference": `, - * ? / L W #`; one of the two days is `?`.

use crate::field::{Of, number, numbers};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};

const MINUTES: Of = Of { least: 0, most: 59, names: &[] };
const HOURS: Of = Of { least: 0, most: 23, names: &[] };
const DAYS: Of = Of { least: 1, most: 31, names: &[] };
const MONTHS: Of = Of {
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAYS: Of = Of { least: 1, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };
const YEARS: Of = Of { least: 1970, most: 2199, names: &[] };

/// An expression that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<i32>,
    hours: Vec<i32>,
    days: Days,
    months: Vec<i32>,
    years: Vec<i32>,
}

/// Which days of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    Of(Vec<i32>),
    /// `L`
    Last,
    /// `LW`
    LastWorkday,
    /// `15W`: the working day nearest to it, in the same month.
    NearestWorkday(i32),
    /// Sunday is 1.
    Weekdays(Vec<i32>),
    /// `5L`: the last of that weekday.
    LastWeekday(i32),
    /// `6#3`: the third of that weekday.
    NthWeekday(i32, i32),
}

impl Cron {
    /// What stands within `cron(…)`.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [minutes, hours, day, month, weekday, year] = fields.as_slice() else { return None };
        let days = match (*day, *weekday) {
            ("?", "?") => return None,
            (day, "?") => month_days(day)?,
            ("?", weekday) => week_days(weekday)?,
            _ => return None,
        };
        Some(Self {
            minutes: numbers(minutes, &MINUTES)?,
            hours: numbers(hours, &HOURS)?,
            days,
            months: numbers(month, &MONTHS)?,
            years: numbers(year, &YEARS)?,
        })
    }

    /// The first time on the clock after one; none: there is none.
    pub fn after(&self, from: DateTime) -> Option<DateTime> {
        let first_year = i32::from(from.year());
        for year in self.years.iter().filter(|year| **year >= first_year) {
            for month in &self.months {
                let first = Date::new(i16::try_from(*year).ok()?, i8::try_from(*month).ok()?, 1).ok()?;
                if first.last_of_month() < from.date() {
                    continue;
                }
                for date in self.dates(first).into_iter().filter(|date| *date >= from.date()) {
                    for hour in &self.hours {
                        for minute in &self.minutes {
                            let time = Time::new(i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?, 0, 0).ok()?;
                            let at = date.to_datetime(time);
                            if at > from {
                                return Some(at);
                            }
                        }
                    }
                }
            }
        }
        None
    }

    /// The days of a month, in order.
    fn dates(&self, first: Date) -> Vec<Date> {
        let last = first.last_of_month();
        let every = || first.series(1.day()).take_while(move |date| *date <= last);
        let weekday = |date: &Date| i32::from(date.weekday().to_sunday_one_offset());
        match &self.days {
            Days::Of(days) => every().filter(|date| days.contains(&i32::from(date.day()))).collect(),
            Days::Last => vec![last],
            Days::LastWorkday => nearest_workday(last).into_iter().collect(),
            Days::NearestWorkday(day) => {
                every().find(|date| i32::from(date.day()) == *day).and_then(nearest_workday).into_iter().collect()
            }
            Days::Weekdays(days) => every().filter(|date| days.contains(&weekday(date))).collect(),
            Days::LastWeekday(day) => every().filter(|date| weekday(date) == *day).last().into_iter().collect(),
            Days::NthWeekday(day, nth) => {
                let mut all = every().filter(|date| weekday(date) == *day);
                all.nth((nth - 1).unsigned_abs() as usize).into_iter().collect()
            }
        }
    }
}

/// The working day nearest to a day, in its month.
fn nearest_workday(day: Date) -> Option<Date> {
    let moved = match day.weekday() {
        Weekday::Saturday if day.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if day == day.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    day.checked_add(moved.days()).ok()
}

fn month_days(text: &str) -> Option<Days> {
    match text {
        "L" => return Some(Days::Last),
        "LW" => return Some(Days::LastWorkday),
        _ => {}
    }
    match text.strip_suffix('W') {
        Some(day) => number(day, &DAYS).map(Days::NearestWorkday),
        None => numbers(text, &DAYS).map(Days::Of),
    }
}

fn week_days(text: &str) -> Option<Days> {
    if let Some((day, nth)) = text.split_once('#') {
        return Some(Days::NthWeekday(number(day, &WEEKDAYS)?, number(nth, &Of { least: 1, most: 5, names: &[] })?));
    }
    match text {
        // The last day of the week.
        "L" => Some(Days::Weekdays(vec![7])),
        text => match text.strip_suffix('L') {
            Some(day) => number(day, &WEEKDAYS).map(Days::LastWeekday),
            None => numbers(text, &WEEKDAYS).map(Days::Weekdays),
        },
    }
}
