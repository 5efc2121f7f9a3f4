//! Where a bucket stands in an address: the path's first segment, or before the host's name (the README of
//! `services/s3` says how).

use http::request::Parts;

/// The host's part that S3 itself answers to: `s3.localhost`, `s3.eu-west-1.amazonaws.com`.
fn own_labels(host: &str) -> Option<&str> {
    [".localhost", ".amazonaws.com", ".amazonaws.com.cn"].into_iter().find_map(|suffix| host.strip_suffix(suffix))
}

pub fn has_s3_host(host: &str) -> bool {
    own_labels(host).is_some_and(|labels| labels.split('.').any(|label| label == "s3"))
}

/// The bucket whose website a host's name stands for: `docs` of `docs.s3-website-eu-west-1.localhost`.
pub fn website_of(host: &str) -> Option<&str> {
    let (bucket, rest) = own_labels(host)?.split_once(".s3-website")?;
    (rest.is_empty() || rest.starts_with(['-', '.'])).then_some(bucket)
}

/// The bucket in a host's name: `docs` of `docs.s3.localhost`, `docs.s3.eu-west-1.localhost` and
/// `docs.localhost`.
pub fn bucket_of(host: &str) -> Option<&str> {
    let labels = own_labels(host)?;
    if labels == "s3" || labels.starts_with("s3.") {
        return None;
    }
    if let Some(bucket) = labels.strip_suffix(".s3") {
        return Some(bucket);
    }
    match labels.rsplit_once(".s3.") {
        Some((bucket, _region)) => Some(bucket),
        None => host.ends_with(".localhost").then_some(labels),
    }
}

/// The path with its bucket, wherever that was, as version 2 of the signature has it.
pub fn resource(head: &Parts, host: &str) -> String {
    let path = head.uri.path();
    match bucket_of(host) {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    }
}

/// The same, where a bucket alone has no `/` behind it.
pub fn full_path(head: &Parts, host: &str) -> String {
    let path = resource(head, host);
    match path.strip_suffix('/') {
        Some(bucket) if bucket.matches('/').count() == 1 && bucket.len() > 1 => bucket.to_owned(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_in_the_path_or_before_the_host() {
        let path = |host: &str, path: &str| {
            let (head, ()) = http::Request::builder().uri(path).body(()).expect("a good request").into_parts();
            full_path(&head, host)
        };
        assert_eq!(path("127.0.0.1", "/docs/a/b"), "/docs/a/b");
        assert_eq!(path("localhost", "/docs/"), "/docs");
        assert_eq!(path("s3.localhost", "/docs/a/"), "/docs/a/");
        assert_eq!(path("s3.eu-west-1.localhost", "/docs"), "/docs");
        assert_eq!(path("docs.s3.localhost", "/a/b"), "/docs/a/b");
        assert_eq!(path("docs.s3.eu-west-1.localhost", "/"), "/docs");
        assert_eq!(path("my.docs.s3.dualstack.eu-west-1.amazonaws.com", "/a"), "/my.docs/a");
        assert_eq!(path("docs.localhost", "/a"), "/docs/a");
        assert_eq!(path("kiln.test", "/"), "/");
        assert_eq!(website_of("docs.s3-website-eu-west-1.localhost"), Some("docs"));
        assert_eq!(website_of("docs.s3.localhost"), None);
    }
}
