//! What expressions give.

use kiln_points::Metric;

/// A number, a text, a series or several.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    One(Series),
    Many(Vec<Series>),
}

/// Values by time, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    pub label: String,
    /// Seconds.
    pub period: i64,
    /// Seconds since 1970, and the value.
    pub points: Vec<(i64, f64)>,
    /// What it is of, where it is no expression's.
    pub metric: Option<Metric>,
    /// As it was asked for.
    pub statistic: String,
}

impl Series {
    /// With each value made another; those that are no number are left out.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let points = self.points.iter().map(|(at, value)| (*at, change(*value)));
        Self { points: points.filter(|(_, value)| value.is_finite()).collect(), ..self.clone() }
    }

    /// With values made of each and the one before.
    pub fn steps(&self, change: impl Fn((i64, f64), (i64, f64)) -> f64) -> Self {
        let points = self.points.windows(2).map(|pair| (pair[1].0, change(pair[0], pair[1])));
        Self { points: points.filter(|(_, value)| value.is_finite()).collect(), ..self.clone() }
    }

    /// Both where both have a value.
    pub fn with(&self, other: &Self, change: impl Fn(f64, f64) -> f64) -> Self {
        let mut others = other.points.iter().peekable();
        let mut points = vec![];
        for (at, value) in &self.points {
            while others.next_if(|(time, _)| time < at).is_some() {}
            if let Some((_, second)) = others.next_if(|(time, _)| time == at) {
                let made = change(*value, *second);
                if made.is_finite() {
                    points.push((*at, made));
                }
            }
        }
        Self { points, period: self.period.max(other.period), ..self.clone() }
    }

    /// The value at a time.
    pub fn at(&self, time: i64) -> Option<f64> {
        self.points.binary_search_by_key(&time, |(at, _)| *at).ok().map(|place| self.points[place].1)
    }
}

/// One number of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    Average,
    Minimum,
    Maximum,
    Sum,
    Deviation,
    Count,
}

impl Reduce {
    /// Of some numbers; none of none, but their count.
    pub fn of(self, numbers: &[f64]) -> Option<f64> {
        let many = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        match self {
            Self::Count => Some(many),
            _ if numbers.is_empty() => None,
            Self::Sum => Some(sum),
            Self::Average => Some(sum / many),
            Self::Minimum => numbers.iter().copied().reduce(f64::min),
            Self::Maximum => numbers.iter().copied().reduce(f64::max),
            Self::Deviation => {
                let mean = sum / many;
                Some((numbers.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / many).sqrt())
            }
        }
    }

    /// Of several series, at each time of any.
    pub fn across(self, all: &[Series]) -> Series {
        let mut times: Vec<i64> = all.iter().flat_map(|series| series.points.iter().map(|(at, _)| *at)).collect();
        times.sort_unstable();
        times.dedup();
        let mut places = vec![0usize; all.len()];
        let mut points = vec![];
        for time in times {
            let mut numbers = vec![];
            for (series, place) in all.iter().zip(&mut places) {
                if let Some((_, value)) = series.points.get(*place).filter(|(at, _)| *at == time) {
                    numbers.push(*value);
                    *place += 1;
                }
            }
            points.extend(self.of(&numbers).map(|value| (time, value)));
        }
        let period = all.iter().map(|series| series.period).max().unwrap_or(60);
        Series { period, points, ..Series::default() }
    }
}
