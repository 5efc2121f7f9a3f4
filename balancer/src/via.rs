//! How a request came in.

use crate::headers::Forwarded;
use crate::lb::Lb;
use crate::tally::Moves;
use std::sync::Arc;

/// What all requests of one client connection share.
pub(crate) struct Via {
    pub(crate) lb: Arc<Lb>,
    pub(crate) port: u16,
    /// The port that the client connected to: another one where the request arrived elsewhere.
    pub(crate) public_port: u16,
    pub(crate) forwarded: Forwarded,
    pub(crate) worker: usize,
    /// Whether the connection counts its bytes itself: not one that the load balancer shares with others.
    pub(crate) stream_counts: bool,
}

impl Via {
    /// What counts the bytes of a request whose connection does not.
    pub(crate) fn shared(&self) -> Option<Moves> {
        (!self.stream_counts).then(|| Moves { done: self.lb.done.clone(), worker: self.worker })
    }
}
