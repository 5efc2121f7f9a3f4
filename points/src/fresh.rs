//! What came in since chunks were last written: as bytes for the table that keeps it, and in memory for readers.

use crate::bytes::{Reader, put_count, put_number, put_real, put_signed};
use crate::level::LEVELS;
use crate::point::{Observed, Point};
use std::collections::{BTreeMap, HashMap};

/// A datum whose series is known by number.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub series: i64,
    pub fine: bool,
    pub at: i64,
    pub observed: Observed,
}

impl Told {
    pub fn write(&self, out: &mut Vec<u8>) {
        put_number(out, self.series as u64);
        put_signed(out, self.at);
        let fine = u8::from(self.fine);
        match &self.observed {
            Observed::Values(values) => {
                out.push(fine);
                put_number(out, values.len() as u64);
                for (value, count) in values {
                    put_real(out, *value);
                    put_count(out, *count);
                }
            }
            Observed::Set { count, sum, least, greatest } => {
                out.push(fine | 2);
                put_count(out, *count);
                [sum, least, greatest].into_iter().for_each(|number| put_real(out, *number));
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (series, at, kind) = (i64::try_from(reader.number()?).ok()?, reader.signed()?, reader.byte()?);
        let observed = match kind & 2 {
            0 => {
                let many = reader.number()?;
                let mut values = vec![];
                for _ in 0..many {
                    values.push((reader.real()?, reader.count()?));
                }
                Observed::Values(values)
            }
            _ => Observed::Set {
                count: reader.count()?,
                sum: reader.real()?,
                least: reader.real()?,
                greatest: reader.real()?,
            },
        };
        Some(Self { series, fine: kind & 1 == 1, at, observed })
    }

    /// All of a row of the table.
    pub fn read_all(row: &[u8]) -> Option<Vec<Self>> {
        let mut reader = Reader(row);
        let mut all = vec![];
        while !reader.is_empty() {
            all.push(Self::read(&mut reader)?);
        }
        Some(all)
    }
}

/// Points of a series that are in memory: level (0: of a second, 1: of a minute) and time.
pub type Recent = BTreeMap<(usize, i64), Point>;

/// What is in memory.
#[derive(Default)]
pub struct Fresh {
    pub series: HashMap<i64, Recent>,
    /// About how many bytes.
    pub weight: usize,
}

impl Fresh {
    pub fn add(&mut self, told: &Told) {
        let point = Point::of(&told.observed);
        let recent = self.series.entry(told.series).or_default();
        for (level, of) in LEVELS.iter().enumerate().take(2).skip(usize::from(!told.fine)) {
            let at = told.at - told.at.rem_euclid(of.seconds);
            match recent.entry((level, at)) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    self.weight += point.weight();
                    place.insert(point.clone());
                }
                std::collections::btree_map::Entry::Occupied(mut known) => {
                    let before = known.get().weight();
                    known.get_mut().add(&point);
                    self.weight = self.weight + known.get().weight() - before.min(self.weight);
                }
            }
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What a series has in memory, as points of a level.
    pub fn of_level(&self, series: i64, level: usize) -> Vec<(i64, Point)> {
        self.series.get(&series).map_or_else(Vec::new, |recent| of_level(recent, level))
    }
}

/// Points of memory as those of a level, in order.
pub fn of_level(recent: &Recent, level: usize) -> Vec<(i64, Point)> {
    let from = level.min(1);
    let seconds = LEVELS[level].seconds;
    let mut points: Vec<(i64, Point)> = vec![];
    for ((_, at), point) in recent.range((from, i64::MIN)..=(from, i64::MAX)) {
        let at = at - at.rem_euclid(seconds);
        match points.last_mut() {
            Some((last, known)) if *last == at => known.add(point),
            _ => points.push((at, point.clone())),
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_as_written() {
        let told = [
            Told { series: 7, fine: true, at: 1_800_000_001, observed: Observed::Values(vec![(1.5, 1.0), (2.0, 0.5)]) },
            Told {
                series: 8,
                fine: false,
                at: 5,
                observed: Observed::Set { count: 2.0, sum: 3.0, least: 1.0, greatest: 2.0 },
            },
        ];
        let mut row = vec![];
        told.iter().for_each(|told| told.write(&mut row));
        assert_eq!(Told::read_all(&row).as_deref(), Some(told.as_slice()));
        assert!(Told::read_all(&row[..row.len() - 1]).is_none());
    }

    #[test]
    fn memory_has_seconds_and_minutes_and_makes_the_rest_of_them() {
        let mut fresh = Fresh::default();
        for (at, value) in [(61, 1.0), (62, 2.0), (130, 4.0)] {
            fresh.add(&Told { series: 1, fine: true, at, observed: Observed::Values(vec![(value, 1.0)]) });
        }
        let sums = |level| fresh.of_level(1, level).iter().map(|(at, p)| (*at, p.sum)).collect::<Vec<_>>();
        assert_eq!(sums(0), [(61, 1.0), (62, 2.0), (130, 4.0)]);
        assert_eq!(sums(1), [(60, 3.0), (120, 4.0)]);
        assert_eq!((sums(2), sums(3)), (vec![(0, 7.0)], vec![(0, 7.0)]));
    }
}
