//! Status and explanations as plain text.

use serde_json::Value as Json;
use std::fmt::Write;

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or("-")
}

fn rows(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

/// `kiln status`.
pub fn status(s: &Json) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "kiln {} at {} ({}), up {} s",
        word(&s["version"]),
        word(&s["endpoint"]),
        word(&s["auth"]),
        s["uptime_seconds"]
    );
    let base = &s["base_image"];
    if !base.is_null() {
        let _ = writeln!(out, "base image: {} {}", word(&base["state"]), base["text"].as_str().unwrap_or(""));
    }
    let _ = writeln!(out, "\nmachines ({})", rows(&s["machines"]).count());
    for m in rows(&s["machines"]) {
        let _ = writeln!(
            out,
            "  {:<22} {:<16} {:<18} {}",
            word(&m["id"]),
            word(&m["private_ip"]),
            word(&m["state"]),
            m["text"].as_str().unwrap_or("")
        );
    }
    let _ = writeln!(out, "\nload balancers ({})", rows(&s["load_balancers"]).count());
    for l in rows(&s["load_balancers"]) {
        let _ = writeln!(out, "  {}", word(&l["name"]));
        for url in rows(&l["urls"]) {
            let _ = writeln!(out, "    {}", word(url));
        }
    }
    let waiting: Vec<&Json> = rows(&s["reports"])
        .filter(|r| !r["waiting_for"].is_null() || !r["failing"].is_null() || rows(&r["next"]).next().is_some())
        .collect();
    let _ = writeln!(out, "\nwaiting or at work ({})", waiting.len());
    for r in waiting {
        let _ = write!(out, "{}", report(r));
    }
    out
}

fn report(r: &Json) -> String {
    let mut out = format!("  {} {}\n", word(&r["controller"]), word(&r["id"]));
    for (name, value) in
        [("sees", &r["sees"]), ("wants", &r["wants"]), ("waits for", &r["waiting_for"]), ("failing", &r["failing"])]
    {
        if let Some(text) = value.as_str().filter(|t| !t.is_empty()) {
            let _ = writeln!(out, "    {name}: {text}");
        }
    }
    for step in rows(&r["next"]) {
        let _ = writeln!(out, "    next: {}", word(step));
    }
    out
}

/// `kiln explain`.
pub fn explain(e: &Json) -> String {
    let mut out = String::new();
    for r in rows(&e["reports"]) {
        out.push_str(&report(r));
    }
    for m in rows(&e["machines"]) {
        let _ =
            writeln!(out, "  machine {}: {} {}", word(&m["id"]), word(&m["state"]), m["text"].as_str().unwrap_or(""));
    }
    out
}
