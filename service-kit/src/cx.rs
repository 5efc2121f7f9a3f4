//! What a handler or controller is given: who calls, where, when, and the ways to everything else.

use crate::{
    Caller, Error, Grant, Happening, IdSource, Platform, ResourcePolicy, Scope, Store, Streams, ToldEvent, Tx,
};
use kiln_clock::Timestamp;
use kiln_journal::History;
use kiln_protocol::{Protocol, ServiceModel};
use std::sync::Arc;

/// The context of one call or one controller pass. Cheap to clone.
#[derive(Clone)]
pub struct Cx {
    platform: Arc<Platform>,
    scope: Scope,
    caller: Arc<Caller>,
    request_id: Arc<str>,
    source_ip: Option<std::net::IpAddr>,
    source_vpc: Option<Arc<str>>,
    request_host: Option<Arc<str>>,
    streams: Option<Arc<Streams>>,
    /// That the call from outside came in.
    protocol: Option<Protocol>,
    /// Instead of the platform's, in a dry run.
    rehearsal: Option<Store>,
    /// Other accounts' things that this call was let in to: names and owners.
    others: Option<Arc<[(String, String)]>>,
    /// What a service that acts by itself acts for.
    source_arn: Option<Arc<str>>,
    /// The service that calls in the caller's name.
    via_service: Option<Arc<str>>,
}

impl Cx {
    /// A context for a call from outside.
    pub fn new(platform: Arc<Platform>, scope: Scope, caller: Caller, request_id: &str) -> Self {
        let partition = platform.partition_of(&scope.region).name;
        Self {
            platform,
            scope,
            caller: Arc::new(caller.in_partition(partition)),
            request_id: request_id.into(),
            source_ip: None,
            source_vpc: None,
            request_host: None,
            streams: None,
            protocol: None,
            rehearsal: None,
            others: None,
            source_arn: None,
            via_service: None,
        }
    }

    /// A context in which a service acts by itself, e.g. `autoscaling.amazonaws.com`.
    pub fn for_service(platform: Arc<Platform>, scope: Scope, service: &str) -> Self {
        let caller = Caller::service(service, &scope.account);
        let request_id = platform.ids().uuid();
        Self::new(platform, scope, caller, &request_id)
    }

    /// With the address the request came from (`aws:SourceIp`).
    pub fn from_ip(mut self, ip: std::net::IpAddr) -> Self {
        self.source_ip = Some(ip);
        self
    }

    /// With the VPC whose machine the request came from (`aws:SourceVpc`): its address is one of that network.
    pub fn from_vpc(mut self, vpc: &Arc<str>) -> Self {
        self.source_vpc = Some(vpc.clone());
        self
    }

    /// With the Host header of the request, for answers that contain a URL.
    pub fn via_host(mut self, host: &str) -> Self {
        self.request_host = Some(host.into());
        self
    }

    /// With the protocol that the caller speaks.
    pub fn in_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// With the pipes of a body that is not held in memory.
    pub fn with_streams(mut self, streams: Arc<Streams>) -> Self {
        self.streams = Some(streams);
        self
    }

    /// The same context for another caller (a stack's owner, a service).
    pub fn as_caller(&self, caller: Caller) -> Self {
        Self { caller: Arc::new(caller), ..self.clone() }
    }

    /// The same context with a service acting by itself.
    pub fn as_service(&self, service: &str) -> Self {
        self.as_caller(Caller::service(service, &self.scope.account))
    }

    /// The same context of a service that acts for one of its things (`aws:SourceArn`): policies that let the service
    /// in can ask for which.
    pub fn on_behalf_of(&self, arn: &str) -> Self {
        Self { source_arn: Some(arn.into()), ..self.clone() }
    }

    /// The same context of a service that calls another in its caller's name (`aws:CalledVia`), e.g.
    /// `ssm.amazonaws.com` to have a caller's parameter encrypted: the caller's rights decide, and policies can ask
    /// through whom the call came.
    pub fn via(&self, service: &str) -> Self {
        Self { via_service: Some(service.into()), ..self.clone() }
    }

    /// With the other accounts' things that the call was let in to.
    pub(crate) fn with_others(&self, things: Arc<[(String, String)]>) -> Self {
        Self { others: Some(things).filter(|things| !things.is_empty()), ..self.clone() }
    }

    pub(crate) fn has_others(&self) -> bool {
        self.others.is_some()
    }

    /// Whether this call was judged about that account's thing of that name, and let in. A handler asks it of
    /// whatever it finds that is not its caller's: by then the name may be another owner's.
    pub fn is_let_in(&self, name: &str, owner: &str) -> bool {
        self.others.iter().flat_map(|things| things.iter()).any(|(known, of)| known == name && of == owner)
    }

    /// The same context in a dry run: what would be written ends the call instead.
    pub fn rehearsing(&self) -> Self {
        Self { rehearsal: Some(self.platform.store().rehearsing()), ..self.clone() }
    }

    /// The same context, also in a dry run writing for good: what is there anyway as soon as somebody
    /// looks (a region's default VPC).
    pub fn for_good(&self) -> Self {
        Self { rehearsal: None, ..self.clone() }
    }

    /// The same context in another region.
    pub fn in_region(&self, region: &str) -> Self {
        Self { scope: Scope::new(self.scope.account.clone(), region), ..self.clone() }
    }

    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }
    /// Account and region: the key of everything kept.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
    /// The same account, no region: where global services (iam) keep things.
    pub fn global_scope(&self) -> Scope {
        Scope::new(self.scope.account.clone(), "")
    }
    pub fn account(&self) -> &str {
        &self.scope.account
    }
    pub fn region(&self) -> &str {
        &self.scope.region
    }
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
    pub fn request_id(&self) -> &str {
        &self.request_id
    }
    pub(crate) fn shared_request_id(&self) -> Arc<str> {
        self.request_id.clone()
    }
    pub fn source_ip(&self) -> Option<std::net::IpAddr> {
        self.source_ip
    }
    /// The VPC that [`source_ip`](Self::source_ip) is an address of; none: one of the host's or outside.
    pub fn source_vpc(&self) -> Option<&str> {
        self.source_vpc.as_deref()
    }
    /// What a service that acts by itself acts for; see [`on_behalf_of`](Self::on_behalf_of).
    pub fn source_arn(&self) -> Option<&str> {
        self.source_arn.as_deref()
    }
    /// The service that calls in the caller's name; see [`via`](Self::via).
    pub fn via_service(&self) -> Option<&str> {
        self.via_service.as_deref()
    }
    pub fn request_host(&self) -> Option<&str> {
        self.request_host.as_deref()
    }
    /// The protocol whose codes and words a refusal of that service's has: the caller's, where the service speaks
    /// it, else the service's first.
    pub fn protocol_of(&self, service: &ServiceModel) -> Protocol {
        self.protocol.filter(|protocol| service.protocols.contains(protocol)).unwrap_or(service.protocol)
    }
    /// The pipes of a call from outside whose body is not held in memory.
    pub fn streams(&self) -> Option<&Arc<Streams>> {
        self.streams.as_ref()
    }
    pub fn store(&self) -> &Store {
        self.rehearsal.as_ref().unwrap_or_else(|| self.platform.store())
    }
    /// What happened, as this call sees the store.
    pub fn history(&self) -> History {
        History::new(self.store().clone(), self.platform.history().journal().clone())
    }
    pub fn ids(&self) -> &IdSource {
        self.platform.ids()
    }
    pub fn now(&self) -> Timestamp {
        self.platform.clock().now()
    }
    /// A part that the server installed, e.g. `Arc<dyn MachineDriver>`.
    pub fn part<T: Clone + Send + Sync + 'static>(&self) -> Result<T, Error> {
        self.platform.part()
    }

    /// The partition that this call is in, by its region: the second word of ARNs.
    pub fn partition(&self) -> &'static str {
        self.platform.partition_of(self.region()).name
    }

    /// `arn:aws:service:region:account:resource` in this scope.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), self.region(), self.account())
    }

    /// Asks whether the caller may do something beyond the operation itself (`iam:PassRole`).
    pub fn authorize(&self, action: &str, resources: &[String], context: &[(&str, String)]) -> Result<(), Error> {
        self.platform.authorize(self, &Grant { action, resources, context, resource_policy: None })
    }

    /// The same, where the resource has a policy of its own (a role to assume, a bucket). It is
    /// asked of services too, for it names those that may; the root user's own account needs no
    /// answer, and in open mode nobody does but who comes from another account.
    pub fn authorize_by(
        &self,
        action: &str,
        resource: &str,
        context: &[(&str, String)],
        policy: ResourcePolicy<'_>,
    ) -> Result<(), Error> {
        let resources = [resource.to_owned()];
        self.platform.authorize(self, &Grant { action, resources: &resources, context, resource_policy: Some(policy) })
    }

    /// Says that something happened, in the transaction that makes it true. `happening` is asked only where a rule could
    /// want it.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn emit(
        &self,
        tx: &mut Tx<'_>,
        source: &str,
        detail_type: &str,
        happening: impl FnOnce() -> Happening,
    ) -> Result<(), Error> {
        let Some(events) = self.platform().events() else { return Ok(()) };
        if !events.could_want(tx, self.scope(), source, detail_type)? {
            return Ok(());
        }
        let at = tx.now();
        events.tell(tx, self.scope(), ToldEvent { source, detail_type, at, happening: happening() })
    }
}
