//! Checksums that callers send and read back: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256.
//!
//! An object in parts has either one of all its bytes (the CRCs, joined from those of the parts
//! without reading them again) or one of its parts' checksums, written with their number (`…-3`).

use base64::{Engine, engine::general_purpose::STANDARD};
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Digest, Table};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// Which checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// By AWS's name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The header that carries it.
    pub fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    /// Whether one of a whole can be joined from those of its parts.
    pub fn joins(self) -> bool {
        !matches!(self, Algorithm::Sha1 | Algorithm::Sha256)
    }
}

/// A checksum, as base64 with `-N` behind it where it is one of N parts' checksums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub algorithm: Algorithm,
    pub value: String,
}

impl Checksum {
    /// AWS's name for what it is of.
    pub fn kind(&self) -> &'static str {
        if self.value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
    }

    /// Whether it is base64 of as many bytes as the algorithm has.
    pub fn is_well_formed(&self) -> bool {
        let length = match self.algorithm {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        };
        STANDARD.decode(&self.value).is_ok_and(|bytes| bytes.len() == length)
    }

    /// Its bytes, without the number of parts.
    fn bytes(&self) -> Vec<u8> {
        // What is kept was written by this module.
        STANDARD.decode(&self.value).expect("a part's checksum is base64")
    }

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        Self { algorithm, value: STANDARD.encode(bytes) }
    }

    /// Of an object from those of its parts, in order, each with the part's size.
    pub fn of_parts(algorithm: Algorithm, full_object: bool, parts: &[(Checksum, u64)]) -> Self {
        if full_object {
            return joined(algorithm, parts);
        }
        let mut hasher = Hasher::new(algorithm);
        for (part, _) in parts {
            hasher.update(&part.bytes());
        }
        let Checksum { algorithm, value } = hasher.finish();
        Self { algorithm, value: format!("{value}-{}", parts.len()) }
    }
}

/// Computes one.
pub enum Hasher {
    Crc32(Digest<'static, u32, Table<16>>),
    Crc32c(Digest<'static, u32, Table<16>>),
    Crc64Nvme(Digest<'static, u64, Table<16>>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Hasher::Crc32(CRC32.digest()),
            Algorithm::Crc32c => Hasher::Crc32c(CRC32C.digest()),
            Algorithm::Crc64Nvme => Hasher::Crc64Nvme(CRC64.digest()),
            Algorithm::Sha1 => Hasher::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        match self {
            Hasher::Crc32(digest) | Hasher::Crc32c(digest) => digest.update(data),
            Hasher::Crc64Nvme(digest) => digest.update(data),
            Hasher::Sha1(digest) => digest.update(data),
            Hasher::Sha256(digest) => digest.update(data),
        }
    }

    pub fn finish(self) -> Checksum {
        match self {
            Hasher::Crc32(digest) => Checksum::of(Algorithm::Crc32, &digest.finalize().to_be_bytes()),
            Hasher::Crc32c(digest) => Checksum::of(Algorithm::Crc32c, &digest.finalize().to_be_bytes()),
            Hasher::Crc64Nvme(digest) => Checksum::of(Algorithm::Crc64Nvme, &digest.finalize().to_be_bytes()),
            Hasher::Sha1(digest) => Checksum::of(Algorithm::Sha1, &digest.finalize()),
            Hasher::Sha256(digest) => Checksum::of(Algorithm::Sha256, &digest.finalize()),
        }
    }
}

/// The CRC of parts that follow each other. A CRC is linear: the one of `a` followed by `n` bytes is
/// the one of `a` moved on by `n` zero bytes, added (xor) to that of the `n` bytes.
fn joined(algorithm: Algorithm, parts: &[(Checksum, u64)]) -> Checksum {
    let (width, polynomial) = match algorithm {
        Algorithm::Crc32 => (32, u64::from(CRC_32_ISO_HDLC.poly.reverse_bits())),
        Algorithm::Crc32c => (32, u64::from(CRC_32_ISCSI.poly.reverse_bits())),
        _ => (64, CRC_64_NVME.poly.reverse_bits()),
    };
    let number = |bytes: Vec<u8>| bytes.into_iter().fold(0u64, |number, byte| number << 8 | u64::from(byte));
    let whole =
        parts.iter().fold(0, |whole, (part, size)| moved(whole, *size, width, polynomial) ^ number(part.bytes()));
    let bytes = whole.to_be_bytes();
    Checksum::of(algorithm, &bytes[8 - width / 8..])
}

/// A reflected CRC moved on by that many zero bytes, by squaring the step of one bit.
fn moved(crc: u64, bytes: u64, width: usize, polynomial: u64) -> u64 {
    let times = |matrix: &[u64], vector: u64| {
        (0..width).filter(|bit| vector >> bit & 1 == 1).fold(0, |sum, bit| sum ^ matrix[bit])
    };
    // One zero bit: the lowest bit becomes the polynomial, each other one moves down.
    let mut step: Vec<u64> = (0..width).map(|bit| if bit == 0 { polynomial } else { 1 << (bit - 1) }).collect();
    let mut bits = u128::from(bytes) * 8;
    let mut crc = crc;
    while bits > 0 {
        if bits & 1 == 1 {
            crc = times(&step, crc);
        }
        step = step.iter().map(|row| times(&step, *row)).collect();
        bits >>= 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, data: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn values_are_those_that_the_algorithms_define() {
        // The check values of the CRC catalogue, and FIPS 180's of "abc".
        for (algorithm, data, hex) in [
            (Algorithm::Crc32, "123456789", "cbf43926"),
            (Algorithm::Crc32c, "123456789", "e3069283"),
            (Algorithm::Crc64Nvme, "123456789", "ae8b14860a799888"),
            (Algorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ] {
            assert_eq!(hex::encode(of(algorithm, data.as_bytes()).bytes()), hex, "{}", algorithm.name());
        }
    }

    #[test]
    fn the_checksum_of_a_whole_is_joined_from_its_parts() {
        let data: Vec<u8> = (0..100_003u32).map(|n| (n * 7 % 251) as u8).collect();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.joins()) {
            let parts: Vec<_> = data.chunks(33_333).map(|part| (of(algorithm, part), part.len() as u64)).collect();
            assert_eq!(Checksum::of_parts(algorithm, true, &parts), of(algorithm, &data), "{}", algorithm.name());
            let composite = Checksum::of_parts(algorithm, false, &parts);
            assert!(composite.value.ends_with("-4") && composite.kind() == "COMPOSITE", "{}", composite.value);
        }
    }
}
