//! What nobody reads becomes JSON again.
//!
//! A kiln that made a thousand resources would else hold each as it was decoded, several times the size of its
//! text and scattered among what came and went with it, until it is started anew.

use crate::Store;

impl Store {
    /// Keeps as JSON text what nobody has read since the last call; who reads it next decodes it again. Says how
    /// many records that were. It looks at each record there is: not for a thread that others wait for.
    pub fn rest(&self) -> usize {
        let entries: Vec<_> = self.shared().memory.read().records.all().map(|(.., entry)| entry.clone()).collect();
        entries.iter().filter(|entry| entry.rest()).count()
    }
}
