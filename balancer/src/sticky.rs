//! The cookies that keep a client with its target (AWSALB) or target group (AWSALBTG).
//!
//! A cookie's value is a token made from the names of what it means, then `.` and the second it
//! expires. Tokens need no memory, so they survive a restart. AWS encrypts its cookies; ours only
//! choose among targets that the client may reach anyway, so they are not secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

pub(crate) const TARGET: &str = "AWSALB";
pub(crate) const GROUP: &str = "AWSALBTG";

/// The token for a thing known by these names.
pub(crate) fn token(names: &[&str]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..18])
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The token of a cookie (or its CORS twin) that has not expired.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str, now: SystemTime) -> Option<&'a str> {
    let value = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name || key.strip_suffix("CORS") == Some(name))
        .map(|(_, value)| value)?;
    let (token, expires) = value.rsplit_once('.')?;
    (expires.parse::<u64>().ok()? > seconds(now)).then_some(token)
}

/// Adds the cookie and its CORS twin to an answer, as ALB does.
pub(crate) fn write(headers: &mut HeaderMap, name: &str, token: &str, duration: Duration, now: SystemTime) {
    let age = duration.as_secs();
    let expires = seconds(now).saturating_add(age);
    for (suffix, attributes) in [("", ""), ("CORS", "; SameSite=None; Secure")] {
        let cookie = format!("{name}{suffix}={token}.{expires}; Max-Age={age}; Path=/{attributes}");
        headers.append(SET_COOKIE, HeaderValue::from_str(&cookie).expect("tokens and numbers are printable ASCII"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_until_it_expires() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let token = token(&["lb", "tg"]);
        let mut answer = HeaderMap::new();
        write(&mut answer, TARGET, &token, Duration::from_secs(60), now);
        let set: Vec<_> = answer.get_all(SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(set.len(), 2);
        let pair = set[0].split(';').next().unwrap();
        let mut request = HeaderMap::new();
        request.insert(COOKIE, format!("a=b; {pair}").parse().unwrap());
        assert_eq!(read(&request, TARGET, now), Some(token.as_str()));
        assert_eq!(read(&request, TARGET, now + Duration::from_secs(60)), None);
        assert_eq!(read(&request, GROUP, now), None);
    }

    #[test]
    fn names_are_not_run_together() {
        assert_ne!(token(&["ab", "c"]), token(&["a", "bc"]));
    }
}
