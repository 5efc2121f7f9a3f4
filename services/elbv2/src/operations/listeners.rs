//! Listeners. Source: the API Reference's CreateListener and its siblings.

use super::target_groups::check_groups;
use super::{about, load_balancers, page};
use crate::arns::{self, Kind};
use crate::records::{Listener, LoadBalancer, Rule};
use crate::targets::created_of;
use crate::{actions, errors, tags};
use kiln_elbv2_shapes as shapes;
use kiln_elbv2_shapes::{
    Certificate, CreateListenerRequest, CreateListenerResponse, DeleteListenerRequest, DeleteListenerResponse,
    DescribeListenersRequest, DescribeListenersResponse, ModifyListenerRequest, ModifyListenerResponse,
    MutualAuthenticationAttributes,
};
use kiln_service_kit::{Cx, Error, Operation, Tx, operation};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateListener: create_listener(CreateListenerRequest), on |cx, r| {
        let below = arns::listeners_prefix(&r.load_balancer_arn);
        created_of(cx, "CreateListener", &r.load_balancer_arn, below, &r.tags)
    }),
    operation!(DescribeListeners: describe_listeners(DescribeListenersRequest), on everything),
    operation!(ModifyListener: modify_listener(ModifyListenerRequest), on about),
    operation!(DeleteListener: delete_listener(DeleteListenerRequest), on about),
];

/// Listeners of one load balancer.
pub const MOST: usize = 50;

/// What only secure listeners have.
struct Secure<'a> {
    protocol: Option<&'a str>,
    ssl_policy: Option<&'a str>,
    certificates: &'a [Certificate],
    alpn: &'a [String],
    mutual: Option<&'a MutualAuthenticationAttributes>,
}

impl Secure<'_> {
    fn refuse(&self, operation: &str) -> Result<(), Error> {
        let missing = |what: &str| Err(Error::not_built(format!("elasticloadbalancing:{operation} with {what}")));
        match self.protocol {
            None | Some("HTTP") => {}
            Some("HTTPS") => return missing("Protocol=HTTPS (it needs certificates, and Kiln has no ACM yet)"),
            Some(other) => {
                let text = format!("Protocol '{other}' must be one of 'HTTP, HTTPS' for an application load balancer");
                return Err(errors::invalid(text));
            }
        }
        if !self.certificates.is_empty() || self.ssl_policy.is_some() {
            return Err(errors::bad_configuration(
                "A certificate or SSL policy can be specified for an HTTPS listener only",
            ));
        }
        if !self.alpn.is_empty() {
            return missing("AlpnPolicy");
        }
        match self.mutual.and_then(|m| m.mode.as_deref()) {
            None | Some("off") => Ok(()),
            Some(_) => missing("MutualAuthentication"),
        }
    }
}

async fn create_listener(cx: &Cx, request: CreateListenerRequest) -> Result<CreateListenerResponse, Error> {
    let lb_arn = &request.load_balancer_arn;
    Kind::LoadBalancer.check(cx, lb_arn)?;
    if request.protocol.is_none() {
        return Err(errors::invalid("A listener protocol must be specified"));
    }
    let secure = Secure {
        protocol: request.protocol.as_deref(),
        ssl_policy: request.ssl_policy.as_deref(),
        certificates: &request.certificates,
        alpn: &request.alpn_policy,
        mutual: request.mutual_authentication.as_ref(),
    };
    secure.refuse("CreateListener")?;
    let port = request.port.and_then(|p| u16::try_from(p).ok());
    let port = port.ok_or_else(|| errors::invalid("A listener port must be specified"))?;
    let wanted = Listener {
        arn: arns::listener(cx, lb_arn),
        load_balancer: lb_arn.clone(),
        port,
        actions: actions::checked(cx, &request.default_actions)?,
        attributes: Default::default(),
        tags: tags::checked(cx, &request.tags)?,
    };
    let made = cx
        .store()
        .write(|tx| {
            let lb = load_balancers::find(tx, cx, lb_arn)?;
            let existing = of(tx, cx, lb_arn)?;
            if let Some(found) = existing.iter().find(|l| l.port == port) {
                return match found.actions == wanted.actions {
                    true => Ok(found.clone()),
                    false => Err(duplicate(lb_arn)),
                };
            }
            if existing.len() >= MOST {
                let text = format!("A load balancer can have at most {MOST} listeners");
                return Err(Error::sender("TooManyListeners", text));
            }
            check_groups(tx, cx, &lb, &wanted.actions)?;
            tx.put(cx.scope(), &wanted.arn, wanted.clone())?;
            Ok(Arc::new(wanted))
        })
        .await?;
    Ok(CreateListenerResponse { listeners: vec![shape(&made)] })
}

fn duplicate(lb: &str) -> Error {
    Error::sender("DuplicateListener", format!("A listener already exists on this port for this load balancer '{lb}'"))
}

fn of(tx: &Tx<'_>, cx: &Cx, lb: &str) -> Result<Vec<Arc<Listener>>, Error> {
    let all = tx.list_prefix::<Listener>(cx.scope(), &arns::listeners_prefix(lb))?;
    Ok(all.into_iter().map(|(_, listener)| listener).collect())
}

/// A listener that must be there, and its load balancer.
pub fn find(tx: &Tx<'_>, cx: &Cx, arn: &str) -> Result<(Listener, LoadBalancer), Error> {
    let found = tx.get::<Listener>(cx.scope(), arn)?.ok_or_else(errors::no_listener)?;
    let lb = load_balancers::find(tx, cx, &found.load_balancer)?;
    Ok(((*found).clone(), lb))
}

async fn describe_listeners(cx: &Cx, request: DescribeListenersRequest) -> Result<DescribeListenersResponse, Error> {
    let (store, scope) = (cx.store(), cx.scope());
    let mut all: BTreeMap<Arc<str>, Arc<Listener>> = BTreeMap::new();
    match (&request.load_balancer_arn, &request.listener_arns[..]) {
        (None, []) => return Err(errors::invalid("You must specify either listener ARNs or a load balancer ARN")),
        (Some(_), [_, ..]) => {
            return Err(errors::invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time"));
        }
        (Some(lb), []) => {
            Kind::LoadBalancer.check(cx, lb)?;
            store.get::<LoadBalancer>(scope, lb)?.ok_or_else(errors::no_load_balancer)?;
            all.extend(store.list_prefix::<Listener>(scope, &arns::listeners_prefix(lb))?);
        }
        (None, arns) => {
            arns.iter().try_for_each(|arn| Kind::Listener.check(cx, arn))?;
            for arn in arns {
                let listener = store.get::<Listener>(scope, arn)?.ok_or_else(errors::no_listener)?;
                all.insert(Arc::from(arn.as_str()), listener);
            }
        }
    }
    let all: Vec<Arc<Listener>> = all.into_values().collect();
    let page = page(all, |l| &l.arn, request.marker.as_deref(), request.page_size)?;
    Ok(DescribeListenersResponse {
        listeners: page.items.iter().map(|listener| shape(listener)).collect(),
        next_marker: page.next_token,
    })
}

fn shape(listener: &Listener) -> shapes::Listener {
    shapes::Listener {
        listener_arn: Some(listener.arn.clone()),
        load_balancer_arn: Some(listener.load_balancer.clone()),
        port: Some(listener.port.into()),
        protocol: Some("HTTP".to_owned()),
        default_actions: listener.actions.clone(),
        ..Default::default()
    }
}

async fn modify_listener(cx: &Cx, request: ModifyListenerRequest) -> Result<ModifyListenerResponse, Error> {
    let arn = &request.listener_arn;
    Kind::Listener.check(cx, arn)?;
    let secure = Secure {
        protocol: request.protocol.as_deref(),
        ssl_policy: request.ssl_policy.as_deref(),
        certificates: &request.certificates,
        alpn: &request.alpn_policy,
        mutual: request.mutual_authentication.as_ref(),
    };
    secure.refuse("ModifyListener")?;
    let actions = match request.default_actions.is_empty() {
        true => None,
        false => Some(actions::checked(cx, &request.default_actions)?),
    };
    let changed = cx
        .store()
        .write(|tx| {
            let (mut listener, lb) = find(tx, cx, arn)?;
            if let Some(port) = request.port.and_then(|p| u16::try_from(p).ok()) {
                if of(tx, cx, &lb.arn)?.iter().any(|l| l.port == port && l.arn != *arn) {
                    return Err(duplicate(&lb.arn));
                }
                listener.port = port;
            }
            if let Some(actions) = actions {
                check_groups(tx, cx, &lb, &actions)?;
                listener.actions = actions;
            }
            tx.put_if_changed(cx.scope(), arn, listener.clone())?;
            Ok(listener)
        })
        .await?;
    Ok(ModifyListenerResponse { listeners: vec![shape(&changed)] })
}

async fn delete_listener(cx: &Cx, request: DeleteListenerRequest) -> Result<DeleteListenerResponse, Error> {
    let arn = &request.listener_arn;
    Kind::Listener.check(cx, arn)?;
    cx.store()
        .write(|tx| {
            if !tx.delete::<Listener>(cx.scope(), arn) {
                return Err(errors::no_listener());
            }
            for (id, _) in tx.list_prefix::<Rule>(cx.scope(), &arns::rules_prefix(arn))? {
                tx.delete::<Rule>(cx.scope(), &id);
            }
            Ok(())
        })
        .await?;
    Ok(DeleteListenerResponse {})
}
