//! The backup in hand: what it does now, for whoever waits, and that none is made of a kiln that goes down.
//!
//! ```text
//! begin ─► Turn, for the work ──► shared with every thread that does a part of it; free when the last has ended
//!     └──► Asks, for who asked ─► dropped when that one goes away: the work is told at its next look
//! ```
//!
//! A thread goes on when the future that waits for it is dropped. So the turn is the work's and not the future's: a
//! second backup comes in only when nothing of the first one moves any more, and [`Backups::close`] waits for that.

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{OwnedMutexGuard, watch};

/// The backup that is being made, if one is.
#[derive(Default)]
pub struct Backups {
    turn: Arc<tokio::sync::Mutex<()>>,
    doing: Mutex<String>,
    pub done: AtomicU64,
    pub all: AtomicU64,
    closed: watch::Sender<bool>,
    #[cfg(test)]
    pub looks: Mutex<Option<tests::Look>>,
}

/// Held by the work; when it is dropped nothing happens any more, however that ended.
pub struct Turn {
    pub backups: Arc<Backups>,
    gone: Arc<AtomicBool>,
    _turn: OwnedMutexGuard<()>,
}

/// Held by who asked, for as long as that one waits.
pub struct Asks(Arc<AtomicBool>);

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Turn {
    /// Whether the backup is still wanted.
    ///
    /// # Errors
    /// Kiln goes down, or who asked has gone.
    pub fn goes_on(&self) -> Result<(), String> {
        let answer = match *self.backups.closed.borrow() {
            true => Err(GOES_DOWN.to_owned()),
            false if self.gone.load(Ordering::SeqCst) => Err(GONE.to_owned()),
            false => Ok(()),
        };
        #[cfg(test)]
        self.backups.looked();
        answer
    }

    /// Waits for `work`, unless kiln goes down first; then the work is dropped.
    pub async fn unless_closed<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        let mut closed = self.backups.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(GOES_DOWN.to_owned()),
            done = work => Ok(done),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.backups.doing("");
    }
}

impl Backups {
    /// The turn of one more.
    ///
    /// # Errors
    /// Another one is being made or about to end, or kiln goes down.
    pub fn begin(self: &Arc<Self>) -> Result<(Turn, Asks), String> {
        let turn = self.turn.clone().try_lock_owned().map_err(|_| "another backup is being made".to_owned())?;
        if *self.closed.borrow() {
            return Err(GOES_DOWN.to_owned());
        }
        self.done.store(0, Ordering::Relaxed);
        self.all.store(0, Ordering::Relaxed);
        let gone = Arc::new(AtomicBool::new(false));
        Ok((Turn { backups: self.clone(), gone: gone.clone(), _turn: turn }, Asks(gone)))
    }

    /// Ends the one that is being made and makes none any more. Returns when nothing of it moves.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        drop(self.turn.lock().await);
    }

    /// What happens now, and how far it is.
    pub fn progress(&self) -> Json {
        let doing = self.doing.lock().clone();
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        match doing.is_empty() {
            true => Json::Null,
            false => json!({"text": doing, "fraction": done as f64 / all.max(1) as f64}),
        }
    }

    /// Says what happens now.
    pub fn doing(&self, text: impl Into<String>) {
        *self.doing.lock() = text.into();
    }
}

const GOES_DOWN: &str = "kiln goes down: no backup was made";
const GONE: &str = "nobody waits for the backup any more: none was made";

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::future::pending;
    use std::pin::{Pin, pin};
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};
    use std::thread;

    /// Called after each look whether a backup is still wanted, with what it is doing: a test's way to be in the middle.
    pub type Look = Arc<dyn Fn(&str) + Send + Sync>;

    impl Backups {
        /// Waits until nothing of the one that is being made moves.
        pub async fn ended(&self) {
            drop(self.turn.lock().await);
        }

        pub(super) fn looked(&self) {
            let (look, doing) = (self.looks.lock().clone(), self.doing.lock().clone());
            if let Some(look) = look {
                look(&doing);
            }
        }
    }

    /// Whether it waits for something.
    pub fn is_pending<F: Future>(future: Pin<&mut F>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[test]
    fn each_begins_at_nothing() {
        let backups = Arc::new(Backups::default());
        let turn = backups.begin().expect("the first");
        backups.doing("files");
        backups.all.store(10, Ordering::Relaxed);
        backups.done.store(10, Ordering::Relaxed);
        assert_eq!(backups.progress(), json!({"text": "files", "fraction": 1.0}));
        assert!(backups.begin().err().expect("refused").contains("another backup"));
        drop(turn);
        assert_eq!(backups.progress(), Json::Null);
        let _turn = backups.begin().expect("the second");
        backups.doing("the database");
        assert_eq!(backups.progress(), json!({"text": "the database", "fraction": 0.0}));
    }

    #[tokio::test]
    async fn none_is_made_of_a_kiln_that_goes_down() {
        let backups = Arc::new(Backups::default());
        let of_work = backups.clone();
        let work = tokio::spawn(async move {
            let (turn, _asks) = of_work.begin().expect("the first");
            turn.unless_closed(pending::<()>()).await
        });
        while backups.begin().is_ok() {
            tokio::task::yield_now().await;
        }
        backups.close().await;
        assert_eq!(work.await.expect("ended"), Err(GOES_DOWN.to_owned()));
        assert_eq!(backups.begin().err(), Some(GOES_DOWN.to_owned()));
    }

    #[tokio::test]
    async fn a_turn_is_the_work_s_also_when_nobody_waits_for_it() {
        let backups = Arc::new(Backups::default());
        let (turn, asks) = backups.begin().expect("the first");
        turn.goes_on().expect("it is wanted");
        drop(asks);
        assert_eq!(turn.goes_on(), Err(GONE.to_owned()));
        let (end, ended) = channel::<()>();
        let work = thread::spawn(move || {
            let _ = ended.recv();
            drop(turn);
        });
        assert!(backups.begin().is_err(), "it moves");
        let mut closing = pin!(backups.close());
        assert!(is_pending(closing.as_mut()), "it waits for what moves");
        drop(end);
        closing.await;
        work.join().expect("ended");
    }
}
