//! Session tokens of IMDSv2. Each is bound to the instance it was given to and ends by itself.

use kiln_service_kit::{IdSource, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// AWS's header and its limits: one second to six hours.
pub const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
pub const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
pub const MOST_SECONDS: u64 = 6 * 60 * 60;

/// Live tokens of one instance. A machine that asks for more loses those that end first: it must
/// not fill Kiln's memory.
const MOST_PER_INSTANCE: usize = 1_000;

/// What is known of the token that came with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// None came.
    Absent,
    /// Given to this instance, and lives on for so many seconds.
    Valid { left: u64 },
    /// Anything else.
    Invalid,
}

/// Every live token.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<String, HashMap<String, Timestamp>>>);

impl Tokens {
    /// A new token for the instance.
    pub fn give(&self, ids: &IdSource, instance: &str, seconds: u64, now: Timestamp) -> String {
        // 40 bytes: as long as AWS's.
        let token = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE, ids.bytes(40));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, own| {
            own.retain(|_, ends| *ends > now);
            !own.is_empty()
        });
        let own = all.entry(instance.to_owned()).or_default();
        if own.len() >= MOST_PER_INSTANCE
            && let Some(first) = own.iter().min_by_key(|(_, ends)| **ends).map(|(token, _)| token.clone())
        {
            own.remove(&first);
        }
        own.insert(token.clone(), now + Duration::from_secs(seconds));
        token
    }

    /// What the instance presented.
    pub fn judge(&self, instance: &str, token: Option<&str>, now: Timestamp) -> Presented {
        let Some(token) = token else { return Presented::Absent };
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(instance).and_then(|own| own.get(token)) {
            Some(ends) if *ends > now => Presented::Valid { left: ends.since(now).as_secs() },
            _ => Presented::Invalid,
        }
    }
}
