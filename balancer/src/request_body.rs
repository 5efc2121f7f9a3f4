//! A client's body on its way to a target, passed on frame by frame, and how far it has come.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::tally::Moves;

/// How far a client's body has come. Whose fault a failed request is depends on it.
#[derive(Debug)]
pub(crate) struct Progress(AtomicU8);

const UNDER_WAY: u8 = 0;
const FINISHED: u8 = 1;
const BROKEN: u8 = 2;

impl Progress {
    pub(crate) fn new(finished: bool) -> Arc<Self> {
        Arc::new(Progress(AtomicU8::new(if finished { FINISHED } else { UNDER_WAY })))
    }

    /// It was read to its end.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.load(Ordering::Relaxed) == FINISHED
    }

    /// The client hung up in the middle of it, or it made no sense.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Relaxed) == BROKEN
    }
}

/// A client's body on its way to a target.
pub(crate) enum RequestBody {
    Empty,
    /// `counted`: whose bytes they are and who counts, where the connection does not count them.
    Stream {
        body: Incoming,
        progress: Arc<Progress>,
        counted: Option<Moves>,
    },
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            RequestBody::Empty => Poll::Ready(None),
            RequestBody::Stream { body, progress, counted } => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                if let Some(counted) = counted {
                    counted.count_frame(&polled);
                }
                if matches!(polled, Poll::Ready(Some(Err(_)))) {
                    progress.0.store(BROKEN, Ordering::Relaxed);
                } else if matches!(polled, Poll::Ready(None)) || body.is_end_stream() {
                    progress.0.store(FINISHED, Ordering::Relaxed);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Stream { body, .. } => body.size_hint(),
        }
    }
}
