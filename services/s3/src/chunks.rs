//! Files under a data key of KMS: chunks of 64 KiB, each sealed by itself, so that any range is read without the rest of
//! it, and none is changed, moved or cut off unseen.
//!
//! ```text
//! file:  sealed chunk 0 │ sealed chunk 1 │ … │ sealed last chunk          each bound to file, place and whether it is the last
//! ```

use kiln_sealing::{Key, OVERHEAD};
use kiln_service_kit::{Error, IdSource};

/// Bytes of a chunk; the last has what is left.
pub const CHUNK: usize = 64 << 10;
/// What a whole one takes on the disk.
pub const ON_DISK: usize = CHUNK + OVERHEAD;

fn bound(file: &str, number: u64, last: bool) -> Vec<u8> {
    format!("s3 object {file} {number} {last}").into_bytes()
}

/// Seals what is written, chunk by chunk.
pub struct Sealer {
    key: Key,
    ids: IdSource,
    number: u64,
    waiting: Vec<u8>,
}

impl Sealer {
    pub fn new(key: Key, ids: &IdSource) -> Self {
        Self { key, ids: ids.clone(), number: 0, waiting: vec![] }
    }

    /// Takes more, and gives what of it is whole. A whole chunk waits until it is known not to be the last.
    pub fn more(&mut self, file: &str, data: &[u8]) -> Vec<u8> {
        self.waiting.extend_from_slice(data);
        let mut sealed = vec![];
        let mut at = 0;
        while self.waiting.len() - at > CHUNK {
            sealed.extend(self.seal(file, &self.waiting[at..at + CHUNK], false));
            self.number += 1;
            at += CHUNK;
        }
        self.waiting.drain(..at);
        sealed
    }

    /// What is left; nothing of a file without a byte.
    pub fn last(&mut self, file: &str) -> Vec<u8> {
        let rest = std::mem::take(&mut self.waiting);
        if rest.is_empty() { vec![] } else { self.seal(file, &rest, true) }
    }

    fn seal(&self, file: &str, chunk: &[u8], last: bool) -> Vec<u8> {
        self.key.seal(&self.ids, &bound(file, self.number, last), chunk)
    }
}

/// Where the chunk lies that has a byte, and how long it is on the disk, in a file of so many bytes.
pub struct Place {
    pub number: u64,
    /// In the file as it is on the disk.
    pub at: u64,
    pub on_disk: usize,
    last: bool,
}

impl Place {
    pub fn of(byte: u64, size: u64) -> Self {
        let chunk = CHUNK as u64;
        let (number, count) = (byte / chunk, size.div_ceil(chunk));
        let last = number + 1 >= count;
        let length = if last { size - number * chunk } else { chunk };
        // A chunk is no longer than CHUNK.
        let on_disk = usize::try_from(length).unwrap_or(CHUNK) + OVERHEAD;
        Self { number, at: number * ON_DISK as u64, on_disk, last }
    }

    /// Opens the chunk that lies there.
    pub fn open(&self, key: &Key, file: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let opened = key.open(&bound(file, self.number, self.last), sealed);
        let opened =
            opened.ok_or_else(|| Error::internal("a chunk of an object's file does not open: it is damaged"))?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of so many bytes, as it is on the disk.
    fn sealed(key: &Key, bytes: &[u8], by: usize) -> Vec<u8> {
        let mut sealer = Sealer::new(key.clone(), &IdSource::seeded(2));
        let mut file = vec![];
        for part in bytes.chunks(by) {
            file.extend(sealer.more("f", part));
        }
        file.extend(sealer.last("f"));
        file
    }

    fn read(key: &Key, file: &[u8], byte: u64, size: u64) -> Result<Vec<u8>, Error> {
        let place = Place::of(byte, size);
        let at = usize::try_from(place.at).unwrap();
        let end = (at + place.on_disk).min(file.len());
        place.open(key, "f", &file[at..end])
    }

    #[test]
    fn every_byte_is_read_by_its_chunk_alone() {
        let key = Key::new(&IdSource::seeded(1));
        for size in [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7] {
            let bytes: Vec<u8> = (0..size).map(|n| (n / 251) as u8).collect();
            for by in [size, 1000, CHUNK] {
                let file = sealed(&key, &bytes, by);
                assert_eq!(file.len(), size + size.div_ceil(CHUNK) * OVERHEAD);
                for byte in [0, size / 2, size - 1] {
                    let chunk = read(&key, &file, byte as u64, size as u64).unwrap();
                    assert_eq!(chunk[byte % CHUNK], bytes[byte], "byte {byte} of {size}");
                }
            }
        }
        assert!(sealed(&key, &[], 1).is_empty());
    }

    #[test]
    fn what_was_moved_cut_off_or_changed_does_not_open() {
        let key = Key::new(&IdSource::seeded(1));
        let file = sealed(&key, &vec![7; 2 * CHUNK + 5], CHUNK);
        let size = 2 * CHUNK as u64 + 5;
        assert!(read(&key, &file, 0, size).is_ok());
        // The second in the first's place; the file ends after the second; one bit is another.
        assert!(read(&key, &file[ON_DISK..], 0, size).is_err());
        assert!(read(&key, &file[..2 * ON_DISK], CHUNK as u64, 2 * CHUNK as u64).is_err());
        let mut damaged = file.clone();
        damaged[100] ^= 1;
        assert!(read(&key, &damaged, 0, size).is_err());
        let place = Place::of(0, size);
        assert!(place.open(&key, "another", &file[..ON_DISK]).is_err());
    }
}
