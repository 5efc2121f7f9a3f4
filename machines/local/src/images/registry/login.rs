//! Logins: those that an operator's file has, and what a registry asks of whoever has none.

use super::reference::Reference;
use crate::host::files;
use kiln_machines_spec::{DriverError, DriverResult};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The login for a registry in a file of `docker login`'s form.
pub fn read(file: &Path, host: &str) -> DriverResult<String> {
    #[derive(Deserialize)]
    struct Logins {
        #[serde(default)]
        auths: BTreeMap<String, Login>,
    }
    #[derive(Deserialize)]
    struct Login {
        auth: Option<String>,
    }
    let found: Option<Logins> = files::read_json(file)?;
    let found = found.ok_or_else(|| DriverError::Invalid(format!("{} is not there", file.display())))?;
    let names = [host.to_owned(), format!("https://{host}"), format!("https://{host}/v1/")];
    let hub = ["docker.io", "index.docker.io", "https://index.docker.io/v1/"].map(str::to_owned);
    let hub = hub.into_iter().filter(|_| host == "registry-1.docker.io");
    let login = names.into_iter().chain(hub).find_map(|name| found.auths.get(&name)?.auth.clone());
    let plain = |login: &String| login.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    login.filter(plain).ok_or_else(|| {
        let text = format!("{} has no login (auths, auth) for {host}; helpers are not supported", file.display());
        DriverError::Invalid(text)
    })
}

/// What a registry wants of whoever has no token.
pub enum Challenge {
    /// The login itself.
    Login,
    /// A token, to be had at this address.
    Token { url: String },
}

impl Challenge {
    /// Reads `WWW-Authenticate`.
    pub fn read(text: &str, at: &Reference) -> DriverResult<Self> {
        let (kind, parameters) = text.split_once(' ').unwrap_or((text, ""));
        if kind.eq_ignore_ascii_case("basic") {
            return Ok(Self::Login);
        }
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(DriverError::Invalid(format!("{} wants a login of a kind that is not supported", at.host)));
        }
        let given = parameters_of(parameters);
        let realm = given.get("realm").ok_or_else(|| needed(at))?;
        let mut url = format!("{realm}{}", if realm.contains('?') { "&" } else { "?" });
        if let Some(service) = given.get("service") {
            url.push_str(&format!("service={}&", escaped(service)));
        }
        url.push_str(&format!("scope={}", escaped(&format!("repository:{}:pull", at.repository))));
        Ok(Self::Token { url })
    }
}

/// A registry that wants a login from a caller who has given none.
pub fn needed(at: &Reference) -> DriverError {
    DriverError::Invalid(format!("{} wants a login; give it with --credentials FILE", at.host))
}

/// The token in the answer that the file holds, which goes.
pub fn take_token(file: &Path) -> DriverResult<String> {
    #[derive(Deserialize)]
    struct Given {
        token: Option<String>,
        access_token: Option<String>,
    }
    let given: Option<Given> = files::read_json(file)?;
    files::remove_all(file)?;
    let token = given.and_then(|given| given.token.or(given.access_token));
    let plain = |token: &String| token.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    token.filter(plain).ok_or_else(|| DriverError::Invalid("the login gave no token".to_owned()))
}

/// `realm="https://x",service="y"`.
fn parameters_of(text: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let mut rest = text;
    while let Some((name, tail)) = rest.split_once('=') {
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        parameters.insert(name, value.to_owned());
        rest = after;
    }
    parameters
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:/".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_taken_apart() {
        let given = parameters_of("realm=\"https://auth.x/token\",service=\"reg,x\",scope=\"a:b:c\"");
        assert_eq!(given["realm"], "https://auth.x/token");
        assert_eq!(given["service"], "reg,x");
        assert_eq!(escaped("a b&c"), "a%20b%26c");
    }

    #[test]
    fn a_token_is_asked_for_where_the_challenge_says() {
        let at = Reference::parse("docker://quay.io/a/b:c").expect("an image");
        let url = |text: &str| match Challenge::read(text, &at).map_err(|e| e.to_string()) {
            Ok(Challenge::Token { url }) => Ok(url),
            Ok(Challenge::Login) => Ok("login".to_owned()),
            Err(text) => Err(text),
        };
        let asked = url("Bearer realm=\"https://auth.x/token\",service=\"reg x\"");
        assert_eq!(asked.as_deref(), Ok("https://auth.x/token?service=reg%20x&scope=repository:a/b:pull"));
        assert_eq!(url("bearer realm=\"https://x/?a=b\"").as_deref(), Ok("https://x/?a=b&scope=repository:a/b:pull"));
        assert_eq!(url("Basic realm=\"x\"").as_deref(), Ok("login"));
        assert!(url("Bearer service=\"x\"").is_err_and(|text| text.contains("--credentials")));
        assert!(url("Negotiate").is_err_and(|text| text.contains("not supported")));
    }
}
