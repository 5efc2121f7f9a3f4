//! An answer's body on its way through: never collected, only passed on frame by frame.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::tally::Moves;
use crate::target::InFlight;
use crate::upstream::Upstream;

/// An answer's body on its way to the client.
pub struct Body {
    kind: Kind,
    /// Whose bytes these are and who counts, where the connection does not count them.
    counted: Option<Moves>,
}

enum Kind {
    Whole(Option<Bytes>),
    Target(FromTarget),
}

/// The body of a target's answer, with the connection it comes over and the request's place among
/// those in flight.
pub(crate) struct FromTarget {
    body: Incoming,
    exchange: Option<(Option<Box<Upstream>>, InFlight)>,
    worker: usize,
}

impl Body {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Body { kind: Kind::Whole((!bytes.is_empty()).then_some(bytes)), counted: None }
    }

    /// `upstream` is `None` when the connection has a task of its own.
    pub(crate) fn from_target(
        body: Incoming,
        upstream: Option<Box<Upstream>>,
        in_flight: InFlight,
        worker: usize,
    ) -> Self {
        let mut from = FromTarget { body, exchange: Some((upstream, in_flight)), worker };
        if from.body.is_end_stream() {
            from.finish();
            return Body::whole(Bytes::new());
        }
        Body { kind: Kind::Target(from), counted: None }
    }

    /// With its bytes counted as a load balancer's.
    pub(crate) fn counted(self, bytes: Moves) -> Self {
        Body { counted: Some(bytes), ..self }
    }
}

use http_body::Body as _;

impl FromTarget {
    /// The body is complete: the connection can serve the next request.
    fn finish(&mut self) {
        if let Some((upstream, in_flight)) = self.exchange.take()
            && let Some(mut upstream) = upstream
            && upstream.is_at_rest()
        {
            in_flight.target().keep(self.worker, upstream);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending()
            && let Some((Some(upstream), _)) = &mut self.exchange
        {
            upstream.drive(cx);
            polled = Pin::new(&mut self.body).poll_frame(cx);
        }
        match &polled {
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.finish(),
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => self.exchange = None,
            _ => {}
        }
        polled
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = match &mut this.kind {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Target(from) => from.poll(cx),
        };
        if let Some(counted) = &this.counted {
            counted.count_frame(&polled);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Target(from) => from.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Target(from) => from.body.size_hint(),
        }
    }
}
