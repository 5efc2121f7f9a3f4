//! Holds: what is in use stays, though somebody has asked for its removal.
//!
//! Holds and removals keep each other out. Who comes for a removal while there is a hold is refused; a hold waits
//! for the removals that have begun, so that whoever has it finds each image whole or not at all.

use crate::{DriverError, DriverResult};
use std::sync::Arc;
use tokio::sync::watch;

/// The holds of one driver's images, and the removals that are under way.
#[derive(Clone, Debug, Default)]
pub struct ImageHolds(Arc<watch::Sender<Counts>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    holds: usize,
    removals: usize,
}

/// One hold; ends when it is dropped.
#[derive(Debug)]
pub struct ImageHold(ImageHolds);

/// A removal that has begun; ends when it is dropped.
#[derive(Debug)]
pub struct ImageRemoval(ImageHolds);

impl ImageHolds {
    /// One more, once the removals that have begun are done. No other begins meanwhile.
    pub async fn hold(&self) -> ImageHold {
        let mut counts = self.0.subscribe();
        self.0.send_modify(|counts| counts.holds += 1);
        // Made before the wait: who goes away while it waits holds nothing.
        let hold = ImageHold(self.clone());
        counts.wait_for(|counts| counts.removals == 0).await.expect("the sender is this one's own");
        hold
    }

    /// Begins the removal of `image`, to be kept until all of it is removed.
    ///
    /// # Errors
    /// [`DriverError::Conflict`] while there is a hold.
    pub fn remove(&self, image: impl ToString) -> DriverResult<ImageRemoval> {
        let begun = self.0.send_if_modified(|counts| {
            let free = counts.holds == 0;
            counts.removals += usize::from(free);
            free
        });
        match begun {
            true => Ok(ImageRemoval(self.clone())),
            false => Err(DriverError::Conflict {
                kind: "image",
                name: image.to_string(),
                problem: "stays until the backup that is being made has it".to_owned(),
            }),
        }
    }
}

impl Drop for ImageHold {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.holds -= 1);
    }
}

impl Drop for ImageRemoval {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.removals -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What it comes to without waiting.
    fn now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    #[test]
    fn images_stay_until_the_last_hold_ends() {
        let holds = ImageHolds::default();
        let (one, two) = (now(pin!(holds.hold())), now(pin!(holds.clone().hold())));
        drop(one.expect("held"));
        assert!(holds.remove("img-1").expect_err("held").chain().contains("img-1"));
        drop(two.expect("held"));
        holds.remove("img-1").expect("free");
    }

    #[test]
    fn a_hold_waits_for_the_removals_that_have_begun() {
        let holds = ImageHolds::default();
        let (first, second) = (holds.remove("img-1").expect("free"), holds.remove("img-2").expect("free"));
        let mut hold = pin!(holds.hold());
        assert!(now(hold.as_mut()).is_none(), "two are being removed");
        assert!(holds.remove("img-3").is_err(), "no other begins");
        drop(first);
        assert!(now(hold.as_mut()).is_none(), "one is");
        drop(second);
        let held = now(hold).expect("both are removed");
        assert!(holds.remove("img-3").is_err());
        drop(held);
        holds.remove("img-3").expect("free");
    }

    #[test]
    fn who_goes_away_while_it_waits_holds_nothing() {
        let holds = ImageHolds::default();
        let removal = holds.remove("img-1").expect("free");
        {
            let mut hold = pin!(holds.hold());
            assert!(now(hold.as_mut()).is_none());
        }
        drop(removal);
        holds.remove("img-2").expect("free");
    }
}
