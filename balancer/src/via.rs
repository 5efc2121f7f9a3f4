//! How a request came in.

use crate::headers::Forwarded;
use crate::lb::Lb;
use std::sync::Arc;

/// What all requests of one client connection share.
pub(crate) struct Via {
    pub(crate) lb: Arc<Lb>,
    pub(crate) port: u16,
    /// The port that the client connected to: another one where the request arrived elsewhere.
    pub(crate) public_port: u16,
    pub(crate) forwarded: Forwarded,
    pub(crate) worker: usize,
}
