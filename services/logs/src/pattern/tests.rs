//! The examples of the user guide, and patterns that nobody should send.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn meant<'m>(text: &str, messages: &[&'m str]) -> Vec<&'m str> {
    let pattern = pattern(text);
    messages.iter().copied().filter(|message| pattern.matches(message)).collect()
}

#[test]
fn terms_are_needed_optional_or_excluded() {
    let all = ["[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST", "[WARN] slow", "[INFO] started"];
    assert_eq!(meant("", &all), all);
    assert_eq!(meant("ERROR", &all), all[..2]);
    assert_eq!(meant("ERROR UNAUTHORIZED", &all), all[1..2]);
    assert_eq!(meant("?ERROR ?WARN", &all), all[..3]);
    assert_eq!(meant("\"BAD REQUEST\"", &all), all[..1]);
    assert_eq!(meant("ERROR -BAD", &all), all[1..2]);
    assert_eq!(meant("?ERROR -401", &all), all[..1]);
    assert_eq!(meant("?WARN REQUEST", &all), all[..2], "a question mark beside a term has no effect");
    assert_eq!(meant("error", &all), Vec::<&str>::new());
    assert_eq!(meant("%ERROR 40[01]%".replace(' ', "\\x20").as_str(), &all), all[..2]);
    assert_eq!(meant("\"say \\\"a\\\"\"", &["say \"a\"", "say a"]), ["say \"a\""]);
}

#[test]
fn regular_expressions_are_of_the_documented_kind() {
    let all = ["hat", "cat", "that", "colour", "color", "10.10.0.1", "10x10x0x1", "aaaa"];
    assert_eq!(meant("%^[hc]at%", &all), ["hat", "cat"]);
    assert_eq!(meant("%[hc]at$%", &all), ["hat", "cat", "that"]);
    assert_eq!(meant("%colou?r%", &all), ["colour", "color"]);
    assert_eq!(meant("%10\\.10\\.0\\.1%", &all), ["10.10.0.1"]);
    assert_eq!(meant("%a{3,5}%", &all), ["aaaa"]);
    assert_eq!(meant("%^\\d+x|^hat$%", &all), ["hat", "10x10x0x1"]);
    for bad in ["%(a)%", "%a!%", "%ä%", "%a", "%%", "%a{9999999}%", "%[%", "%\\p%", "%a{1000}{1000}%", "%\\x4%"] {
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn members_of_json_are_compared() {
    let event = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],
        "objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"cluster.name":"c","ok":true,"n":1.5e1,
        "user":{"id":1,"email":"John.Stiles@example.com"},"users":[{"id":2,"email":"John.Doe@example.com"}],"text":"15"}"#;
    let yes = [
        r#"{ $.eventType = "UpdateTrail" }"#,
        r#"{ $.eventType = UpdateTrail }"#,
        r#"{ $.sourceIPAddress != 123.123.* }"#,
        r#"{ $.sourceIPAddress = 111.111.* }"#,
        r#"{ $.arrayKey[0] = "value" }"#,
        r#"{ $.objectList[1].id = 2 }"#,
        "{ $.SomeObject IS NULL }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.SomeObject EXISTS }",
        "{ $.ok IS TRUE }",
        "{ $['cluster.name'] = c }",
        "{ $.n = 15 }",
        "{ $.n >= 15 && $.n <= 1.5e1 }",
        r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#,
        r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.eventType = "Update*" }"#,
        "{ $.objectList[*].name = b }",
        "{ $.user.email = %.*@example\\.com% }",
        "{ $.*.id = 1 }",
        "{ $.text = \"15\" }",
    ];
    let no = [
        "{ $.eventType = \"updatetrail\" }",
        "{ $.arrayKey = value }",
        "{ $.user = 1 }",
        "{ $.missing != x }",
        "{ $.missing = x }",
        "{ $.ok IS FALSE }",
        "{ $.eventType IS NULL }",
        "{ $.n > 15 }",
        "{ $.text = 15 }",
        "{ $.objectList[2].id = 1 }",
        "{ $.user.email = %^example% }",
    ];
    yes.iter().for_each(|text| assert!(pattern(text).matches(event), "{text}"));
    no.iter().for_each(|text| assert!(!pattern(text).matches(event), "{text}"));
    assert!(!pattern("{ $.a NOT EXISTS }").matches("no JSON"));
    let taken = pattern("{ $.user.id = 1 && $.eventType = * }").extract(event).expect("meant");
    assert_eq!(taken["$.user.id"], "1");
    assert_eq!(taken["$.eventType"], "UpdateTrail");
}

#[test]
fn fields_between_spaces_are_named_compared_and_taken_out() {
    let line = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    let yes = [
        "[ip, user, username, timestamp, request, status_code, bytes]",
        "[ip, user, username, timestamp, request = *.html*, status_code = 4*, bytes]",
        "[ip, user, username, timestamp, request, status_code = 4*, bytes > 1000]",
        "[ip, user, ..., bytes]",
        "[..., status_code=404||status_code=410, bytes]",
        "[ip != %127\\.0\\.0\\.2%, ...]",
        "[..., bytes>=1534&&bytes<=1534]",
        "[..., (s = 4* && s != 400) || s = 5*, b]",
        "[...]",
    ];
    let no = ["[ip, user]", "[..., bytes > 1534]", "[ip = 10.*, ...]", "[a,b,c,d,e,f,g,h]", "[a,b,c,d,e,f,g,h,...]"];
    yes.iter().for_each(|text| assert!(pattern(text).matches(line), "{text}"));
    no.iter().for_each(|text| assert!(!pattern(text).matches(line), "{text}"));
    let taken = pattern("[..., size]").extract(line).expect("meant");
    let taken: Vec<_> = taken.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let first = [("$1", "127.0.0.1"), ("$2", "Prod"), ("$3", "frank"), ("$4", "10/Oct/2000:13:25:15 -0700")];
    assert_eq!(taken[..4], first);
    assert_eq!(taken[4..], [("$5", "GET /index.html HTTP/1.0"), ("$6", "404"), ("$size", "1534")]);
    assert_eq!(delimited::split("a [b c \"d"), ["a", "[b", "c", "\"d"]);
}

#[test]
fn what_is_no_pattern_says_why() {
    let bad = [
        "ERROR:",
        "a@b",
        "\"open",
        "{ $.a }",
        "{ a = 1 }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a > x }",
        "{ $ = 1 }",
        "[a, a]",
        "[a",
        "[]",
        "[a b]",
        "[..., ..., a]",
        "[a=1 && b=2]",
        "{ $.a = 1 } b",
        "{ $.a[*][*] = 1 }",
        "{ $.a IS 1 }",
        "[a=%x%, b=%y%, c=%z%]",
        "{ $.a = %x% || $.b = %y% || $.c = %z% }",
        "{ $.a NOT 1 }",
        "{ $.a[x] = 1 }",
        "- a",
        "{ $.a[*]=1 || $.b[*]=1 || $.c[*]=1 || $.d[*]=1 }",
        "[a > x]",
        "?",
    ];
    for text in bad {
        let told = Pattern::parse(text).expect_err(text);
        assert!(told.0.starts_with("Invalid"), "{text}: {told}");
    }
}

#[test]
fn deep_and_long_patterns_end() {
    for open in ["{", "["] {
        let text = format!("{open}{}", "(".repeat(1_000));
        assert!(Pattern::parse(&text).is_err());
    }
    assert!(Pattern::parse(&format!("{{ ${} = 1 }}", ".a".repeat(400))).is_err());
    let stars = pattern(&format!("{{ $.a = \"{}b\" }}", "*a".repeat(400)));
    let started = std::time::Instant::now();
    assert!(!stars.matches(&format!("{{\"a\":\"{}\"}}", "a".repeat(200_000))));
    let greedy = pattern("%a*a*a*a*a*a*a*a*a*a*b%");
    assert!(!greedy.matches(&"a".repeat(200_000)));
    assert!(started.elapsed().as_secs() < 5, "it took {:?}", started.elapsed());
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(!pattern("{ $.a = 1 }").matches(&deep));
}

/// Whatever is sent, it is read or refused, and asked: nothing breaks off.
#[test]
fn noise_is_read_or_refused() {
    let pieces = [
        "{", "}", "[", "]", "(", ")", "$", ".", "a", "1", "-", "?", "\"", "%", "\\", " ", "=", "!=", ">", "<=", "&&",
        "||", "*", "...", ",", "IS", "NULL", "NOT", "EXISTS", "ä", "\u{0}", "'", "x",
    ];
    let messages = ["", "a 1 x", "{\"a\":{\"a\":[1,null,true]}}", "[1,2]", "ä \"a b\" [c d", "\u{0}", "{\"a\":"];
    let mut state: u64 = 42;
    let mut below = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut taken = 0;
    for _ in 0..60_000 {
        let text: String = (0..below(12)).map(|_| pieces[below(pieces.len())]).collect();
        if let Ok(pattern) = Pattern::parse(&text) {
            taken += 1;
            for message in messages {
                assert_eq!(pattern.matches(message), pattern.extract(message).is_some(), "{text} of {message}");
            }
        }
    }
    assert!(taken > 1_000, "{taken}");
}
