//! Who writes: one commit for all that wait, chunks when memory has enough, and once an hour what is too old is taken out.

use crate::chunk;
use crate::fresh::{Fresh, Told, of_level};
use crate::level::{DAY, LEVELS};
use crate::metric::Metric;
use crate::point::{Point, Sample};
use crate::series::Cache;
use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension, params};

/// Bytes in memory at which chunks are written.
const MOST_IN_MEMORY: usize = 8 << 20;
/// Seconds after which they are written anyway.
const CHUNKS_EVERY: i64 = 60;
/// Seconds between two looks for what is too old.
const TRIM_EVERY: i64 = 3600;
/// Series that one transaction of a trim looks at: others write in between.
const TRIMMED_AT_ONCE: i64 = 500;

/// The writer's connection and what it knows.
pub struct Writer {
    pub connection: Connection,
    series: Cache,
    written: i64,
    trimmed: i64,
}

impl Writer {
    /// A writer; what an earlier one had not made chunks of is in memory again.
    pub fn new(connection: Connection, fresh: &RwLock<Fresh>, now: i64) -> rusqlite::Result<Self> {
        {
            let mut fresh = fresh.write();
            let mut statement = connection.prepare("SELECT data FROM fresh ORDER BY id")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let data: Vec<u8> = row.get(0)?;
                let told = Told::read_all(&data).ok_or_else(damaged)?;
                told.iter().for_each(|told| fresh.add(told));
            }
        }
        Ok(Self { connection, series: Cache::default(), written: now, trimmed: 0 })
    }

    /// Keeps samples, durable on return and seen by readers.
    pub fn put(&mut self, batches: &[Vec<Sample>], fresh: &RwLock<Fresh>, now: i64) -> rusqlite::Result<()> {
        let told = self.keep(batches, now).inspect_err(|_| self.series.clear())?;
        let mut fresh = fresh.write();
        told.iter().for_each(|told| fresh.add(told));
        Ok(())
    }

    fn keep(&mut self, batches: &[Vec<Sample>], now: i64) -> rusqlite::Result<Vec<Told>> {
        // Dropped without commit, it rolls back.
        let transaction = self.connection.transaction()?;
        let mut all = Vec::with_capacity(batches.iter().map(Vec::len).sum());
        let mut last: Option<(*const Metric, String)> = None;
        let mut row = vec![];
        for sample in batches.iter().flatten() {
            // Nearly all samples of one metric come one after the other.
            let at = std::sync::Arc::as_ptr(&sample.metric);
            if last.as_ref().is_none_or(|(known, _)| *known != at) {
                last = Some((at, sample.metric.key()));
            }
            let key = last.as_ref().map_or("", |(_, key)| key.as_str());
            let series = self.series.find(&transaction, sample, key, now)?;
            let told = Told { series, fine: sample.fine, at: sample.at, observed: sample.observed.clone() };
            told.write(&mut row);
            all.push(told);
        }
        transaction.prepare_cached("INSERT INTO fresh (data) VALUES (?1)")?.execute([row])?;
        transaction.commit()?;
        Ok(all)
    }

    /// What is due: chunks, and a look for what is too old.
    pub fn upkeep(&mut self, fresh: &RwLock<Fresh>, now: i64) -> rusqlite::Result<()> {
        let weight = fresh.read().weight;
        if weight >= MOST_IN_MEMORY || (weight > 0 && now - self.written >= CHUNKS_EVERY) {
            self.write_chunks(fresh, now)?;
        }
        if now - self.trimmed >= TRIM_EVERY {
            self.trimmed = now;
            self.trim(now)?;
        }
        Ok(())
    }

    /// Makes chunks of what is in memory.
    pub fn write_chunks(&mut self, fresh: &RwLock<Fresh>, now: i64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let fresh = fresh.read();
            let mut series: Vec<_> = fresh.series.iter().collect();
            series.sort_unstable_by_key(|(id, _)| **id);
            for level in 0..LEVELS.len() {
                for (id, recent) in &series {
                    add_to_chunks(&transaction, level, **id, of_level(recent, level), now)?;
                }
            }
            transaction.execute("DELETE FROM fresh", [])?;
        }
        // Nobody reads between the two: a point is in memory or in its chunk, not in both.
        let mut fresh = fresh.write();
        transaction.commit()?;
        fresh.clear();
        self.written = now;
        Ok(())
    }

    /// Takes out what is older than its level is kept, and metrics of which nothing is left.
    pub fn trim(&mut self, now: i64) -> rusqlite::Result<()> {
        let most: i64 = self.connection.query_row("SELECT coalesce(max(id), 0) FROM series", [], |row| row.get(0))?;
        let mut first = 0;
        while first <= most {
            let transaction = self.connection.transaction()?;
            let behind = first + TRIMMED_AT_ONCE;
            for (number, level) in LEVELS.iter().enumerate() {
                let before = now - level.kept - level.chunk;
                transaction
                    .prepare_cached(
                        "DELETE FROM chunk WHERE rowid IN (SELECT c.rowid FROM series s JOIN chunk c
                         ON c.level = ?1 AND c.series = s.id AND c.start < ?4 WHERE s.id >= ?2 AND s.id < ?3)",
                    )?
                    .execute(params![number as i64, first, behind, before])?;
            }
            transaction.commit()?;
            first = behind;
        }
        let gone = now - LEVELS[3].kept - 17 * DAY;
        let transaction = self.connection.transaction()?;
        let series = transaction
            .execute("DELETE FROM series WHERE metric IN (SELECT id FROM metric WHERE seen < ?1)", [gone])?;
        transaction.execute("DELETE FROM metric WHERE seen < ?1", [gone])?;
        transaction.commit()?;
        if series > 0 {
            self.series.clear();
        }
        Ok(())
    }
}

fn add_to_chunks(
    connection: &Connection,
    number: usize,
    series: i64,
    points: Vec<(i64, Point)>,
    now: i64,
) -> rusqlite::Result<()> {
    let level = LEVELS[number];
    let start_of = |at: i64| at - at.rem_euclid(level.chunk);
    let mut points = points.into_iter().filter(|(at, _)| *at >= now - level.kept).peekable();
    let mut find =
        connection.prepare_cached("SELECT rowid, data FROM chunk WHERE level = ?1 AND series = ?2 AND start = ?3")?;
    let mut make =
        connection.prepare_cached("INSERT INTO chunk (level, series, start, data) VALUES (?1, ?2, ?3, ?4)")?;
    let mut change = connection.prepare_cached("UPDATE chunk SET data = ?2 WHERE rowid = ?1")?;
    while let Some((at, _)) = points.peek() {
        let start = start_of(*at);
        let mut new = vec![];
        while let Some(point) = points.next_if(|(at, _)| start_of(*at) == start) {
            new.push(point);
        }
        let found: Option<(i64, Vec<u8>)> =
            find.query_row(params![number as i64, series, start], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match found {
            Some((id, data)) => {
                let mut there = vec![];
                chunk::read(&data, start, level.seconds, true, |at, point| there.push((at, point)))
                    .ok_or_else(damaged)?;
                let all = chunk::merged(there, new);
                change.execute(params![id, chunk::write(start, level.seconds, &all)])?;
            }
            None => {
                make.execute(params![number as i64, series, start, chunk::write(start, level.seconds, &new)])?;
            }
        }
    }
    Ok(())
}

/// A row that is none.
pub fn damaged() -> rusqlite::Error {
    let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(error, Some("a row of points does not read as one".to_owned()))
}
