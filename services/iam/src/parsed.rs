//! Policy documents, parsed once: parsing compiles every pattern, which costs far more than a
//! decision.

use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::Error;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// More are forgotten together: a bound for memory, out of reach for live policies.
const KEPT: usize = 20_000;

/// Documents by their text. A document that changed is another text, so none is ever stale.
#[derive(Default)]
pub struct Parsed {
    identity: RwLock<HashMap<String, Arc<Document>>>,
    resource: RwLock<HashMap<String, Arc<Document>>>,
    trust: RwLock<HashMap<String, Arc<Document>>>,
}

impl Parsed {
    /// The document of a text that was accepted before.
    pub fn get(&self, text: &str, kind: DocumentKind) -> Result<Arc<Document>, Error> {
        let kept = match kind {
            DocumentKind::Identity => &self.identity,
            DocumentKind::Resource => &self.resource,
            DocumentKind::Trust => &self.trust,
        };
        if let Some(found) = kept.read().get(text) {
            return Ok(found.clone());
        }
        let parsed =
            Document::kept(text, kind).map_err(|e| Error::failed("read a policy that was accepted before", e))?;
        let parsed = Arc::new(parsed);
        let mut kept = kept.write();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(text.to_owned(), parsed.clone());
        Ok(parsed)
    }
}
