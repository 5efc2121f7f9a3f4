//! What `kiln explain` tells of EC2's things that no controller reports on: a subnet leads to its VPC, an image to
//! its state and its instances. They are asked for by public operations.

use kiln_ec2_shapes::*;
use kiln_service_kit::{BoxFuture, Cx, Error, Explained, Request};

/// What is told of a text that may be an id or an ARN of EC2's.
pub fn explain<'a>(cx: &'a Cx, what: &'a str) -> BoxFuture<'a, Result<Option<Explained>, Error>> {
    Box::pin(look(cx, what))
}

async fn look(cx: &Cx, what: &str) -> Result<Option<Explained>, Error> {
    // arn:aws:ec2:…:subnet/subnet-… and subnet-… are the same.
    let id = what.rsplit(['/', ':']).next().unwrap_or(what);
    match id.split_once('-').map_or("", |(kind, _)| kind) {
        "ami" => image(cx, id).await,
        "subnet" => {
            let request = DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(cx, request).await?;
            Ok(in_vpc(id, "a subnet", answer.and_then(|a| a.subnets.into_iter().next()?.vpc_id)))
        }
        "sg" => {
            let request = DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(cx, request).await?;
            Ok(in_vpc(id, "a security group", answer.and_then(|a| a.security_groups.into_iter().next()?.vpc_id)))
        }
        "rtb" => {
            let request = DescribeRouteTablesRequest { route_table_ids: vec![id.to_owned()], ..Default::default() };
            let answer = call(cx, request).await?;
            Ok(in_vpc(id, "a route table", answer.and_then(|a| a.route_tables.into_iter().next()?.vpc_id)))
        }
        "eni" => {
            let ids = vec![id.to_owned()];
            let request = DescribeNetworkInterfacesRequest { network_interface_ids: ids, ..Default::default() };
            let answer = call(cx, request).await?;
            Ok(in_vpc(id, "a network interface", answer.and_then(|a| a.network_interfaces.into_iter().next()?.vpc_id)))
        }
        "lt" => launch_template(cx, id).await,
        _ => Ok(None),
    }
}

fn in_vpc(id: &str, kind: &str, vpc: Option<String>) -> Option<Explained> {
    let vpc = vpc?;
    let fact = format!("{id} is {kind} of {vpc}, whose controller carries it");
    Some(Explained { facts: vec![fact], of: [vpc].into() })
}

async fn image(cx: &Cx, id: &str) -> Result<Option<Explained>, Error> {
    let request = DescribeImagesRequest { image_ids: vec![id.to_owned()], ..Default::default() };
    let answer = call(cx, request).await?;
    let Some(image) = answer.and_then(|a| a.images.into_iter().next()) else { return Ok(None) };
    let filter = Filter { name: Some("image-id".to_owned()), values: vec![id.to_owned()] };
    let request = DescribeInstancesRequest { filters: vec![filter], ..Default::default() };
    let instances: Vec<String> = call(cx, request)
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
    Ok(Some(Explained { facts, ..Explained::default() }))
}

async fn launch_template(cx: &Cx, id: &str) -> Result<Option<Explained>, Error> {
    let request = DescribeLaunchTemplatesRequest { launch_template_ids: vec![id.to_owned()], ..Default::default() };
    let answer = call(cx, request).await?;
    let Some(template) = answer.and_then(|a| a.launch_templates.into_iter().next()) else {
        return Ok(None);
    };
    let version = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let fact = format!(
        "{id} is the launch template {}: default version {}, latest {}; it is read when a machine is launched",
        template.launch_template_name.unwrap_or_default(),
        version(template.default_version_number),
        version(template.latest_version_number)
    );
    Ok(Some(Explained { facts: vec![fact], ..Explained::default() }))
}

/// A public operation; `None`: there is no such thing.
async fn call<R: Request>(cx: &Cx, request: R) -> Result<Option<R::Response>, Error> {
    match cx.call(request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code.contains("NotFound") || error.code.contains("Malformed") => Ok(None),
        Err(error) => Err(error),
    }
}
