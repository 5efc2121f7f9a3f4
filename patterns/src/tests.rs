//! The language by examples, those of the user guide among them; the index against the matcher, and against the clock.

use crate::{Index, MOST_BRANCHES, Pattern};
use serde_json::{Value as Json, json};

fn matches(pattern: Json, event: Json) -> bool {
    Pattern::parse(&pattern.to_string()).unwrap_or_else(|e| panic!("{e}: {pattern}")).matches(&event)
}

#[test]
fn every_operator_tells_what_it_wants_from_what_it_does_not() {
    for (tests, wanted, unwanted) in [
        (json!(["a", "b"]), vec![json!("b")], vec![json!("c"), json!(1), json!({"a": "a"})]),
        (json!([""]), vec![json!("")], vec![json!(null), json!("x")]),
        (json!([null]), vec![json!(null)], vec![json!(""), json!("null"), json!(false)]),
        (json!([true]), vec![json!(true)], vec![json!("true"), json!(false)]),
        (json!([3]), vec![json!(3), json!(3.0)], vec![json!("3"), json!(3.1)]),
        (json!([123456789012u64]), vec![json!(123456789012u64)], vec![json!(123456789013u64)]),
        (json!([{"prefix": "us-"}]), vec![json!("us-east-1")], vec![json!("eu"), json!("US-"), json!(5)]),
        (json!([{"prefix": {"equals-ignore-case": "EventB"}}]), vec![json!("eVENTbridge")], vec![json!("even")]),
        (json!([{"suffix": ".png"}]), vec![json!("a.png")], vec![json!("a.PNG"), json!(".pn")]),
        (json!([{"suffix": {"equals-ignore-case": ".png"}}]), vec![json!("a.PnG")], vec![json!("png")]),
        (json!([{"equals-ignore-case": "Alice"}]), vec![json!("aLICE")], vec![json!("alic")]),
        (json!([{"wildcard": "dir/*.png"}]), vec![json!("dir/x.png")], vec![json!("dir/x.jpg"), json!(1)]),
        (
            json!([{"cidr": "10.0.0.0/24"}]),
            vec![json!("10.0.0.255")],
            vec![json!("10.0.1.0"), json!("::1"), json!("x")],
        ),
        (json!([{"cidr": "2001:db8::/32"}]), vec![json!("2001:db8::9")], vec![json!("2001:db9::"), json!("10.0.0.1")]),
        (json!([{"numeric": ["=", 301.8]}]), vec![json!(3.018e2)], vec![json!(301), json!("301.8")]),
        (json!([{"numeric": [">", 0, "<=", 5]}]), vec![json!(0.1), json!(5)], vec![json!(0), json!(5.1)]),
        (json!([{"numeric": [">=", 0, "<", 5]}]), vec![json!(0), json!(4.9)], vec![json!(-1), json!(5), json!(6e9)]),
        (json!([{"exists": true}]), vec![json!(null), json!([1]), json!("")], vec![json!({"b": 1}), json!([])]),
        (json!([{"exists": false}]), vec![json!({"b": 1}), json!([])], vec![json!(null), json!([1])]),
        (
            json!([{"anything-but": "a"}]),
            vec![json!("b"), json!(1), json!(["a", "b"])],
            vec![json!("a"), json!(["a"]), json!([]), json!({})],
        ),
        (json!([{"anything-but": 123}]), vec![json!(124), json!("123")], vec![json!(123), json!(123.0)]),
        (json!([{"anything-but": ["a", "b"]}]), vec![json!("c")], vec![json!("a"), json!("b")]),
        (json!([{"anything-but": [1, 2]}]), vec![json!(3)], vec![json!(1)]),
        (json!([{"anything-but": {"prefix": "init"}}]), vec![json!("run")], vec![json!("initial")]),
        (json!([{"anything-but": {"prefix": ["a", "b"]}}]), vec![json!("c")], vec![json!("ax"), json!("bx")]),
        (json!([{"anything-but": {"suffix": ".png"}}]), vec![json!("a.jpg")], vec![json!("a.png")]),
        (json!([{"anything-but": {"equals-ignore-case": ["Init", "Stop"]}}]), vec![json!("run")], vec![json!("STOP")]),
        (json!([{"anything-but": {"wildcard": "*/lib/*"}}]), vec![json!("/bin/x")], vec![json!("/usr/lib/x")]),
        (json!(["x", {"exists": false}]), vec![json!("x"), json!({})], vec![json!("y")]),
    ] {
        let pattern = json!({"detail": {"a": tests}});
        for value in wanted {
            assert!(matches(pattern.clone(), json!({"detail": {"a": value}})), "{pattern} wants {value}");
        }
        for value in unwanted {
            assert!(!matches(pattern.clone(), json!({"detail": {"a": value}})), "{pattern} does not want {value}");
        }
        let absent = tests.to_string().contains(r#""exists":false"#);
        assert_eq!(matches(pattern.clone(), json!({"detail": {}})), absent, "{pattern}, nothing there");
        assert_eq!(matches(pattern.clone(), json!({"detail": 5})), absent, "{pattern}, no detail");
    }
}

#[test]
fn fields_are_and_values_are_or_and_or_is_multiplied_out() {
    let pattern = json!({
        "source": ["aws.cloudwatch"],
        "$or": [
            {"metricName": ["CPUUtilization"]},
            {"metricType": ["M"], "$or": [{"id": [1]}, {"id": [2]}]},
        ],
    });
    for (event, wanted) in [
        (json!({"source": "aws.cloudwatch", "metricName": "CPUUtilization"}), true),
        (json!({"source": "aws.ec2", "metricName": "CPUUtilization"}), false),
        (json!({"source": "aws.cloudwatch", "metricType": "M", "id": 2}), true),
        (json!({"source": "aws.cloudwatch", "metricType": "M", "id": 3}), false),
        (json!({"source": "aws.cloudwatch"}), false),
    ] {
        assert_eq!(matches(pattern.clone(), event.clone()), wanted, "{event}");
    }
    // What is said of one field in two places must both hold.
    let twice = json!({"a": [1, 2], "$or": [{"a": [2, 3]}, {"b": [1]}]});
    assert!(matches(twice.clone(), json!({"a": 2})));
    assert!(!matches(twice, json!({"a": 1})));
}

#[test]
fn of_a_list_of_objects_one_satisfies_all_and_absence_is_of_the_whole_event() {
    let both = json!({"a": {"x": [1], "y": [2]}});
    assert!(matches(both.clone(), json!({"a": [{"x": 5}, {"x": 1, "y": 2}]})));
    assert!(!matches(both, json!({"a": [{"x": 1, "y": 5}, {"x": 5, "y": 2}]})));
    // Though written in two places.
    let apart = json!({"a": {"x": [1]}, "$or": [{"a": {"y": [2]}}, {"a": {"y": [3]}}]});
    assert!(!matches(apart, json!({"a": [{"x": 1, "y": 5}, {"x": 5, "y": 2}]})));
    let absent = json!({"a": {"x": [{"exists": false}]}});
    assert!(!matches(absent.clone(), json!({"a": [{"x": 1}, {"y": 1}]})));
    assert!(matches(absent, json!({"a": [{"y": 1}, {"y": 2}]})));
    assert!(matches(json!({"r": ["b"]}), json!({"r": [["a"], ["b", "c"]]})));
}

#[test]
fn what_is_no_pattern_is_refused_in_words() {
    for (text, why) in [
        ("[]", "Filter is not an object"),
        ("{", "Filter is not valid JSON"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a":{}}"#, "Empty objects are not allowed"),
        (r#"{"a":[]}"#, "Empty arrays are not allowed"),
        (r#"{"a":"x"}"#, "\"a\" must be an object or an array"),
        (r#"{"a":[["x"]]}"#, "Match value must be String, number, true, false, or null"),
        (r#"{"a":[{}]}"#, "Match expression name not found"),
        (r#"{"a":[{"prefix":"x","suffix":"y"}]}"#, "Only one key allowed in match expression"),
        (r#"{"a":[{"prefix":1}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"like":"x"}]}"#, "Unrecognized match type like"),
        (r#"{"a":[{"exists":"yes"}]}"#, "exists match pattern must be either true or false."),
        (r#"{"a":[{"anything-but":null}]}"#, "Value of anything-but must be an array or single string/number value."),
        (r#"{"a":[{"anything-but":["a",1]}]}"#, "mixed type is not supported"),
        (r#"{"a":[{"anything-but":{"numeric":[">",1]}}]}"#, "Unsupported anything-but pattern: numeric"),
        (r#"{"a":[{"anything-but":{"prefix":""}}]}"#, "Null prefix not allowed"),
        (r#"{"a":[{"numeric":5}]}"#, "Value of numeric must be an array."),
        (r#"{"a":[{"numeric":["!",5]}]}"#, "Unrecognized numeric range operator: !"),
        (r#"{"a":[{"numeric":[">","5"]}]}"#, "Value of > must be numeric"),
        (r#"{"a":[{"numeric":[">",5,"<",4]}]}"#, "Bottom must be less than top"),
        (r#"{"a":[{"numeric":["<",5,">",4]}]}"#, "Too many elements in numeric expression"),
        (r#"{"a":[{"numeric":["=",6e9]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive"),
        (r#"{"a":[{"cidr":"10.0.0.0"}]}"#, "Malformed CIDR, one '/' required"),
        (r#"{"a":[{"cidr":"10.0.0/8"}]}"#, "Nonstandard IP address"),
        (r#"{"a":[{"wildcard":"a**"}]}"#, "Consecutive wildcard characters at pos 2"),
        (r#"{"$or":{"a":[1]}}"#, "It must be an Array followed with $or."),
        (r#"{"$or":[{"a":[1]}]}"#, "There must have at least 2 Objects in $or relationship."),
        (r#"{"$or":[{"a":[1]},5]}"#, "Only JSON object is allowed in array of $or relationship."),
        (r#"{"$or":[{"a":[1]},{"prefix":[1]}]}"#, "prefix is Ruler reserved fieldName"),
    ] {
        let refused = Pattern::parse(text).expect_err(text);
        assert!(refused.reason.contains(why), "{text}: {refused}");
    }
    // 2^10 branches are more than there may be, and are not made first.
    let pair = |n: usize| format!(r#""p{n}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}}"#);
    let many = |n: usize| format!("{{{}}}", (0..n).map(pair).collect::<Vec<_>>().join(","));
    assert!(Pattern::parse(&many(10)).unwrap_err().reason.contains(&MOST_BRANCHES.to_string()));
    Pattern::parse(&many(9)).expect("512 branches");
    Pattern::parse(&many(60)).expect_err("as quickly as ten");
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000));
    Pattern::parse(&deep).expect_err("deeper than JSON is read");
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    fn value(&mut self) -> Json {
        self.one(&[
            json!("a"),
            json!("b"),
            json!("ab"),
            json!("A"),
            json!(""),
            json!(1),
            json!(2.5),
            json!(null),
            json!(true),
            json!("10.0.0.1"),
        ])
    }

    fn event(&mut self, depth: u32) -> Json {
        match self.below(if depth == 0 { 1 } else { 5 }) {
            0 | 1 => self.value(),
            2 => Json::Array((0..self.below(4)).map(|_| self.event(depth - 1)).collect()),
            _ => self.members(depth),
        }
    }

    fn members(&mut self, depth: u32) -> Json {
        let members = (0..=self.below(3)).map(|_| (self.one(&["x", "y", "z"]).to_owned(), self.event(depth - 1)));
        Json::Object(members.collect())
    }

    fn test(&mut self) -> Json {
        let words = [
            json!({"prefix": "a"}),
            json!({"suffix": "b"}),
            json!({"equals-ignore-case": "a"}),
            json!({"wildcard": "a*"}),
            json!({"cidr": "10.0.0.0/8"}),
            json!({"numeric": [">", 0, "<=", 2]}),
            json!({"exists": true}),
            json!({"exists": false}),
            json!({"anything-but": ["a", "b"]}),
            json!({"anything-but": {"prefix": "a"}}),
        ];
        if self.below(3) == 0 { self.one(&words) } else { self.value() }
    }

    fn pattern(&mut self, depth: u32) -> Json {
        let mut members = serde_json::Map::new();
        for _ in 0..=self.below(2) {
            let name = self.one(&["x", "y", "z"]);
            let inner = match depth > 0 && self.below(2) == 0 {
                true => self.pattern(depth - 1),
                false => Json::Array((0..=self.below(2)).map(|_| self.test()).collect()),
            };
            members.insert(name.to_owned(), inner);
        }
        if depth > 0 && self.below(4) == 0 {
            members.insert("$or".to_owned(), json!([self.pattern(depth - 1), self.pattern(depth - 1)]));
        }
        Json::Object(members)
    }
}

#[test]
fn the_index_finds_what_the_matcher_finds() {
    let mut chance = Chance(9);
    let (mut found, mut asked) = (0, 0);
    for _ in 0..60 {
        let patterns: Vec<Pattern> = (0..40).map(|_| Pattern::of(&chance.pattern(2)).expect("a pattern")).collect();
        let index = Index::new(patterns.iter().cloned().enumerate());
        for _ in 0..60 {
            let event = chance.members(3);
            let naive: Vec<usize> = (0..patterns.len()).filter(|n| patterns[*n].matches(&event)).collect();
            let quick: Vec<usize> = index.matches(&event).into_iter().copied().collect();
            assert_eq!(quick, naive, "{event}");
            found += naive.len();
            asked += patterns.len();
        }
    }
    // The comparison would say nothing if hardly anything, or nearly all, matched.
    assert!(found * 40 > asked && found * 2 < asked, "{found} of {asked}");
}

#[test]
fn any_text_is_read_or_refused() {
    let mut chance = Chance(4);
    let pieces =
        ["{", "}", "[", "]", "\"$or\"", "\"a\"", ":", ",", "1", "null", "{\"numeric\":", "\"<\"", "\"*\"", "\\", "é"];
    let mut read = 0;
    for _ in 0..20_000 {
        let text: String = (0..chance.below(16)).map(|_| chance.one(&pieces)).collect();
        read += usize::from(Pattern::parse(&text).is_ok());
        let mut whole = chance.pattern(3).to_string().into_bytes();
        let at = chance.below(whole.len() as u64) as usize;
        whole[at] = chance.one(b"{}[]\",:*0a");
        if let Some(pattern) = std::str::from_utf8(&whole).ok().and_then(|text| Pattern::parse(text).ok()) {
            pattern.matches(&chance.event(3));
            read += 1;
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn what_could_match_is_known_from_source_and_type_alone() {
    let index =
        Index::new([(1, Pattern::of(&json!({"source": [{"prefix": "aws.e"}], "detail": {"a": [1]}})).unwrap())]);
    assert!(index.could_match(&[("source", "aws.ec2"), ("detail-type", "x")]));
    assert!(!index.could_match(&[("source", "aws.s3"), ("detail-type", "x")]));
    assert!(!Index::<u8>::new([]).could_match(&[("source", "aws.s3")]));
}

/// Candidates, not time, are what is counted, so that the test says the same on any machine.
#[test]
fn the_cost_grows_with_the_rules_that_could_match() {
    let rule = |n: usize| {
        let pattern = json!({"source": ["shop"], "detail-type": ["Order"], "detail": {"id": [format!("o-{n}")], "sum": [{"numeric": [">", n]}]}});
        (n, Pattern::of(&pattern).unwrap())
    };
    let index = Index::new((0..1_000).map(rule));
    let event = json!({"source": "shop", "detail-type": "Order", "detail": {"id": "o-7", "sum": 50}});
    assert_eq!(index.led_to(&event), 1);
    assert_eq!(index.matches(&event), [&7]);
}
