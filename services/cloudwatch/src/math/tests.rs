//! Expressions as one writes them, and what they give.

use super::*;
use std::collections::BTreeMap;

fn series(points: &[(i64, f64)]) -> Series {
    Series { period: 60, points: points.iter().map(|(n, value)| (n * 60, *value)).collect(), ..Series::default() }
}

/// `a` has 1 to 4 at four minutes, `b` 10 and 40 at the first and the last, `c` nothing.
fn value(text: &str) -> Result<Value, String> {
    let a = series(&[(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]);
    let b = series(&[(0, 10.0), (3, 40.0)]);
    let metrics = vec![("a".to_owned(), a), ("b".to_owned(), b), ("c".to_owned(), series(&[]))];
    let values: BTreeMap<String, Value> = metrics.iter().map(|(id, s)| (id.clone(), Value::One(s.clone()))).collect();
    let frame = Frame { values: &values, metrics: &metrics, found: &BTreeMap::new(), from: 0, to: 240, period: 60 };
    evaluate(&parse(text)?, &frame)
}

/// As text: numbers as they are, series by their minutes.
fn shown(text: &str) -> String {
    let one = |series: &Series| {
        let point = |(at, value): &(i64, f64)| format!("{}:{}", at / 60, (value * 1000.0).round() / 1000.0);
        series.points.iter().map(point).collect::<Vec<_>>().join(" ")
    };
    match value(text) {
        Ok(Value::Number(number)) => format!("{number}"),
        Ok(Value::Text(text)) => format!("'{text}'"),
        Ok(Value::One(series)) => one(&series),
        Ok(Value::Many(all)) => format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(", ")),
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn every_function_and_operator() {
    let table = [
        ("1 + 2 * 3 ^ 2 ^ 1 - -1", "20"),
        ("-2 ^ 2", "-4"),
        ("(1 + 2) * 3", "9"),
        ("1.5e2 / 3", "50"),
        ("a + b", "0:11 3:44"),
        ("a / (a - 1)", "1:2 2:1.5 3:1.333"),
        ("2 * a", "0:2 1:4 2:6 3:8"),
        ("[a, b] * 2", "[0:2 1:4 2:6 3:8, 0:20 3:80]"),
        ("10 - [a, b]", "[0:9 1:8 2:7 3:6, 0:0 3:-30]"),
        ("[a, b] + [b, a]", "[0:11 3:44, 0:11 3:44]"),
        ("a > 2 AND a < 4", "0:0 1:0 2:1 3:0"),
        ("a == 1 || a >= 4", "0:1 1:0 2:0 3:1"),
        ("a != 1 && a <= 2", "0:0 1:1 2:0 3:0"),
        ("ABS(0 - a)", "0:1 1:2 2:3 3:4"),
        ("CEIL(a / 2)", "0:1 1:1 2:2 3:2"),
        ("FLOOR(a / 2)", "0:0 1:1 2:1 3:2"),
        ("LOG(a - 1)", "1:0 2:0.693 3:1.099"),
        ("LOG10(100)", "2"),
        ("AVG(a)", "2.5"),
        ("AVG([a, b])", "0:5.5 1:2 2:3 3:22"),
        ("SUM(a)", "10"),
        ("SUM(METRICS())", "0:11 1:2 2:3 3:44"),
        ("SUM(METRICS(\"b\"))", "0:10 3:40"),
        ("MIN(a) + MAX(a)", "5"),
        ("MAX([a, b])", "0:10 1:2 2:3 3:40"),
        ("STDDEV(a)", "1.118033988749895"),
        ("DATAPOINT_COUNT(b)", "2"),
        ("DATAPOINT_COUNT([a, b])", "0:2 1:1 2:1 3:2"),
        ("DIFF(a)", "1:1 2:1 3:1"),
        ("DIFF_TIME(b)", "3:180"),
        ("RATE(b)", "3:0.167"),
        ("RUNNING_SUM(a)", "0:1 1:3 2:6 3:10"),
        ("FILL(b, 0)", "0:10 1:0 2:0 3:40"),
        ("FILL(b, REPEAT)", "0:10 1:10 2:10 3:40"),
        ("FILL(b, LINEAR)", "0:10 1:20 2:30 3:40"),
        ("FILL(b, a)", "0:10 1:2 2:3 3:40"),
        ("FILL([b, c], 7)", "[0:10 1:7 2:7 3:40, 0:7 1:7 2:7 3:7]"),
        ("IF(a > 2, a, 0)", "0:0 1:0 2:3 3:4"),
        ("IF(a > 2, a)", "2:3 3:4"),
        ("IF(1, a, b)", "0:1 1:2 2:3 3:4"),
        ("FIRST([b, a])", "0:10 3:40"),
        ("LAST([b, a])", "0:1 1:2 2:3 3:4"),
        ("METRIC_COUNT(METRICS())", "3"),
        ("METRIC_COUNT(REMOVE_EMPTY(METRICS()))", "2"),
        ("PERIOD(a)", "60"),
        ("TIME_SERIES(5)", "0:5 1:5 2:5 3:5"),
        ("TIME_SERIES(MAX(a)) - a", "0:3 1:2 2:1 3:0"),
        ("SLICE([a, b, c], 1)", "0:10 3:40"),
        ("SLICE([a, b, c], 0, 2)", "[0:1 1:2 2:3 3:4, 0:10 3:40]"),
        ("SORT([a, c, b], AVG, DESC, 1)", "[0:10 3:40]"),
        ("SORT([b, c, a], SUM, ASC)", "[0:1 1:2 2:3 3:4, 0:10 3:40, ]"),
        ("MINUTE(a)", "0:0 1:1 2:2 3:3"),
        ("HOUR(b) + DAY(b) * 10 + DATE(b) * 100 + MONTH(b) * 1000 + YEAR(b) * 10000", "0:19701140 3:19701140"),
        ("EPOCH(b)", "0:0 3:180"),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_is_told() {
    let deep = "(".repeat(500) + "1" + &")".repeat(500);
    let minuses = "-".repeat(2_000) + "1";
    let long = vec!["1"; 1_000].join("+");
    for text in [
        "",
        "a +",
        "(a",
        "a)",
        "[a",
        "a b",
        "a @ b",
        "'text",
        "1.2.3",
        "nothing",
        "AVG()",
        "AVG(a, b)",
        "NOPE(a)",
        "a + 'x'",
        "[1]",
        "FILL(a)",
        "FILL(a, NOPE)",
        "SORT(a, AVG)",
        "SLICE(a, 1)",
        "LAMBDA(a)",
        "ANOMALY_DETECTION_BAND(a)",
        "METRIC_COUNT(1)",
        "SEARCH('x', 'Sum')",
        "[a, b] + [a]",
        &deep,
        &minuses,
        &long,
    ] {
        assert!(value(text).is_err(), "{text}");
    }
    assert!(value("LAMBDA(a)").is_err_and(|error| error.contains("LAMBDA is not built")));
}
