//! The connections to one target that are open now, so that they can be cut when it dies or leaves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::idle::Cut;

/// Those of one target, at rest or in use.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Arc<Cut>>>,
    next: AtomicU64,
}

/// A connection's place among them, as long as it exists.
pub(crate) struct Registered {
    among: Arc<Connections>,
    id: u64,
}

impl Connections {
    /// Notes an open connection, which `cut` ends.
    pub(crate) fn register(self: &Arc<Self>, cut: Arc<Cut>) -> Registered {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(id, cut);
        Registered { among: self.clone(), id }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Ends all that are open now.
    pub(crate) fn cut(&self) {
        let cuts: Vec<_> = self.open.lock().values().cloned().collect();
        for cut in cuts {
            cut.cut();
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.among.open.lock().remove(&self.id);
    }
}
