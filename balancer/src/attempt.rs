//! The tries of one request: a target, a connection to it, and another target where that goes wrong.
//!
//! A request is tried again only when that cannot do anything twice: it was never sent, or it is a
//! GET, HEAD or OPTIONS without a body whose kept connection broke (or whose machine was reported
//! dead) before the answer began. ALB itself never tries again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::answers::Fault;
use crate::body::Body;
use crate::dial::Stream;
use crate::group::Group;
use crate::headers;
use crate::request_body::{Progress, RequestBody};
use crate::tally::Sent;
use crate::target::{InFlight, Target};
use crate::upgrade;
use crate::upstream::{Upstream, after_the_others, exchange_for_upgrade, timed_out};
use crate::via::Via;

/// ALB's limit for connecting to a target.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Targets tried for one request at most: the first, and two more.
const MAX_TRIES: usize = 3;
/// The tries of one request.
pub(crate) struct Attempt<'a> {
    via: &'a Via,
    group: &'a Arc<Group>,
    idle: Duration,
    sticky: Option<String>,
    tried: Vec<Arc<Target>>,
    /// Whether a target was chosen for the request, so that it counts.
    chosen: bool,
    /// How far the client's body has come.
    progress: Arc<Progress>,
    /// What to answer when no target is left.
    fault: Fault,
}

/// An answer, and whose it is.
pub(crate) type Answered = (Response<Body>, Arc<Target>);

impl<'a> Attempt<'a> {
    /// None yet. `sticky` is the target that the request asks for, and an answer may be silent for `idle`.
    pub(crate) fn new(
        via: &'a Via,
        group: &'a Arc<Group>,
        idle: Duration,
        sticky: Option<String>,
        progress: Arc<Progress>,
    ) -> Self {
        Self { via, group, idle, sticky, tried: Vec::new(), chosen: false, progress, fault: Fault::Unavailable }
    }

    /// Chooses a target that has not been tried.
    fn pick(&mut self) -> Result<InFlight, Fault> {
        if self.tried.len() >= MAX_TRIES {
            return Err(self.fault);
        }
        let entered = self.group.pick(self.sticky.as_deref(), &self.tried).ok_or(self.fault)?;
        if !self.tried.is_empty() {
            self.group.counters.retries.fetch_add(1, Ordering::Relaxed);
            self.via.lb.counters.retries.fetch_add(1, Ordering::Relaxed);
        }
        if !std::mem::replace(&mut self.chosen, true) {
            self.sent(entered.target(), |sent| sent.requests += 1);
        }
        Ok(entered)
    }

    async fn dial(&mut self, target: &Arc<Target>) -> Option<Stream> {
        let settings = self.group.settings();
        let address = SocketAddr::new(target.ip, target.port);
        let from = settings.source_ip(&target.zone);
        let connect = self.via.lb.dialer.dial(&settings.vpc, from, address, CONNECT_TIMEOUT);
        match target.while_alive(connect).await {
            Ok(stream) => {
                self.sent(target, |sent| sent.connections += 1);
                Some(stream)
            }
            Err(error) => {
                tracing::debug!(%address, %error, "failed to connect to a target");
                for counters in [&target.counters, &self.group.counters, &self.via.lb.counters] {
                    counters.connection_errors.fetch_add(1, Ordering::Relaxed);
                }
                self.sent(target, |sent| sent.connection_errors += 1);
                self.fault = match error.kind() {
                    io::ErrorKind::TimedOut => Fault::GatewayTimeout,
                    _ => Fault::BadGateway,
                };
                self.tried.push(target.clone());
                None
            }
        }
    }

    /// Until a target answers, or none is left.
    pub(crate) async fn run(&mut self, mut request: Request<RequestBody>) -> Result<Answered, Fault> {
        let repeatable = matches!(request.body(), RequestBody::Empty)
            && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let mut stale = 0;
        loop {
            let in_flight = self.pick()?;
            let target = in_flight.target().clone();
            let kept = if stale < MAX_TRIES { target.take(self.via.worker) } else { None };
            let reused = kept.is_some();
            let mut upstream = match kept {
                Some(upstream) => upstream,
                None => {
                    let Some(stream) = self.dial(&target).await else { continue };
                    match Upstream::start(&target.connections, stream, self.idle).await {
                        Ok(upstream) => upstream,
                        Err(_) => return Err(Fault::BadGateway),
                    }
                }
            };
            let again = repeatable.then(|| Again::of(&request));
            let sent = Instant::now();
            let error = match upstream.exchange(request).await {
                Ok(response) => {
                    self.count(&target, response.status(), sent.elapsed());
                    after_the_others().await;
                    return Ok((self.pass_on(response, Some(upstream), in_flight)?, target));
                }
                Err(error) => error,
            };
            drop(upstream);
            let mut error = error;
            let unsent = error.take_message();
            let error = error.into_error();
            self.fault = self.fault_for(&error);
            tracing::debug!(target_id = %target.id, %error, reused, "a target did not answer");
            let dead = !target.is_accepting();
            request = match (unsent, again) {
                (Some(unsent), _) => unsent,
                (None, Some(again)) if self.fault == Fault::BadGateway && (reused || dead) => again.request(),
                _ => return Err(self.fault),
            };
            if reused && !dead {
                // Old connections may all have been closed at once; the target may be fine.
                stale += 1;
                if stale > MAX_TRIES {
                    self.tried.push(target);
                }
            } else {
                self.tried.push(target);
            }
        }
    }

    /// The same for a request that wants to go on in another protocol.
    pub(crate) async fn run_upgrade(
        &mut self,
        request: Request<RequestBody>,
        client_side: hyper::upgrade::OnUpgrade,
    ) -> Result<Answered, Fault> {
        loop {
            let in_flight = self.pick()?;
            let target = in_flight.target().clone();
            let Some(stream) = self.dial(&target).await else { continue };
            let sent = Instant::now();
            let exchanged = exchange_for_upgrade(&target.connections, stream, self.idle, request).await;
            let mut response = exchanged.map_err(|error| self.fault_for(&error))?;
            self.count(&target, response.status(), sent.elapsed());
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Ok((self.pass_on(response, None, in_flight)?, target));
            }
            let protocol = response.headers().get(UPGRADE).cloned();
            let target_side = hyper::upgrade::on(&mut response);
            upgrade::tunnel(client_side, target_side, in_flight);
            let mut response = response.map(|_| Body::whole(bytes::Bytes::new()));
            headers::strip_hop_by_hop(response.headers_mut());
            if let Some(protocol) = protocol {
                response.headers_mut().insert(UPGRADE, protocol);
            }
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            return Ok((response, target));
        }
    }

    fn fault_for(&self, error: &hyper::Error) -> Fault {
        if self.progress.is_broken() {
            Fault::BadRequest
        } else if !timed_out(error) {
            Fault::BadGateway
        } else if self.progress.is_finished() {
            Fault::GatewayTimeout
        } else {
            Fault::RequestTimeout
        }
    }

    fn count(&self, target: &Target, status: StatusCode, took: Duration) {
        let status = status.as_u16();
        for counters in [&target.counters, &self.group.counters] {
            counters.requests.fetch_add(1, Ordering::Relaxed);
            counters.answered(status);
        }
        self.via.lb.counters.answered(status);
        self.sent(target, |sent| sent.answered(status, took));
    }

    /// Counts something that went to a target.
    fn sent(&self, target: &Target, count: impl FnOnce(&mut Sent)) {
        self.group.sent.count(self.via.worker, &target.zone, count);
    }

    fn pass_on(
        &self,
        response: Response<Incoming>,
        upstream: Option<Box<Upstream>>,
        in_flight: InFlight,
    ) -> Result<Response<Body>, Fault> {
        let (mut parts, body) = response.into_parts();
        if !headers::answer_fits(&parts.headers) {
            return Err(Fault::BadGateway);
        }
        headers::strip_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        parts.extensions = http::Extensions::new();
        let body = Body::from_target(body, upstream, in_flight, self.via.worker);
        Ok(Response::from_parts(parts, body))
    }
}

/// What makes a request without a body anew, for another try. Nearly every request goes without one,
/// so this is the least that will do: no map is copied (a twentieth of the balancer's rate).
struct Again {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Again {
    fn of(request: &Request<RequestBody>) -> Self {
        let mut headers = Vec::with_capacity(request.headers().len());
        headers.extend(request.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        Again { method: request.method().clone(), uri: request.uri().clone(), headers }
    }

    fn request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }
}
