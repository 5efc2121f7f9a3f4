//! When access keys and roles were last used. Source: AWS IAM API Reference, AccessKeyLastUsed and
//! RoleLastUsed.
//!
//! A use is noted in memory at once and written a second later with all others: it must cost a request
//! nothing, and a write each time would. What was noted in the last second before a kill is lost.

use crate::records::{AccessKey, LastUsed, Role, everywhere, key};
use kiln_service_kit::{Caller, CallerKind, Clock, Error, Scope, Store};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long uses are gathered before they are written.
const GATHER: Duration = Duration::from_secs(1);

/// Whose use it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    /// A long-term access key, by its id.
    Key(String),
    /// A role of an account, by its name and id; another one may have the name by then.
    Role { account: String, name: String, id: String },
}

/// Notes uses.
#[derive(Clone)]
pub struct Uses {
    store: Store,
    clock: Clock,
    noted: Arc<Mutex<HashMap<Whose, LastUsed>>>,
}

impl Uses {
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, noted: Arc::default() }
    }

    /// A request was made with a key, or with credentials of a role.
    pub fn by(&self, caller: &Caller, service: &str, region: &str) {
        match &caller.kind {
            CallerKind::User { .. } if !caller.access_key.starts_with("ASIA") => {
                self.note(Whose::Key(caller.access_key.clone()), service, region);
            }
            CallerKind::Role { role_name, .. } => {
                let id = caller.user_id.split(':').next().unwrap_or_default();
                self.by_role(&caller.account, role_name, id, service, region);
            }
            _ => {}
        }
    }

    /// Something was done with a role's rights.
    pub fn by_role(&self, account: &str, name: &str, id: &str, service: &str, region: &str) {
        let whose = Whose::Role { account: account.to_owned(), name: name.to_owned(), id: id.to_owned() };
        self.note(whose, service, region);
    }

    fn note(&self, whose: Whose, service: &str, region: &str) {
        let used = LastUsed { at: self.clock.now(), service: service.to_owned(), region: region.to_owned() };
        let mut noted = self.noted.lock();
        let is_first = noted.is_empty();
        noted.insert(whose, used);
        if is_first {
            let uses = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(GATHER).await;
                if let Err(error) = uses.write().await {
                    tracing::warn!("when access keys and roles were last used is not written: {error}");
                }
            });
        }
    }

    /// Writes what was noted of keys and roles that are still there.
    async fn write(&self) -> Result<(), Error> {
        let noted = std::mem::take(&mut *self.noted.lock());
        self.store
            .write(|tx| {
                for (whose, used) in &noted {
                    let (id, is_there) = match whose {
                        Whose::Key(id) => (id, tx.get::<AccessKey>(&everywhere(), id)?.is_some()),
                        Whose::Role { account, name, id } => {
                            let role = tx.get::<Role>(&Scope::new(account.as_str(), ""), &key(name))?;
                            (id, role.is_some_and(|role| role.id == *id))
                        }
                    };
                    if is_there {
                        tx.put(&everywhere(), id, used.clone())?;
                    }
                }
                Ok(())
            })
            .await
    }
}
