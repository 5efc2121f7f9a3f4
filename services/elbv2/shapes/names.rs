//! The two names of a load balancer. They differ in their endings only, and stand for the same.
//!
//! The API gives one that asks DNS: curl (and whatever follows RFC 6761, 6.3) takes every name below
//! `localhost` for its own machine, so inside a machine such a name would be the machine itself. The
//! resolvers of systemd know names below `localhost.localdomain` on the host without any set-up.
//! Where they are not, the other name leads to the main port: curl and browsers know it by
//! themselves. See `docs/decisions/0011-load-balancer-names.md`.

/// How names end that the API gives.
pub const GIVEN: &str = ".elb.localhost.localdomain";
/// How the same names end at the host's main port; also those given to older records.
pub const AT_HOST: &str = ".elb.localhost";

/// Whether a name, in lower case, ends as a load balancer's does.
pub fn is_name(host: &str) -> bool {
    host.ends_with(GIVEN) || host.ends_with(AT_HOST)
}

/// The name for use on the host of one that ends in either way; any other as it is.
pub fn at_host(name: &str) -> String {
    match name.strip_suffix(GIVEN) {
        Some(first) => format!("{first}{AT_HOST}"),
        None => name.to_owned(),
    }
}

/// The same name with either ending; any other as it is.
pub fn both(name: &str) -> Vec<String> {
    let at_host = at_host(name);
    match at_host.strip_suffix(AT_HOST) {
        Some(first) => vec![format!("{first}{GIVEN}"), format!("{first}{AT_HOST}")],
        None => vec![at_host],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_endings_are_one_name() {
        for name in ["web-1.us-east-1.elb.localhost", "web-1.us-east-1.elb.localhost.localdomain"] {
            assert!(is_name(name), "{name}");
            assert_eq!(at_host(name), "web-1.us-east-1.elb.localhost");
            assert!(both(name).iter().any(|one| one == name) && both(name).len() == 2);
        }
        for other in
            ["localhost", "elb.localhost", "docs.s3.localhost", "web.elb.localhost.evil.test", "web.localdomain"]
        {
            assert!(!is_name(other), "{other}");
            assert_eq!(at_host(other), other);
        }
    }
}
