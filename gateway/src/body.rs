//! Taking request bodies: bounded in size, in time and in number. What is in hand of all requests
//! together is bounded too, since nobody has proved who they are before their body is read.

use crate::limits::Limits;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use kiln_protocol::Error;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to here never wait for room: nearly all are smaller. With the bounds on connections and on streams
/// of each, one machine has 64 × 16 × 16 KiB = 16 MiB of them in hand at most.
const SMALL: usize = 16 << 10;
/// The unit in which room is counted.
const UNIT: usize = 1 << 10;
/// The largest body that came packed; the operations whose requests clients pack take 1 MB.
const MOST_UNPACKED: usize = 4 << 20;
/// How long to read on after a body that is too large, so that its sender gets to read the answer.
const READ_ON: Duration = Duration::from_secs(1);

/// Takes bodies.
pub struct Bodies {
    limits: Limits,
    room: Arc<Semaphore>,
}

/// A body, and the room it takes until the call is done.
pub struct Taken {
    pub bytes: Bytes,
    pub room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub fn new(limits: Limits) -> Self {
        Self { room: Arc::new(Semaphore::new((limits.bodies / UNIT).max(1))), limits }
    }

    /// Reads a whole body.
    pub async fn take(&self, mut body: Incoming) -> Result<Taken, Error> {
        let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if declared == Some(0) {
            return Ok(Taken { bytes: Bytes::new(), room: None });
        }
        let read = self.read(&mut body, declared);
        let taken = tokio::time::timeout(self.limits.body_time, read).await.unwrap_or_else(|_| Err(too_slow()));
        if taken.as_ref().is_err_and(|error| error.status == 413) {
            // Whether that helps is for the sender to say.
            let _ = tokio::time::timeout(READ_ON, read_on(&mut body, self.limits.body)).await;
        }
        taken
    }

    /// The same, unpacked where its head says that it is packed. With room for all of it: what is small when it comes
    /// may not be small then.
    pub async fn unpack(&self, head: &HeaderMap, taken: Taken) -> Result<Taken, Error> {
        let encoding = head.get(http::header::CONTENT_ENCODING).map(|value| value.as_bytes());
        if !encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"gzip")) {
            return Ok(taken);
        }
        let Taken { bytes, room } = taken;
        // Not held while it waits for more: whoever holds some waits for nothing.
        drop(room);
        let room = Some(self.room(bytes.len() + MOST_UNPACKED).await?);
        let mut unpacked = vec![];
        let read = GzDecoder::new(bytes.as_ref()).take(MOST_UNPACKED as u64 + 1).read_to_end(&mut unpacked);
        match read {
            Ok(length) if length > MOST_UNPACKED => Err(too_large(MOST_UNPACKED)),
            Ok(_) => Ok(Taken { bytes: unpacked.into(), room }),
            Err(_) => Err(Error::sender("SerializationException", "The request body is not packed as its head says.")),
        }
    }

    async fn read(&self, body: &mut Incoming, declared: Option<usize>) -> Result<Taken, Error> {
        let most = self.limits.body;
        if declared.is_some_and(|bytes| bytes > most) {
            return Err(too_large(most));
        }
        let (mut taken, mut room) = (Vec::with_capacity(declared.unwrap_or(0).min(SMALL)), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken_off)?;
            let Ok(data) = frame.into_data() else { continue };
            let length = taken.len() + data.len();
            if length > most {
                return Err(too_large(most));
            }
            if length > SMALL && room.is_none() {
                room = Some(self.room(declared.unwrap_or(most)).await?);
            }
            taken.extend_from_slice(&data);
        }
        Ok(Taken { bytes: taken.into(), room })
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let all = self.limits.bodies / UNIT;
        let units = u32::try_from(bytes.div_ceil(UNIT).min(all).max(1)).unwrap_or(u32::MAX);
        self.room.clone().acquire_many_owned(units).await.map_err(|e| Error::failed("wait for the room of bodies", e))
    }
}

async fn read_on(body: &mut Incoming, most: usize) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > most {
            return;
        }
    }
}

fn too_large(most: usize) -> Error {
    let text = format!("The request body exceeds {most} bytes.");
    Error::sender("RequestEntityTooLargeException", text).with_status(413)
}

fn too_slow() -> Error {
    Error::sender("RequestTimeout", "The request body did not arrive in time.").with_status(408)
}

fn broken_off(error: hyper::Error) -> Error {
    tracing::debug!(%error, "a request body broke off");
    Error::sender("IncompleteBody", "The request body ended early.")
}
