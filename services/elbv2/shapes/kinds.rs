//! The kinds of this service's records that others may watch, as the change feed names them.
//!
//! Not generated. A kind that stands here is a promise: its records appear in the feed under this name
//! and with ids as told here.

/// What the checks of one target say, by its [`TargetHealthId`].
pub const TARGET_HEALTH: &str = "elbv2/target-health";

/// The id of a record of [`TARGET_HEALTH`]: `TARGET-GROUP-ARN|TARGET|PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHealthId<'a> {
    /// The target group's ARN.
    pub target_group: &'a str,
    /// An instance's id, an address, or another load balancer's ARN: what was registered.
    pub target: &'a str,
    pub port: u16,
}

impl<'a> TargetHealthId<'a> {
    /// Reads an id; `None` when it is none.
    pub fn parse(id: &'a str) -> Option<Self> {
        let (head, port) = id.rsplit_once('|')?;
        let (target_group, target) = head.split_once('|')?;
        Some(Self { target_group, target, port: port.parse().ok()? })
    }

    /// How the ids of all targets of a group begin.
    pub fn prefix(target_group: &str) -> String {
        format!("{target_group}|")
    }
}

impl std::fmt::Display for TargetHealthId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}|{}|{}", self.target_group, self.target, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_what_it_was_made_of() {
        let id = TargetHealthId { target_group: "arn:aws:tg/web/1", target: "i-1", port: 80 };
        assert_eq!(id.to_string(), "arn:aws:tg/web/1|i-1|80");
        assert_eq!(TargetHealthId::parse(&id.to_string()), Some(id));
        for bad in ["", "i-1", "tg|i-1", "tg|i-1|", "tg|i-1|65536"] {
            assert_eq!(TargetHealthId::parse(bad), None, "{bad}");
        }
    }
}
