//! What all doors of a platform share.

use crate::authenticate::Authenticator;
use crate::body::Bodies;
use crate::directory::Directory;
use crate::limits::Limits;
use kiln_service_kit::Platform;
use std::sync::Arc;

/// A platform and what its doors need to call it.
pub struct Shared {
    pub platform: Arc<Platform>,
    pub directory: Directory,
    pub authenticator: Authenticator,
    pub limits: Limits,
    pub bodies: Bodies,
}

impl Shared {
    pub fn new(platform: Arc<Platform>, directory: Directory, limits: Limits) -> Self {
        let (authenticator, bodies) = (Authenticator::new(), Bodies::new(limits));
        Self { platform, directory, authenticator, limits, bodies }
    }
}
