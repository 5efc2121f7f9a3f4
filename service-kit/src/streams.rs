//! Bodies too large to hold: an object's bytes on their way in and out of a call from outside.
//!
//! The gateway gives a call with such a body these two pipes; the operation takes what comes in, and
//! leaves what is to go out. A call from another service has none: there the bytes stand in the
//! request and the answer themselves.

use crate::Error;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;

/// Bytes, piece by piece; an error ends them.
pub type ByteStream = BoxStream<'static, Result<Bytes, Error>>;

/// The pipes of one call.
#[derive(Default)]
pub struct Streams {
    incoming: Mutex<Option<ByteStream>>,
    length: Mutex<Option<u64>>,
    outgoing: Mutex<Option<ByteStream>>,
    announced: Mutex<Option<String>>,
    trailers: Mutex<Vec<(String, String)>>,
}

impl Streams {
    /// Gives a body on its way in.
    pub fn set_incoming(&self, body: ByteStream) {
        *self.incoming.lock() = Some(body);
    }

    /// Says how long the body on its way in is to be.
    pub fn set_length(&self, length: u64) {
        *self.length.lock() = Some(length);
    }

    /// How long the body on its way in is to be, as its head says.
    pub fn length(&self) -> Option<u64> {
        *self.length.lock()
    }

    /// The body on its way in; once.
    pub fn take_incoming(&self) -> Option<ByteStream> {
        self.incoming.lock().take()
    }

    /// Leaves a body to go out.
    pub fn set_outgoing(&self, body: ByteStream) {
        *self.outgoing.lock() = Some(body);
    }

    /// The body to go out; once.
    pub fn take_outgoing(&self) -> Option<ByteStream> {
        self.outgoing.lock().take()
    }

    /// Names the header that is to come after the body.
    pub fn announce(&self, name: &str) {
        *self.announced.lock() = Some(name.trim().to_ascii_lowercase());
    }

    /// The header that is to come after the body.
    pub fn announced(&self) -> Option<String> {
        self.announced.lock().clone()
    }

    /// A header that came after the body.
    pub fn add_trailer(&self, name: String, value: String) {
        self.trailers.lock().push((name, value));
    }

    /// A header that came after the body, if the body has been read to its end.
    pub fn trailer(&self, name: &str) -> Option<String> {
        self.trailers.lock().iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }
}
