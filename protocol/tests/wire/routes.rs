//! The router over whole models: every operation is reached by its own URI, whatever stands in the labels.

use kiln_protocol::{Demands, Route, Router};

/// Services that are asked by path: one that is served, and models that speak rest-json.
const SERVICES: [(&str, &[Route], Demands); 4] = [
    ("s3", kiln_s3_shapes::ROUTES, Demands::All),
    ("efs", kiln_efs_shapes::ROUTES, Demands::Needed),
    ("lambda", kiln_lambda_shapes::ROUTES, Demands::Needed),
    ("xray", kiln_xray_shapes::ROUTES, Demands::Needed),
];

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    /// A label's text as it was meant, with what a path must not hold as it is, and in a greedy one slashes.
    fn text(&mut self, greedy: bool) -> String {
        const OF_ANY: [char; 12] = ['a', 'Z', '9', '-', '.', '_', ':', '%', '?', 'é', ' ', '{'];
        let mut text: String = (0..=self.below(12)).map(|_| OF_ANY[self.below(OF_ANY.len())]).collect();
        // A text like another operation's own segment means that one, in AWS's services too.
        text.insert_str(0, "x~");
        if greedy && self.below(2) == 0 {
            text.push_str(["/", "//y", "/y/", "/y/z"][self.below(4)]);
        }
        text
    }
}

/// As a client writes it; a greedy label keeps its slashes.
fn encoded(text: &str, greedy: bool) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || greedy && b == b'/';
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The path and query of a call of that route, and the labels in it.
fn filled(route: &Route, chance: &mut Chance) -> (String, String, Vec<(String, String)>) {
    let (uri, marks) = route.uri.split_once('?').unwrap_or((route.uri, ""));
    let mut labels = vec![];
    let segments = uri.split('/').map(|segment| {
        let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            return segment.to_owned();
        };
        let greedy = name.ends_with('+');
        let text = chance.text(greedy);
        let shown = encoded(&text, greedy);
        labels.push((name.trim_end_matches('+').to_owned(), text));
        shown
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let keys = route.query.iter().map(|key| format!("{key}=1"));
    let query = marks.split('&').filter(|mark| !mark.is_empty()).map(str::to_owned).chain(keys);
    (path, query.collect::<Vec<_>>().join("&"), labels)
}

#[test]
fn every_operation_is_reached_by_its_own_uri_and_no_two_collide() {
    let mut chance = Chance(8);
    for (service, routes, demands) in SERVICES {
        let router = Router::new(&[(service, routes)], demands).expect("no two of a model's operations are alike");
        for route in routes {
            for _ in 0..200 {
                let (path, query, labels) = filled(route, &mut chance);
                let has_header = |name: &str| route.headers.contains(&name);
                let found = router.find(route.method, &path, &query, has_header);
                let found = found.unwrap_or_else(|| panic!("{service}:{} at {path}?{query}", route.operation));
                assert_eq!(found.route.operation, route.operation, "{path}?{query}");
                let texts: Vec<_> =
                    found.labels.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
                assert_eq!(texts, labels, "{service}:{}", route.operation);
            }
        }
    }
}

#[test]
fn an_operation_that_stands_twice_is_refused() {
    for (service, routes, demands) in SERVICES {
        for route in routes {
            let error = Router::new(&[(service, routes), ("other", std::slice::from_ref(route))], demands);
            let error = error.expect_err("the same route is there twice").to_string();
            let names = [format!("{service}:{}", route.operation), format!("other:{}", route.operation)];
            assert!(names.iter().all(|name| error.contains(name)), "{error}");
        }
    }
}
