//! Who is at a stream's blocks: some read them, or one makes small ones one.
//!
//! Blocks that become one stand where the first of them stood. Who reads on behind that place would miss the others, so
//! nothing becomes one while somebody reads; it waits for the next batch. Who wants to read waits for what is under way,
//! which is a few megabytes at most.

use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub struct Busy {
    who: Mutex<Who>,
    done: Condvar,
}

#[derive(Default)]
struct Who {
    merging: HashSet<String>,
    reading: HashMap<String, usize>,
}

/// Somebody reads; until this is dropped.
pub struct Reading<'b> {
    busy: &'b Busy,
    streams: &'b [String],
}

/// Small blocks are made one; until this is dropped.
pub struct Merging<'b> {
    busy: &'b Busy,
    stream: &'b str,
}

impl Busy {
    pub fn read<'b>(&'b self, streams: &'b [String]) -> Reading<'b> {
        let mut who = self.who.lock();
        // One who reads already lets nothing begin, so this ends.
        for stream in streams {
            *who.reading.entry(stream.clone()).or_default() += 1;
        }
        while streams.iter().any(|stream| who.merging.contains(stream)) {
            self.done.wait(&mut who);
        }
        Reading { busy: self, streams }
    }

    /// None where somebody is there.
    pub fn merge<'b>(&'b self, stream: &'b str) -> Option<Merging<'b>> {
        let mut who = self.who.lock();
        let free = !who.reading.contains_key(stream) && who.merging.insert(stream.to_owned());
        // Made only where it is given: one that is let go of ends what another does.
        free.then(|| Merging { busy: self, stream })
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut who = self.busy.who.lock();
        for stream in self.streams {
            if let Some(count) = who.reading.get_mut(stream) {
                *count -= 1;
                if *count == 0 {
                    who.reading.remove(stream);
                }
            }
        }
    }
}

impl Drop for Merging<'_> {
    fn drop(&mut self) {
        self.busy.who.lock().merging.remove(self.stream);
        self.busy.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_one_while_somebody_reads() {
        let busy = Busy::default();
        let streams = ["a".to_owned(), "a".to_owned()];
        let reading = busy.read(&streams);
        assert!(busy.merge("a").is_none());
        assert!(busy.merge("b").is_some());
        drop(reading);
        let merging = busy.merge("a").expect("nobody is there");
        assert!(busy.merge("a").is_none(), "one at a time");
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| drop(busy.read(&streams)));
            drop(merging);
            reader.join().expect("it had its turn");
        });
        assert!(busy.merge("a").is_some());
    }
}
