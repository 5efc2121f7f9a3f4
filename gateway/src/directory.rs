//! Where a request finds its service: built once from the services of the platform, so that naming a call
//! costs a look-up and not a walk over all of them.
//!
//! ```text
//! X-Amz-Target, /service/X/operation/Y -> by target     signature's scope -> by signing name
//! host name -> by endpoint                              Version, where nothing else is said -> by version
//! REST: of the services with that signing name, the router of method, path and query
//! ```
//! What two services would both be asked by is refused here, at start, with both names.

use kiln_protocol::{Demands, Protocol, RouteError, Router, ServiceModel};
use kiln_service_kit::Service;
use std::collections::HashMap;
use std::fmt;

type Models = Vec<&'static ServiceModel>;

/// The services by all that a request may say of them.
pub struct Directory {
    targets: HashMap<&'static str, &'static ServiceModel>,
    signing: HashMap<&'static str, Models>,
    endpoints: HashMap<&'static str, Models>,
    versions: HashMap<&'static str, Models>,
    names: HashMap<&'static str, &'static ServiceModel>,
    routers: HashMap<&'static str, Router>,
    /// The service with rules of its own for hosts, heads and bodies by its place among the services.
    with_rules: Option<usize>,
    /// Its router.
    rules_router: Router,
}

/// Why the services cannot stand behind one door.
#[derive(Debug)]
pub enum DirectoryError {
    /// Operations that cannot be told apart.
    Routes(RouteError),
    /// Two services that are asked for by the same word.
    Twice { word: &'static str, first: &'static str, second: &'static str },
    /// A service whose answers' protocol is not among those that it speaks.
    Protocols { service: &'static str },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes(error) => error.fmt(f),
            Self::Twice { word, first, second } => {
                write!(f, "the services {first} and {second} cannot be told apart: both are asked for by '{word}'")
            }
            Self::Protocols { service } => {
                write!(f, "the protocol of {service} is not among the protocols that it speaks")
            }
        }
    }
}

impl std::error::Error for DirectoryError {}

impl From<RouteError> for DirectoryError {
    fn from(error: RouteError) -> Self {
        Self::Routes(error)
    }
}

impl Directory {
    /// The directory of these services.
    ///
    /// # Errors
    /// Services or operations that no request could tell apart.
    pub fn new(services: &[Service]) -> Result<Self, DirectoryError> {
        let mut made = Self {
            targets: HashMap::new(),
            signing: HashMap::new(),
            endpoints: HashMap::new(),
            versions: HashMap::new(),
            names: HashMap::new(),
            routers: HashMap::new(),
            with_rules: None,
            rules_router: Router::default(),
        };
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for (at, service) in services.iter().enumerate() {
            let model = service.model;
            let twice = |word, first: &'static ServiceModel| DirectoryError::Twice {
                word,
                first: first.name,
                second: model.name,
            };
            if !model.protocols.contains(&model.protocol) {
                return Err(DirectoryError::Protocols { service: model.name });
            }
            if let Some(first) = made.names.insert(model.name, model) {
                return Err(twice(model.name, first));
            }
            if !model.target_prefix.is_empty()
                && let Some(first) = made.targets.insert(model.target_prefix, model)
            {
                return Err(twice(model.target_prefix, first));
            }
            made.signing.entry(model.signing_name).or_default().push(model);
            made.endpoints.entry(model.endpoint_prefix).or_default().push(model);
            if speaks_forms(model) {
                made.versions.entry(model.api_version).or_default().push(model);
            }
            match (service.rest, made.with_rules) {
                (None, _) => routes.entry(model.signing_name).or_default().push((model.name, service.routes)),
                (Some(_), Some(first)) => return Err(twice("a path without a signature", services[first].model)),
                (Some(_), None) => {
                    made.with_rules = Some(at);
                    made.rules_router = Router::new(&[(model.name, service.routes)], Demands::All)?;
                }
            }
        }
        for (signing_name, routes) in routes {
            if routes.iter().any(|(_, routes)| !routes.is_empty()) {
                made.routers.insert(signing_name, Router::new(&routes, Demands::Needed)?);
            }
        }
        Ok(made)
    }

    /// The service that JSON's `X-Amz-Target` and CBOR's path call so.
    pub fn by_target(&self, target: &str) -> Option<&'static ServiceModel> {
        self.targets.get(target).copied()
    }

    /// The services that signatures call so, in their order.
    pub fn by_signing_name(&self, name: &str) -> &[&'static ServiceModel] {
        self.signing.get(name).map_or(&[], Vec::as_slice)
    }

    /// The services whose host names begin so.
    pub fn by_endpoint(&self, label: &str) -> &[&'static ServiceModel] {
        self.endpoints.get(label).map_or(&[], Vec::as_slice)
    }

    /// The query services of that API version.
    pub fn by_version(&self, version: &str) -> &[&'static ServiceModel] {
        self.versions.get(version).map_or(&[], Vec::as_slice)
    }

    /// The service of that name.
    pub fn by_name(&self, name: &str) -> Option<&'static ServiceModel> {
        self.names.get(name).copied()
    }

    /// The router of the REST services that signatures call so.
    pub fn router(&self, signing_name: &str) -> Option<&Router> {
        self.routers.get(signing_name)
    }

    /// The service with rules of its own, by its place among the platform's.
    pub fn with_rules(&self) -> Option<usize> {
        self.with_rules
    }

    /// The router of the service with rules of its own.
    pub fn rules_router(&self) -> &Router {
        &self.rules_router
    }
}

/// Whether a service's calls may be forms with an `Action`.
pub fn speaks_forms(model: &ServiceModel) -> bool {
    model.protocols.iter().any(|protocol| matches!(protocol, Protocol::Query | Protocol::Ec2))
}
