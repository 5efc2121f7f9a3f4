//! `kiln explain`: what controllers say of one thing.
//!
//! ```text
//! text ── is it (a part of) a name that a controller reports on? ── its reports
//!      ── else: the services are asked whose it is (`Service::explain`)
//! ```

use crate::control::Control;
use crate::status;
use kiln_service_kit::{Caller, Cx, Error, Explained, Name, Report, Timestamp};
use serde_json::{Value as Json, json};

/// What is known of one thing: reports and machines of that name, and facts; `Err` when nothing is.
pub async fn explain(control: &Control, what: &str) -> Result<Json, String> {
    let what = what.trim();
    if what.is_empty() {
        return Err("explain what? Give an ARN, an id or a name".to_owned());
    }
    let all = control.platform.reports();
    let machines = control.driver.list().await.map_err(|e| e.chain())?;
    let mut found = Explained::default();
    let mut reports = named(&all, what);
    if reports.is_empty() {
        found = look(control, what).await.map_err(|e| e.chain())?;
        // A machine is also known by its address.
        let here = machines.iter().filter(|m| m.spec.private_ip.to_string() == what);
        found.of.extend(here.map(|m| m.spec.id.as_str().to_owned()));
        reports = all.iter().filter(|(_, name, _, _)| found.of.contains(&*name.id)).collect();
    }
    let about = |id: &str| id == what || reports.iter().any(|(_, name, _, _)| &*name.id == id);
    let machines: Vec<Json> = machines.iter().filter(|m| about(m.spec.id.as_str())).map(status::machine).collect();
    if reports.is_empty() && machines.is_empty() && found.facts.is_empty() {
        return Err(format!(
            "nothing is known of {what}: no controller reports on it, and it is no image, network or launch \
             template of the home region. `kiln status` lists what there is"
        ));
    }
    let reports: Vec<Json> = reports.into_iter().map(status::report).collect();
    Ok(json!({"reports": reports, "machines": machines, "facts": found.facts}))
}

type Reported = (&'static str, Name, Timestamp, Report);

/// Reports on that very name, or else on those of which it is a part or that are a part of it.
fn named<'a>(all: &'a [Reported], what: &str) -> Vec<&'a Reported> {
    let exact: Vec<&Reported> = all.iter().filter(|(_, name, _, _)| &*name.id == what).collect();
    if !exact.is_empty() {
        return exact;
    }
    // `ends_with` at a boundary: an ARN ends with the id of its thing.
    let is_end = |id: &str| what.strip_suffix(id).is_some_and(|rest| rest.ends_with(['/', ':']));
    all.iter().filter(|(_, name, _, _)| is_end(&name.id) || name.id.contains(what)).collect()
}

/// What the services say of it, as the home account's root user is told.
async fn look(control: &Control, what: &str) -> Result<Explained, Error> {
    let home = control.platform.home().clone();
    let caller = Caller::root(&home.account);
    let id = control.platform.ids().uuid();
    let cx = Cx::new(control.platform.clone(), home, caller, &id);
    for explain in control.platform.services().iter().filter_map(|service| service.explain) {
        if let Some(found) = explain(&cx, what).await? {
            return Ok(found);
        }
    }
    Ok(Explained::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_service_kit::Scope;

    #[test]
    fn reports_are_found_by_name_by_arn_and_by_a_part() {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let report = |id: &str| ("c", Name::new(&Scope::new("1", "r"), id), at, Report::default());
        let all = [report("web"), report("web-2"), report("arn:aws:x:stack/shop/1"), report("i-1")];
        let found = |what: &str| named(&all, what).iter().map(|(_, n, _, _)| n.id.to_string()).collect::<Vec<_>>();
        assert_eq!(found("web"), ["web"]);
        assert_eq!(found("we"), ["web", "web-2"]);
        assert_eq!(found("shop"), ["arn:aws:x:stack/shop/1"]);
        assert_eq!(found("arn:aws:ec2:r:1:instance/i-1"), ["i-1"]);
        assert_eq!(found("arn:aws:x:group:autoScalingGroupName/web"), ["web"]);
        assert!(found("xi-1").is_empty());
    }
}
