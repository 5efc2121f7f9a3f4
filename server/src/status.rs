//! What `kiln status`, `kiln explain` and `kiln logs` show, as JSON.

use crate::admin::Control;
use kiln_machines_spec::{MachineState, MachineStatus};
use kiln_service_kit::{Name, Report, Timestamp};
use serde_json::{Value as Json, json};

/// Everything at a glance.
pub async fn status(control: &Control) -> Json {
    let (machines, trouble) = match control.driver.list().await {
        Ok(machines) => (machines.iter().map(machine).collect(), None),
        Err(error) => (vec![], Some(error.to_string())),
    };
    let reports: Vec<Json> = control.platform.reports().iter().map(report).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "endpoint": control.endpoint,
        "auth": if control.platform.is_open() { "open" } else { "enforced" },
        "uptime_seconds": control.started.elapsed().as_secs(),
        "base_image": control.base_image.json(),
        "machines": machines,
        "machines_error": trouble,
        "load_balancers": crate::hosts::status(&control.platform, &control.endpoint).await,
        "reports": reports,
    })
}

/// What is known of one thing: every report whose id the text names, and its machine.
pub async fn explain(control: &Control, what: &str) -> Result<Json, String> {
    let about =
        |id: &str| !what.is_empty() && (id == what || what.ends_with(id) || id.ends_with(what) || id.contains(what));
    let all = control.platform.reports();
    let mut reports: Vec<Json> = all.iter().filter(|(_, n, _, _)| &*n.id == what).map(report).collect();
    if reports.is_empty() {
        reports = all.iter().filter(|(_, n, _, _)| about(&n.id)).map(report).collect();
    }
    let machines: Vec<Json> = control
        .driver
        .list()
        .await
        .map_err(|e| e.to_string())?
        .iter()
        .filter(|m| m.spec.id.as_str() == what)
        .map(machine)
        .collect();
    if reports.is_empty() && machines.is_empty() {
        return Err(format!("no controller knows {what}. `kiln status` lists what there is"));
    }
    Ok(json!({"reports": reports, "machines": machines}))
}

/// The latest API calls, oldest first.
pub fn calls(control: &Control, lines: usize) -> Json {
    let all = control.platform.calls().recent();
    let lines: Vec<String> = all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|c| {
            let outcome = match &c.error {
                None => "ok".to_owned(),
                Some((code, message)) => format!("{code}: {message}"),
            };
            format!(
                "{} {}:{} {} {} {} µs {outcome}",
                c.at.iso8601_millis(),
                c.service,
                c.operation,
                c.region,
                c.caller,
                c.micros
            )
        })
        .collect();
    json!({"lines": lines})
}

fn machine(m: &MachineStatus) -> Json {
    let (state, text, pid) = match &m.state {
        MachineState::Running { pid, .. } => ("running", String::new(), Some(*pid)),
        MachineState::Exited(exit) => ("exited", exit.text.clone(), None),
        MachineState::Stopped { .. } => ("stopped", String::new(), None),
    };
    json!({
        "id": m.spec.id.as_str(),
        "private_ip": m.spec.private_ip.to_string(),
        "vpc": m.spec.vpc.as_str(),
        "image": m.spec.image.as_str(),
        "state": state,
        "text": text,
        "pid": pid,
        "boots": m.boots,
    })
}

fn report((controller, name, at, report): &(&'static str, Name, Timestamp, Report)) -> Json {
    let waiting = report.waiting_for.as_ref().map(|w| match w.until {
        Some(until) => format!("{} (looks again at {})", w.what, until.iso8601()),
        None => w.what.clone(),
    });
    json!({
        "controller": controller,
        "account": &*name.scope.account,
        "region": &*name.scope.region,
        "id": &*name.id,
        "at": at.iso8601_millis(),
        "sees": report.sees,
        "wants": report.wants,
        "next": report.next,
        "waiting_for": waiting,
        "failing": report.failing,
    })
}
