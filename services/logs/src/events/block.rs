//! A block of log events of one stream: its name in the journal, and its bytes.
//!
//! ```text
//! name   time of the first event ─ number ─ how much later the last is ─ events ─ bytes ─ when the last came in
//! bytes  1 │ length of the heads │ heads: count, first (time, came in, number), then differences and lengths │ messages
//!        2 │ number of the data key (4) │ the same, sealed
//! ```
//! Heads and messages lie apart, so that all messages are checked and given as one text.

use kiln_service_kit::{Error, Position, Timestamp};

/// Bytes of messages in a block.
pub const LARGEST: usize = 256 << 10;
/// From its first event to its last: as long as a batch may be.
pub const LONGEST: i64 = 24 * 3600 * 1000;
/// What each event counts beside its message. Source: PutLogEvents.
pub const OVERHEAD: usize = 26;

const PLAIN: u8 = 1;
const SEALED: u8 = 2;

/// A log event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'b> {
    /// Milliseconds since 1970, as all times here.
    pub at: i64,
    pub ingested: i64,
    /// Tells it from all others, and orders those of one time.
    pub number: u64,
    pub message: &'b str,
}

/// What a block's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub first: i64,
    pub number: u64,
    pub last: i64,
    pub count: u64,
    /// As AWS counts them.
    pub bytes: u64,
    pub ingested: i64,
}

impl Head {
    pub fn of(position: Position) -> Result<Self, Error> {
        let read = |position: &Position| {
            let mut parts = position.tie.split('.').map(|part| u64::from_str_radix(part, 16).ok());
            let first = position.at.millis();
            let mut part = || parts.next().flatten();
            let (number, span, count, bytes, ingested) = (part()?, part()?, part()?, part()?, part()?);
            Some(Self {
                first,
                number,
                last: first.checked_add_unsigned(span)?,
                count,
                bytes,
                ingested: ingested as i64,
            })
        };
        read(&position).ok_or_else(|| Error::internal(format!("{position} is no name of a block of log events")))
    }

    pub fn position(&self) -> Position {
        let span = self.last.abs_diff(self.first);
        let (number, count, bytes, ingested) = (self.number, self.count, self.bytes, self.ingested);
        Position::new(
            Timestamp::from_millis(self.first),
            format!("{number:016x}.{span:x}.{count:x}.{bytes:x}.{ingested:x}"),
        )
    }
}

/// A block that was read.
pub struct Block {
    events: Vec<Entry>,
    text: String,
}

struct Entry {
    at: i64,
    ingested: i64,
    number: u64,
    end: usize,
}

impl Block {
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut reader = Reader(bytes.strip_prefix(&[PLAIN])?);
        let length = usize::try_from(reader.number()?).ok()?;
        let (heads, messages) = reader.0.split_at_checked(length)?;
        let text = str::from_utf8(messages).ok()?.to_owned();
        let mut heads = Reader(heads);
        let count = usize::try_from(heads.number()?).ok()?;
        // A head has four bytes at least.
        let mut events = Vec::with_capacity(count.min(heads.0.len() / 4 + 1));
        let mut last = Entry { at: 0, ingested: 0, number: 0, end: 0 };
        for _ in 0..count {
            let entry = Entry {
                at: last.at.checked_add(heads.signed()?)?,
                ingested: last.ingested.checked_add(heads.signed()?)?,
                number: last.number.wrapping_add_signed(heads.signed()?),
                end: last.end.checked_add(usize::try_from(heads.number()?).ok()?)?,
            };
            text.get(last.end..entry.end)?;
            last = Entry { ..entry };
            events.push(entry);
        }
        (last.end == text.len()).then_some(Self { events, text })
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Event<'_>> {
        self.events.iter().enumerate().map(|(n, entry)| {
            let start = if n == 0 { 0 } else { self.events[n - 1].end };
            Event {
                at: entry.at,
                ingested: entry.ingested,
                number: entry.number,
                message: &self.text[start..entry.end],
            }
        })
    }
}

/// Events in the order of their times as blocks.
pub fn cut(events: &[Event<'_>]) -> Vec<(Head, Vec<u8>)> {
    let mut blocks = vec![];
    let mut rest = events;
    while let [first, ..] = rest {
        let mut bytes = 0;
        let fits = |event: &Event<'_>| {
            bytes += event.message.len();
            bytes <= LARGEST && event.at - first.at <= LONGEST
        };
        // One that is too large for any block has one of its own.
        let count = rest.iter().map(fits).take_while(|fits| *fits).count().max(1);
        let (some, behind) = rest.split_at(count);
        rest = behind;
        let length: usize = some.iter().map(|event| event.message.len() + OVERHEAD).sum();
        let head = Head {
            first: first.at,
            number: first.number,
            last: some.last().map_or(first.at, |last| last.at),
            count: count as u64,
            bytes: length as u64,
            ingested: some.iter().map(|event| event.ingested).max().unwrap_or(first.ingested),
        };
        blocks.push((head, write(some)));
    }
    blocks
}

fn write(events: &[Event<'_>]) -> Vec<u8> {
    let mut heads = Vec::with_capacity(events.len() * 6 + 32);
    put_number(&mut heads, events.len() as u64);
    let (mut at, mut ingested, mut number) = (0_i64, 0_i64, 0_u64);
    let mut messages = 0;
    for event in events {
        put_signed(&mut heads, event.at - at);
        put_signed(&mut heads, event.ingested - ingested);
        put_signed(&mut heads, event.number.wrapping_sub(number) as i64);
        put_number(&mut heads, event.message.len() as u64);
        (at, ingested, number) = (event.at, event.ingested, event.number);
        messages += event.message.len();
    }
    let mut bytes = Vec::with_capacity(heads.len() + messages + 10);
    bytes.push(PLAIN);
    put_number(&mut bytes, heads.len() as u64);
    bytes.extend(heads);
    events.iter().for_each(|event| bytes.extend(event.message.as_bytes()));
    bytes
}

/// A block under a data key of the group.
pub fn sealed(number: usize, sealed: &[u8]) -> Vec<u8> {
    [&[SEALED], (number as u32).to_be_bytes().as_slice(), sealed].concat()
}

/// The number of the data key and what is sealed under it; none where nothing is.
pub fn sealed_under(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, sealed) = bytes.strip_prefix(&[SEALED])?.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number) as usize, sealed))
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small numbers of either sign are short.
fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(texts: &[(i64, &'static str)]) -> Vec<Event<'static>> {
        let event = |(n, (at, message)): (usize, &(i64, &'static str))| Event {
            at: *at,
            ingested: 9_000,
            number: u64::MAX - 5 + n as u64,
            message,
        };
        texts.iter().enumerate().map(event).collect()
    }

    #[test]
    fn a_block_reads_as_it_was_written_and_its_name_says_what_is_in_it() {
        let all = events(&[(5, "first"), (5, ""), (7, "dritte ä")]);
        let [(head, bytes)] = cut(&all).try_into().expect("one block");
        assert_eq!((head.first, head.last, head.count, head.bytes, head.ingested), (5, 7, 3, 14 + 3 * 26, 9_000));
        assert_eq!(Head::of(head.position()).expect("a name"), head);
        let block = Block::read(bytes.clone()).expect("a block");
        assert_eq!(block.iter().collect::<Vec<_>>(), all);
        for length in 0..bytes.len() {
            assert!(Block::read(bytes[..length].to_vec()).is_none(), "{length}");
        }
    }

    #[test]
    fn what_is_large_or_long_becomes_several() {
        let large: &'static str = Box::leak("x".repeat(LARGEST - 1).into_boxed_str());
        let huge: &'static str = Box::leak("x".repeat(LARGEST * 2).into_boxed_str());
        let all = events(&[(0, "a"), (1, large), (2, "b"), (3, huge), (4, "c"), (5 + LONGEST, "d")]);
        let counts: Vec<u64> = cut(&all).iter().map(|(head, _)| head.count).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1]);
    }

    #[test]
    fn bytes_that_are_no_block_are_none() {
        let mut state: u64 = 1;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bytes = state.to_be_bytes();
            let length = (state >> 60) as usize % 9;
            let _ = Block::read([&[PLAIN], &bytes[..length]].concat()).map(|block| block.iter().count());
        }
    }
}
