//! Sealed texts that are needed at every request: what was opened once is kept open in memory, with the sealed text that
//! it was, so that none is ever stale.

use crate::RootKey;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// More are forgotten together: a bound for memory, out of reach for keys in use.
const KEPT: usize = 20_000;

/// Texts of one purpose that were opened, by the names that they are bound to.
pub struct Opened {
    root: RootKey,
    purpose: &'static str,
    kept: RwLock<HashMap<String, (String, Arc<str>)>>,
}

impl Opened {
    pub fn new(root: RootKey, purpose: &'static str) -> Self {
        Self { root, purpose, kept: RwLock::default() }
    }

    /// Opens what [`RootKey::seal_text`] made; none where it is not that.
    pub fn text(&self, name: &str, sealed: &str) -> Option<Arc<str>> {
        if let Some((of, text)) = self.kept.read().get(name)
            && of == sealed
        {
            return Some(text.clone());
        }
        let text: Arc<str> = self.root.open_text(self.purpose, name, sealed)?.into();
        let mut kept = self.kept.write();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), (sealed.to_owned(), text.clone()));
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_ids::IdSource;

    #[test]
    fn what_is_kept_open_is_what_lies_sealed() {
        let ids = IdSource::seeded(1);
        let root = RootKey::new(&ids);
        let opened = Opened::new(root.clone(), "test");
        let seal = |text: &str| root.seal_text(&ids, "test", "ada", text);
        let (one, two) = (seal("hunter2"), seal("hunter3"));
        assert_eq!(opened.text("ada", &one).as_deref(), Some("hunter2"));
        assert_eq!(opened.text("ada", &two).as_deref(), Some("hunter3"), "another is sealed there by now");
        assert_eq!(opened.text("ada", &one).as_deref(), Some("hunter2"));
        assert_eq!(opened.text("eve", &one), None);
    }
}
