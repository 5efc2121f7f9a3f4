//! Reading: which level answers a question, and one point for each period.

use crate::chunk;
use crate::fresh::Fresh;
use crate::level::LEVELS;
use crate::metric::{Listed, Metric, Wanted};
use crate::point::Point;
use crate::writer::damaged;
use rusqlite::{Connection, OptionalExtension, params};
use std::cmp::Ordering;

/// What is asked of a metric.
#[derive(Debug, Clone)]
pub struct Query {
    pub metric: Metric,
    /// Of which unit; of every one where none is said.
    pub unit: Option<u8>,
    /// Seconds since 1970: the first period begins here.
    pub from: i64,
    /// What begins here is not wanted any more.
    pub to: i64,
    /// Seconds.
    pub period: i64,
    /// Whether it is asked which values there were.
    pub distribution: bool,
}

/// What was measured in a period, in one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Seconds since 1970.
    pub start: i64,
    pub unit: u8,
    pub point: Point,
}

impl Query {
    /// The coarsest level whose points fall into the periods whole.
    fn level(&self) -> usize {
        if self.period < 60 {
            return 0;
        }
        let fits = |level: &usize| {
            let seconds = LEVELS[*level].seconds;
            self.period % seconds == 0 && self.from % seconds == 0
        };
        (1..LEVELS.len()).rev().find(fits).unwrap_or(1)
    }

    /// What is in memory of what is asked, with the unit: read at one moment with the rest.
    pub fn recent(
        &self,
        connection: &Connection,
        fresh: &Fresh,
    ) -> rusqlite::Result<Vec<(i64, u8, Vec<(i64, Point)>)>> {
        let mut statement = connection.prepare_cached(
            "SELECT series.id, unit FROM metric JOIN series ON metric.id = series.metric WHERE key = ?1",
        )?;
        let rows = statement.query_map([self.metric.key()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut all = vec![];
        for row in rows {
            let (series, unit): (i64, u8) = row?;
            if self.unit.is_none_or(|wanted| wanted == unit) {
                all.push((series, unit, fresh.of_level(series, self.level())));
            }
        }
        Ok(all)
    }

    /// All periods in which something was measured, in order of time, then of unit.
    pub fn answer(
        &self,
        connection: &Connection,
        recent: Vec<(i64, u8, Vec<(i64, Point)>)>,
        now: i64,
    ) -> rusqlite::Result<Vec<Bucket>> {
        let number = self.level();
        let level = LEVELS[number];
        let from = self.from.max(now - level.kept);
        let mut all: Vec<Bucket> = vec![];
        for (series, unit, recent) in recent {
            let first = all.len();
            let mut add = |at: i64, point: Point| {
                if at < from || at >= self.to {
                    return;
                }
                let start = self.from + (at - self.from).div_euclid(self.period) * self.period;
                let place = match all[first..].last().map(|bucket| bucket.start.cmp(&start)) {
                    Some(Ordering::Equal) => Ok(all.len() - 1),
                    None | Some(Ordering::Less) => Err(all.len()),
                    // What is in memory may be older than what is on disk.
                    Some(Ordering::Greater) => {
                        let place = all[first..].binary_search_by_key(&start, |bucket| bucket.start);
                        place.map(|place| first + place).map_err(|place| first + place)
                    }
                };
                match place {
                    Ok(place) if self.distribution => all[place].point.add(&point),
                    Ok(place) => all[place].point.add_sums(&point),
                    Err(place) => all.insert(place, Bucket { start, unit, point }),
                }
            };
            let mut statement = connection.prepare_cached(
                "SELECT start, data FROM chunk WHERE level = ?1 AND series = ?2 AND start > ?3 AND start < ?4 ORDER BY start",
            )?;
            let mut rows = statement.query(params![number as i64, series, from - level.chunk, self.to])?;
            while let Some(row) = rows.next()? {
                let (start, data): (i64, _) = (row.get(0)?, row.get_ref(1)?.as_blob()?);
                chunk::read(data, start, level.seconds, self.distribution, &mut add).ok_or_else(damaged)?;
            }
            recent.into_iter().for_each(|(at, point)| add(at, point));
        }
        all.sort_by_key(|bucket| (bucket.start, bucket.unit));
        Ok(all)
    }
}

/// Rows of metrics that are looked at in one go.
const LOOK: i64 = 1_000;

/// Metrics in the order of their names, behind a key.
pub fn list(connection: &Connection, wanted: &Wanted, after: Option<&str>, limit: usize) -> rusqlite::Result<Listed> {
    let prefix = wanted.prefix();
    let mut listed = Listed::default();
    let mut after = after.map_or_else(String::new, str::to_owned);
    let mut statement =
        connection.prepare_cached("SELECT key, seen FROM metric WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?3")?;
    let mut last = String::new();
    loop {
        let rows = statement.query_map(params![prefix, after, LOOK], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        let full = rows.len() as i64 == LOOK;
        for (key, seen) in rows {
            if !key.starts_with(&prefix) {
                return Ok(listed);
            }
            after.clone_from(&key);
            let Some(metric) = Metric::of_key(&key) else { return Err(damaged()) };
            if seen < wanted.seen_since || !wanted.has(&metric) {
                continue;
            }
            if listed.metrics.len() == limit {
                listed.next = Some(last);
                return Ok(listed);
            }
            last = key;
            listed.metrics.push(metric);
        }
        if !full {
            return Ok(listed);
        }
    }
}

/// Whether anything was ever said of a metric.
pub fn exists(connection: &Connection, metric: &Metric) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM metric WHERE key = ?1")?;
    Ok(statement.query_row([metric.key()], |_| Ok(())).optional()?.is_some())
}
