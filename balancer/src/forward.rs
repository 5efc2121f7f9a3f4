//! One request's way through the balancer.
//!
//! ```text
//! check -> rule -> redirect / fixed response
//!               -> target group -> target -> connection -> head -> body streams on
//!                       ^-- another target, if nothing was sent or nothing can be lost --'
//! ```
//! From the target on it is `attempt`'s.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use hyper::body::{Body as _, Incoming};

use crate::answers::{Fault, own};
use crate::attempt::Attempt;
use crate::body::Body;
use crate::config::LoadBalancerConfig;
use crate::headers;
use crate::lb::{ForwardRoute, Lb, Route};
use crate::request_body::{Progress, RequestBody};
use crate::target::Target;
use crate::via::Via;
use crate::{redirect, rules, sticky, weight};

/// ALB's limit for a request line.
const MAX_URI: usize = 16 * 1024;

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
    let shared = via.shared();
    if let Some(bytes) = &shared {
        bytes.count(weight::of_request(&request));
    }
    let mut unanswered = Unanswered(Some(lb));
    let result = route(via, request).await;
    unanswered.0 = None;
    let response = result.unwrap_or_else(|fault| {
        lb.counters.own(fault.status());
        fault.response()
    });
    let Some(bytes) = shared else { return response };
    bytes.count(weight::of_head(response.headers()));
    response.map(|body| body.counted(bytes))
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
    let rules = &routes.rules;
    let holds = rules.iter().position(|(tests, _)| rules::all_hold(tests, &parts, via.forwarded.client));
    if !rules.is_empty() {
        via.lb.done.evaluated(via.worker, holds.map_or(rules.len(), |at| at + 1) as u64);
    }
    let route = holds.map_or(&routes.default, |at| &rules[at].1);
    match route {
        Route::Forward(forward) => {
            let request = Request::from_parts(parts, body);
            send(via, forward, &plan.config, request).await
        }
        Route::Redirect(redirect) => {
            let response = redirect::respond(redirect, &parts, &plan.config.dns_name, via.public_port);
            via.lb.counters.own(response.status().as_u16());
            via.lb.done.redirects.fetch_add(1, Ordering::Relaxed);
            Ok(response)
        }
        Route::Fixed { status, content_type, body } => {
            via.lb.counters.own(*status);
            via.lb.done.fixed_responses.fetch_add(1, Ordering::Relaxed);
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
        RequestBody::Stream { body, progress: progress.clone(), counted: via.shared() }
    };
    let mut attempt = Attempt::new(via, group, config.idle_timeout, wanted, progress);
    let request = Request::from_parts(parts, body);
    let (mut response, target) = match client_side {
        None => attempt.run(request).await?,
        Some(client_side) => attempt.run_upgrade(request, client_side).await?,
    };
    stickiness.write(response.headers_mut(), &target, now);
    Ok(response)
}
