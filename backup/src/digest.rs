//! A digest of a file that costs by what the file holds and not by its holes: SHA-256 over its blocks of 64 KiB
//! that are not all zero, each with its number before it (8 bytes, little endian), and over its size at the end.

use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// Bytes of a block.
pub const BLOCK: usize = 64 << 10;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Takes a file's blocks in order.
#[derive(Default)]
pub struct Digest {
    hash: Sha256,
    size: u64,
    number: u64,
}

impl Digest {
    /// The next block, which is whole unless it is the last; whether it holds anything but zeros.
    pub fn block(&mut self, block: &[u8]) -> bool {
        // Compared by the system's library: a look at each byte is a hundred times slower in a debug build.
        let holds = *block != ZEROS[..block.len()];
        if holds {
            self.hash.update(self.number.to_le_bytes());
            self.hash.update(block);
        }
        self.number += 1;
        self.size += block.len() as u64;
        holds
    }

    /// What remains, up to a file's size, is a hole.
    fn hole_until(&mut self, number: u64) {
        self.number = number;
    }

    /// Size and digest.
    pub fn finish(mut self) -> (u64, String) {
        self.hash.update(self.size.to_le_bytes());
        (self.size, hex::encode(self.hash.finalize()))
    }

    /// Of a whole file; its holes are not read. `goes_on` is asked before each block.
    pub fn of(file: &File, goes_on: impl Fn() -> io::Result<()>) -> io::Result<(u64, String)> {
        use nix::unistd::{Whence, lseek};
        let size = file.metadata()?.len();
        let mut digest = Digest::default();
        let mut buffer = vec![0; BLOCK];
        let mut at = 0;
        while at < size {
            goes_on()?;
            let data = match lseek(file.as_fd(), at as i64, Whence::SeekData) {
                Ok(data) => data as u64,
                Err(nix::errno::Errno::ENXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let number = data / BLOCK as u64;
            digest.hole_until(number);
            at = number * BLOCK as u64;
            let length = (size - at).min(BLOCK as u64) as usize;
            file.read_exact_at(&mut buffer[..length], at)?;
            digest.block(&buffer[..length]);
            at += length as u64;
        }
        digest.size = size;
        Ok(digest.finish())
    }
}
