//! The AWS API as machines reach it: at 169.254.169.254:4566 inside every network.
//!
//! ```text
//! signal to a wait condition's URL ─────────────► who has the URL may
//! anything that says it is signed ──────────────► the API, which verifies it; refused in open mode
//! POST SignalResource, DescribeStackResource ───► whose address is it? ─► of that stack? ─► the call
//! everything else, by whatever method ──────────► refused
//! ```
//!
//! Nobody else answers at this door, whatever host a request names: load balancers are reached at their
//! interfaces, where security groups are enforced.
//!
//! CloudFormation's programs (cfn-signal, cfn-init) have no keys; on AWS the instance's identity
//! document stands in for them. Here it is the address: the bridge filter lets no packet pass with
//! an address that is not its sender's. A machine may read and signal resources of the stack that
//! made it or its group, and nothing else.
//!
//! Different from AWS: no way to the internet and no egress rule is needed. With `--auth open`,
//! where any keys do, signed calls from inside are refused: open mode is for the host's loopback.

use crate::wait_conditions::WaitConditions;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use kiln_cloudformation_shapes::{
    DescribeStackResourceRequest, DescribeStackResourcesRequest, SignalResourceRequest, StackResource,
};
use kiln_ec2_shapes::{DescribeTagsRequest, Filter, kinds::NETWORK_STATUS};
use kiln_gateway::{Body, Client, Gateway, HostHandler, host_of};
use kiln_machines_spec::{MachineDriver, MachineState, MachineStatus, VpcId};
use kiln_service_kit::{Cx, Error, Fault, Platform, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where, in each network. `kiln-ec2` tells machines of it as `AWS_ENDPOINT_URL`.
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 4566);
/// A listener that could not be made is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// The largest body of an unsigned call: a signal's few words.
const MOST_BYTES: usize = 64 << 10;
/// Time to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Keeps one listener in each network that is on the host, until `stop` turns true.
pub async fn serve(
    platform: Arc<Platform>,
    driver: Arc<dyn MachineDriver>,
    gateway: Gateway,
    mut stop: watch::Receiver<bool>,
) {
    // Subscribed before the networks are looked at, so nothing falls between the two.
    let mut feed = platform.store().feed();
    let mut open: BTreeMap<VpcId, Listening> = BTreeMap::new();
    loop {
        let complete = listen_everywhere(&platform, &driver, &gateway, &stop, &mut open).await;
        let again = async {
            match complete {
                true => std::future::pending().await,
                false => tokio::time::sleep(RETRY).await,
            }
        };
        tokio::select! {
            () = again => {}
            gone = next_change(&mut feed) => match gone {
                // Its socket belongs to the network that went, even if there is another by now.
                Some(gone) => open.retain(|vpc, _| !gone.contains(vpc.as_str())),
                None => return,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// A listener's task; it ends with it.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens what is missing and drops what is gone; whether all is as it should be.
async fn listen_everywhere(
    platform: &Arc<Platform>,
    driver: &Arc<dyn MachineDriver>,
    gateway: &Gateway,
    stop: &watch::Receiver<bool>,
    open: &mut BTreeMap<VpcId, Listening>,
) -> bool {
    let networks: BTreeSet<VpcId> = match driver.networks().await {
        Ok(networks) => networks.into_iter().map(|network| network.id).collect(),
        Err(error) => {
            tracing::warn!(error = error.chain(), "cannot see which networks need the API");
            return false;
        }
    };
    open.retain(|vpc, _| networks.contains(vpc));
    let mut complete = true;
    for vpc in networks {
        if open.contains_key(&vpc) {
            continue;
        }
        match driver.listen(&vpc, ADDRESS).await {
            Ok(listener) => {
                let inside = Inside {
                    platform: platform.clone(),
                    driver: driver.clone(),
                    gateway: gateway.clone(),
                    signals: WaitConditions { platform: platform.clone() },
                    vpc: vpc.clone(),
                };
                let door = gateway.in_network(vpc.as_str(), vec![Arc::new(inside)]);
                let stop = stop.clone();
                open.insert(vpc, Listening(tokio::spawn(async move { door.serve(listener, stop).await })));
            }
            Err(error) => {
                tracing::warn!(%vpc, error = error.chain(), "the API cannot listen in a network; trying again");
                complete = false;
            }
        }
    }
    complete
}

/// The networks that went, once any came, changed or went; none when the store is closed.
async fn next_change(
    feed: &mut tokio::sync::broadcast::Receiver<Arc<kiln_service_kit::Commit>>,
) -> Option<BTreeSet<String>> {
    loop {
        match feed.recv().await {
            Ok(commit) => {
                let of_networks = commit.changes.iter().filter(|change| &*change.kind == NETWORK_STATUS);
                let of_networks: Vec<_> = of_networks.collect();
                if !of_networks.is_empty() {
                    let gone = of_networks.iter().filter(|change| change.op == kiln_service_kit::Op::Delete);
                    return Some(gone.map(|change| change.id.to_string()).collect());
                }
            }
            Err(RecvError::Lagged(_)) => return Some(BTreeSet::new()),
            Err(RecvError::Closed) => return None,
        }
    }
}

/// Who answers in one network.
struct Inside {
    platform: Arc<Platform>,
    driver: Arc<dyn MachineDriver>,
    gateway: Gateway,
    signals: WaitConditions,
    vpc: VpcId,
}

impl HostHandler for Inside {
    fn takes(&self, _: &str, _: &str) -> bool {
        true
    }

    fn handle(
        &self,
        request: Request<Incoming>,
        client: Client,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        if self.signals.takes(&host_of(request.uri(), request.headers()), request.uri().path()) {
            return self.signals.handle(request, client);
        }
        let gateway = self.gateway.clone();
        if claims_signature(request.headers(), request.uri()) {
            if self.platform.is_open() {
                // Any keys would do: the machine would be root of every account.
                let text =
                    "kiln runs with --auth open, where any keys do, so machines are not let in. Use --auth enforced";
                return refused(gateway, request, denied(text.to_owned()));
            }
            return Box::pin(async move { gateway.call_api(request, client).await });
        }
        if request.method() != Method::POST {
            let text = format!("{} needs a signature here.", request.method());
            return refused(gateway, request, denied(text));
        }
        let (platform, driver, vpc) = (self.platform.clone(), self.driver.clone(), self.vpc.clone());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match unsigned(&platform, &*driver, &vpc, body, client.ip()).await {
                Ok((status, xml)) => answer(status, xml),
                Err(error) => gateway.refusal(&head, &error),
            }
        })
    }
}

/// Whether a request says that it is signed, rightly or not: then the API judges it.
fn claims_signature(headers: &HeaderMap, uri: &Uri) -> bool {
    const MARKS: [&str; 5] = ["X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "AWSAccessKeyId", "Signature"];
    let mut query = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
    headers.contains_key(AUTHORIZATION) || query.any(|(key, _)| MARKS.iter().any(|m| key.eq_ignore_ascii_case(m)))
}

fn refused(
    gateway: Gateway,
    request: Request<Incoming>,
    error: Error,
) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
    let (head, _) = request.into_parts();
    Box::pin(std::future::ready(gateway.refusal(&head, &error)))
}

fn answer(status: StatusCode, xml: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(xml)).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/xml"));
    response
}

/// A call of CloudFormation's programs.
async fn unsigned(
    platform: &Arc<Platform>,
    driver: &dyn MachineDriver,
    vpc: &VpcId,
    body: Incoming,
    client: IpAddr,
) -> Result<(StatusCode, String), Error> {
    let body = tokio::time::timeout(BODY_TIME, Limited::new(body, MOST_BYTES).collect()).await;
    let body =
        body.map_err(|_| Error::sender("RequestTimeout", "The body did not arrive in time.").with_status(408))?;
    let body = body.map_err(|e| Error::sender("RequestEntityTooLarge", format!("the body cannot be taken: {e}")))?;
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
    let field = |name: &str| {
        let value = form.get(name).cloned();
        value.ok_or_else(|| Error::sender("ValidationError", format!("The request lacks {name}.")))
    };
    let action = field("Action")?;
    if !["SignalResource", "DescribeStackResource"].contains(&action.as_str()) {
        return Err(denied(format!("{action} needs a signature.")));
    }
    let (stack_name, logical_resource_id) = (field("StackName")?, field("LogicalResourceId")?);
    let cx = caller(platform, driver, vpc, client, &stack_name).await?;
    if action == "SignalResource" {
        let (unique_id, status) = (field("UniqueId")?, field("Status")?);
        cx.call(SignalResourceRequest { stack_name, logical_resource_id, unique_id, status }).await?;
        return Ok((StatusCode::OK, "<SignalResourceResponse/>".to_owned()));
    }
    let found = cx.call(DescribeStackResourceRequest { stack_name, logical_resource_id }).await?;
    let detail = found.stack_resource_detail.unwrap_or_default();
    let element = |name: &str, text: Option<String>| {
        text.map_or_else(String::new, |text| format!("<{name}>{}</{name}>", escaped(&text)))
    };
    // What cfn-init and cfn-hup look at, and no more.
    let (id, metadata) =
        (element("PhysicalResourceId", detail.physical_resource_id), element("Metadata", detail.metadata));
    Ok((StatusCode::OK, format!("<DescribeStackResourceResponse>{id}{metadata}</DescribeStackResourceResponse>")))
}

/// What a machine may do with a stack, if the stack made it or its group.
async fn caller(
    platform: &Arc<Platform>,
    driver: &dyn MachineDriver,
    vpc: &VpcId,
    client: IpAddr,
    stack: &str,
) -> Result<Cx, Error> {
    let machines = driver.list().await.map_err(|e| Error::failed("list the machines", e))?;
    let IpAddr::V4(ip) = client else { return Err(denied(format!("No machine has the address {client}."))) };
    // One that ended may have had the address before.
    let runs = |m: &MachineStatus| matches!(m.state, MachineState::Running { .. });
    let here = machines.iter().find(|m| runs(m) && m.spec.has_address(vpc, ip));
    let spec = &here.ok_or_else(|| denied(format!("No machine has the address {client}.")))?.spec;
    let label = |name: &str| {
        let value = spec.labels.get(name).cloned();
        value.ok_or_else(|| Error::internal(format!("{} has no label {name}", spec.id)))
    };
    let scope = Scope::new(label("account")?, label("region")?);
    let cx = Cx::for_service(platform.clone(), scope, "cloudformation.amazonaws.com");
    let mut made_as = vec![spec.id.to_string()];
    let only = |name: &str, value: &str| Filter { name: Some(name.to_owned()), values: vec![value.to_owned()] };
    let tags = DescribeTagsRequest {
        filters: vec![only("resource-id", spec.id.as_str()), only("key", "aws:autoscaling:groupName")],
        ..Default::default()
    };
    made_as.extend(cx.call(tags).await?.tags.into_iter().filter_map(|tag| tag.value));
    for physical in made_as {
        let asked = DescribeStackResourcesRequest { physical_resource_id: Some(physical), ..Default::default() };
        // That no stack made it is one of the answers.
        let resources = match cx.call(asked).await {
            Ok(answer) => answer.stack_resources,
            Err(error) if error.fault == Fault::Sender => vec![],
            Err(error) => return Err(error),
        };
        let named = |r: &StackResource| [&r.stack_name, &r.stack_id].iter().any(|name| name.as_deref() == Some(stack));
        if resources.iter().any(named) {
            return Ok(cx);
        }
    }
    Err(denied(format!("{} is not of stack {stack}.", spec.id)))
}

fn denied(text: String) -> Error {
    Error::sender("AccessDenied", text).with_status(403)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_it_is_signed_is_for_the_api_to_judge() {
        let claims = |uri: &str, headers: &[(&'static str, &str)]| {
            let mut request = http::Request::builder().uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).expect("a good request").into_parts();
            claims_signature(&head.headers, &head.uri)
        };
        for uri in ["/?X-Amz-Signature=1", "/b/k?AWSAccessKeyId=a", "/?a=b&x-amz-credential=", "/?X-Amz%2DAlgorithm=x"]
        {
            assert!(claims(uri, &[]), "{uri}");
        }
        assert!(claims("/", &[("authorization", "nonsense")]));
        for uri in ["/", "/?Action=CreateAccessKey", "/bucket/key", "/?x=X-Amz-Signature", "/X-Amz-Signature"] {
            assert!(!claims(uri, &[("x-amz-date", "20260101T000000Z")]), "{uri}");
        }
    }
}
