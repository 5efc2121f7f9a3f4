//! How many events a second one core matches against so many rules: `cargo run --release -p kiln-patterns --example rate [EVENTS]`.
//! Rules are of one source and type and differ in an id, a number and a prefix; events are read from their text, too.

use kiln_patterns::{Index, Pattern};
use serde_json::{Value as Json, json};
use std::hint::black_box;
use std::time::Instant;

fn rule(n: usize) -> (usize, Pattern) {
    let pattern = json!({
        "source": ["shop"], "detail-type": ["Order"],
        "detail": {"id": [format!("o-{n}")], "sum": [{"numeric": [">", 10]}], "place": [{"anything-but": {"prefix": "x"}}]},
    });
    (n, Pattern::of(&pattern).expect("a pattern"))
}

fn event(n: usize) -> String {
    json!({
        "version": "0", "id": "12345678-1234-1234-1234-123456789012", "detail-type": "Order", "source": "shop",
        "account": "000000000000", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": ["arn:aws:shop:o"],
        "detail": {"id": format!("o-{n}"), "sum": 50, "place": "Berlin", "items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]},
    })
    .to_string()
}

fn main() {
    let given = std::env::args().nth(1).map(|text| text.parse().expect("a number of events"));
    let events_in_all: usize = given.unwrap_or(100_000);
    for rules in [1, 1_000, 10_000] {
        let index = Index::new((0..rules).map(rule));
        let texts: Vec<String> = (0..1_000).map(event).collect();
        let (mut matched, begun) = (0, Instant::now());
        for n in 0..events_in_all {
            let event: Json = serde_json::from_str(&texts[n % texts.len()]).expect("an event");
            matched += black_box(index.matches(&event)).len();
        }
        let whole = begun.elapsed();
        let events: Vec<Json> = texts.iter().map(|text| serde_json::from_str(text).expect("an event")).collect();
        let begun = Instant::now();
        for n in 0..events_in_all {
            black_box(index.matches(&events[n % events.len()]));
        }
        let (each, alone) =
            (events_in_all as f64 / whole.as_secs_f64(), events_in_all as f64 / begun.elapsed().as_secs_f64());
        println!(
            "{rules} rules: {each:.0} events/s with their JSON read, {alone:.0} matched alone ({matched} matches)"
        );
    }
}
