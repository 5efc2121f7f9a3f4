//! Whose an interface is. One made by a service (a load balancer's) is that service's own, and nobody
//! else may change it.

use crate::interfaces::records::NetworkInterface;
use kiln_service_kit::{CallerKind, Cx, Error};

/// The service that calls, if it is one.
pub fn calling_service(cx: &Cx) -> Option<String> {
    match &cx.caller().kind {
        CallerKind::Service { name } => Some(name.clone()),
        _ => None,
    }
}

/// A service's interface belongs to that service.
pub fn check_owner(cx: &Cx, interface: &NetworkInterface) -> Result<(), Error> {
    if interface.managed_by.is_some() && interface.managed_by != calling_service(cx) {
        return Err(Error::sender(
            "OperationNotPermitted",
            format!("You are not allowed to manage the network interface {}: it belongs to a service.", interface.id),
        ));
    }
    Ok(())
}
