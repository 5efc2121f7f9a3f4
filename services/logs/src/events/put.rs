//! Log events on their way in, and small blocks that become a larger one.

use super::block::{Event, Head, cut, sealed};
use super::known::{MERGED, SMALL};
use super::{BLOCKS, Disk, Events};
use kiln_service_kit::{Error, IdSource, Placed, Timestamp};

/// An event that is to be kept: its time and its message.
pub type New = (i64, String);

/// Keeps events of a stream, in the order of their times: durable on return. `under`: the number of the data key.
pub async fn put(
    events: &Events,
    disk: &Disk,
    ids: &IdSource,
    stream: &str,
    new: &[New],
    under: Option<usize>,
    now: Timestamp,
) -> Result<(), Error> {
    let first = events.numbers(new.len(), now);
    let all: Vec<Event<'_>> = new
        .iter()
        .enumerate()
        .map(|(n, (at, message))| Event { at: *at, ingested: now.millis(), number: first + n as u64, message })
        .collect();
    let (heads, blocks) = disk.written(ids, stream, &all, under)?;
    BLOCKS.append(&disk.journal, &disk.scope, stream, blocks).await?;
    events.0.known.lock().add(&disk.scope, stream, &heads);
    let own = events.clone();
    let (ids, name) = (ids.clone(), stream.to_owned());
    if heads.iter().any(|head| head.bytes < SMALL) && disk.keys.len() <= 1 && (under.is_some() || disk.keys.is_empty())
    {
        disk.off(move |disk| own.merge(disk, &ids, &name, under)).await?;
    }
    Ok(())
}

impl Disk {
    fn written(
        &self,
        ids: &IdSource,
        stream: &str,
        events: &[Event<'_>],
        under: Option<usize>,
    ) -> Result<(Vec<Head>, Vec<Placed>), Error> {
        let mut heads = vec![];
        let mut blocks = vec![];
        for (head, bytes) in cut(events) {
            let bytes = match under {
                None => bytes,
                Some(number) => {
                    let missing = || Error::internal(format!("stream {stream} has no data key {number}"));
                    let key = self.keys.get(number).ok_or_else(missing)?;
                    sealed(number, &key.seal(ids, stream.as_bytes(), &bytes))
                }
            };
            blocks.push((head.position(), bytes));
            heads.push(head);
        }
        Ok((heads, blocks))
    }
}

impl Events {
    /// Makes one of a stream's small blocks, where there are many.
    fn merge(&self, disk: &Disk, ids: &IdSource, stream: &str, under: Option<usize>) -> Result<(), Error> {
        self.stats(disk, stream)?;
        let Some(_merging) = self.0.busy.merge(stream) else { return Ok(()) };
        let small = match self.0.known.lock().get(&disk.scope, stream) {
            Some(state) if state.small.len() >= MERGED => state.small.clone(),
            _ => return Ok(()),
        };
        self.merge_these(disk, ids, stream, under, &small)
    }

    fn merge_these(
        &self,
        disk: &Disk,
        ids: &IdSource,
        stream: &str,
        under: Option<usize>,
        small: &[Head],
    ) -> Result<(), Error> {
        let mut blocks = vec![];
        let mut gone = vec![];
        for head in small {
            if let Some(block) = disk.block(stream, head)? {
                blocks.push(block);
                gone.push(head.position());
            }
        }
        let mut events: Vec<Event<'_>> = blocks.iter().flat_map(super::Block::iter).collect();
        events.sort_unstable_by_key(|event| (event.at, event.number));
        let (heads, new) = disk.written(ids, stream, &events, under)?;
        BLOCKS.replace(&disk.journal, &disk.scope, stream, &gone, new)?;
        if let Some(state) = self.0.known.lock().get(&disk.scope, stream) {
            state.small.retain(|head| !small.contains(head));
            state.small.extend(heads.into_iter().filter(|head| head.bytes < SMALL));
        }
        Ok(())
    }
}
