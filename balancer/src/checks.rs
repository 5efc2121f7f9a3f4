//! The task that watches one target: it checks its health, and when the target leaves it waits for
//! its last request. It holds the group weakly and ends with it.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use tokio::time::Instant;

use crate::group::Group;
use crate::health::{CheckResult, QUICK_PROBE, Reason};
use crate::request_body::RequestBody;
use crate::settings::Settings;
use crate::target::{Next, Target};
use crate::upstream::{Upstream, timed_out};

/// A machine that boots swallows SYNs; asking again beats waiting for the kernel's retry (1 s).
const HURRIED_CONNECT: Duration = Duration::from_millis(250);

/// Watches until the target has left or the group is gone.
pub(crate) async fn watch(group: Weak<Group>, target: Arc<Target>) {
    let mut first = true;
    while !target.has_left() {
        let Some(strong) = group.upgrade() else { return };
        let settings = strong.settings();
        drop(strong);
        match target.next(&settings.config.health_check) {
            Next::Nothing => {
                target.changed.notified().await;
                first = true;
                continue;
            }
            Next::WaitForDrain { until } => {
                if !target.end_drain_if_due() {
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = target.changed.notified() => {}
                    }
                    continue;
                }
            }
            Next::Check { after, hurried } => {
                if !std::mem::take(&mut first) {
                    let waited = tokio::time::timeout(after, target.changed.notified()).await;
                    if waited.is_ok() {
                        // Something changed: decide again; a target that came back is checked now.
                        first = matches!(target.next(&settings.config.health_check), Next::Check { hurried: true, .. });
                        continue;
                    }
                }
                let ticket = target.check_begins();
                let began = Instant::now();
                let Some(strong) = group.upgrade() else { return };
                let result = check(&strong, &settings, &target, hurried).await;
                target.check_ended(ticket, result, &settings.config.health_check);
                target.drop_kept(settings.idle);
                if hurried && began.elapsed() >= QUICK_PROBE {
                    first = true; // The pause has passed while waiting for the answer.
                }
            }
        }
        let Some(strong) = group.upgrade() else { return };
        strong.refresh();
    }
}

/// One check: GET the path, look at the status.
async fn check(group: &Group, settings: &Settings, target: &Arc<Target>, hurried: bool) -> CheckResult {
    let config = &settings.config.health_check;
    match tokio::time::timeout(config.timeout, ask(group, settings, target, hurried)).await {
        Err(_) => CheckResult::Fail(Reason::Timeout),
        Ok(Err(reason)) => CheckResult::Fail(reason),
        Ok(Ok(status)) if settings.matcher.accepts(status) => CheckResult::Pass,
        Ok(Ok(status)) => CheckResult::Fail(Reason::ResponseCodeMismatch(status)),
    }
}

async fn ask(group: &Group, settings: &Settings, target: &Arc<Target>, hurried: bool) -> Result<u16, Reason> {
    let config = &settings.config.health_check;
    let address = std::net::SocketAddr::new(target.ip, config.port.unwrap_or(target.port));
    let connect = if hurried { HURRIED_CONNECT.min(config.timeout) } else { config.timeout };
    let stream =
        group.dialer().dial(&settings.vpc, settings.source_ip(&target.zone), address, connect).await.map_err(|e| {
            match e.kind() {
                io::ErrorKind::TimedOut => Reason::Timeout,
                _ => Reason::FailedHealthChecks,
            }
        })?;
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = config.path.parse::<Uri>().map_err(|_| Reason::InternalError)?;
    let host = HeaderValue::from_str(&address.to_string()).map_err(|_| Reason::InternalError)?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static("ELB-HealthChecker/2.0"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let upstream = Upstream::start(&target.connections, stream, settings.idle).await;
    let mut upstream = upstream.map_err(|_| Reason::FailedHealthChecks)?;
    match upstream.exchange(request).await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(e) if timed_out(e.error()) => Err(Reason::Timeout),
        Err(_) => Err(Reason::FailedHealthChecks),
    }
}
