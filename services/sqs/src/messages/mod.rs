//! The messages of all queues: an SQLite file of their own, one writer, and who waits for messages.
//!
//! ```text
//! send, receive, delete … ── work ──► queue ──► writer: all that waits in one transaction, one fsync
//!                                                 ├─► each caller's answer
//!                                                 └─► wakes those who wait at a queue that has got something
//! ```
//! What a call does to messages is a piece of work on the [`Table`], run by one thread in the order in which they came,
//! and answered after the commit that it shares with those that came meanwhile. So an answer never tells of what a
//! `kill -9` takes back, of a receive neither: the receipt handle that a client holds is good after a restart.
//!
//! Memory holds a page cache of fixed size and three numbers a queue, however many messages are kept. Why it is not the
//! store or the journal: docs/decisions/0023-messages.md.

mod error;
mod moves;
mod receive;
mod send;
mod table;
mod tidy;
mod visibility;
mod waiters;
mod writer;

pub use error::MessagesError;
pub use moves::Moved;
pub use receive::{Dead, Got, Receive};
pub use send::{NewMessage, Sending, Sent};
pub use table::{Attribute, Kept, Table};
pub use visibility::{Deleted, Handle, Visibility};
pub use waiters::Waiting;

use kiln_meters::Tally;
use kiln_sealing::RootKey;
use kiln_service_kit::{Clock, Error};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;
use waiters::Waiters;
use writer::{Job, Writer};

/// What the root key's key for messages is for.
const PURPOSE: &str = "sqs/message";

/// A queue's number among messages: given once, so that what comes after a queue of the same name is apart from it.
pub type QueueNumber = i64;

/// A sequence number: the order of sending, and a message's key.
pub type Seq = i64;

/// A handle on the messages of all queues; cheap to clone.
#[derive(Clone)]
pub struct Messages {
    how: Arc<How>,
    waiters: Arc<Waiters>,
    done: Arc<Tally<QueueNumber>>,
}

enum How {
    /// A thread writes; callers wait for it.
    Disk(Writer),
    /// In the caller's thread: simulations.
    Memory(Box<Mutex<Table>>),
}

impl Messages {
    /// The file's folder in the state directory.
    pub const FOLDER: &'static str = "sqs";

    /// Opens the messages kept in a state directory, and makes what is missing.
    ///
    /// # Errors
    /// The file cannot be made, opened or read, or is from a newer kiln.
    pub fn open(state_dir: &Path, clock: &Clock, root: &RootKey) -> Result<Self, MessagesError> {
        let table = Table::open(&state_dir.join(Self::FOLDER), clock.now(), root.of(PURPOSE))?;
        let waiters = Arc::<Waiters>::default();
        let writer = Writer::start(table, waiters.clone(), clock.clone());
        Ok(Self { how: Arc::new(How::Disk(writer)), waiters, done: Arc::default() })
    }

    /// The same meaning without a disk and without a thread, always in the same order.
    ///
    /// # Errors
    /// SQLite cannot be had.
    pub fn in_memory() -> Result<Self, MessagesError> {
        let table = Table::in_memory()?;
        Ok(Self {
            how: Arc::new(How::Memory(Box::new(Mutex::new(table)))),
            waiters: Arc::default(),
            done: Arc::default(),
        })
    }

    /// Does something to the messages; it is durable when this returns. Other work waits meanwhile, so it must be short.
    ///
    /// # Errors
    /// The file cannot be read or written: nothing of it was done.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Table) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let done = match &*self.how {
            How::Memory(table) => {
                let (done, woken) = table.lock().transact(work);
                self.waiters.wake(woken);
                done
            }
            How::Disk(writer) => {
                let (tell, told) = oneshot::channel();
                let done = Arc::new(Mutex::new(None));
                let slot = done.clone();
                let work = move |table: &mut Table| {
                    *slot.lock() = Some(work(table)?);
                    Ok(())
                };
                // Who asked may have gone away.
                let answer = move |committed| drop(tell.send(committed));
                writer.push(Job { work: Box::new(work), answer: Box::new(answer) })?;
                let ended = || Error::internal("the writer of messages ended before its work");
                let committed = told.await.map_err(|_| ended())?;
                let done = done.lock().take();
                committed?;
                Ok(done.ok_or_else(ended)?)
            }
        };
        done.map_err(Error::from)
    }

    /// What is done with messages, counted for the meter.
    pub fn done(&self) -> &Tally<QueueNumber> {
        &self.done
    }

    /// A place in the row of those who wait for messages of a queue; none where too many wait already.
    pub fn wait(&self, queue: QueueNumber) -> Option<Waiting> {
        self.waiters.enter(queue)
    }

    /// A copy of the file, of one moment, in a folder that is made.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn copy_to(&self, folder: &Path) -> Result<(), MessagesError> {
        match &*self.how {
            How::Memory(table) => table.lock().copy_to(folder),
            How::Disk(writer) => table::copy(writer.path(), folder),
        }
    }
}

impl From<MessagesError> for Error {
    fn from(error: MessagesError) -> Self {
        match error {
            MessagesError::NoSpace { .. } | MessagesError::Stopped { .. } => {
                let text = "The request has failed due to a temporary failure of the server.";
                Error::receiver("ServiceUnavailable", text).with_status(503).because("failed to keep messages", error)
            }
            error => Error::failed("reach the messages", error),
        }
    }
}
