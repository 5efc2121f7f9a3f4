//! Which operation a REST request means: by method and path, and where several share those (all that
//! can be asked of a bucket), by the query keys and headers that only one of them has.

use crate::{Location, Route, StructShape, rest};

/// The route that a request means, and the values of its path's labels. Of several that fit, the one
/// that asks for the most; of equals, the first.
pub fn route<'r>(
    routes: &'r [Route],
    method: &str,
    path: &str,
    query: &str,
    has_header: impl Fn(&str) -> bool,
) -> Option<(&'r Route, Vec<(&'static str, String)>)> {
    let keys: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let has_key = |name: &str| keys.iter().any(|(key, _)| key == name);
    let mut best: Option<(usize, &Route, Vec<(&'static str, String)>)> = None;
    for route in routes.iter().filter(|route| route.method == method) {
        let mut asked = 0;
        let marks = route.uri.split_once('?').map_or("", |(_, marks)| marks);
        let mut fits = marks.split('&').filter(|mark| !mark.is_empty()).all(|mark| {
            asked += 1;
            match mark.split_once('=') {
                Some((name, value)) => keys.iter().any(|(key, given)| key == name && given == value),
                None => has_key(mark),
            }
        });
        fits &= route.query.iter().all(|name| has_key(name)) && route.headers.iter().all(|name| has_header(name));
        asked += route.query.len() + route.headers.len();
        if !fits || best.as_ref().is_some_and(|(most, ..)| asked <= *most) {
            continue;
        }
        if let Some(labels) = rest::labels(route.uri, path) {
            best = Some((asked, route, labels));
        }
    }
    best.map(|(_, route, labels)| (route, labels))
}

/// A key of the query that names a part of a bucket or an object (`acl`, `lifecycle`, `uploadId`) and that
/// the route does not ask for: what came is no call of this route's operation, whose input is `input`.
pub fn other_part(routes: &[Route], route: &Route, query: &str, input: &StructShape) -> Option<String> {
    let marks = |route: &Route| {
        let marks = route.uri.split_once('?').map_or("", |(_, marks)| marks);
        let alone = marks.split('&').filter(|mark| !mark.is_empty() && !mark.contains('='));
        alone.chain(route.query.iter().copied()).collect::<Vec<_>>()
    };
    let own = marks(route);
    let is_own = |key: &str| {
        own.contains(&key) || input.members.iter().any(|m| matches!(m.location, Location::Query(name) if name == key))
    };
    form_urlencoded::parse(query.as_bytes())
        .map(|(key, _)| key)
        .find(|key| !is_own(key) && routes.iter().any(|other| marks(other).contains(&&**key)))
        .map(|key| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn on(operation: &'static str, method: &'static str, uri: &'static str) -> Route {
        Route { operation, method, uri, query: &[], headers: &[] }
    }

    static ROUTES: &[Route] = &[
        Route { headers: &["x-copy"], ..on("Copy", "PUT", "/{B}/{K+}") },
        on("Get", "GET", "/{B}/{K+}"),
        on("List", "GET", "/{B}"),
        on("ListNew", "GET", "/{B}?list-type=2"),
        Route { query: &["part", "id"], ..on("Part", "PUT", "/{B}/{K+}") },
        on("Put", "PUT", "/{B}/{K+}"),
    ];

    static INPUT: StructShape = StructShape { name: "Input", root: None, members: &[] };

    #[test]
    fn a_part_that_the_route_is_not_for_is_told() {
        let other = |method: &str, path: &str, query: &str| {
            let (route, _) = route(ROUTES, method, path, query, |_| false).unwrap();
            other_part(ROUTES, route, query, &INPUT)
        };
        assert_eq!(other("PUT", "/b/k", "acl"), None, "no route has it");
        assert_eq!(other("PUT", "/b/k", "part=1").as_deref(), Some("part"));
        assert_eq!(other("PUT", "/b/k", "part=1&id=x"), None);
        assert_eq!(other("GET", "/b/k", "x=1&id=x").as_deref(), Some("id"));
        assert_eq!(other("GET", "/b", "list-type=1"), None);
    }

    #[test]
    fn the_route_that_asks_for_the_most_is_meant() {
        let meant = |method: &str, path: &str, query: &str, header: &str| {
            route(ROUTES, method, path, query, |name| name == header).map(|(route, _)| route.operation)
        };
        assert_eq!(meant("PUT", "/b/k", "", ""), Some("Put"));
        assert_eq!(meant("PUT", "/b/k/l", "", "x-copy"), Some("Copy"));
        assert_eq!(meant("PUT", "/b/k", "part=1&id=x", ""), Some("Part"));
        assert_eq!(meant("GET", "/b", "list-type=2", ""), Some("ListNew"));
        assert_eq!(meant("GET", "/b", "list-type=1", ""), Some("List"));
        assert_eq!(meant("POST", "/b", "", ""), None);
        let (_, labels) = route(ROUTES, "GET", "/b//a%20b/", "", |_| false).unwrap();
        assert_eq!(labels, [("B", "b".to_owned()), ("K", "/a b/".to_owned())]);
    }
}
