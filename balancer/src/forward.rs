//! One request's way through the balancer.
//!
//! ```text
//! check -> rule -> redirect / fixed response
//!               -> target group -> target -> connection -> head -> body streams on
//!                       ^-- another target, if nothing was sent or nothing can be lost --'
//! ```
//! A request is tried again only when that cannot do anything twice: it was never sent, or it is a
//! GET, HEAD or OPTIONS without a body whose kept connection broke (or whose machine was reported
//! dead) before the answer began. ALB itself never tries again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use crate::answers::{Fault, own};
use crate::body::Body;
use crate::config::LoadBalancerConfig;
use crate::group::Group;
use crate::headers::{self, Forwarded};
use crate::lb::{ForwardRoute, Lb, Route};
use crate::request_body::{Progress, RequestBody};
use crate::target::{InFlight, Target};
use crate::upstream::{Upstream, after_the_others, exchange_for_upgrade, timed_out};
use crate::{redirect, rules, sticky, upgrade};

/// ALB's limit for connecting to a target.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Targets tried for one request at most: the first, and two more.
const MAX_TRIES: usize = 3;
/// ALB's limit for a request line.
const MAX_URI: usize = 16 * 1024;

/// What all requests of one client connection share.
pub(crate) struct Via {
    pub(crate) lb: Arc<Lb>,
    pub(crate) port: u16,
    /// The port that the client connected to: another one where the request arrived elsewhere.
    pub(crate) public_port: u16,
    pub(crate) forwarded: Forwarded,
    pub(crate) worker: usize,
}

/// Notices when the client goes away before it was answered.
struct Unanswered<'a>(Option<&'a Lb>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(lb) = self.0 {
            lb.counters.own(460);
        }
    }
}

/// Answers a request; never fails, a failure is an answer too.
pub(crate) async fn answer(via: &Via, request: Request<Incoming>) -> Response<Body> {
    let lb = &via.lb;
    lb.counters.requests.fetch_add(1, Ordering::Relaxed);
    let mut unanswered = Unanswered(Some(lb));
    let result = route(via, request).await;
    unanswered.0 = None;
    match result {
        Ok(response) => response,
        Err(fault) => {
            lb.counters.own(fault.status());
            fault.response()
        }
    }
}

async fn route(via: &Via, mut request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    check(&request)?;
    let plan = via.lb.plan();
    let wanted = &plan.config.request_headers;
    headers::to_origin_form(&mut request, wanted.keep_host)?;
    if !request.headers().contains_key(HOST) {
        // HTTP/1.0 needs none; HTTP/1.1 was refused by `check`.
        let host = HeaderValue::from_str(&plan.config.dns_name).map_err(|_| Fault::BadRequest)?;
        request.headers_mut().insert(HOST, host);
    }
    if wanted.drop_invalid {
        headers::drop_invalid(request.headers_mut());
    }
    // The listener was taken away while this connection lived.
    let routes = plan.routes(via.port).ok_or(Fault::Unavailable)?;
    let (parts, body) = request.into_parts();
    let route = routes
        .rules
        .iter()
        .find(|(tests, _)| rules::all_hold(tests, &parts, via.forwarded.client))
        .map_or(&routes.default, |(_, route)| route);
    match route {
        Route::Forward(forward) => {
            let request = Request::from_parts(parts, body);
            send(via, forward, &plan.config, request).await
        }
        Route::Redirect(redirect) => {
            let response = redirect::respond(redirect, &parts, &plan.config.dns_name, via.public_port);
            via.lb.counters.own(response.status().as_u16());
            Ok(response)
        }
        Route::Fixed { status, content_type, body } => {
            via.lb.counters.own(*status);
            Ok(own(*status, content_type.clone(), body.clone()))
        }
    }
}

fn check(request: &Request<Incoming>) -> Result<(), Fault> {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > MAX_URI {
        return Err(Fault::UriTooLong);
    }
    if !headers::request_fits(request.headers()) {
        return Err(Fault::BadRequest);
    }
    // Another coding would be lost with the header: the target would take the body for what it is not.
    let plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if !request.headers().get_all(TRANSFER_ENCODING).iter().all(plain) {
        return Err(Fault::BadRequest);
    }
    if request.method() == Method::TRACE {
        return Err(Fault::MethodNotAllowed);
    }
    if request.method() == Method::CONNECT {
        return Err(Fault::BadRequest);
    }
    let hosts = request.headers().get_all(HOST).iter().count();
    let named = hosts == 1 || uri.authority().is_some();
    if hosts > 1 || (!named && request.version() == Version::HTTP_11) {
        return Err(Fault::BadRequest);
    }
    Ok(())
}

/// The stickiness a request came with and leaves with.
struct Stickiness {
    group: Option<(String, Duration)>,
    target: Option<Duration>,
}

impl Stickiness {
    fn write(&self, headers: &mut HeaderMap, target: &Target, now: std::time::SystemTime) {
        if let Some(duration) = self.target {
            sticky::write(headers, sticky::TARGET, &target.token, duration, now);
        }
        if let Some((token, duration)) = &self.group {
            sticky::write(headers, sticky::GROUP, token, *duration, now);
        }
    }
}

async fn send(
    via: &Via,
    forward: &ForwardRoute,
    config: &LoadBalancerConfig,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Fault> {
    let now = (via.lb.wall)();
    let group_cookie = forward.stickiness.and_then(|_| sticky::read(request.headers(), sticky::GROUP, now));
    let (group, token) = forward.choose(group_cookie).ok_or(Fault::Unavailable)?;
    let target_stickiness = group.settings().config.stickiness;
    let wanted =
        target_stickiness.and_then(|_| sticky::read(request.headers(), sticky::TARGET, now)).map(str::to_owned);
    let stickiness = Stickiness {
        group: forward.stickiness.map(|duration| (token.to_owned(), duration)),
        target: target_stickiness,
    };

    let protocol = headers::wanted_upgrade(request.headers());
    let client_side = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
    let headers = request.headers_mut();
    headers::strip_hop_by_hop(headers);
    headers.remove(EXPECT);
    via.forwarded.add_to(headers, &config.request_headers)?;
    if !config.request_headers.keep_host {
        headers::add_port_to_host(headers, via.public_port);
    }
    via.lb.trace_ids.add_to(headers, now);
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }

    let (mut parts, body) = request.into_parts();
    parts.extensions = http::Extensions::new();
    let progress = Progress::new(body.is_end_stream());
    let body = if body.is_end_stream() {
        RequestBody::Empty
    } else {
        RequestBody::Stream { body, progress: progress.clone() }
    };
    let (idle, tried, fault) = (config.idle_timeout, Vec::new(), Fault::Unavailable);
    let mut attempt = Attempt { via, group, idle, sticky: wanted, tried, progress, fault };
    let request = Request::from_parts(parts, body);
    let (mut response, target) = match client_side {
        None => attempt.run(request).await?,
        Some(client_side) => attempt.run_upgrade(request, client_side).await?,
    };
    stickiness.write(response.headers_mut(), &target, now);
    Ok(response)
}

/// The tries of one request.
struct Attempt<'a> {
    via: &'a Via,
    group: &'a Arc<Group>,
    idle: Duration,
    sticky: Option<String>,
    tried: Vec<Arc<Target>>,
    /// How far the client's body has come.
    progress: Arc<Progress>,
    /// What to answer when no target is left.
    fault: Fault,
}

type Answered = (Response<Body>, Arc<Target>);

impl Attempt<'_> {
    /// Chooses a target that has not been tried.
    fn pick(&self) -> Result<InFlight, Fault> {
        if self.tried.len() >= MAX_TRIES {
            return Err(self.fault);
        }
        let entered = self.group.pick(self.sticky.as_deref(), &self.tried).ok_or(self.fault)?;
        if !self.tried.is_empty() {
            self.group.counters.retries.fetch_add(1, Ordering::Relaxed);
            self.via.lb.counters.retries.fetch_add(1, Ordering::Relaxed);
        }
        Ok(entered)
    }

    async fn dial(&mut self, target: &Arc<Target>) -> Option<crate::dial::Stream> {
        let settings = self.group.settings();
        let address = SocketAddr::new(target.ip, target.port);
        let from = settings.source_ip(&target.zone);
        let connect = self.via.lb.dialer.dial(&settings.vpc, from, address, CONNECT_TIMEOUT);
        match target.while_alive(connect).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%address, %error, "failed to connect to a target");
                for counters in [&target.counters, &self.group.counters, &self.via.lb.counters] {
                    counters.connection_errors.fetch_add(1, Ordering::Relaxed);
                }
                self.fault = match error.kind() {
                    io::ErrorKind::TimedOut => Fault::GatewayTimeout,
                    _ => Fault::BadGateway,
                };
                self.tried.push(target.clone());
                None
            }
        }
    }

    async fn run(&mut self, mut request: Request<RequestBody>) -> Result<Answered, Fault> {
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

    async fn run_upgrade(
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
            counters.answered(status, took);
        }
        self.via.lb.counters.answered(status, took);
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
