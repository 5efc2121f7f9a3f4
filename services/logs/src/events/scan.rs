//! All events of some streams in a time, in no particular order: for queries, which gather what they want.

use super::block::{Event, LONGEST};
use super::{BLOCKS, Disk};
use kiln_service_kit::{Between, Error, Position, Timestamp};

/// Blocks that are read at a time: 8 × 256 KiB = 2 MiB.
const SOME: usize = 8;

/// A stream that is read, and how its group's blocks are opened.
pub struct Source<'s> {
    pub disk: &'s Disk,
    pub stream: &'s str,
}

/// Gives every event from a time up to and without another; blocks whose names say that they have none are not read, as
/// far as their neighbours allow. `block` is asked before each block, with its bytes, whether to go on.
pub fn scan(
    source: &Source<'_>,
    from: i64,
    to: i64,
    mut block: impl FnMut(usize) -> bool,
    mut each: impl FnMut(&Event<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let at = |time: i64| Position::new(Timestamp::from_millis(time.max(0)), "");
    let mut between = Between { from: Some(at(from.saturating_sub(LONGEST))), to: Some(at(to)) };
    let Source { disk, stream } = source;
    loop {
        // What begins before the time asked for is looked for by name: most of it has ended by then.
        let early = between.from.as_ref().is_some_and(|position| position.at.millis() < from);
        if early {
            let heads = disk.heads(stream, &between, false, 512)?;
            match heads.iter().find(|head| head.last >= from) {
                Some(head) => between.from = Some(head.position()),
                None if heads.len() < 512 => return Ok(()),
                None => {
                    between.from = heads.last().map(|head| head.position().next());
                    continue;
                }
            }
        }
        let found = BLOCKS.read(&disk.journal, &disk.scope, stream, &between, false, if early { 1 } else { SOME })?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        between.from = Some(last.next());
        for (_, bytes) in found {
            if !block(bytes.len()) {
                return Ok(());
            }
            for event in disk.open(stream, bytes)?.iter() {
                if (from..to).contains(&event.at) {
                    each(&event)?;
                }
            }
        }
    }
}
