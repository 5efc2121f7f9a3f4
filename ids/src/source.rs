//! Where new ids come from: one seedable source, so that a simulated platform repeats exactly.

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::Arc;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A source of random names. Clones share the sequence.
#[derive(Clone)]
pub struct IdSource(Arc<Mutex<StdRng>>);

impl IdSource {
    /// Seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `digits` random lower-case hexadecimal digits.
    pub fn hex(&self, digits: usize) -> String {
        self.of(HEX, digits)
    }

    /// `length` random characters out of `alphabet` (not empty).
    pub fn of(&self, alphabet: &[u8], length: usize) -> String {
        let mut random = self.0.lock();
        (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())] as char).collect()
    }

    /// Upper-case letters and digits as AWS uses in generated physical names.
    pub fn upper(&self, length: usize) -> String {
        self.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", length)
    }

    /// A random number below `limit` (0 for 0).
    pub fn below(&self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        self.0.lock().random_range(0..limit)
    }

    /// A version 4 UUID in text form.
    pub fn uuid(&self) -> String {
        let mut b = [0u8; 16];
        self.0.lock().fill(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        // By hand, since every call takes one.
        let mut text = String::with_capacity(36);
        for (at, byte) in b.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
        text
    }

    /// Random bytes, for secrets and tokens.
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut b = vec![0u8; length];
        self.0.lock().fill(&mut b[..]);
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names() {
        let (a, b) = (IdSource::seeded(7), IdSource::seeded(7));
        assert_eq!(a.hex(17), b.hex(17));
        assert_eq!(a.uuid(), b.uuid());
        assert_ne!(a.uuid(), a.uuid());
        let id = a.uuid();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        assert!(id.bytes().all(|b| b == b'-' || HEX.contains(&b)), "{id}");
        assert!(id[14..].starts_with('4') && matches!(&id[19..20], "8" | "9" | "a" | "b"), "version and variant: {id}");
    }
}
