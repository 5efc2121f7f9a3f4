//! Holds: what is in use stays, though somebody has asked for its removal.

use crate::{DriverError, DriverResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the holds of one driver's images.
#[derive(Clone, Debug, Default)]
pub struct ImageHolds(Arc<AtomicUsize>);

/// One hold; ends when it is dropped.
#[derive(Debug)]
pub struct ImageHold(Arc<AtomicUsize>);

impl ImageHolds {
    /// One more.
    pub fn hold(&self) -> ImageHold {
        self.0.fetch_add(1, Ordering::SeqCst);
        ImageHold(self.0.clone())
    }

    /// Refuses the removal of `image` while there is a hold.
    ///
    /// # Errors
    /// [`DriverError::Conflict`].
    pub fn check(&self, image: impl ToString) -> DriverResult<()> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(DriverError::Conflict {
                kind: "image",
                name: image.to_string(),
                problem: "stays until the backup that is being made has it".to_owned(),
            }),
        }
    }
}

impl Drop for ImageHold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_stay_until_the_last_hold_ends() {
        let holds = ImageHolds::default();
        let (one, two) = (holds.hold(), holds.clone().hold());
        drop(one);
        assert!(holds.check("img-1").expect_err("held").chain().contains("img-1"));
        drop(two);
        holds.check("img-1").expect("free");
    }
}
