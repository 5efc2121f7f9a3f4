//! How many bytes a head takes as HTTP/1.1 writes it: for requests whose connection is shared with others, so that
//! nobody can count what goes over it for one load balancer.

use http::{HeaderMap, Request};

/// A request's head.
pub(crate) fn of_request<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(1, |target| target.as_str().len());
    // `METHOD TARGET HTTP/1.1` and the end of the line.
    (request.method().as_str().len() + target + 12) + fields(request.headers())
}

/// An answer's head.
pub(crate) fn of_head(headers: &HeaderMap) -> usize {
    // `HTTP/1.1 200 OK` and the end of the line: reasons differ by some bytes.
    17 + fields(headers)
}

/// Lines of fields, and the empty line.
fn fields(headers: &HeaderMap) -> usize {
    2 + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}
