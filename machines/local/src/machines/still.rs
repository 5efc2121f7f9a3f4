//! Holding a machine's processes still while something of it is read.
//!
//! ```text
//! freeze ─► work ───────────────────────► thaw
//!    └─ watched: too long, nobody waits any more, kiln goes down ─► thaw at once; the work has failed
//! ```
//!
//! The watcher lets go also when the work hangs in the kernel, since a machine that stands still answers nobody.
//! What was read until then is of no use, for the machine writes again: the work is told to give up
//! ([`Still::goes_on`]), and whatever it brought is an error. Only the first of the end and the watcher counts.

use kiln_machines_spec::{DriverError, DriverResult, MachineId};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a machine may be held still for a copy of its disk: less than the time in which a target group with
/// AWS's defaults finds it unhealthy (2 checks, 30 s apart, each may take 5 s: 30 s + 5 s).
pub const HELD_AT_MOST: Duration = Duration::from_secs(30);
/// How often the watcher looks.
const LOOK: Duration = Duration::from_millis(10);
/// How long all may take to be let go: 5 s for one that is just being frozen, 5 s to thaw, and as much again.
const LET_GO_WITHIN: Duration = Duration::from_secs(20);

/// The machines of a driver that are held still.
#[derive(Default)]
pub struct Stills {
    held: Mutex<BTreeSet<MachineId>>,
    let_go: Condvar,
    /// Set with `held` locked: none is held that it does not end.
    closed: AtomicBool,
}

/// Whether somebody still waits for what is done. It has gone when its [`Waits`] is dropped.
#[derive(Clone, Default)]
pub struct Caller(std::sync::Arc<AtomicBool>);

/// Held by who waits.
pub struct Waits(Caller);

impl Caller {
    /// For as long as this is kept, the caller waits.
    pub fn waits(&self) -> Waits {
        Waits(self.clone())
    }

    /// # Errors
    /// Nobody waits any more.
    pub fn is_there(&self) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(io::Error::other(Over::Gone.text())),
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

/// Why a machine went on.
#[derive(Clone, Copy)]
enum Over {
    Done,
    Late(Duration),
    Gone,
    Closed,
}

impl Over {
    fn text(self) -> String {
        match self {
            Self::Done => "it is done".to_owned(),
            Self::Late(most) => format!(
                "it was held still for {} s, which is the most, and goes on; stop it first, or keep the state directory \
                 on a file system whose files can share what they hold (XFS, Btrfs)",
                most.as_secs_f32()
            ),
            Self::Gone => "nobody waits for it any more".to_owned(),
            Self::Closed => "kiln goes down".to_owned(),
        }
    }
}

/// How a machine is held.
pub struct Hold<'h> {
    pub id: &'h MachineId,
    /// How long at most; none: as long as the work takes.
    pub most: Option<Duration>,
    /// Who waits for the work.
    pub caller: &'h Caller,
    /// Stops (`true`) its processes, or lets them go on.
    pub freeze: &'h (dyn Fn(bool) -> DriverResult<()> + Sync),
}

/// A machine that is held still.
pub struct Still<'s> {
    hold: &'s Hold<'s>,
    stills: &'s Stills,
    since: Instant,
    over: Mutex<Option<Over>>,
}

impl Still<'_> {
    /// # Errors
    /// The machine goes on: what is read from now on is of no use.
    pub fn goes_on(&self) -> io::Result<()> {
        match *self.over.lock() {
            None => Ok(()),
            Some(over) => Err(io::Error::other(over.text())),
        }
    }

    fn reason(&self) -> Option<Over> {
        let late = self.hold.most.filter(|most| self.since.elapsed() >= *most);
        match late {
            _ if self.stills.closed.load(Ordering::SeqCst) => Some(Over::Closed),
            _ if self.hold.caller.is_there().is_err() => Some(Over::Gone),
            Some(most) => Some(Over::Late(most)),
            None => None,
        }
    }

    /// It is over for that reason, if it was not before; for which it is.
    fn end(&self, over: Over) -> Over {
        *self.over.lock().get_or_insert(over)
    }
}

/// Lets the machine go and notes it, however the work ended.
struct LetsGo<'l> {
    hold: &'l Hold<'l>,
    stills: &'l Stills,
    thawed: bool,
}

impl LetsGo<'_> {
    fn thaw(&mut self) -> DriverResult<()> {
        self.thawed = true;
        (self.hold.freeze)(false)
    }
}

impl Drop for LetsGo<'_> {
    fn drop(&mut self) {
        if !self.thawed
            && let Err(error) = self.thaw()
        {
            tracing::error!(id = %self.hold.id, error = error.chain(), "a machine is held still and cannot be let go");
        }
        self.stills.forget(self.hold.id);
    }
}

impl Stills {
    /// Does `work` while a machine holds still. The caller has the machine's turn.
    ///
    /// # Errors
    /// The work's; or it went on before the end, whatever the work brought.
    pub fn hold<T>(&self, hold: &Hold<'_>, work: impl FnOnce(&Still<'_>) -> DriverResult<T>) -> DriverResult<T> {
        let failed = |text: String| DriverError::failed(format!("hold {} still", hold.id), io::Error::other(text));
        {
            let mut held = self.held.lock();
            if self.closed.load(Ordering::SeqCst) {
                return Err(failed(Over::Closed.text()));
            }
            held.insert(hold.id.clone());
        }
        let mut lets_go = LetsGo { hold, stills: self, thawed: false };
        (hold.freeze)(true)?;
        let still = Still { hold, stills: self, since: Instant::now(), over: Mutex::new(None) };
        let done = std::thread::scope(|scope| {
            let (ends, end) = channel::<()>();
            let watcher = std::thread::Builder::new().spawn_scoped(scope, || {
                let end = end;
                while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(LOOK) {
                    let Some(over) = still.reason() else { continue };
                    if matches!(still.end(over), Over::Done) {
                        break;
                    }
                    // One that cannot be let go now is let go at the work's end, where a failure is told.
                    let thawed = (hold.freeze)(false);
                    if thawed.is_ok() {
                        self.forget(hold.id);
                    }
                    return thawed;
                }
                Ok(())
            });
            let watcher = watcher.map_err(|e| failed(e.to_string()))?;
            let worked = work(&still);
            let over = still.end(Over::Done);
            drop(ends);
            let watched = watcher.join().unwrap_or_else(|_| Err(failed("its watcher panicked".to_owned())));
            match (over, watched) {
                (Over::Done, watched) => watched.and(worked),
                (over, _) => Err(failed(over.text())),
            }
        });
        lets_go.thaw()?;
        done
    }

    /// That machine goes on; its work may still be about to give up.
    fn forget(&self, id: &MachineId) {
        self.held.lock().remove(id);
        self.let_go.notify_all();
    }

    /// Lets all go on, and holds none any more. Blocks until it is so.
    ///
    /// # Errors
    /// One cannot be let go.
    pub fn close(&self) -> DriverResult<()> {
        let until = Instant::now() + LET_GO_WITHIN;
        let mut held = self.held.lock();
        self.closed.store(true, Ordering::SeqCst);
        while !held.is_empty() {
            if self.let_go.wait_until(&mut held, until).timed_out() {
                let held: Vec<_> = held.iter().map(MachineId::to_string).collect();
                let error = io::Error::new(io::ErrorKind::TimedOut, "they were not let go in time");
                return Err(DriverError::failed(format!("let {} go on", held.join(", ")), error));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A machine that is frozen by a note.
    struct World {
        stills: Arc<Stills>,
        frozen: Arc<AtomicBool>,
        caller: Caller,
    }

    impl World {
        fn new() -> Self {
            Self { stills: Arc::default(), frozen: Arc::default(), caller: Caller::default() }
        }

        fn hold(
            &self,
            most: Option<Duration>,
            work: impl FnOnce(&Still<'_>) -> DriverResult<u8>,
        ) -> Result<u8, String> {
            let freeze = |still| {
                self.frozen.store(still, Ordering::SeqCst);
                Ok(())
            };
            let hold = Hold { id: &"i-1".into(), most, caller: &self.caller, freeze: &freeze };
            self.stills.hold(&hold, work).map_err(|e| e.chain())
        }

        /// What a copy does: on and on, until it is told to give up or the machine is let go, which it then finds.
        fn until_it_is_let_go(&self, still: &Still<'_>) -> DriverResult<u8> {
            while self.frozen.load(Ordering::SeqCst) || still.goes_on().is_ok() {
                std::thread::yield_now();
            }
            Ok(1)
        }
    }

    #[test]
    fn it_holds_still_for_the_work_and_goes_on_after_it() {
        let world = World::new();
        let done = world.hold(Some(HELD_AT_MOST), |still| {
            assert!(world.frozen.load(Ordering::SeqCst) && still.goes_on().is_ok());
            Ok(7)
        });
        assert_eq!(done, Ok(7));
        assert!(!world.frozen.load(Ordering::SeqCst));
        let failed = world.hold(None, |_| Err(DriverError::Invalid("the work's own".to_owned())));
        assert_eq!(failed, Err("the work's own".to_owned()));
        assert!(!world.frozen.load(Ordering::SeqCst));
        let panics = std::panic::AssertUnwindSafe(|| world.hold(None, |_| panic!("a bug")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(!world.frozen.load(Ordering::SeqCst));
        world.stills.close().expect("none is held");
    }

    #[test]
    fn one_that_cannot_be_frozen_is_let_go() {
        let (frozen, stills) = (AtomicBool::new(false), Stills::default());
        let freeze = |still| {
            frozen.store(still, Ordering::SeqCst);
            if still { Err(DriverError::Invalid("its processes did not hold still".to_owned())) } else { Ok(()) }
        };
        let hold = Hold { id: &"i-1".into(), most: None, caller: &Caller::default(), freeze: &freeze };
        let told = stills.hold(&hold, |_| Ok(())).expect_err("refused").chain();
        assert!(told.contains("did not hold still"), "{told}");
        assert!(!frozen.load(Ordering::SeqCst));
        stills.close().expect("none is held");
    }

    #[test]
    fn work_that_takes_too_long_fails_by_name_and_the_machine_goes_on_meanwhile() {
        let world = World::new();
        let told = world.hold(Some(Duration::from_millis(1)), |still| world.until_it_is_let_go(still));
        let told = told.expect_err("what it brought is of no use");
        assert!(told.contains("hold i-1 still") && told.contains("held still for 0.001 s"), "{told}");
    }

    #[test]
    fn who_goes_away_ends_it() {
        let world = World::new();
        let mut waits = Some(world.caller.waits());
        let told = world.hold(None, |still| {
            drop(waits.take());
            world.until_it_is_let_go(still)
        });
        assert!(told.expect_err("nobody waits").contains("nobody waits"));
    }

    #[test]
    fn a_driver_that_is_left_holds_none_and_waits_for_no_work() {
        let world = World::new();
        let told = world.hold(None, |still| {
            world.stills.close().expect("let go while the work goes on");
            assert!(!world.frozen.load(Ordering::SeqCst));
            world.until_it_is_let_go(still)
        });
        assert!(told.expect_err("it went on").contains("kiln goes down"));
        let refused = world.hold(None, |_| unreachable!("none is held any more"));
        assert!(refused.expect_err("closed").contains("kiln goes down"));
        assert!(!world.frozen.load(Ordering::SeqCst));
    }
}
