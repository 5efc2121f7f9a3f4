//! Which values a point is made of, for percentiles and trimmed statistics: the values themselves while they are few,
//! then how many fell into each bin of an exponential histogram. What cannot be known is not made up: statistic sets
//! and negative values leave nothing to tell.
//!
//! A bin reaches from `2^(i/64)` to `2^((i+1)/64)`, so that what is told of a value is off by 0.55 % at most; where
//! there are more bins than are kept, two become one and the error doubles.

use crate::bytes::{Reader, put_count, put_number, put_real, put_signed};

/// Different values that are kept as such: as many as one datum can have (150), and some.
const MOST_VALUES: usize = 160;
/// Bins of a histogram.
const MOST_BINS: usize = 640;
/// Bins of a doubling, as a power of two.
const FINEST: i8 = 6;

/// Which values there were.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Distribution {
    /// Not to be known.
    #[default]
    Unknown,
    /// Each value and how often, in order.
    Values(Vec<(f64, f64)>),
    /// How many fell into which bin.
    Bins(Box<Bins>),
}

/// An exponential histogram of values that are not negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    scale: i8,
    zeros: f64,
    /// Number of a bin and how many are in it, in order.
    bins: Vec<(i32, f64)>,
}

impl Distribution {
    /// Of some values and how often each was there.
    pub fn of(values: &[(f64, f64)]) -> Self {
        match values {
            [(value, count)] if *value >= 0.0 => Self::Values(vec![(*value, *count)]),
            _ if values.iter().any(|(value, _)| *value < 0.0) => Self::Unknown,
            _ => {
                let mut sorted = values.to_vec();
                sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
                sorted.dedup_by(|next, kept| {
                    let same = next.0 == kept.0;
                    if same {
                        kept.1 += next.1;
                    }
                    same
                });
                Self::Values(sorted).bounded()
            }
        }
    }

    /// Adds another's values.
    pub fn add(&mut self, other: &Self) {
        *self = match (std::mem::take(self), other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Values(mut own), Self::Values(more)) => {
                match more.as_slice() {
                    [(value, count)] => match own.binary_search_by(|(known, _)| known.total_cmp(value)) {
                        Ok(at) => own[at].1 += count,
                        Err(at) => own.insert(at, (*value, *count)),
                    },
                    more => own = merged(&own, more, f64::total_cmp),
                }
                Self::Values(own).bounded()
            }
            (Self::Values(own), Self::Bins(more)) => {
                let mut bins = more.clone();
                own.iter().for_each(|(value, count)| bins.put(*value, *count));
                Self::Bins(bins)
            }
            (Self::Bins(mut own), Self::Values(more)) => {
                more.iter().for_each(|(value, count)| own.put(*value, *count));
                Self::Bins(own)
            }
            (Self::Bins(mut own), Self::Bins(more)) => {
                own.add(more);
                Self::Bins(own)
            }
        };
    }

    fn bounded(self) -> Self {
        match self {
            Self::Values(values) if values.len() > MOST_VALUES => {
                let mut bins = Bins { scale: FINEST, zeros: 0.0, bins: vec![] };
                values.iter().for_each(|(value, count)| bins.put(*value, *count));
                Self::Bins(Box::new(bins))
            }
            other => other,
        }
    }

    /// The values in order and how often each was there, of a histogram the middles of its bins; none where they are
    /// not to be known. `least` and `greatest` are what was measured.
    pub fn values(&self, least: f64, greatest: f64) -> Option<Vec<(f64, f64)>> {
        match self {
            Self::Unknown => None,
            Self::Values(values) => Some(values.clone()),
            Self::Bins(bins) => {
                let zeros = (bins.zeros > 0.0).then_some((0.0, bins.zeros));
                let per_doubling = f64::from(bins.scale).exp2();
                let middle = |bin: i32| ((f64::from(bin) + 0.5) / per_doubling).exp2().clamp(least, greatest);
                Some(zeros.into_iter().chain(bins.bins.iter().map(|(bin, count)| (middle(*bin), *count))).collect())
            }
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unknown => out.push(0),
            Self::Values(values) => {
                let mut part = vec![];
                for (value, count) in values {
                    put_real(&mut part, *value);
                    put_count(&mut part, *count);
                }
                out.push(1);
                put_number(out, part.len() as u64);
                out.extend(part);
            }
            Self::Bins(bins) => {
                let mut part = vec![bins.scale as u8];
                put_count(&mut part, bins.zeros);
                let mut last = 0;
                for (bin, count) in &bins.bins {
                    put_signed(&mut part, i64::from(bin - last));
                    put_count(&mut part, *count);
                    last = *bin;
                }
                out.push(2);
                put_number(out, part.len() as u64);
                out.extend(part);
            }
        }
    }

    /// Reads one, or passes over it where nobody asks for it.
    pub(crate) fn read(reader: &mut Reader<'_>, wanted: bool) -> Option<Self> {
        let kind = reader.byte()?;
        if kind == 0 {
            return Some(Self::Unknown);
        }
        let length = usize::try_from(reader.number()?).ok()?;
        let mut part = Reader(reader.0.get(..length)?);
        reader.skip(length)?;
        if !wanted {
            return Some(Self::Unknown);
        }
        match kind {
            1 => {
                let mut values = vec![];
                while !part.is_empty() {
                    values.push((part.real()?, part.count()?));
                }
                Some(Self::Values(values))
            }
            2 => {
                let mut bins = Bins { scale: part.byte()? as i8, zeros: part.count()?, bins: vec![] };
                let mut last = 0i32;
                while !part.is_empty() {
                    last = last.checked_add(i32::try_from(part.signed()?).ok()?)?;
                    bins.bins.push((last, part.count()?));
                }
                Some(Self::Bins(Box::new(bins)))
            }
            _ => None,
        }
    }
}

impl Bins {
    fn put(&mut self, value: f64, count: f64) {
        if value == 0.0 {
            self.zeros += count;
            return;
        }
        let bin = (value.log2() * f64::from(self.scale).exp2()).floor() as i32;
        match self.bins.binary_search_by_key(&bin, |(known, _)| *known) {
            Ok(at) => self.bins[at].1 += count,
            Err(at) => {
                self.bins.insert(at, (bin, count));
                self.bound();
            }
        }
    }

    fn add(&mut self, other: &Bins) {
        let mut other = other.clone();
        while self.scale > other.scale {
            self.halve();
        }
        while other.scale > self.scale {
            other.halve();
        }
        self.zeros += other.zeros;
        self.bins = merged(&self.bins, &other.bins, i32::cmp);
        self.bound();
    }

    fn bound(&mut self) {
        while self.bins.len() > MOST_BINS {
            self.halve();
        }
    }

    /// Makes one bin of two.
    fn halve(&mut self) {
        self.scale -= 1;
        let mut halved: Vec<(i32, f64)> = Vec::with_capacity(self.bins.len());
        for (bin, count) in &self.bins {
            match halved.last_mut() {
                Some((last, sum)) if *last == bin >> 1 => *sum += count,
                _ => halved.push((bin >> 1, *count)),
            }
        }
        self.bins = halved;
    }
}

/// Two ordered lists as one.
fn merged<K: Copy>(a: &[(K, f64)], b: &[(K, f64)], order: impl Fn(&K, &K) -> std::cmp::Ordering) -> Vec<(K, f64)> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (mut all, mut i, mut j) = (Vec::with_capacity(a.len() + b.len()), 0, 0);
    while let (Some(one), Some(other)) = (a.get(i), b.get(j)) {
        match order(&one.0, &other.0) {
            Less => (all.push(*one), i += 1).1,
            Greater => (all.push(*other), j += 1).1,
            Equal => {
                all.push((one.0, one.1 + other.1));
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    all.extend_from_slice(&a[i..]);
    all.extend_from_slice(&b[j..]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_kept_as_they_are() {
        let mut kept = Distribution::of(&[(3.0, 1.0), (1.0, 2.0), (3.0, 1.0)]);
        kept.add(&Distribution::of(&[(2.0, 1.0)]));
        assert_eq!(kept.values(1.0, 3.0), Some(vec![(1.0, 2.0), (2.0, 1.0), (3.0, 2.0)]));
        kept.add(&Distribution::of(&[(-1.0, 1.0)]));
        assert_eq!(kept, Distribution::Unknown, "nothing is told of negative values");
    }

    #[test]
    fn many_values_are_told_within_the_error_of_a_bin() {
        let mut kept = Distribution::of(&[(0.0, 1.0)]);
        for n in 1..=10_000 {
            kept.add(&Distribution::of(&[(f64::from(n) / 10.0, 1.0)]));
        }
        assert!(matches!(&kept, Distribution::Bins(bins) if bins.bins.len() <= MOST_BINS));
        let values = kept.values(0.0, 1000.0).expect("known");
        assert_eq!(values.iter().map(|(_, count)| count).sum::<f64>(), 10_001.0);
        let mut below = 0.0;
        for (value, count) in &values[1..] {
            let exact = (below + count / 2.0) / 10.0;
            assert!((value - exact).abs() <= exact * 0.012 + 0.1, "{value} for {exact}");
            below += count;
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let many: Vec<(f64, f64)> = (0..400).map(|n| (f64::from(n), 1.5)).collect();
        for kept in [Distribution::Unknown, Distribution::of(&[(1.0, 2.0), (0.5, 1.0)]), Distribution::of(&many)] {
            let mut out = vec![];
            kept.write(&mut out);
            assert_eq!(Distribution::read(&mut Reader(&out), true), Some(kept));
            let mut reader = Reader(&out);
            assert!(Distribution::read(&mut reader, false).is_some() && reader.is_empty());
            assert!(out.len() == 1 || Distribution::read(&mut Reader(&out[..out.len() - 1]), true).is_none());
        }
    }
}
