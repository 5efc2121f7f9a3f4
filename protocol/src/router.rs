//! Which operation a REST request means, found in one walk along its path.
//!
//! ```text
//! routes --Router::new, at start--> trie of path segments, at its ends: method, query, headers
//! request --find--> the route and the texts of its labels
//! ```
//! A fixed segment goes before a label, a label before a greedy one (`{Key+}`). Where several operations
//! share method and path (all that can be asked of a bucket), the one that asks for the most of query and
//! headers is meant. Two that ask for the same are refused when the router is built, not found out by
//! whoever calls the second.

use crate::Route;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// Which of the query keys and headers that an operation requires tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demands {
    /// Those without which two operations would be one. An operation that stands alone at its path is meant
    /// also where a required member is missing: validation then says which.
    Needed,
    /// All of them, as S3 has it: a request without is another operation's.
    All,
}

/// Routes that cannot be told apart or read. Each names its operations as `service:Operation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteError {
    /// Two operations ask for the same.
    Conflict { first: String, second: String, method: &'static str, uri: &'static str },
    /// A path that is none: a label that does not end with its segment, or two greedy ones.
    Malformed { operation: String, uri: &'static str },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { first, second, method, uri } => {
                write!(f, "{first} and {second} cannot be told apart: both are {method} {uri}")
            }
            Self::Malformed { operation, uri } => write!(f, "the path {uri} of {operation} is malformed"),
        }
    }
}

impl std::error::Error for RouteError {}

/// What a request means.
#[derive(Debug)]
pub struct Found<'r> {
    /// The service that the route came with.
    pub service: &'static str,
    pub route: &'r Route,
    /// By name, decoded.
    pub labels: Labels,
}

/// The labels of a path: name and decoded text, in order.
pub type Labels = Vec<(&'static str, String)>;

/// The REST operations of one service, or of several that share a name in signatures.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    fixed: HashMap<&'static str, Node>,
    label: Option<Box<Node>>,
    greedy: Option<Box<Node>>,
    ends: Vec<End>,
}

/// Where a route's path ends, and what it asks for beside it.
#[derive(Debug)]
struct End {
    service: &'static str,
    route: &'static Route,
    labels: Vec<&'static str>,
    /// Keys, and values where those are fixed.
    marks: Vec<(&'static str, Option<&'static str>)>,
    /// Whether the required query keys and headers must be there.
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Segment {
    Fixed(&'static str),
    Label,
    Greedy,
}

/// What a route's `uri` says.
struct Pattern {
    segments: Vec<Segment>,
    labels: Vec<&'static str>,
    marks: Vec<(&'static str, Option<&'static str>)>,
}

impl Pattern {
    fn parse(uri: &'static str) -> Option<Self> {
        let (path, marks) = uri.split_once('?').unwrap_or((uri, ""));
        let (mut segments, mut labels) = (vec![], vec![]);
        for text in parts(path).0 {
            segments.push(match text.strip_prefix('{') {
                None if text.contains(['{', '}']) => return None,
                None => Segment::Fixed(text),
                Some(label) => {
                    let label = label.strip_suffix('}')?;
                    let name = label.strip_suffix('+');
                    labels.push(name.unwrap_or(label));
                    if name.is_some() { Segment::Greedy } else { Segment::Label }
                }
            });
        }
        // One slash more at the end of a pattern says nothing: some of AWS's models have it, and others not.
        segments.pop_if(|last| *last == Segment::Fixed(""));
        let greedy = segments.iter().filter(|segment| **segment == Segment::Greedy).count();
        let mut marks: Vec<_> = marks
            .split('&')
            .filter(|mark| !mark.is_empty())
            .map(|mark| mark.split_once('=').map_or((mark, None), |(key, value)| (key, Some(value))))
            .collect();
        marks.sort_unstable();
        (greedy < 2).then_some(Self { segments, labels, marks })
    }
}

/// The segments of a path, and whether it ends with a slash that may be left out.
fn parts(path: &str) -> (Vec<&str>, bool) {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => (vec![], false),
        path => (path.split('/').collect(), path.ends_with('/')),
    }
}

impl Router {
    /// A router for the routes of each service named.
    ///
    /// # Errors
    /// Two routes that ask for the same, and paths that are none.
    pub fn new(services: &[(&'static str, &'static [Route])], demands: Demands) -> Result<Self, RouteError> {
        let mut read = vec![];
        for (service, route) in services.iter().flat_map(|(name, routes)| routes.iter().map(move |r| (*name, r))) {
            let operation = || format!("{service}:{}", route.operation);
            let pattern = Pattern::parse(route.uri)
                .ok_or_else(|| RouteError::Malformed { operation: operation(), uri: route.uri })?;
            read.push((service, route, pattern));
        }
        let mut sharing: HashMap<_, usize> = HashMap::new();
        for (_, route, pattern) in &read {
            *sharing.entry((route.method, pattern.segments.clone(), pattern.marks.clone())).or_default() += 1;
        }
        let (mut router, mut taken) = (Self::default(), HashMap::new());
        for (service, route, Pattern { segments, labels, marks }) in read {
            let place = (route.method, segments, marks);
            let strict = demands == Demands::All || sharing[&place] > 1;
            let asked = |names: &'static [&'static str]| {
                let mut names = if strict { names.to_vec() } else { vec![] };
                names.sort_unstable();
                names
            };
            let operation = format!("{service}:{}", route.operation);
            let key = (place.clone(), asked(route.query), asked(route.headers));
            if let Some(first) = taken.insert(key, operation.clone()) {
                return Err(RouteError::Conflict { first, second: operation, method: route.method, uri: route.uri });
            }
            let (_, segments, marks) = place;
            router.root.add(&segments, End { service, route, labels, marks, strict });
        }
        Ok(router)
    }

    /// The operation that a request means. `path` and `query` are as sent.
    pub fn find(&self, method: &str, path: &str, query: &str, has_header: impl Fn(&str) -> bool) -> Option<Found<'_>> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let asking = Asking { method, pairs, has_header: &has_header };
        let (segments, slash) = parts(path);
        let mut taken = vec![];
        let mut end = self.root.find(&segments, &mut taken, &asking);
        if end.is_none() && slash {
            taken.clear();
            end = self.root.find(&segments[..segments.len() - 1], &mut taken, &asking);
        }
        let end = end?;
        let texts = taken.iter().map(|text| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned));
        let labels = end.labels.iter().zip(texts).map(|(name, text)| Some((*name, text?))).collect::<Option<_>>()?;
        Some(Found { service: end.service, route: end.route, labels })
    }
}

/// What a request has beside its path.
struct Asking<'q> {
    method: &'q str,
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    has_header: &'q dyn Fn(&str) -> bool,
}

impl Asking<'_> {
    fn has_key(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// How much of it the end asks for; nothing where that is not all there.
    fn fits(&self, end: &End) -> Option<usize> {
        let mark = |(name, value): &(&str, Option<&str>)| match value {
            Some(value) => self.pairs.iter().any(|(key, given)| key == name && given == value),
            None => self.has_key(name),
        };
        if end.route.method != self.method || !end.marks.iter().all(mark) {
            return None;
        }
        if !end.strict {
            return Some(end.marks.len());
        }
        let Route { query, headers, .. } = end.route;
        let all = query.iter().all(|name| self.has_key(name)) && headers.iter().all(|name| (self.has_header)(name));
        all.then_some(end.marks.len() + query.len() + headers.len())
    }
}

impl Node {
    fn add(&mut self, segments: &[Segment], end: End) {
        match segments.split_first() {
            None => self.ends.push(end),
            Some((Segment::Fixed(text), rest)) => self.fixed.entry(text).or_default().add(rest, end),
            Some((Segment::Label, rest)) => self.label.get_or_insert_default().add(rest, end),
            Some((Segment::Greedy, rest)) => self.greedy.get_or_insert_default().add(rest, end),
        }
    }

    /// The end that the segments lead to; what stands at its labels is left in `taken`. A path has one greedy
    /// label at most, so that a long path costs its length times the nodes, and no more.
    fn find<'n>(&'n self, segments: &[&str], taken: &mut Vec<String>, asking: &Asking<'_>) -> Option<&'n End> {
        let Some((first, rest)) = segments.split_first() else {
            return self.here(asking);
        };
        if let Some(end) = self.fixed.get(*first).and_then(|node| node.find(rest, taken, asking)) {
            return Some(end);
        }
        let before = taken.len();
        if let Some(node) = self.label.as_deref().filter(|_| !first.is_empty()) {
            taken.push((*first).to_owned());
            if let Some(end) = node.find(rest, taken, asking) {
                return Some(end);
            }
            taken.truncate(before);
        }
        let greedy = self.greedy.as_deref()?;
        // What follows it in a route goes before a route that it ends.
        let least = if greedy.is_last() { segments.len() } else { 1 };
        for count in (least..segments.len()).rev().chain([segments.len()]) {
            if count == 1 && first.is_empty() {
                continue;
            }
            // Joined only where the rest fits: a long path is not copied for each try.
            taken.push(String::new());
            if let Some(end) = greedy.find(&segments[count..], taken, asking) {
                taken[before] = segments[..count].join("/");
                return Some(end);
            }
            taken.truncate(before);
        }
        None
    }

    fn is_last(&self) -> bool {
        self.fixed.is_empty() && self.label.is_none() && self.greedy.is_none()
    }

    /// Of those that fit, the one that asks for the most; of equals, the first.
    fn here(&self, asking: &Asking<'_>) -> Option<&End> {
        let mut best: Option<(usize, &End)> = None;
        for end in &self.ends {
            if let Some(asked) = asking.fits(end)
                && best.is_none_or(|(most, _)| asked > most)
            {
                best = Some((asked, end));
            }
        }
        best.map(|(_, end)| end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn on(operation: &'static str, method: &'static str, uri: &'static str) -> Route {
        Route { operation, method, uri, query: &[], headers: &[] }
    }

    fn meant(router: &Router, method: &str, path: &str, query: &str) -> Option<(&'static str, Labels)> {
        let found = router.find(method, path, query, |name| name == "x-copy")?;
        Some((found.route.operation, found.labels))
    }

    #[test]
    fn a_fixed_segment_goes_before_a_label_and_that_before_a_greedy_one() {
        static ROUTES: &[Route] = &[
            on("Any", "GET", "/v1/{All+}"),
            on("AnyEnd", "GET", "/v1/{All+}/end"),
            on("Get", "GET", "/v1/things/{Id}"),
            on("List", "GET", "/v1/things/"),
            on("Newest", "GET", "/v1/things/newest"),
            on("Root", "GET", "/"),
        ];
        let router = Router::new(&[("x", ROUTES)], Demands::Needed).expect("no two are alike");
        let meant = |path| meant(&router, "GET", path, "");
        assert_eq!(meant("/"), Some(("Root", vec![])));
        assert_eq!(meant("/v1/things"), Some(("List", vec![])));
        assert_eq!(meant("/v1/things/newest"), Some(("Newest", vec![])));
        assert_eq!(meant("/v1/things/a%2Fb"), Some(("Get", vec![("Id", "a/b".into())])));
        assert_eq!(meant("/v1/things/a/b"), Some(("Any", vec![("All", "things/a/b".into())])));
        assert_eq!(meant("/v1/things/a/end"), Some(("AnyEnd", vec![("All", "things/a".into())])));
        assert_eq!(meant("/v1/end"), Some(("Any", vec![("All", "end".into())])));
        assert_eq!((meant("/v2/things"), meant("/v1/%ff"), meant("//")), (None, None, None));
        assert!(router.find("PUT", "/v1/things", "", |_| false).is_none());
    }

    #[test]
    fn the_route_that_asks_for_the_most_is_meant() {
        static ROUTES: &[Route] = &[
            Route { headers: &["x-copy"], ..on("Copy", "PUT", "/{B}/{K+}") },
            on("List", "GET", "/{B}"),
            on("ListNew", "GET", "/{B}?list-type=2"),
            Route { query: &["id", "part"], ..on("Part", "POST", "/{B}/{K+}") },
            on("Put", "PUT", "/{B}/{K+}"),
        ];
        for (demands, without) in [(Demands::All, None), (Demands::Needed, Some("Part"))] {
            let router = Router::new(&[("x", ROUTES)], demands).expect("no two are alike");
            let meant = |method, path, query| meant(&router, method, path, query).map(|(operation, _)| operation);
            assert_eq!(meant("PUT", "/b/k/l", ""), Some("Copy"));
            assert_eq!(router.find("PUT", "/b/k", "", |_| false).expect("it is there").route.operation, "Put");
            assert_eq!(meant("GET", "/b", "list-type=2"), Some("ListNew"));
            assert_eq!(meant("GET", "/b", "list-type=1"), Some("List"));
            assert_eq!(meant("POST", "/b/k", "part=1&id=x"), Some("Part"));
            assert_eq!(meant("POST", "/b/k", "part=1"), without, "{demands:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_or_read_is_refused_by_name() {
        static ONE: &[Route] = &[on("GetA", "GET", "/a/{Id}?x&y=1")];
        static OTHER: &[Route] = &[on("GetB", "GET", "/a/{Name}/?y=1&x")];
        let error = Router::new(&[("one", ONE), ("other", OTHER)], Demands::Needed).expect_err("they are alike");
        let text = "one:GetA and other:GetB cannot be told apart: both are GET /a/{Name}/?y=1&x";
        assert_eq!(error.to_string(), text);
        static TWICE: &[Route] = &[on("Get", "GET", "/{A+}/{B+}")];
        static OPEN: &[Route] = &[on("Get", "GET", "/x{A}")];
        for routes in [TWICE, OPEN] {
            let error = Router::new(&[("one", routes)], Demands::Needed).expect_err("it is no path");
            assert!(error.to_string().contains("one:Get is malformed"), "{error}");
        }
    }
}
