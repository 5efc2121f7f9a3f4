//! What `stats` makes of many rows. Source: CloudWatch Logs User Guide, "stats", "Functions that you can use in the stats
//! command".

use super::value::Value;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Of all rows.
    CountAll,
    /// Of those in which there is something.
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    Stddev,
    /// The percentile.
    Pct(f64),
    /// The one of the earliest row, the latest row.
    Earliest,
    Latest,
    /// The one that sorts first, last.
    SortsFirst,
    SortsLast,
}

/// Values up to which a percentile is exact; beyond, every second one goes and counts for two.
const SAMPLES: usize = 10_000;
/// Different values up to which they are counted exactly; beyond, their number is estimated.
const DISTINCT: usize = 4_096;
/// Registers of the estimate, a power of two: it is off by 1.04 / √4096 = 1.6 %.
const REGISTERS: usize = 4_096;

/// What an aggregate has seen so far.
#[derive(Debug)]
pub enum State {
    Count(u64),
    Sum {
        sum: f64,
        count: u64,
    },
    Extreme(Option<Value<'static>>),
    /// Count, mean, and the sum of the squares of what differs from it.
    Spread(u64, f64, f64),
    Sample {
        values: Vec<f64>,
        every: u64,
        seen: u64,
    },
    Distinct(HashSet<u64>),
    Estimate(Vec<u8>),
    At(Option<(i64, Value<'static>)>),
}

static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl State {
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::CountAll | Kind::Count => Self::Count(0),
            Kind::Sum | Kind::Avg => Self::Sum { sum: 0.0, count: 0 },
            Kind::Min | Kind::Max | Kind::SortsFirst | Kind::SortsLast => Self::Extreme(None),
            Kind::Stddev => Self::Spread(0, 0.0, 0.0),
            Kind::Pct(_) => Self::Sample { values: vec![], every: 1, seen: 0 },
            Kind::CountDistinct => Self::Distinct(HashSet::new()),
            Kind::Earliest | Kind::Latest => Self::At(None),
        }
    }

    /// Adds what a row has; `at` is its time. How many bytes it grew by.
    pub fn add(&mut self, kind: Kind, value: &Value<'_>, at: i64) -> usize {
        if value.is_null() && kind != Kind::CountAll {
            return 0;
        }
        match self {
            Self::Count(count) => *count += 1,
            Self::Sum { sum, count } => {
                if let Some(number) = value.as_number() {
                    *sum += number;
                    *count += 1;
                }
            }
            Self::Extreme(held) => {
                let wanted = match kind {
                    Kind::Min | Kind::SortsFirst => Ordering::Less,
                    _ => Ordering::Greater,
                };
                let order = |a: &Value<'_>, b: &Value<'_>| match kind {
                    Kind::Min | Kind::Max => a.compare(b).unwrap_or(Ordering::Equal),
                    _ => a.order(b),
                };
                if held.as_ref().is_none_or(|held| order(value, held) == wanted) {
                    return grown(held.replace(value.clone().into_owned()), value);
                }
            }
            Self::Spread(count, mean, squares) => {
                if let Some(number) = value.as_number() {
                    *count += 1;
                    let off = number - *mean;
                    *mean += off / *count as f64;
                    *squares += off * (number - *mean);
                }
            }
            Self::Sample { values, every, seen } => {
                let Some(number) = value.as_number() else { return 0 };
                *seen += 1;
                if *seen % *every == 0 {
                    values.push(number);
                    if values.len() > SAMPLES {
                        let mut odd = false;
                        values.retain(|_| {
                            odd = !odd;
                            odd
                        });
                        *every *= 2;
                    }
                    return size_of::<f64>();
                }
            }
            Self::Distinct(hashes) => {
                let new = hashes.insert(hash(value));
                if hashes.len() > DISTINCT {
                    let mut registers = vec![0; REGISTERS];
                    hashes.iter().for_each(|hash| put(&mut registers, *hash));
                    *self = Self::Estimate(registers);
                }
                return if new { 16 } else { 0 };
            }
            Self::Estimate(registers) => put(registers, hash(value)),
            Self::At(held) => {
                let better = |known: i64| if kind == Kind::Earliest { at < known } else { at > known };
                if held.as_ref().is_none_or(|(known, _)| better(*known)) {
                    return grown(held.replace((at, value.clone().into_owned())).map(|(_, old)| old), value);
                }
            }
        }
        0
    }

    /// What it comes to.
    pub fn end(self, kind: Kind) -> Value<'static> {
        match self {
            Self::Count(count) => Value::Number(count as f64),
            Self::Sum { count: 0, .. } => Value::Null,
            Self::Sum { sum, count } => Value::Number(if kind == Kind::Avg { sum / count as f64 } else { sum }),
            Self::Extreme(held) => held.unwrap_or(Value::Null),
            Self::Spread(0, ..) => Value::Null,
            Self::Spread(count, _, squares) => Value::Number((squares / count as f64).max(0.0).sqrt()),
            Self::Sample { mut values, .. } => {
                let Kind::Pct(percent) = kind else { return Value::Null };
                if values.is_empty() {
                    return Value::Null;
                }
                values.sort_unstable_by(f64::total_cmp);
                // The least value with which the rank is reached.
                let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
                Value::Number(values[rank.min(values.len()) - 1])
            }
            Self::Distinct(hashes) => Value::Number(hashes.len() as f64),
            Self::Estimate(registers) => Value::Number(estimate(&registers)),
            Self::At(held) => held.map_or(Value::Null, |(_, value)| value),
        }
    }
}

fn grown(old: Option<Value<'static>>, new: &Value<'_>) -> usize {
    let length = |value: &Value<'_>| if let Value::Text(text) = value { text.len() } else { 0 };
    length(new).saturating_sub(old.as_ref().map_or(0, length))
}

fn hash(value: &Value<'_>) -> u64 {
    let mut hasher = HASHES.build_hasher();
    hasher.write(value.as_text().unwrap_or_default().as_bytes());
    hasher.finish()
}

/// HyperLogLog: the register that the first bits name keeps the longest run of zeros behind them.
fn put(registers: &mut [u8], hash: u64) {
    let bits = REGISTERS.trailing_zeros();
    let register = (hash >> (64 - bits)) as usize;
    let run = ((hash << bits) | (1 << (bits - 1))).leading_zeros() as u8 + 1;
    registers[register] = registers[register].max(run);
}

fn estimate(registers: &[u8]) -> f64 {
    let count = registers.len() as f64;
    let sum: f64 = registers.iter().map(|run| (-f64::from(*run)).exp2()).sum();
    (0.7213 / (1.0 + 1.079 / count) * count * count / sum).round()
}
