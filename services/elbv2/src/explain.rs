//! What `kiln explain` tells of names that lead to a load balancer: its controller reports on the ARN alone.

use kiln_service_kit::{BoxFuture, Cx, Error, Explained};

/// What is told of a DNS name, or of a listener's or a rule's ARN.
pub fn explain<'a>(cx: &'a Cx, what: &'a str) -> BoxFuture<'a, Result<Option<Explained>, Error>> {
    Box::pin(async move { load_balancer(cx, what) })
}

/// A load balancer by its DNS name, or by the ARN of a listener or rule.
fn load_balancer(cx: &Cx, what: &str) -> Result<Option<Explained>, Error> {
    let host = what.trim_start_matches("http://").trim_end_matches('/');
    let host = host.split_once(':').filter(|_| !what.starts_with("arn:")).map_or(host, |(name, _)| name);
    for place in crate::places(cx.store())? {
        // …:loadbalancer/app/NAME/ID has listeners …:listener/app/NAME/ID/….
        let of_it = |kind: &str| {
            let prefix = place.arn.replacen(":loadbalancer/", &format!(":{kind}/"), 1) + "/";
            what.starts_with(&prefix)
        };
        let fact = if place.host_name == crate::names::at_host(&host.to_ascii_lowercase()) {
            format!("{host} is the load balancer {}", place.name)
        } else if of_it("listener") || of_it("listener-rule") {
            format!("{what} belongs to the load balancer {}", place.name)
        } else {
            continue;
        };
        return Ok(Some(Explained { facts: vec![fact], of: [place.arn].into() }));
    }
    Ok(None)
}
