//! The kinds of doors and what each may take of the process's descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::LazyLock;

/// A kind of door.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// Descriptors that a connection takes: a load balancer's has another one to its target.
    pub descriptors: u32,
    /// Thousandths of all descriptors that doors of this kind may take together.
    pub share: u32,
    /// One place may have one part in so many of that.
    pub places: u32,
    /// Connections of one client's address in one place.
    pub per_client: u32,
}

/// The API at kiln's own port.
pub static API: Kind = Kind { name: "api", descriptors: 1, share: 100, places: 1, per_client: 512 };
/// Load balancers at their loopback addresses.
pub static BALANCER: Kind = Kind { name: "load balancer", descriptors: 2, share: 350, places: 2, per_client: 1024 };
/// The API as machines reach it.
pub static API_IN_VPC: Kind = Kind { name: "api in a VPC", descriptors: 1, share: 50, places: 2, per_client: 64 };
/// Instance metadata; each connection has a second descriptor, for the hop limit of its answers.
pub static METADATA: Kind = Kind { name: "metadata", descriptors: 2, share: 120, places: 2, per_client: 32 };
/// DNS: a question in hand counts like a connection, since another resolver may be asked for it.
pub static DNS: Kind = Kind { name: "dns", descriptors: 2, share: 50, places: 2, per_client: 64 };
/// Load balancers at their interfaces, all of one VPC.
pub static BALANCER_IN_VPC: Kind =
    Kind { name: "load balancer in a VPC", descriptors: 2, share: 150, places: 2, per_client: 256 };

/// More than this is not asked of the system: children inherit it, and some close them one by one.
const ENOUGH: u64 = 65_536;
/// What is reckoned with when the system does not say: POSIX promises no less than 20, Linux gives 1,024.
const USUAL: u64 = 1_024;

static DESCRIPTORS: LazyLock<u32> = LazyLock::new(|| {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(USUAL, |(soft, _)| soft);
    u32::try_from(soft.min(ENOUGH)).unwrap_or(u32::MAX)
});

/// Takes as many descriptors as the system lets this process have. To be called before the first door opens.
pub fn raise_limit() -> Result<(), String> {
    let failed = |e: nix::Error| format!("failed to raise the limit of open files: {e}");
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    let wanted = hard.min(ENOUGH);
    if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(failed) } else { Ok(()) }
}

/// Connections that a kind, a place and a client may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub kind: u32,
    pub place: u32,
    pub client: u32,
}

impl Kind {
    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds_of(*DESCRIPTORS)
    }

    fn bounds_of(&self, descriptors: u32) -> Bounds {
        let share = u64::from(descriptors) * u64::from(self.share) / 1_000 / u64::from(self.descriptors);
        let kind = u32::try_from(share).unwrap_or(u32::MAX).max(8);
        let place = (kind / self.places).max(4);
        // Where there are few, one client must not have them all.
        Bounds { kind, place, client: self.per_client.min(place / 2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Kind; 6] = [&API, &BALANCER, &API_IN_VPC, &METADATA, &DNS, &BALANCER_IN_VPC];

    #[test]
    fn together_they_leave_descriptors_for_everything_else() {
        assert!(ALL.iter().map(|kind| kind.share).sum::<u32>() <= 820);
        for descriptors in [1_024, 20_000, 65_536] {
            let taken: u32 = ALL.iter().map(|kind| kind.bounds_of(descriptors).kind * kind.descriptors).sum();
            assert!(taken <= descriptors * 85 / 100, "{taken} of {descriptors}");
        }
    }

    #[test]
    fn one_of_many_never_has_all() {
        for kind in ALL {
            for descriptors in [256, 1_024, 20_000] {
                let Bounds { kind: all, place, client } = kind.bounds_of(descriptors);
                assert!(client >= 1 && client * 2 <= place && place <= all, "{}: {client} {place} {all}", kind.name);
            }
        }
        assert_eq!(METADATA.bounds_of(20_000), Bounds { kind: 1_200, place: 600, client: 32 });
    }
}
