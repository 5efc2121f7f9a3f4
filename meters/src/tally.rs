//! Counts of what happens to things, by thing and metric, that a meter takes: for services whose calls count.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Things and metrics that are counted between two looks, at most: what is more is counted by nobody, and told so.
const MOST: usize = 20_000;
/// Different values of one of them that are told apart.
const MOST_VALUES: usize = 150;

/// Counts by thing (`K`) and metric. What is counted is taken with the next look.
pub struct Tally<K>(Mutex<Counts<K>>);

struct Counts<K> {
    of: HashMap<K, HashMap<&'static str, Values>>,
    many: usize,
    lost: u64,
}

/// Values, and how often each was there.
type Values = Vec<(f64, f64)>;

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::new(Counts { of: HashMap::new(), many: 0, lost: 0 }))
    }
}

impl<K: Hash + Eq + Clone> Tally<K> {
    /// A value was there so often.
    pub fn count(&self, of: &K, metric: &'static str, value: f64, times: u64) {
        if times == 0 {
            return;
        }
        let mut counts = self.0.lock();
        let known = counts.of.get(of).is_some_and(|metrics| metrics.contains_key(metric));
        if !known {
            if counts.many >= MOST {
                counts.lost += times;
                return;
            }
            counts.many += 1;
        }
        let values = counts.of.entry(of.clone()).or_default().entry(metric).or_default();
        if values.len() < MOST_VALUES && !values.iter().any(|(known, _)| *known == value) {
            values.push((value, 0.0));
        }
        // Where there are too many the nearest stands for it.
        let nearest = values.iter_mut().min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs()));
        if let Some((_, count)) = nearest {
            *count += times as f64;
        }
    }

    /// What was counted since the last look.
    pub fn take(&self) -> Vec<(K, &'static str, Vec<(f64, f64)>)> {
        let empty = Counts { of: HashMap::new(), many: 0, lost: 0 };
        let taken = mem::replace(&mut *self.0.lock(), empty);
        if taken.lost > 0 {
            tracing::warn!(lost = taken.lost, "more things were counted than are told");
        }
        let of = taken.of.into_iter();
        of.flat_map(|(of, metrics)| metrics.into_iter().map(move |(metric, values)| (of.clone(), metric, values)))
            .collect()
    }
}
