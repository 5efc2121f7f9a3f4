//! What changes in a request's and an answer's headers on the way through: hop-by-hop headers go,
//! X-Forwarded-* and X-Amzn-Trace-Id come.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Uri, Version};

use crate::answers::Fault;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// ALB answers 463 above this many addresses in X-Forwarded-For.
const MAX_FORWARDED_FOR: usize = 30;

/// Removes what concerns one connection only, including what `Connection` names.
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

/// The protocol a request wants to switch to, if it does so properly.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(UPGRADE)?;
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
    port: HeaderValue,
}

impl Forwarded {
    pub(crate) fn new(client: IpAddr, listener_port: u16) -> Self {
        let client = client.to_canonical();
        Forwarded {
            client,
            address: HeaderValue::from_str(&client.to_string()).expect("an address is printable ASCII"),
            port: HeaderValue::from(listener_port),
        }
    }

    /// Adds the X-Forwarded headers.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) -> Result<(), Fault> {
        let address = if headers.contains_key(X_FORWARDED_FOR) {
            let mut list = Vec::new();
            for value in headers.get_all(X_FORWARDED_FOR) {
                list.extend_from_slice(value.as_bytes());
                list.extend_from_slice(b", ");
            }
            if list.iter().filter(|b| **b == b',').count() > MAX_FORWARDED_FOR {
                return Err(Fault::TooManyForwarded);
            }
            list.extend_from_slice(self.address.as_bytes());
            HeaderValue::from_bytes(&list).map_err(|_| Fault::BadRequest)?
        } else {
            self.address.clone()
        };
        headers.insert(X_FORWARDED_FOR, address);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(X_FORWARDED_PORT, self.port.clone());
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
/// one `Cookie` (HTTP/2 may split it).
pub(crate) fn to_origin_form<B>(request: &mut http::Request<B>) -> Result<(), Fault> {
    if let Some(authority) = request.uri().authority().cloned() {
        if request.version() == Version::HTTP_2 && request.headers().get_all(COOKIE).iter().count() > 1 {
            let crumbs: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).map_err(|_| Fault::BadRequest)?;
            request.headers_mut().insert(COOKIE, joined);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::BadRequest)?;
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = match path {
            Some(path) if !path.as_str().is_empty() => Uri::from(path),
            _ => Uri::from_static("/"),
        };
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(())
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
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut h);
        assert_eq!(h, map(&[("accept", "*/*")]));
    }

    #[test]
    fn forwarded_for_grows_to_thirty_and_no_further() {
        let forwarded = Forwarded::new("::ffff:10.0.0.9".parse().unwrap(), 8080);
        let mut h = map(&[("x-forwarded-for", "203.0.113.7, 10.0.0.1")]);
        forwarded.add_to(&mut h).unwrap();
        assert_eq!(h["x-forwarded-for"], "203.0.113.7, 10.0.0.1, 10.0.0.9");
        assert_eq!(h["x-forwarded-proto"], "http");
        assert_eq!(h["x-forwarded-port"], "8080");

        let many = vec!["10.0.0.1"; 31].join(", ");
        h.insert("x-forwarded-for", many.parse().unwrap());
        assert_eq!(forwarded.add_to(&mut h), Err(Fault::TooManyForwarded));
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
