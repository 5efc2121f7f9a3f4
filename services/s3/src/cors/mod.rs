//! Which pages of other origins a browser may let talk to a bucket: rules, what a browser asks before it asks (preflight),
//! and the headers of answers that it reads. Source: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)",
//! and "Elements of a CORS configuration".

mod answer;
mod check;

pub use answer::{Preflight, allowed, preflight};
pub use check::check;

use serde::{Deserialize, Serialize};

/// A rule as it was put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    #[serde(default)]
    pub headers: Vec<String>,
    #[serde(default)]
    pub exposed: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i32>,
}
