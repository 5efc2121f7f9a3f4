//! Internet gateways.

use crate::defaults::ensure_defaults;
use crate::errors::{dependency, invalid_value};
use crate::filters::{Filters, maybe, one};
use crate::interfaces::records::NetworkInterface;
use crate::kinds;
use crate::lookup::{asked, need, page};
use crate::networks::records::{InternetGateway, Vpc};
use crate::networks::targets::{INTERNET_GATEWAY, VPC};
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AttachInternetGatewayRequest, AttachInternetGatewayResponse, CreateInternetGatewayRequest,
    CreateInternetGatewayResponse, DeleteInternetGatewayRequest, DeleteInternetGatewayResponse,
    DescribeInternetGatewaysRequest, DescribeInternetGatewaysResponse, DetachInternetGatewayRequest,
    DetachInternetGatewayResponse, InternetGatewayAttachment,
};
use kiln_ids::InternetGatewayId;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(AttachInternetGateway: attach_internet_gateway(AttachInternetGatewayRequest),
        on things![INTERNET_GATEWAY internet_gateway_id, VPC vpc_id]),
    operation!(CreateInternetGateway: create_internet_gateway(CreateInternetGatewayRequest),
        on things![makes INTERNET_GATEWAY]),
    operation!(DeleteInternetGateway: delete_internet_gateway(DeleteInternetGatewayRequest),
        on things![INTERNET_GATEWAY internet_gateway_id]),
    operation!(DescribeInternetGateways: describe_internet_gateways(DescribeInternetGatewaysRequest), on everything),
    operation!(DetachInternetGateway: detach_internet_gateway(DetachInternetGatewayRequest),
        on things![INTERNET_GATEWAY internet_gateway_id, VPC vpc_id]),
];

async fn create_internet_gateway(
    cx: &Cx,
    request: CreateInternetGatewayRequest,
) -> Result<CreateInternetGatewayResponse, Error> {
    ensure_defaults(cx).await?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::INTERNET_GATEWAY)?;
    let gateway = InternetGateway { id: InternetGatewayId::new(cx.ids()), vpc: None, tags };
    cx.store().write(|tx| -> Result<_, Error> { Ok(tx.put(cx.scope(), &gateway.id, gateway.clone())?) }).await?;
    Ok(CreateInternetGatewayResponse { internet_gateway: Some(shown(cx, &gateway)) })
}

async fn delete_internet_gateway(
    cx: &Cx,
    request: DeleteInternetGatewayRequest,
) -> Result<DeleteInternetGatewayResponse, Error> {
    cx.store()
        .write(|tx| {
            let gateway = need::<InternetGateway>(tx, cx.scope(), &request.internet_gateway_id)?;
            if gateway.vpc.is_some() {
                return Err(dependency(format!(
                    "The internetGateway '{}' has dependencies and cannot be deleted.",
                    gateway.id
                )));
            }
            tx.delete::<InternetGateway>(cx.scope(), &gateway.id);
            Ok(())
        })
        .await?;
    Ok(DeleteInternetGatewayResponse::default())
}

async fn attach_internet_gateway(
    cx: &Cx,
    request: AttachInternetGatewayRequest,
) -> Result<AttachInternetGatewayResponse, Error> {
    cx.store()
        .write(|tx| {
            let gateway = need::<InternetGateway>(tx, cx.scope(), &request.internet_gateway_id)?;
            let vpc = need::<Vpc>(tx, cx.scope(), &request.vpc_id)?;
            if let Some(other) = &gateway.vpc {
                return Err(Error::sender(
                    "Resource.AlreadyAssociated",
                    format!("resource {} is already attached to network {other}", gateway.id),
                ));
            }
            if !tx.by_key::<InternetGateway>(cx.scope(), "attachment.vpc-id", &vpc.id)?.is_empty() {
                return Err(invalid_value(format!("Network {} already has an internet gateway attached", vpc.id)));
            }
            let mut gateway = InternetGateway::clone(&gateway);
            gateway.vpc = Some(vpc.id.clone());
            Ok(tx.put(cx.scope(), &request.internet_gateway_id, gateway)?)
        })
        .await?;
    Ok(AttachInternetGatewayResponse::default())
}

async fn detach_internet_gateway(
    cx: &Cx,
    request: DetachInternetGatewayRequest,
) -> Result<DetachInternetGatewayResponse, Error> {
    cx.store()
        .write(|tx| {
            let gateway = need::<InternetGateway>(tx, cx.scope(), &request.internet_gateway_id)?;
            let vpc = need::<Vpc>(tx, cx.scope(), &request.vpc_id)?;
            if gateway.vpc.as_ref() != Some(&vpc.id) {
                return Err(Error::sender(
                    "Gateway.NotAttached",
                    format!("resource {} is not attached to network {}", gateway.id, vpc.id),
                ));
            }
            let interfaces = tx.by_key::<NetworkInterface>(cx.scope(), "vpc-id", &vpc.id)?;
            if interfaces.iter().any(|(_, i)| i.public.is_some()) {
                return Err(dependency(format!(
                    "Network {} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.",
                    vpc.id
                )));
            }
            let mut gateway = InternetGateway::clone(&gateway);
            gateway.vpc = None;
            Ok(tx.put(cx.scope(), &request.internet_gateway_id, gateway)?)
        })
        .await?;
    Ok(DetachInternetGatewayResponse::default())
}

const FILTERS: &[&str] = &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"];

async fn describe_internet_gateways(
    cx: &Cx,
    request: DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut gateways = asked::<InternetGateway>(cx, &request.internet_gateway_ids, &filters, "internet-gateway-id")?;
    gateways.retain(|(_, gateway)| {
        filters.accept(&gateway.tags, |name| match name {
            "attachment.state" => maybe(gateway.vpc.as_ref().map(|_| "available")),
            "attachment.vpc-id" => maybe(gateway.vpc.as_ref()),
            "internet-gateway-id" => one(&gateway.id),
            "owner-id" => one(cx.account()),
            _ => vec![],
        })
    });
    let page = page(gateways, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeInternetGatewaysResponse {
        next_token: page.next_token,
        internet_gateways: page.items.iter().map(|gateway| shown(cx, gateway)).collect(),
    })
}

fn shown(cx: &Cx, gateway: &InternetGateway) -> shapes::InternetGateway {
    let attachment = gateway
        .vpc
        .as_ref()
        .map(|vpc| InternetGatewayAttachment { state: Some("available".to_owned()), vpc_id: Some(vpc.to_string()) });
    shapes::InternetGateway {
        attachments: attachment.into_iter().collect(),
        internet_gateway_id: Some(gateway.id.to_string()),
        owner_id: Some(cx.account().to_owned()),
        tags: tags::shown(&gateway.tags),
    }
}
