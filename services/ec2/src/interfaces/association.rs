//! Elastic IPs at interfaces: given to one, taken from one, on both sides in one transaction.

use crate::instances::records::{Instance, InstanceState};
use crate::interfaces::allocation::renew_public;
use crate::interfaces::records::{Address, NetworkInterface, PublicAddress};
use crate::lookup::need;
use kiln_ids::AssociationId;
use kiln_service_kit::{Cx, Error, Scope, Tx};
use std::net::Ipv4Addr;

/// Gives an address to a private address of an interface. That loses the one it had: an address of
/// its own goes back to the pool, as AWS does it, an Elastic IP stays allocated.
pub fn associate(
    tx: &mut Tx,
    cx: &Cx,
    address: &Address,
    interface: &NetworkInterface,
    private: Ipv4Addr,
    may_move: bool,
) -> Result<AssociationId, Error> {
    if let Some((association, holder)) = &address.association {
        if *holder == interface.id && interface.behind(&address.id) == Some(private) {
            return Ok(association.clone());
        }
        if !may_move {
            return Err(already(&address.id, association));
        }
        disassociate(tx, cx.scope(), address)?;
    }
    let public = interface.addresses().find(|(ip, _)| *ip == private).and_then(|(_, public)| public);
    if let Some((other, association)) = public.and_then(|public| public.elastic.clone()) {
        if !may_move {
            return Err(already(&interface.id, &association));
        }
        let other = need::<Address>(tx, cx.scope(), &other)?;
        disassociate(tx, cx.scope(), &other)?;
    }
    let association = AssociationId::new(cx.ids());
    let mut interface = NetworkInterface::clone(&*need::<NetworkInterface>(tx, cx.scope(), &interface.id)?);
    let public = PublicAddress { ip: address.ip, elastic: Some((address.id.clone(), association.clone())) };
    let Some(place) = interface.public_of(private) else {
        return Err(Error::internal(format!("{} has no address {private}", interface.id)));
    };
    *place = Some(public);
    let mut address = address.clone();
    address.association = Some((association.clone(), interface.id.clone()));
    tx.put(cx.scope(), &interface.id.clone(), interface)?;
    tx.put(cx.scope(), &address.id.clone(), address)?;
    Ok(association)
}

fn already(resource: &str, association: &AssociationId) -> Error {
    Error::sender(
        "Resource.AlreadyAssociated",
        format!("resource {resource} is already associated with associate-id {association}"),
    )
}

/// Takes an address from its interface, on both sides. The interface of a live instance that had a
/// public address of its own gets a new one.
pub fn disassociate(tx: &mut Tx, scope: &Scope, address: &Address) -> Result<(), Error> {
    let Some((_, holder)) = &address.association else { return Ok(()) };
    if let Some(interface) = tx.get::<NetworkInterface>(scope, holder)? {
        let private = interface.behind(&address.id);
        let mut interface = NetworkInterface::clone(&interface);
        if let Some(place) = private.and_then(|ip| interface.public_of(ip)) {
            *place = None;
        }
        tx.put(scope, holder, interface)?;
    }
    let mut free = address.clone();
    free.association = None;
    tx.put(scope, &address.id, free)?;
    match tx.get::<NetworkInterface>(scope, holder)? {
        Some(interface) if is_live(tx, scope, &interface)? => renew_public(tx, scope, holder),
        _ => Ok(()),
    }
}

fn is_live(tx: &Tx, scope: &Scope, interface: &NetworkInterface) -> Result<bool, Error> {
    let Some(attachment) = &interface.attachment else { return Ok(false) };
    let instance = tx.get::<Instance>(scope, &attachment.instance)?;
    Ok(instance.is_some_and(|i| matches!(i.state, InstanceState::Pending | InstanceState::Running)))
}
