//! Status and explanations as plain text.

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or("-")
}

fn rows(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

/// `kiln mail`.
pub fn mails(answer: &Json) -> String {
    let mut out = String::new();
    for mail in rows(&answer["mails"]) {
        let subject = word(&mail["subject"]).replace(['\n', '\t'], " ");
        let _ = writeln!(out, "{}  {}  {:<30} {subject}", word(&mail["id"]), word(&mail["at"]), word(&mail["to"]));
    }
    if out.is_empty() {
        out.push_str("no mail\n");
    }
    out
}

/// `kiln mail ID`.
pub fn mail(mail: &Json) -> String {
    let mut out = String::new();
    for (name, key) in [("From", "from"), ("To", "to"), ("Date", "at"), ("Subject", "subject")] {
        let _ = writeln!(out, "{name}: {}", word(&mail[key]).replace(['\n', '\t'], " "));
    }
    let body = word(&mail["body"]);
    let _ = write!(out, "\n{body}{}", if body.ends_with('\n') { "" } else { "\n" });
    out
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
    if let Some(why) = s["store"]["stopped"].as_str() {
        let _ = writeln!(out, "NOTHING IS WRITTEN: {why}");
    }
    let base = &s["base_image"];
    if !base.is_null() {
        let _ = writeln!(out, "base image: {} {}", word(&base["state"]), base["text"].as_str().unwrap_or(""));
    }
    let _ = writeln!(out, "\nmachines ({})", rows(&s["machines"]).count());
    if let Some(trouble) = s["machines_error"].as_str() {
        let _ = writeln!(out, "  cannot be listed: {trouble}");
    }
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
        match l["error"].as_str() {
            Some(error) => _ = writeln!(out, "  cannot be listed: {error}"),
            None => {
                let reason = l["reason"].as_str().map(|r| format!(": {r}")).unwrap_or_default();
                _ = writeln!(out, "  {} {}{reason}", word(&l["name"]), l["state"].as_str().unwrap_or(""));
            }
        }
        for url in rows(&l["urls"]) {
            let _ = writeln!(out, "    {}", word(url));
        }
    }
    if rows(&s["unread_records"]).next().is_some() {
        let _ = writeln!(out, "\nrecords that do not read ({})", rows(&s["unread_records"]).count());
    }
    for r in rows(&s["unread_records"]) {
        let (kind, id, account, region) = (word(&r["kind"]), word(&r["id"]), word(&r["account"]), word(&r["region"]));
        let _ = writeln!(out, "  {kind} {id} of {account}/{region}: {}", word(&r["reason"]));
    }
    let (resting, busy): (Vec<&Json>, Vec<&Json>) = rows(&s["reports"]).partition(|r| is_at_rest(r));
    let _ = writeln!(out, "\nwaiting or at work ({})", busy.len());
    for r in busy {
        let _ = write!(out, "{}", report(r, false));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    resting.iter().for_each(|r| *counts.entry(word(&r["controller"])).or_default() += 1);
    let counts: Vec<String> = counts.into_iter().map(|(controller, n)| format!("{n} {controller}")).collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "\nas wanted: {}", counts.join(", "));
    }
    out
}

/// Nothing is done, nothing fails, and what is waited for is only news.
fn is_at_rest(r: &Json) -> bool {
    let waits = !r["waiting_for"].is_null() && r["at_rest"] != true;
    !waits && r["failing"].is_null() && rows(&r["next"]).next().is_none()
}

/// One controller's report; `whole` says also what there is none of.
fn report(r: &Json, whole: bool) -> String {
    let mut out = format!("  {} {}\n", word(&r["controller"]), word(&r["id"]));
    let mut line = |name: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|t| !t.is_empty()).or(whole.then_some("nothing")) {
            let _ = writeln!(out, "    {name}: {text}");
        }
    };
    line("sees", r["sees"].as_str());
    line("wants", r["wants"].as_str());
    let mut steps = rows(&r["next"]).peekable();
    if steps.peek().is_none() {
        line("does", None);
    }
    steps.for_each(|step| line("does", step.as_str()));
    line("waits for", r["waiting_for"].as_str());
    if r["failing"].is_string() {
        line("failing", r["failing"].as_str());
    }
    out
}

/// `kiln explain`.
pub fn explain(e: &Json) -> String {
    let mut out = String::new();
    for r in rows(&e["reports"]) {
        out.push_str(&report(r, true));
    }
    for fact in rows(&e["facts"]) {
        let _ = writeln!(out, "  {}", word(fact));
    }
    for m in rows(&e["machines"]) {
        let _ =
            writeln!(out, "  machine {}: {} {}", word(&m["id"]), word(&m["state"]), m["text"].as_str().unwrap_or(""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_as_wanted_is_told_from_what_waits() {
        let rest = json!({"controller": "ec2/instance", "id": "i-1", "sees": "it runs", "wants": "it to run",
            "next": [], "waiting_for": "news", "at_rest": true, "failing": null});
        let waits = json!({"controller": "autoscaling/group", "id": "web", "sees": "2", "wants": "3",
            "next": [], "waiting_for": "i-2 to be running", "at_rest": false, "failing": null});
        let fails = json!({"controller": "ec2/network", "id": "vpc-1", "sees": "", "wants": "a network",
            "next": ["apply"], "waiting_for": null, "at_rest": true, "failing": "no nft"});
        let unread = json!([{"kind": "ec2/vpc", "id": "vpc-1", "account": "1", "region": "r", "reason": "no `id`"}]);
        let told = json!({"reports": [rest, waits, fails], "machines_error": "no crun", "unread_records": unread});
        let text = status(&told);
        let (busy, as_wanted) = text.split_once("as wanted: ").expect("both parts");
        assert!(busy.contains("waiting or at work (2)") && busy.contains("waits for: i-2 to be running"), "{text}");
        assert!(busy.contains("does: apply") && busy.contains("failing: no nft"), "{text}");
        assert!(busy.contains("cannot be listed: no crun"), "{text}");
        assert!(busy.contains("records that do not read (1)\n  ec2/vpc vpc-1 of 1/r: no `id`\n"), "{text}");
        assert_eq!(as_wanted, "1 ec2/instance\n");
        let text = status(&json!({"version": "1", "store": {"stopped": "the store at kiln.db takes no writes: …"}}));
        assert_eq!(text.lines().nth(1), Some("NOTHING IS WRITTEN: the store at kiln.db takes no writes: …"), "{text}");
        let text = explain(&json!({"reports": [rest], "facts": ["ami-1 is an image"]}));
        assert_eq!(
            text,
            "  ec2/instance i-1\n    sees: it runs\n    wants: it to run\n    does: nothing\n    waits for: news\n  ami-1 is an image\n"
        );
    }
}
