//! `AWS::ElasticLoadBalancingV2::Listener`. Ref gives the ARN.

use super::{already_exists, as_request, attributes, found, is_ours, own_tags};
use crate::attributes::LISTENER;
use async_trait::async_trait;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Listener;

const TYPE: &str = "AWS::ElasticLoadBalancingV2::Listener";

async fn set_attributes(cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
    let wanted = attributes(request, "ListenerAttributes", &LISTENER);
    if wanted.is_empty() {
        return Ok(());
    }
    let attributes = wanted.into_iter().map(|(key, value)| ListenerAttribute { key, value }).collect();
    let listener_arn = arn.to_owned();
    cx.call(ModifyListenerAttributesRequest { listener_arn, attributes }).await.map(|_| ())
}

#[async_trait]
impl ResourceType for Listener {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let create = CreateListenerRequest { tags: own_tags(request), ..as_request(request, None)? };
        let of = DescribeListenersRequest {
            load_balancer_arn: Some(create.load_balancer_arn.clone()),
            ..Default::default()
        };
        let there = cx.call(of).await?.listeners.into_iter().find(|l| l.port == create.port);
        match there.and_then(|l| l.listener_arn) {
            Some(arn) if is_ours(cx, &arn, request).await? => Ok(arn),
            Some(arn) => Err(already_exists(TYPE, &arn)),
            None => {
                let made = cx.call(create).await?.listeners.into_iter().next();
                made.and_then(|l| l.listener_arn).ok_or_else(crate::errors::no_listener)
            }
        }
    }

    async fn complete(&self, cx: &Cx, arn: &str, request: &ResourceRequest) -> Result<(), Error> {
        set_attributes(cx, arn, request).await
    }

    async fn update(&self, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let wanted: CreateListenerRequest = as_request(request, None)?;
        cx.call(ModifyListenerRequest {
            listener_arn: physical_id.to_owned(),
            port: wanted.port,
            protocol: wanted.protocol,
            ssl_policy: wanted.ssl_policy,
            certificates: wanted.certificates,
            default_actions: wanted.default_actions,
            alpn_policy: wanted.alpn_policy,
            mutual_authentication: wanted.mutual_authentication,
        })
        .await?;
        set_attributes(cx, physical_id, request).await
    }

    async fn delete(&self, cx: &Cx, physical_id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        match cx.call(DeleteListenerRequest { listener_arn: physical_id.to_owned() }).await {
            Err(error) if !error.is("ListenerNotFound") => Err(error),
            _ => Ok(Stability::Ready),
        }
    }

    async fn read(&self, cx: &Cx, arn: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let listener_arn = || arn.to_owned();
        let asked = DescribeListenersRequest { listener_arns: vec![listener_arn()], ..Default::default() };
        let Some(answer) = found(cx.call(asked).await)? else { return Ok(None) };
        let Some(listener) = answer.listeners.into_iter().next() else { return Ok(None) };
        let asked = DescribeListenerAttributesRequest { listener_arn: listener_arn() };
        let attributes = cx.call(asked).await?.attributes;
        let read = Properties::default()
            .with("ListenerArn", arn)
            .with("LoadBalancerArn", listener.load_balancer_arn)
            .with("Port", listener.port)
            .with("Protocol", listener.protocol)
            .with("SslPolicy", listener.ssl_policy)
            .with_list("AlpnPolicy", listener.alpn_policy)
            .with_shape("Certificates", &listener.certificates)
            .with_shape("DefaultActions", &listener.default_actions)
            .with_shape("MutualAuthentication", &listener.mutual_authentication.unwrap_or_default())
            .with_shape("ListenerAttributes", &attributes);
        Ok(Some(read))
    }

    async fn attributes(
        &self,
        _: &Cx,
        physical_id: &str,
        _: &ResourceRequest,
    ) -> Result<BTreeMap<String, Json>, Error> {
        Ok(BTreeMap::from([("ListenerArn".to_owned(), json!(physical_id))]))
    }
}
