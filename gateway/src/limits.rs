//! How much a client may send, and how long it may take.

use std::time::Duration;

/// Bounds of what a client may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request body. The largest real ones are templates (1 MB) and policies.
    pub body: usize,
    /// Bytes of all request bodies in hand together; more wait for their turn.
    pub bodies: usize,
    /// Time a client has to send its first header, or its next one.
    pub header_time: Duration,
    /// Time a client has to send its body.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            // Eight of the largest.
            bodies: 128 << 20,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
        }
    }
}
