//! The addresses that a request asks for.

use crate::errors::{invalid_combination, invalid_value};
use crate::interfaces::allocation::WantedAddresses;
use kiln_ec2_shapes::PrivateIpAddressSpecification;
use kiln_service_kit::Error;
use std::net::Ipv4Addr;

/// Reads an IPv4 address of a request.
pub fn address(text: &str) -> Result<Ipv4Addr, Error> {
    text.parse().map_err(|_| invalid_value(format!("invalid value for parameter address: {text}")))
}

/// The addresses that a new interface is to have, from the three ways to say so. Of a list without a
/// primary address the first counts as one, unless that is said elsewhere.
pub fn wanted(
    primary: Option<&str>,
    listed: &[PrivateIpAddressSpecification],
    count: Option<i32>,
) -> Result<WantedAddresses, Error> {
    let mut wanted = WantedAddresses::default();
    let primary = primary.filter(|text| !text.is_empty());
    let marked = listed.iter().filter(|one| one.primary == Some(true)).count();
    if marked > 1 || (marked == 1 && primary.is_some()) {
        return Err(invalid_combination("Only one private IP address can be designated as primary."));
    }
    wanted.primary = primary.map(address).transpose()?;
    for (n, one) in listed.iter().enumerate() {
        let Some(text) = one.private_ip_address.as_deref() else { continue };
        let first = marked == 0 && n == 0 && primary.is_none();
        match one.primary == Some(true) || first {
            true => wanted.primary = Some(address(text)?),
            false => wanted.secondary.push(address(text)?),
        }
    }
    let count = count.unwrap_or(0);
    wanted.more = usize::try_from(count).map_err(|_| {
        invalid_value(format!("Value ({count}) for parameter secondaryPrivateIpAddressCount is invalid."))
    })?;
    if wanted.more > 0 && !wanted.secondary.is_empty() {
        return Err(invalid_combination(
            "A count of secondary private IP addresses cannot be combined with more than one private IP address.",
        ));
    }
    Ok(wanted)
}
