//! CloudFormation types.

use kiln_service_kit::ResourceType;
use std::sync::Arc;

pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![]
}
