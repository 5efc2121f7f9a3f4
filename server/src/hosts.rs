//! What listens beside the AWS API: load balancers, on the main port by host name.
//!
//! `http://NAME.REGION.elb.localhost:PORT/`, or the name that the API gives
//! (`NAME.REGION.elb.localhost.localdomain`), is answered by the load balancer's listener on port
//! 80, or else by the one on its lowest port: the main port stands for one listener only. Each load
//! balancer also has a loopback address of its own, with every listener at its own port.
//!
//! Only at the host's door, where an address is the host's or one from outside: security groups are
//! asked about it. Machines reach load balancers at the addresses of their interfaces.

use crate::links::Links;
use crate::wait_conditions::WaitConditions;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use kiln_elbv2::{DataPlane, places};
use kiln_gateway::{Body, Client, HostHandler, host_of};
use kiln_machines_spec::MachineDriver;
use kiln_service_kit::{Platform, PlatformBuilder};
use std::pin::Pin;
use std::sync::Arc;

/// Installs the load balancer data plane.
pub fn install(builder: PlatformBuilder, driver: &Arc<dyn MachineDriver>) -> Result<PlatformBuilder, String> {
    let plane = DataPlane::new(driver.clone(), kiln_elbv2::Options::default())
        .map_err(|e| format!("failed to start the load balancers' threads: {e}"))?;
    Ok(builder.part::<Arc<DataPlane>>(plane))
}

/// Who takes requests by their host name.
pub fn handlers(platform: &Arc<Platform>) -> Result<Vec<Arc<dyn HostHandler>>, String> {
    let plane = platform.part::<Arc<DataPlane>>().map_err(|e| e.chain())?;
    let balancers = LoadBalancers { plane, platform: platform.clone() };
    let waits = WaitConditions { platform: platform.clone() };
    Ok(vec![Arc::new(balancers), Arc::new(waits), Arc::new(Links { platform: platform.clone() })])
}

struct LoadBalancers {
    plane: Arc<DataPlane>,
    platform: Arc<Platform>,
}

impl HostHandler for LoadBalancers {
    fn takes(&self, host: &str, _: &str) -> bool {
        kiln_elbv2::names::is_name(host)
    }

    fn handle(
        &self,
        request: Request<Incoming>,
        client: Client,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let (plane, platform) = (self.plane.clone(), self.platform.clone());
        Box::pin(async move {
            let host = host_of(request.uri(), request.headers());
            let place = match kiln_elbv2::find_place(platform.store(), &host) {
                Ok(Some(place)) => place,
                Ok(None) => return text(StatusCode::NOT_FOUND, format!("There is no load balancer {host}.\n")),
                Err(error) => {
                    tracing::error!(error = error.chain(), %host, "cannot look up a load balancer");
                    return text(StatusCode::INTERNAL_SERVER_ERROR, "Kiln cannot look up the load balancer.\n".into());
                }
            };
            let Some(port) = place.main_port() else {
                return text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("Load balancer {} has no listener.\n", place.name),
                );
            };
            let balancer = plane.balancer();
            if balancer.config(&place.arn).is_some() && !balancer.admits(&place.arn, port, client.ip()) {
                // AWS would drop the packets; this connection is not only the load balancer's.
                let name = &place.name;
                let ip = client.ip();
                return text(
                    StatusCode::FORBIDDEN,
                    format!("The security groups of load balancer {name} do not let {ip} in to port {port}.\n"),
                );
            }
            match balancer.handle(&place.arn, port, request, client.address).await {
                Some(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
                None => {
                    text(StatusCode::SERVICE_UNAVAILABLE, format!("Load balancer {} is {}.\n", place.name, place.state))
                }
            }
        })
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// Load balancers and the addresses they answer at.
pub async fn status(platform: &Arc<Platform>, endpoint: &str) -> Vec<serde_json::Value> {
    let all = match places(platform.store()) {
        Ok(all) => all,
        Err(error) => return vec![serde_json::json!({"error": error.chain()})],
    };
    let main = endpoint.rsplit(':').next().unwrap_or("");
    all.iter()
        .map(|place| {
            let by_name = format!("http://{}:{main}/", place.host_name);
            let by_address = place.ports.iter().map(|port| format!("http://{}:{port}/", place.address));
            let urls: Vec<String> = std::iter::once(by_name).chain(by_address).collect();
            serde_json::json!({
                "name": place.name,
                "arn": place.arn,
                "state": place.state,
                "reason": place.reason,
                "urls": urls,
            })
        })
        .collect()
}
