//! Where new ids come from: one seedable source, so that a simulated platform repeats exactly.

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::Arc;

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
        self.of(b"0123456789abcdef", digits)
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
        let h: String = b.iter().map(|x| format!("{x:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
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
        assert_eq!(a.uuid().len(), 36);
    }
}
