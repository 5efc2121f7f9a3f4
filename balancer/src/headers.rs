//! What changes in a request's and an answer's headers on the way through: hop-by-hop headers go,
//! X-Forwarded-* and X-Amzn-Trace-Id come.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Uri, Version};

use crate::answers::Fault;
use crate::config::{ForwardedFor, RequestHeaders};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// ALB's limits: one header line, all of a request's, all of an answer's.
const MAX_LINE: usize = 16 * 1024;
const MAX_REQUEST: usize = 64 * 1024;
const MAX_ANSWER: usize = 32 * 1024;

/// ALB answers 463 above this many addresses in X-Forwarded-For.
const MAX_FORWARDED_FOR: usize = 30;

/// Bytes of each header line, with its colon, blank and line end.
fn lines(headers: &HeaderMap) -> impl Iterator<Item = usize> {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4)
}

/// Whether a request's headers are within ALB's limits.
pub(crate) fn request_fits(headers: &HeaderMap) -> bool {
    lines(headers).all(|line| line <= MAX_LINE) && lines(headers).sum::<usize>() <= MAX_REQUEST
}

/// Whether an answer's headers are within ALB's limit.
pub(crate) fn answer_fits(headers: &HeaderMap) -> bool {
    lines(headers).sum::<usize>() <= MAX_ANSWER
}

/// Removes headers whose names ALB calls invalid: what holds more than letters, digits and `-`.
pub(crate) fn drop_invalid(headers: &mut HeaderMap) {
    let valid = |name: &HeaderName| name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let invalid: Vec<HeaderName> = headers.keys().filter(|name| !valid(name)).cloned().collect();
    for name in invalid {
        headers.remove(name);
    }
}

/// Removes what concerns one connection only, including what `Connection` names. `Host` belongs to
/// the request, whatever `Connection` says: without it the target would serve another site.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(str::trim)
            .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .filter(|name| name != HOST)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE] {
        headers.remove(name);
    }
}

/// The protocol a request wants to switch to, if it does so properly. Not to HTTP/2: in such a
/// tunnel a client could ask a target for anything, past all rules.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(UPGRADE)?;
    if upgrade.to_str().ok()?.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("h2c")) {
        return None;
    }
    let asked = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    asked.then(|| upgrade.clone())
}

/// What one client connection adds to each of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    pub(crate) client: IpAddr,
    address: HeaderValue,
    address_and_port: HeaderValue,
    port: HeaderValue,
}

impl Forwarded {
    /// `port` is the one that the client connected to.
    pub(crate) fn new(client: SocketAddr, port: u16) -> Self {
        let from = SocketAddr::new(client.ip().to_canonical(), client.port());
        let value = |text: String| HeaderValue::from_str(&text).expect("an address is printable ASCII");
        Forwarded {
            client: from.ip(),
            address: value(from.ip().to_string()),
            address_and_port: value(from.to_string()),
            port: HeaderValue::from(port),
        }
    }

    /// Sets the X-Forwarded headers.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, wanted: &RequestHeaders) -> Result<(), Fault> {
        match wanted.forwarded_for {
            ForwardedFor::Append => self.append_to(headers, wanted.client_port)?,
            ForwardedFor::Preserve => {}
            ForwardedFor::Remove => {
                headers.remove(X_FORWARDED_FOR);
            }
        }
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(X_FORWARDED_PORT, self.port.clone());
        Ok(())
    }

    fn append_to(&self, headers: &mut HeaderMap, client_port: bool) -> Result<(), Fault> {
        let own = if client_port { &self.address_and_port } else { &self.address };
        let address = if headers.contains_key(X_FORWARDED_FOR) {
            let mut list = Vec::new();
            for value in headers.get_all(X_FORWARDED_FOR) {
                list.extend_from_slice(value.as_bytes());
                list.extend_from_slice(b", ");
            }
            if list.iter().filter(|b| **b == b',').count() > MAX_FORWARDED_FOR {
                return Err(Fault::TooManyForwarded);
            }
            list.extend_from_slice(own.as_bytes());
            HeaderValue::from_bytes(&list).map_err(|_| Fault::BadRequest)?
        } else {
            own.clone()
        };
        headers.insert(X_FORWARDED_FOR, address);
        Ok(())
    }
}

/// Makes the ids of X-Amzn-Trace-Id. Unique, not secret.
#[derive(Debug)]
pub(crate) struct TraceIds {
    state: AtomicU64,
}

impl TraceIds {
    pub(crate) fn new(seed: u64) -> Self {
        TraceIds { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `1-` 8 hex digits of the time `-` 24 random hex digits.
    fn id(&self, now: SystemTime) -> [u8; 35] {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let mut text = *b"1-00000000-000000000000000000000000";
        let mut put = |at: usize, digits: usize, value: u64| {
            for i in 0..digits {
                let nibble = (value >> (4 * (digits - 1 - i))) & 0xf;
                text[at + i] = b"0123456789abcdef"[nibble as usize];
            }
        };
        put(2, 8, seconds);
        put(11, 16, self.next());
        put(27, 8, self.next());
        text
    }

    /// Sets the header: `Root` if there is none, else `Self` in front of what came.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, now: SystemTime) {
        let id = self.id(now);
        let mut value = Vec::with_capacity(40);
        match headers.get(X_AMZN_TRACE_ID).map(HeaderValue::as_bytes) {
            None => {
                value.extend_from_slice(b"Root=");
                value.extend_from_slice(&id);
            }
            Some(given) => {
                let has_root = given
                    .split(|b| *b == b';')
                    .any(|part| part.trim_ascii_start().get(..5).is_some_and(|p| p.eq_ignore_ascii_case(b"Root=")));
                value.extend_from_slice(if has_root { b"Self=" } else { b"Root=" });
                value.extend_from_slice(&id);
                value.push(b';');
                value.extend_from_slice(given);
            }
        }
        if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(value)) {
            headers.insert(X_AMZN_TRACE_ID, value);
        }
    }
}

/// Turns any accepted request form into the one targets get: HTTP/1.1, origin form, one `Host`,
/// one `Cookie` (HTTP/2 may split it). With `keep_host` a `Host` beside an absolute form stays.
pub(crate) fn to_origin_form<B>(request: &mut http::Request<B>, keep_host: bool) -> Result<(), Fault> {
    if let Some(authority) = request.uri().authority().cloned() {
        if request.version() == Version::HTTP_2 && request.headers().get_all(COOKIE).iter().count() > 1 {
            let crumbs: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).map_err(|_| Fault::BadRequest)?;
            request.headers_mut().insert(COOKIE, joined);
        }
        if !(keep_host && request.headers().contains_key(HOST)) {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::BadRequest)?;
            request.headers_mut().insert(HOST, host);
        }
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = match path {
            Some(path) if !path.as_str().is_empty() => Uri::from(path),
            _ => Uri::from_static("/"),
        };
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}

/// The port that a `Host` names, if it names one.
pub(crate) fn port_of(host: &str) -> Option<u16> {
    let (_, port) = host.rsplit_once(':')?;
    port.parse().ok()
}

/// Adds the listener's port to a `Host` without one, as ALB does on ports other than 80 and 443.
pub(crate) fn add_port_to_host(headers: &mut HeaderMap, port: u16) {
    if matches!(port, 80 | 443) {
        return;
    }
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return };
    if port_of(host).is_none()
        && let Ok(with_port) = HeaderValue::from_str(&format!("{host}:{port}"))
    {
        headers.insert(HOST, with_port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn hop_by_hop_headers_and_those_connection_names_go() {
        let mut h = map(&[
            ("connection", "close, X-Secret, Host"),
            ("host", "shop"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut h);
        assert_eq!(h, map(&[("host", "shop"), ("accept", "*/*")]));
    }

    #[test]
    fn forwarded_for_grows_to_thirty_and_no_further() {
        let forwarded = Forwarded::new("[::ffff:10.0.0.9]:41000".parse().unwrap(), 8080);
        let append = RequestHeaders::default();
        let mut h = map(&[("x-forwarded-for", "203.0.113.7, 10.0.0.1")]);
        forwarded.add_to(&mut h, &append).unwrap();
        assert_eq!(h["x-forwarded-for"], "203.0.113.7, 10.0.0.1, 10.0.0.9");
        assert_eq!(h["x-forwarded-proto"], "http");
        assert_eq!(h["x-forwarded-port"], "8080");

        let many = vec!["10.0.0.1"; 31].join(", ");
        h.insert("x-forwarded-for", many.parse().unwrap());
        assert_eq!(forwarded.add_to(&mut h, &append), Err(Fault::TooManyForwarded));
    }

    #[test]
    fn forwarded_for_is_kept_or_taken_away_as_wanted() {
        let forwarded = Forwarded::new("10.0.0.9:41000".parse().unwrap(), 80);
        let seen = |came: Option<&'static str>, wanted: RequestHeaders| {
            let mut h = map(&came.map(|value| ("x-forwarded-for", value)).into_iter().collect::<Vec<_>>());
            forwarded.add_to(&mut h, &wanted).unwrap();
            assert_eq!(h["x-forwarded-port"], "80");
            h.get("x-forwarded-for").map(|value| value.to_str().unwrap().to_owned())
        };
        let with = |forwarded_for| RequestHeaders { forwarded_for, ..RequestHeaders::default() };
        let text = |text: &str| Some(text.to_owned());
        let port = RequestHeaders { client_port: true, ..RequestHeaders::default() };
        assert_eq!(seen(Some("192.0.2.1"), port.clone()), text("192.0.2.1, 10.0.0.9:41000"));
        assert_eq!(seen(None, port), text("10.0.0.9:41000"));
        assert_eq!(seen(Some("192.0.2.1"), with(ForwardedFor::Preserve)), text("192.0.2.1"));
        assert_eq!(seen(None, with(ForwardedFor::Preserve)), None);
        assert_eq!(seen(Some("192.0.2.1"), with(ForwardedFor::Remove)), None);
    }

    #[test]
    fn a_host_gets_the_port_of_an_unusual_listener() {
        for (host, port, expected) in [
            ("shop.example", 80, "shop.example"),
            ("shop.example:80", 80, "shop.example:80"),
            ("shop.example", 8080, "shop.example:8080"),
            ("shop.example:9", 8080, "shop.example:9"),
            ("[::1]", 8080, "[::1]:8080"),
        ] {
            let mut h = map(&[("host", host)]);
            add_port_to_host(&mut h, port);
            assert_eq!(h["host"], expected);
        }
    }

    #[test]
    fn a_tunnel_never_leads_to_http_2() {
        let asked = |protocol| wanted_upgrade(&map(&[("connection", "Upgrade"), ("upgrade", protocol)]));
        assert_eq!(asked("websocket").unwrap(), "websocket");
        assert_eq!(asked("h2c"), None);
        assert_eq!(asked("foo, H2C"), None);
        assert_eq!(wanted_upgrade(&map(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn names_with_odd_characters_are_dropped() {
        let mut h = map(&[("x_y", "1"), ("x-y", "2"), ("x.y", "3")]);
        drop_invalid(&mut h);
        assert_eq!(h, map(&[("x-y", "2")]));
    }

    #[test]
    fn trace_ids_keep_a_given_root() {
        let ids = TraceIds::new(7);
        let now = UNIX_EPOCH + std::time::Duration::from_secs(0x5759_e988);
        let mut h = HeaderMap::new();
        ids.add_to(&mut h, now);
        let first = h["x-amzn-trace-id"].to_str().unwrap().to_owned();
        assert!(first.starts_with("Root=1-5759e988-") && first.len() == 40, "{first}");
        ids.add_to(&mut h, now);
        let second = h["x-amzn-trace-id"].to_str().unwrap();
        assert!(second.starts_with("Self=1-5759e988-") && second.ends_with(&first), "{second}");
    }
}
