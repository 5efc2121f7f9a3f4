//! Bodies too large to hold: an object's bytes on their way in and out of a call from outside.
//!
//! The gateway gives a call with such a body these two pipes; the operation takes what comes in, and
//! leaves what is to go out. A call from another service has none: there the bytes stand in the
//! request and the answer themselves.

use crate::Error;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use std::sync::OnceLock;

/// Bytes, piece by piece; an error ends them.
pub type ByteStream = BoxStream<'static, Result<Bytes, Error>>;

/// The pipes of one call.
#[derive(Default)]
pub struct Streams {
    incoming: Mutex<Option<ByteStream>>,
    length: Mutex<Option<u64>>,
    outgoing: Mutex<Option<ByteStream>>,
    head: OnceLock<Vec<(String, String)>>,
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

    /// Says what the head says: headers by their names in small letters, and those that a presigned URL
    /// has in its query.
    pub fn set_head(&self, headers: Vec<(String, String)>) {
        // A call has one head; a second one is none of its.
        let _ = self.head.set(headers);
    }

    /// All headers of the head.
    pub fn head(&self) -> &[(String, String)] {
        self.head.get().map_or(&[], Vec::as_slice)
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head().iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A header that came after the body.
    pub fn add_trailer(&self, name: String, value: String) {
        self.trailers.lock().push((name, value));
    }

    /// The headers that came after the body, if that has been read to its end.
    pub fn trailers(&self) -> Vec<(String, String)> {
        self.trailers.lock().clone()
    }
}
