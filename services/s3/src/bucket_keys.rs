//! Data keys that stay in memory for a while, where a bucket's objects are to share one (S3 Bucket Keys): one for each
//! bucket, key of KMS and caller, so that KMS is asked by each of them and not for each object. What is opened stays so
//! too. Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".

use kiln_sealing::Key;
use kiln_service_kit::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long one is used without KMS being asked. AWS says only that it is a short time.
const KEPT: Duration = Duration::from_secs(300);
/// Most that are kept.
const MOST: usize = 1_000;

/// A data key, and what KMS opens it by.
#[derive(Clone)]
pub struct Shared {
    /// The key of KMS, by ARN.
    pub arn: String,
    /// Base64.
    pub blob: String,
    pub key: Key,
}

/// See the module's head.
#[derive(Clone, Default)]
pub struct BucketKeys(Arc<Mutex<HashMap<Vec<String>, (Timestamp, Shared)>>>);

impl BucketKeys {
    pub fn get(&self, by: &[String], now: Timestamp) -> Option<Shared> {
        let all = self.0.lock();
        all.get(by).filter(|(until, _)| now < *until).map(|(_, shared)| shared.clone())
    }

    pub fn keep(&self, by: Vec<String>, shared: Shared, now: Timestamp) {
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, (until, _)| now < *until);
        }
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(by, (now + KEPT, shared));
    }
}
