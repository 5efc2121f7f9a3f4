//! Receipt handles: which queue, which message, which receive. They hold nothing secret and give nobody a right; a
//! check tells what was never given out from what is merely old.

use crate::errors::bad_handle;
use crate::messages::{Handle, QueueNumber};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::Error;
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
/// Version, three numbers, check.
const LENGTH: usize = 1 + 3 * 8 + 8;

pub fn write(handle: Handle) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    for number in [handle.queue, handle.seq, handle.token] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(check(&bytes));
    STANDARD.encode(bytes)
}

/// The handle that a text is, of a message of that queue.
pub fn read(text: &str, queue: QueueNumber) -> Result<Handle, Error> {
    let wrong = || bad_handle(text);
    let bytes = Some(text).filter(|text| text.len() < 4 * LENGTH).and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.filter(|bytes| bytes.len() == LENGTH && bytes[0] == VERSION).ok_or_else(wrong)?;
    let (said, checked) = bytes.split_at(LENGTH - 8);
    if check(said) != checked {
        return Err(wrong());
    }
    let number = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&said[1 + at * 8..9 + at * 8]);
        i64::from_be_bytes(eight)
    };
    let handle = Handle { queue: number(0), seq: number(1), token: number(2) };
    if handle.queue == queue { Ok(handle) } else { Err(wrong()) }
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(bytes);
    let mut eight = [0; 8];
    eight.copy_from_slice(&digest[..8]);
    eight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_reads_back_and_nothing_else_does() {
        let handle = Handle { queue: 7, seq: 1 << 60, token: -3 };
        let text = write(handle);
        assert_eq!(read(&text, 7).expect("it was given out"), handle);
        let long = "A".repeat(1_000);
        for (other, queue) in [(text.as_str(), 8), ("", 7), ("AAAA", 7), (long.as_str(), 7), (&text[1..], 7)] {
            assert!(read(other, queue).is_err_and(|error| error.is("ReceiptHandleIsInvalid")), "{other} of {queue}");
        }
    }
}
