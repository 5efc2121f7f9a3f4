//! Doors, and who stands at them.

use crate::kinds::Kind;
use crate::seldom::Seldom;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

static COUNTS: Mutex<Counts> = Mutex::new(Counts { kinds: BTreeMap::new(), places: BTreeMap::new() });
static REFUSED: Seldom = Seldom::new();

struct Counts {
    /// Open connections of each kind.
    kinds: BTreeMap<&'static str, u32>,
    /// By kind and place.
    places: BTreeMap<(&'static str, Arc<str>), Place>,
}

#[derive(Default)]
struct Place {
    /// Listeners that share these counts.
    doors: u32,
    open: u32,
    clients: BTreeMap<IpAddr, u32>,
    refused: u64,
}

/// One listener's bounds. Listeners of the same kind in the same place share them.
pub struct Door {
    kind: &'static Kind,
    place: Arc<str>,
}

/// A connection that was let in; kept as long as it lives.
#[derive(Debug)]
pub struct Ticket {
    kind: &'static Kind,
    place: Arc<str>,
    client: IpAddr,
}

/// How busy a place is, for `kiln status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    pub door: &'static str,
    /// A VPC, a load balancer; empty for the host's own.
    pub place: String,
    pub open: u32,
    /// Connections that were closed at once since the door was opened.
    pub refused: u64,
}

impl Door {
    /// A door of that kind in a VPC or of a load balancer; `""` for the only one.
    pub fn new(kind: &'static Kind, place: &str) -> Self {
        let place: Arc<str> = place.into();
        COUNTS.lock().places.entry((kind.name, place.clone())).or_default().doors += 1;
        Self { kind, place }
    }

    /// Lets a client in, or says that there is no room for it: then its connection is to be closed at once.
    pub fn admit(&self, client: IpAddr) -> Option<Ticket> {
        let client = one_client(client);
        let bounds = self.kind.bounds();
        let mut counts = COUNTS.lock();
        let Counts { kinds, places } = &mut *counts;
        let all = kinds.entry(self.kind.name).or_default();
        let place = places.entry((self.kind.name, self.place.clone())).or_default();
        let theirs = place.clients.get(&client).copied().unwrap_or(0);
        let its_share = client.is_loopback() || theirs < bounds.client;
        if its_share && place.open < bounds.place && *all < bounds.kind {
            *all += 1;
            place.open += 1;
            *place.clients.entry(client).or_default() += 1;
            return Some(Ticket { kind: self.kind, place: self.place.clone(), client });
        }
        place.refused += 1;
        let (open, refused) = (place.open, place.refused);
        drop(counts);
        if let Some(unsaid) = REFUSED.now() {
            tracing::warn!(
                door = self.kind.name, place = &*self.place, %client, of_client = theirs, open, refused, unsaid,
                "too many connections; one was closed"
            );
        }
        None
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        leave(self.kind, &self.place, |place, _| place.doors = place.doors.saturating_sub(1));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        leave(self.kind, &self.place, |place, all| {
            *all = all.saturating_sub(1);
            place.open = place.open.saturating_sub(1);
            if let Some(theirs) = place.clients.get_mut(&self.client) {
                *theirs = theirs.saturating_sub(1);
                if *theirs == 0 {
                    place.clients.remove(&self.client);
                }
            }
        });
    }
}

fn leave(kind: &Kind, place: &Arc<str>, change: impl FnOnce(&mut Place, &mut u32)) {
    let mut counts = COUNTS.lock();
    let Counts { kinds, places } = &mut *counts;
    let key = (kind.name, place.clone());
    if let Some(found) = places.get_mut(&key) {
        change(found, kinds.entry(kind.name).or_default());
        if found.doors == 0 && found.open == 0 {
            places.remove(&key);
        }
    }
}

/// A home or host has a whole network of 64 bits of IPv6 addresses.
fn one_client(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        ip => ip,
    }
}

/// All places with doors.
pub fn figures() -> Vec<Figure> {
    let counts = COUNTS.lock();
    let figure = |((door, place), counts): (&(&'static str, Arc<str>), &Place)| Figure {
        door,
        place: place.to_string(),
        open: counts.open,
        refused: counts.refused,
    };
    counts.places.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // 16 connections of the kind on a limit of 1,024 descriptors or more.
    static TEST: Kind = Kind { name: "test", descriptors: 1, share: 1_000, places: 2, per_client: 3 };
    static OTHER: Kind = Kind { name: "other test", descriptors: 1, share: 1, places: 1, per_client: 100 };

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn figure(door: &str, place: &str) -> Option<(u32, u64)> {
        figures().into_iter().find(|f| f.door == door && f.place == place).map(|f| (f.open, f.refused))
    }

    #[test]
    fn a_client_has_its_share_in_each_place() {
        let (here, beside, there) = (Door::new(&TEST, "vpc-1"), Door::new(&TEST, "vpc-1"), Door::new(&TEST, "vpc-2"));
        let mut tickets: Vec<Ticket> = (0..3).map(|_| here.admit(ip(1)).expect("its share")).collect();
        assert!(here.admit(ip(1)).is_none() && beside.admit(ip(1)).is_none(), "both doors count together");
        assert!(there.admit(ip(1)).is_some(), "the same address elsewhere is somebody else");
        assert!(here.admit(ip(2)).is_some());
        assert_eq!(figure("test", "vpc-1"), Some((3, 2)));
        tickets.pop();
        assert!(here.admit(ip(1)).is_some(), "who goes makes room");
        drop((here, beside));
        assert_eq!(figure("test", "vpc-1"), Some((2, 2)), "connections outlive their listener");
        drop(tickets);
        assert_eq!(figure("test", "vpc-1"), None, "nothing is kept of a place that is gone");
    }

    #[test]
    fn all_together_have_their_bound_and_loopback_only_that() {
        let door = Door::new(&OTHER, "");
        let most = OTHER.bounds().place;
        let tickets: Vec<Ticket> = (0..most).map(|_| door.admit(IpAddr::from([127, 0, 0, 1])).expect("room")).collect();
        assert!(door.admit(IpAddr::from([127, 0, 0, 1])).is_none() && door.admit(ip(9)).is_none());
        drop(tickets);
        let neighbours = ["2001:db8::1", "2001:db8::2"].map(|text| one_client(text.parse().expect("an address")));
        assert_eq!(neighbours[0], neighbours[1]);
    }
}
