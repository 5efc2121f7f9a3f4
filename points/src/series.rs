//! Numbers of series, found by what they are called: those that came last are kept in memory, in two generations of
//! fixed size, so that a store of any number of metrics takes no more.

use crate::point::Sample;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// Series in one generation.
const MOST: usize = 10_000;
/// When a metric was last seen is written down this often, in seconds.
const SEEN_EVERY: i64 = 600;

#[derive(Debug, Clone, Copy)]
struct Known {
    series: i64,
    metric: i64,
    seen: i64,
}

/// What is known without asking the database.
#[derive(Default)]
pub struct Cache {
    young: HashMap<(String, u8), Known>,
    old: HashMap<(String, u8), Known>,
}

impl Cache {
    /// Forgets all: a transaction that made some of them failed.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of a sample's series, made if there is none; that its metric was seen is written down.
    pub fn find(&mut self, connection: &Connection, sample: &Sample, key: &str, now: i64) -> rusqlite::Result<i64> {
        let name = (key.to_owned(), sample.unit);
        let known = match self.young.get(&name) {
            Some(known) => Some(*known),
            None => self.old.get(&name).copied(),
        };
        let mut known = match known {
            Some(known) => known,
            None => ask(connection, key, sample.unit, now)?,
        };
        if now - known.seen >= SEEN_EVERY {
            connection
                .prepare_cached("UPDATE metric SET seen = max(seen, ?2) WHERE id = ?1")?
                .execute(params![known.metric, now])?;
            known.seen = now;
        }
        let series = known.series;
        if self.young.len() >= MOST && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, known);
        Ok(series)
    }
}

fn ask(connection: &Connection, key: &str, unit: u8, now: i64) -> rusqlite::Result<Known> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT id, seen FROM metric WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (metric, seen) = match found {
        Some(found) => found,
        None => {
            let made = connection
                .prepare_cached("INSERT INTO metric (key, seen) VALUES (?1, ?2)")?
                .insert(params![key, now])?;
            (made, now)
        }
    };
    let found: Option<i64> = connection
        .prepare_cached("SELECT id FROM series WHERE metric = ?1 AND unit = ?2")?
        .query_row(params![metric, unit], |row| row.get(0))
        .optional()?;
    let series = match found {
        Some(found) => found,
        None => connection
            .prepare_cached("INSERT INTO series (metric, unit) VALUES (?1, ?2)")?
            .insert(params![metric, unit])?,
    };
    Ok(Known { series, metric, seen })
}
