//! What `kiln status` and `kiln logs` show, as JSON.

use crate::control::Control;
use kiln_machines_spec::{MachineState, MachineStatus};
use kiln_service_kit::{CallRecord, Name, Report, Timestamp, Told, Unread, chain};
use serde_json::{Value as Json, json};

/// Everything at a glance.
pub async fn status(control: &Control) -> Json {
    let (machines, trouble) = match control.driver.list().await {
        Ok(machines) => (machines.iter().map(machine).collect(), None),
        Err(error) => (vec![], Some(error.chain())),
    };
    let reports: Vec<Json> = control.platform.reports().iter().map(report).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "endpoint": control.endpoint,
        "auth": if control.platform.is_open() { "open" } else { "enforced" },
        "uptime_seconds": control.started.elapsed().as_secs(),
        "store": { "stopped": control.platform.store().stopped().map(|error| error.to_string()) },
        "base_image": control.base_image.json(),
        "machines": machines,
        "machines_error": trouble,
        "load_balancers": crate::hosts::status(&control.platform, &control.endpoint).await,
        "doors": kiln_doors::figures(),
        "unread_records": control.platform.store().unread().iter().map(unread).collect::<Vec<_>>(),
        "reports": reports,
    })
}

/// A stored record that does not read.
fn unread(record: &Unread) -> Json {
    json!({
        "kind": &*record.kind,
        "account": &*record.scope.account,
        "region": &*record.scope.region,
        "id": &*record.id,
        "reason": record.reason,
    })
}

/// The latest API calls, oldest first.
/// Without `all`, those that kiln's own services make to each other are left out.
pub async fn calls(control: &Control, lines: usize, all: bool) -> Result<Json, String> {
    let platform = &control.platform;
    let wanted = |call: &CallRecord| all || !call.caller.contains(":role/aws-service-role/");
    let told = platform.calls().latest(platform.history(), lines, wanted).await.map_err(|e| chain(&e))?;
    let lines: Vec<String> = told
        .iter()
        .map(|told| match told {
            Told::Call(call) => line(call),
            Told::NotKept(calls) => format!("{calls} more calls: too many came for all to be kept"),
        })
        .collect();
    Ok(json!({"lines": lines}))
}

fn line(call: &CallRecord) -> String {
    let outcome = match &call.error {
        None => "ok".to_owned(),
        Some((code, message)) => format!("{code}: {message}"),
    };
    let CallRecord { service, operation, region, caller, micros, .. } = call;
    format!("{} {service}:{operation} {region} {caller} {micros} µs {outcome}", call.at.iso8601_millis())
}

pub fn machine(m: &MachineStatus) -> Json {
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

pub fn report((controller, name, at, report): &(&'static str, Name, Timestamp, Report)) -> Json {
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
        "at_rest": report.at_rest,
        "failing": report.failing,
    })
}
