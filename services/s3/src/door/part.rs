//! What a request asks for beside the operation that it was found to mean.

use kiln_protocol::{Location, Route, StructShape};

/// A key of the query that names a part of a bucket or an object (`acl`, `lifecycle`, `uploadId`) and that
/// the route does not ask for: what came is no call of this route's operation, whose input is `input`.
pub fn other(routes: &[Route], route: &Route, query: &str, input: &StructShape) -> Option<String> {
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
    use kiln_protocol::{Demands, Router};

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
            let router = Router::new(&[("x", ROUTES)], Demands::All).unwrap();
            let found = router.find(method, path, query, |_| false).unwrap();
            super::other(ROUTES, found.route, query, &INPUT)
        };
        assert_eq!(other("PUT", "/b/k", "acl"), None, "no route has it");
        assert_eq!(other("PUT", "/b/k", "part=1").as_deref(), Some("part"));
        assert_eq!(other("PUT", "/b/k", "part=1&id=x"), None);
        assert_eq!(other("GET", "/b/k", "x=1&id=x").as_deref(), Some("id"));
        assert_eq!(other("GET", "/b", "list-type=1"), None);
    }
}
