//! Queries and what they come to.

use super::run::TooLarge;
use super::*;

/// Events a second apart.
fn ask(text: &str, messages: &[&str]) -> Vec<String> {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut run = Run::new(&query, 1_000_000, 10_000);
    for (n, message) in messages.iter().enumerate() {
        let ptr = || format!("p{n}");
        let at = n as i64 * 1000;
        let seen = Seen { at, ingested: at + 1, message, stream: "s", log: "1:g", ptr: &ptr };
        run.event(seen).expect("it fits");
    }
    let rows = run.end().expect("it fits");
    let text = |row: Vec<(String, String)>| {
        let fields = row.into_iter().filter(|(name, _)| name != "@ptr").map(|(name, value)| format!("{name}={value}"));
        fields.collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(text).collect()
}

const LINES: [&str; 4] = [
    "[INFO] user=ann took=12 ms",
    "[WARN] user=bob took=100 ms",
    "[INFO] user=ann took=9 ms",
    "[ERROR] user=eve took=1000 ms",
];

#[test]
fn the_latest_events_come_first_where_nothing_is_said() {
    let rows = ask("", &LINES[..2]);
    assert_eq!(
        rows,
        [
            "@timestamp=1970-01-01 00:00:01.000 @message=[WARN] user=bob took=100 ms",
            "@timestamp=1970-01-01 00:00:00.000 @message=[INFO] user=ann took=12 ms"
        ]
    );
    assert_eq!(ask("fields @message | limit 1", &LINES), [format!("@message={}", LINES[3])]);
    assert_eq!(
        ask("fields @log, @logStream, @ingestionTime | limit 1", &LINES[..1]),
        ["@log=1:g @logStream=s @ingestionTime=1970-01-01 00:00:00.001"]
    );
}

#[test]
fn events_are_filtered_parsed_counted_and_sorted() {
    let parsed = "parse @message \"[*] user=* took=* ms\" as level, user, took";
    let cases: [(&str, &[&str]); 16] = [
        ("filter level = 'INFO' | stats count(*) as n, avg(took) as mean by user", &["user=ann n=2 mean=10.5"]),
        ("stats sum(took) as s by level | sort s desc", &["level=ERROR s=1000", "level=WARN s=100", "level=INFO s=21"]),
        (
            "stats count() as n by bin(2s) as t | sort t",
            &["t=1970-01-01 00:00:00.000 n=2", "t=1970-01-01 00:00:02.000 n=2"],
        ),
        ("filter took > 50 and level in ['WARN', 'ERROR'] | display user | sort user", &["user=bob", "user=eve"]),
        ("filter @message like /took=9+ / | display took", &["took=9"]),
        ("filter level not like 'INFO' and not (user = 'eve') | display user", &["user=bob"]),
        ("dedup user | display user, took", &["user=eve took=1000", "user=ann took=9", "user=bob took=100"]),
        ("sort took desc | limit 2 | display took", &["took=1000", "took=100"]),
        (
            "sort user, took desc | display user, took | limit 3",
            &["user=ann took=12", "user=ann took=9", "user=bob took=100"],
        ),
        (
            "stats min(took) as a, max(took) as b, pct(took, 50) as c, stddev(took - took) as d, count_distinct(user) as e",
            &["a=9 b=1000 c=12 d=0 e=3"],
        ),
        (
            "stats earliest(user) as a, latest(user) as b, sortsFirst(took) as c, sortsLast(user) as d",
            &["a=ann b=eve c=9 d=eve"],
        ),
        ("stats max(took) by user | filter `max(took)` > 50 | stats count(*)", &["count(*)=2"]),
        ("stats sum(took) / count(*) as m", &["m=280.25"]),
        ("fields took * 2 + 1 as x, toupper(user) as u | sort @timestamp | limit 1 | display x, u", &["x=25 u=ANN"]),
        ("sort @timestamp asc | filter took = 100 | display @timestamp", &["@timestamp=1970-01-01 00:00:01.000"]),
        ("fields missing, user | filter ispresent(took) | limit 1", &["user=eve"]),
    ];
    for (text, expected) in cases {
        assert_eq!(ask(&format!("{parsed} | {text}"), &LINES), expected, "{text}");
    }
    assert_eq!(
        ask("parse @message /user=(?<who>\\w+)/ | stats count(*) as n by who | sort who", &LINES),
        ["who=ann n=2", "who=bob n=1", "who=eve n=1"]
    );
    assert_eq!(ask("parse 'user=* ' as u | limit 1 | display u", &LINES), ["u=eve"]);
    assert_eq!(
        ask("parse @message /user=(\\w+) took=(\\d+)/ as u, t | limit 1 | display u, t", &LINES),
        ["u=eve t=1000"]
    );
}

#[test]
fn members_of_json_are_fields() {
    let json = [
        r#"{"level":"info","http":{"status":200,"path":"/a"},"tags":["x","y"],"a.b":1,"ok":true,"none":null}"#,
        r#"{"level":"error","http":{"status":500,"path":"/b"},"tags":[],"a.b":2}"#,
        "no JSON",
    ];
    let cases: [(&str, &[&str]); 6] = [
        ("filter http.status >= 500 | fields http.path", &["http.path=/b"]),
        ("filter tags.0 = 'x' | fields level, ok", &["level=info ok=1"]),
        ("fields `a.b` | sort a.b", &["", "a.b=1", "a.b=2"]),
        ("stats count(level) as n, count(*) as all", &["n=2 all=3"]),
        ("filter none = 1 or level != 'info' | stats count(*) as n", &["n=2"]),
        ("filter level = 'error' | fields tags, http", &["tags=[] http={\"path\":\"/b\",\"status\":500}"]),
    ];
    for (text, expected) in cases {
        let found = ask(text, &json);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn functions_answer_as_documented() {
    let cases = [
        ("abs(-2)", "2"),
        ("ceil(1.2)", "2"),
        ("floor(-1.2)", "-2"),
        ("greatest(1, 3, 2)", "3"),
        ("least(4, 2)", "2"),
        ("sqrt(9)", "3"),
        ("log(1)", "0"),
        ("2 ^ 3", "8"),
        ("10 % 3", "1"),
        ("-2 + 1", "-1"),
        ("7 / 2", "3.5"),
        ("now()", "1000"),
        ("fromMillis(1000)", "1970-01-01 00:00:01.000"),
        ("toMillis(@timestamp)", "0"),
        ("datefloor(fromMillis(90000), 1m)", "1970-01-01 00:01:00.000"),
        ("dateceil(fromMillis(90000), 1m)", "1970-01-01 00:02:00.000"),
        ("coalesce(missing, 'a')", "a"),
        ("ispresent(missing)", "0"),
        ("isempty('')", "1"),
        ("isblank('  ')", "1"),
        ("isempty(missing)", "1"),
        ("concat('a', 1, 'b')", "a1b"),
        ("ltrim('xxa', 'x')", "a"),
        ("rtrim('a  ')", "a"),
        ("trim(' a ')", "a"),
        ("strlen('äb')", "2"),
        ("toupper('ab')", "AB"),
        ("tolower('AB')", "ab"),
        ("substr('abcde', 1)", "bcde"),
        ("substr('abcde', 1, 2)", "bc"),
        ("replace('aXbX', 'X', '-')", "a-b-"),
        ("strcontains('hello', 'ell')", "1"),
        ("isValidIp('10.0.0.1')", "1"),
        ("isValidIpv4('::1')", "0"),
        ("isValidIpv6('::1')", "1"),
        ("isIpv4InSubnet('10.1.2.3', '10.0.0.0/8')", "1"),
        ("isIpInSubnet('11.0.0.1', '10.0.0.0/8')", "0"),
        ("isIpv6InSubnet('fe80::1', 'fe80::/10')", "1"),
        ("jsonStringify('a')", "a"),
        ("jsonParse('{\"a\":1}')", "{\"a\":1}"),
        ("'10' < '9'", "0"),
        ("'b' > 'a'", "1"),
    ];
    for (text, expected) in cases {
        assert_eq!(ask(&format!("fields {text} as x"), &["m"]), [format!("x={expected}")], "{text}");
    }
    assert_eq!(ask("fields 1 / 0 as x, log(0) as y, jsonParse('{') as z", &["m"]), [""]);
}

#[test]
fn texts_are_sorted_by_their_parts_and_before_numbers() {
    let rows = ask("sort @message | fields @message", &["b10", "2", "b9", "10", "a"]);
    assert_eq!(rows, ["@message=a", "@message=b9", "@message=b10", "@message=2", "@message=10"]);
}

#[test]
fn what_is_no_query_says_where() {
    for bad in [
        "filter",
        "nonsense",
        "fields a |",
        "stats count(*",
        "stats a",
        "parse @message 'a*' as a, b",
        "parse @message 'a'",
        "limit 0",
        "limit 1000000",
        "filter a = ",
        "filter count(*) > 1",
        "stats sum(count(*))",
        "fields bin(5)",
        "fields x(1)",
        "fields abs(1, 2)",
        "filter a like /(/",
        "'",
        "fields /a",
        "sort",
        "stats pct(a, 101)",
        "filter a in []",
        "fields 1x",
    ] {
        assert!(Query::parse(bad).is_err(), "{bad}");
    }
    let told = Query::parse("fields @message | pattern @message").expect_err("it is not built");
    assert_eq!(told.not_built.as_deref(), Some("pattern"));
    assert_eq!(told.place, 18..25);
    assert!(Query::parse("# a comment\nfields @message # another\n| limit 5").is_ok());
}

#[test]
fn deep_long_and_heavy_queries_end() {
    for text in [
        format!("fields {}1", "(".repeat(5_000)),
        format!("fields {}1", "-".repeat(5_000)),
        format!("filter {}a", "not ".repeat(2_000)),
        format!("fields {}1", "abs(".repeat(2_000)),
        format!("fields 1{}", "+1".repeat(5_000)),
        vec!["limit 5"; 1_000].join("|"),
        "filter a like /(a{1000}){1000}/".to_owned(),
    ] {
        assert!(Query::parse(&text).is_err(), "{}", &text[..40]);
    }
    let deep = format!("fields {}1{} as x", "(".repeat(60), ")".repeat(60));
    assert_eq!(ask(&deep, &["m"]), ["x=1"]);
    let chain = format!("fields 1{} as x", "+1".repeat(400));
    assert_eq!(ask(&chain, &["m"]), ["x=401"]);
    let query = Query::parse("filter @message like /a*a*a*a*b/ | stats count(*) by @message, concat(@message, 'x')")
        .expect("a query");
    let mut run = Run::new(&query, 0, 10);
    fn seen(message: &str) -> Seen<'_> {
        Seen { at: 0, ingested: 0, message, stream: "", log: "", ptr: &String::new }
    }
    run.event(seen(&"a".repeat(1 << 20))).expect("nothing is gathered");
    let large = "b".repeat(1 << 16);
    let told = (0..5_000).find_map(|n| run.event(seen(&format!("{n}a{large}"))).err());
    assert_eq!(told, Some(TooLarge));
}

/// Whatever is sent, it is read or refused, and carried out.
#[test]
fn noise_is_read_or_refused() {
    let pieces = [
        "fields", "filter", "parse", "stats", "sort", "limit", "dedup", "display", "|", "@message", "a", "b.c", "1",
        "5m", "'x*'", "/x/", "(", ")", "[", "]", ",", "as", "by", "bin", "count", "sum", "*", "+", "-", "/", "^", "=",
        "like", "in", "not", "and", "or", "abs", "`q`", "desc", "null", "\u{e4}", "pct", "latest",
    ];
    let mut state: u64 = 7;
    let mut below = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut taken = 0;
    for _ in 0..80_000 {
        let text = (0..1 + below(9)).map(|_| pieces[below(pieces.len())]).collect::<Vec<_>>().join(" ");
        if let Ok(query) = Query::parse(&text) {
            taken += 1;
            let mut run = Run::new(&query, 0, 10);
            for message in ["x 1", "{\"a\":1,\"b\":{\"c\":[1]}}", ""] {
                let seen = Seen { at: 1, ingested: 2, message, stream: "s", log: "l", ptr: &String::new };
                run.event(seen).expect("it fits");
            }
            run.end().expect("it fits");
        }
    }
    assert!(taken > 500, "{taken}");
}
