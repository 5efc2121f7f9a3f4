//! A page of events in the order of their times: of one stream or of many, from either end.
//!
//! Blocks can overlap, since batches come in any order. So events of a page are chosen as one looks for the least of many:
//! blocks are read by their beginnings, the events that are wanted are held up to a page, and it ends where no block that is
//! left can have one that comes before those held. What is held is a page, whatever overlaps.

use super::block::{Event, Head, LONGEST};
use super::{Disk, Events};
use kiln_service_kit::{Between, Error, Position, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Bytes of messages in a page. Source: GetLogEvents, FilterLogEvents.
const PAGE: usize = 1 << 20;
/// Bytes that are looked through for one page: where nothing fits, it ends there and says where to go on.
const LOOKED: u64 = 256 << 20;
/// Names of blocks that are read at a time, of all streams together.
const HEADS: usize = 8_192;

/// Where an event stands among all: its time and its number.
pub type Place = (i64, u64);

/// What is asked for.
pub struct Ask<'a> {
    pub streams: &'a [String],
    /// From this time on, up to and without that.
    pub from: i64,
    pub to: i64,
    /// Only behind this one, in the direction asked for.
    pub after: Option<Place>,
    pub backwards: bool,
    pub limit: usize,
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which of the streams asked for.
    pub stream: usize,
    pub at: i64,
    pub ingested: i64,
    pub number: u64,
    pub message: String,
}

/// A page.
#[derive(Debug, Default)]
pub struct Selected {
    /// In the order of their times.
    pub events: Vec<Found>,
    /// Behind what it goes on; none: there is no more.
    pub more: Option<Place>,
}

/// The heads of one stream, some at a time.
struct Heads<'a> {
    stream: &'a str,
    ready: VecDeque<Head>,
    between: Between,
    backwards: bool,
    some: usize,
    last: bool,
}

impl Heads<'_> {
    fn next(&mut self, disk: &Disk) -> Result<Option<Head>, Error> {
        if self.ready.is_empty() && !self.last {
            let heads = disk.heads(self.stream, &self.between, self.backwards, self.some)?;
            self.last = heads.len() < self.some;
            if let Some(head) = heads.last() {
                match self.backwards {
                    true => self.between.to = Some(head.position()),
                    false => self.between.from = Some(head.position().next()),
                }
            }
            self.ready = heads.into();
        }
        Ok(self.ready.pop_front())
    }
}

impl Ask<'_> {
    /// The first time at which a wanted event can stand, and the first at which none can.
    fn times(&self) -> (i64, i64) {
        match (self.after, self.backwards) {
            (None, _) => (self.from, self.to),
            (Some((at, _)), false) => (self.from.max(at), self.to),
            (Some((at, _)), true) => (self.from, self.to.min(at.saturating_add(1))),
        }
    }

    fn wants(&self, event: &Event<'_>) -> bool {
        let place = (event.at, event.number);
        let behind = match self.after {
            None => true,
            Some(after) => {
                if self.backwards {
                    place < after
                } else {
                    place > after
                }
            }
        };
        behind && (self.from..self.to).contains(&event.at)
    }

    /// Reads a page. Blocks for the disk.
    pub fn select(&self, disk: &Disk, keep: &dyn Fn(&str) -> bool) -> Result<Selected, Error> {
        let (from, to) = self.times();
        let at = |time: i64| Some(Position::new(Timestamp::from_millis(time.max(0)), ""));
        let between = Between { from: at(from.saturating_sub(LONGEST)), to: at(to) };
        let some = (HEADS / self.streams.len().max(1)).clamp(4, 512);
        let mut heads: Vec<Heads<'_>> = vec![];
        // By beginning: the least first, or the greatest.
        let mut next: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
        let mut waiting: Vec<Option<Head>> = vec![];
        let sign = if self.backwards { -1 } else { 1 };
        for (n, stream) in self.streams.iter().enumerate() {
            let (between, backwards) = (between.clone(), self.backwards);
            let mut of = Heads { stream, ready: VecDeque::new(), between, backwards, some, last: false };
            let head = of.next(disk)?;
            next.extend(head.as_ref().map(|head| Reverse((sign * head.first, n))));
            heads.push(of);
            waiting.push(head);
        }
        let mut held = Held::new(self.limit);
        let mut looked = 0;
        while let Some(Reverse((_, n))) = next.pop() {
            let Some(head) = waiting[n].take() else { continue };
            if held.ends_before(sign * if self.backwards { head.first + LONGEST } else { head.first }) {
                break;
            }
            if looked >= LOOKED && !self.backwards && head.first > from {
                // All before this block was looked at.
                return Ok(held.up_to(head.first));
            }
            waiting[n] = heads[n].next(disk)?;
            next.extend(waiting[n].as_ref().map(|head| Reverse((sign * head.first, n))));
            let nearest = if self.backwards { head.last } else { head.first };
            if head.last < from || head.first >= to || held.ends_before(sign * nearest) {
                continue;
            }
            looked += head.bytes;
            let Some(block) = disk.block(&self.streams[n], &head)? else {
                // It was removed meanwhile.
                continue;
            };
            for event in block.iter() {
                if self.wants(&event) && keep(event.message) {
                    held.put(sign, n, &event);
                }
            }
        }
        Ok(held.end(self.backwards))
    }
}

/// The events that come first of those seen.
struct Held {
    events: BTreeMap<(i64, i128), Found>,
    bytes: usize,
    limit: usize,
    /// Some were let go of.
    full: bool,
}

impl Held {
    fn new(limit: usize) -> Self {
        Self { events: BTreeMap::new(), bytes: 0, limit, full: false }
    }

    /// Whether nothing from a time on can come before those held, which are enough.
    fn ends_before(&self, at: i64) -> bool {
        let enough = self.full || self.events.len() >= self.limit;
        enough && self.events.last_key_value().is_some_and(|((last, _), _)| at > *last)
    }

    fn put(&mut self, sign: i64, stream: usize, event: &Event<'_>) {
        let key = (sign * event.at, i128::from(sign) * i128::from(event.number));
        let enough = self.full || self.events.len() >= self.limit;
        if enough && self.events.last_key_value().is_some_and(|(last, _)| key > *last) {
            self.full = true;
            return;
        }
        let (at, ingested, number) = (event.at, event.ingested, event.number);
        self.bytes += event.message.len();
        self.events.insert(key, Found { stream, at, ingested, number, message: event.message.to_owned() });
        while self.events.len() > self.limit || (self.bytes > PAGE && self.events.len() > 1) {
            let gone = self.events.pop_last();
            self.bytes -= gone.map_or(0, |(_, gone)| gone.message.len());
            self.full = true;
        }
    }

    fn end(self, backwards: bool) -> Selected {
        // One that ends exactly with a page may have more behind it: the next page says so.
        let enough = self.full || self.events.len() >= self.limit;
        let more = self.events.last_key_value().filter(|_| enough).map(|(_, last)| (last.at, last.number));
        let mut events: Vec<Found> = self.events.into_values().collect();
        if backwards {
            events.reverse();
        }
        Selected { events, more }
    }

    /// Those before a time, up to which all was looked at.
    fn up_to(mut self, at: i64) -> Selected {
        // Nothing was let go of that comes before those that are left: what goes is always the last.
        let let_go_of_some = self.full && self.events.last_key_value().is_some_and(|((last, _), _)| *last < at);
        self.events.split_off(&(at, i128::MIN));
        match let_go_of_some {
            true => self.end(false),
            false => Selected { events: self.events.into_values().collect(), more: Some((at - 1, u64::MAX)) },
        }
    }
}

impl Events {
    /// A page, read where nobody is held up by it.
    pub async fn page(
        &self,
        disk: &Disk,
        streams: Vec<String>,
        ask: (i64, i64, Option<Place>, bool, usize),
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Selected, Error> {
        let (from, to, after, backwards, limit) = ask;
        let events = self.clone();
        disk.off(move |disk| {
            let _reading = events.reading(&streams);
            Ask { streams: &streams, from, to, after, backwards, limit }.select(disk, &keep)
        })
        .await
    }
}
