//! `kiln explain`: what controllers say of one thing.
//!
//! ```text
//! text ── is it (a part of) a name that a controller reports on? ── its reports
//!      ── else: what is it to AWS?  a listener → its load balancer · a subnet → its VPC
//!                                   an image → its state and its instances
//! ```
//! What has no controller of its own is asked for by public operations, in the home account and region.

use crate::admin::Control;
use crate::status;
use kiln_ec2_shapes as ec2;
use kiln_service_kit::{Caller, Cx, Error, Name, Report, Request, Timestamp};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// What one text leads to.
#[derive(Default)]
struct Found {
    /// Sentences about the thing itself.
    facts: Vec<String>,
    /// Names that controllers know and that tell about it.
    of: BTreeSet<String>,
}

/// What is known of one thing: reports and machines of that name, and facts; `Err` when nothing is.
pub async fn explain(control: &Control, what: &str) -> Result<Json, String> {
    let what = what.trim();
    if what.is_empty() {
        return Err("explain what? Give an ARN, an id or a name".to_owned());
    }
    let all = control.platform.reports();
    let machines = control.driver.list().await.map_err(|e| e.chain())?;
    let mut found = Found::default();
    let mut reports = named(&all, what);
    if reports.is_empty() {
        found = look(control, what).await.map_err(|e| e.to_string())?;
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

/// What AWS's own operations say of it.
async fn look(control: &Control, what: &str) -> Result<Found, Error> {
    if let Some(found) = load_balancer(control, what)? {
        return Ok(found);
    }
    // arn:aws:ec2:…:subnet/subnet-… and subnet-… are the same.
    let id = what.rsplit(['/', ':']).next().unwrap_or(what);
    match id.split_once('-').map_or("", |(kind, _)| kind) {
        "ami" => image(control, id).await,
        "subnet" => {
            let request = ec2::DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(control, request).await?;
            Ok(in_vpc(id, "a subnet", answer.and_then(|a| a.subnets.into_iter().next()?.vpc_id)))
        }
        "sg" => {
            let request = ec2::DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(control, request).await?;
            Ok(in_vpc(id, "a security group", answer.and_then(|a| a.security_groups.into_iter().next()?.vpc_id)))
        }
        "rtb" => {
            let request =
                ec2::DescribeRouteTablesRequest { route_table_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(control, request).await?;
            Ok(in_vpc(id, "a route table", answer.and_then(|a| a.route_tables.into_iter().next()?.vpc_id)))
        }
        "eni" => {
            let ids = vec![id.to_owned()];
            let request = ec2::DescribeNetworkInterfacesRequest { network_interface_ids: ids, ..Default::default() };
            let answer = call(control, request).await?;
            Ok(in_vpc(id, "a network interface", answer.and_then(|a| a.network_interfaces.into_iter().next()?.vpc_id)))
        }
        "lt" => launch_template(control, id).await,
        _ => Ok(Found::default()),
    }
}

/// A load balancer by its DNS name, or by the ARN of a listener or rule.
fn load_balancer(control: &Control, what: &str) -> Result<Option<Found>, Error> {
    let host = what.trim_start_matches("http://").trim_end_matches('/');
    let host = host.split_once(':').filter(|_| !what.starts_with("arn:")).map_or(host, |(name, _)| name);
    for place in kiln_elbv2::places(control.platform.store())? {
        // …:loadbalancer/app/NAME/ID has listeners …:listener/app/NAME/ID/….
        let of_it = |kind: &str| {
            let prefix = place.arn.replacen(":loadbalancer/", &format!(":{kind}/"), 1) + "/";
            what.starts_with(&prefix)
        };
        let fact = if place.host_name == kiln_elbv2::names::at_host(&host.to_ascii_lowercase()) {
            format!("{host} is the load balancer {}", place.name)
        } else if of_it("listener") || of_it("listener-rule") {
            format!("{what} belongs to the load balancer {}", place.name)
        } else {
            continue;
        };
        return Ok(Some(Found { facts: vec![fact], of: [place.arn].into() }));
    }
    Ok(None)
}

fn in_vpc(id: &str, kind: &str, vpc: Option<String>) -> Found {
    match vpc {
        Some(vpc) => {
            Found { facts: vec![format!("{id} is {kind} of {vpc}, whose controller carries it")], of: [vpc].into() }
        }
        None => Found::default(),
    }
}

async fn image(control: &Control, id: &str) -> Result<Found, Error> {
    let request = ec2::DescribeImagesRequest { image_ids: vec![id.to_owned()], ..Default::default() };
    let answer = call(control, request).await?;
    let Some(image) = answer.and_then(|a| a.images.into_iter().next()) else { return Ok(Found::default()) };
    let filter = ec2::Filter { name: Some("image-id".to_owned()), values: vec![id.to_owned()] };
    let request = ec2::DescribeInstancesRequest { filters: vec![filter], ..Default::default() };
    let instances: Vec<String> = call(control, request)
        .await?
        .into_iter()
        .flat_map(|a| a.reservations)
        .flat_map(|r| r.instances)
        .filter(|i| i.state.as_ref().and_then(|s| s.name.as_deref()) != Some("terminated"))
        .filter_map(|i| i.instance_id)
        .collect();
    let text = |member: Option<String>| member.unwrap_or_else(|| "-".to_owned());
    let mut facts = vec![format!(
        "{id} is the image {}: {}, of owner {}",
        text(image.name),
        text(image.state),
        text(image.image_owner_alias.or(image.owner_id))
    )];
    if let Some(reason) = image.state_reason.and_then(|r| r.message) {
        facts.push(format!("its state's reason: {reason}"));
    }
    facts.push(match instances.as_slice() {
        [] => "no instance is made of it".to_owned(),
        some => format!("instances made of it: {}", some.join(", ")),
    });
    Ok(Found { facts, of: BTreeSet::new() })
}

async fn launch_template(control: &Control, id: &str) -> Result<Found, Error> {
    let request =
        ec2::DescribeLaunchTemplatesRequest { launch_template_ids: vec![id.to_owned()], ..Default::default() };
    let answer = call(control, request).await?;
    let Some(template) = answer.and_then(|a| a.launch_templates.into_iter().next()) else {
        return Ok(Found::default());
    };
    let version = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let fact = format!(
        "{id} is the launch template {}: default version {}, latest {}; it is read when a machine is launched",
        template.launch_template_name.unwrap_or_default(),
        version(template.default_version_number),
        version(template.latest_version_number)
    );
    Ok(Found { facts: vec![fact], of: BTreeSet::new() })
}

/// A public operation as the home account's root user; `None`: there is no such thing.
async fn call<R: Request>(control: &Control, request: R) -> Result<Option<R::Response>, Error> {
    let home = control.platform.home().clone();
    let caller = Caller::root(&home.account);
    let id = control.platform.ids().uuid();
    match Cx::new(control.platform.clone(), home, caller, &id).call(request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code.contains("NotFound") || error.code.contains("Malformed") => Ok(None),
        Err(error) => Err(error),
    }
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
