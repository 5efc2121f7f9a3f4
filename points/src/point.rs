//! A point: what is known of all values of some seconds; and what callers say was measured.

use crate::bytes::{Reader, put_count, put_real};
use crate::distribution::Distribution;
use crate::metric::Metric;
use std::sync::Arc;

/// What was measured, as one datum says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// Values, and how often each was there.
    Values(Vec<(f64, f64)>),
    /// What somebody else counted.
    Set { count: f64, sum: f64, least: f64, greatest: f64 },
}

/// One datum.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub metric: Arc<Metric>,
    /// A number that stands for the unit.
    pub unit: u8,
    /// Kept by the second too.
    pub fine: bool,
    /// Seconds since 1970.
    pub at: i64,
    pub observed: Observed,
}

/// What is known of all values of some seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub count: f64,
    pub sum: f64,
    pub least: f64,
    pub greatest: f64,
    pub distribution: Distribution,
}

/// How a point lies on disk.
const ONE: u8 = 0;
const ALIKE: u8 = 1;
const WHOLE: u8 = 2;

impl Point {
    /// The point of a datum.
    pub fn of(observed: &Observed) -> Self {
        match observed {
            Observed::Values(values) => {
                let mut point = Self {
                    count: 0.0,
                    sum: 0.0,
                    least: f64::INFINITY,
                    greatest: f64::NEG_INFINITY,
                    distribution: Distribution::of(values),
                };
                for (value, count) in values {
                    point.count += count;
                    point.sum += value * count;
                    point.least = point.least.min(*value);
                    point.greatest = point.greatest.max(*value);
                }
                point
            }
            &Observed::Set { count, sum, least, greatest } => {
                // All values are known when they are alike.
                let alike = least == greatest && least >= 0.0 && (count == 1.0 || sum == least * count);
                let distribution = match alike {
                    true => Distribution::of(&[(least, count)]),
                    false => Distribution::Unknown,
                };
                Self { count, sum, least, greatest, distribution }
            }
        }
    }

    /// With another's values.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.distribution.add(&other.distribution);
    }

    /// The same where nobody asks which values there were.
    pub fn add_sums(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.distribution {
            Distribution::Values(values) if values.len() == 1 && self.sum == values[0].0 * values[0].1 => {
                let (value, count) = values[0];
                out.push(if count == 1.0 { ONE } else { ALIKE });
                put_real(out, value);
                if count != 1.0 {
                    put_count(out, count);
                }
            }
            distribution => {
                out.push(WHOLE);
                put_count(out, self.count);
                put_real(out, self.sum);
                put_real(out, self.least);
                put_real(out, self.greatest);
                distribution.write(out);
            }
        }
    }

    /// Reads one; with its distribution where that is wanted.
    pub(crate) fn read(reader: &mut Reader<'_>, wanted: bool) -> Option<Self> {
        match reader.byte()? {
            kind @ (ONE | ALIKE) => {
                let value = reader.real()?;
                let count = if kind == ONE { 1.0 } else { reader.count()? };
                let distribution = match wanted {
                    true => Distribution::Values(vec![(value, count)]),
                    false => Distribution::Unknown,
                };
                Some(Self { count, sum: value * count, least: value, greatest: value, distribution })
            }
            WHOLE => Some(Self {
                count: reader.count()?,
                sum: reader.real()?,
                least: reader.real()?,
                greatest: reader.real()?,
                distribution: Distribution::read(reader, wanted)?,
            }),
            _ => None,
        }
    }

    /// About how much memory one takes.
    pub(crate) fn weight(&self) -> usize {
        128 + match &self.distribution {
            Distribution::Values(values) => values.len() * 16,
            Distribution::Bins(_) => 8 << 10,
            Distribution::Unknown => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(point: &Point) -> Point {
        let mut out = vec![];
        point.write(&mut out);
        Point::read(&mut Reader(&out), true).expect("it was written so")
    }

    #[test]
    fn points_add_up_and_are_read_as_written() {
        let mut point = Point::of(&Observed::Values(vec![(2.0, 1.0)]));
        assert_eq!(back(&point), point);
        point.add(&Point::of(&Observed::Values(vec![(4.0, 3.0)])));
        assert_eq!((point.count, point.sum, point.least, point.greatest), (4.0, 14.0, 2.0, 4.0));
        assert_eq!(back(&point), point);
        point.add(&Point::of(&Observed::Set { count: 2.0, sum: 3.0, least: 1.0, greatest: 2.0 }));
        assert_eq!(point.distribution, Distribution::Unknown);
        assert_eq!(back(&point), point);
    }

    #[test]
    fn a_set_whose_values_are_alike_tells_them() {
        let set = |count, sum, least, greatest| Point::of(&Observed::Set { count, sum, least, greatest }).distribution;
        assert_eq!(set(3.0, 6.0, 2.0, 2.0), Distribution::Values(vec![(2.0, 3.0)]));
        assert_eq!(set(3.0, 6.0, 1.0, 3.0), Distribution::Unknown);
    }
}
