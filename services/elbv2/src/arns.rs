//! The service's ARNs. A listener's and a rule's ARN hold their parents' ids, so that the parents
//! are known without a look-up, even when the thing itself is gone.
//!
//! ```text
//! loadbalancer/app/NAME/LB    listener/app/NAME/LB/LISTENER    listener-rule/app/NAME/LB/LISTENER/RULE
//! targetgroup/NAME/TG
//! ```

use crate::errors;
use kiln_service_kit::{Arn, Cx, Error, Scope};

/// The kinds of thing the service names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    LoadBalancer,
    TargetGroup,
    Listener,
    Rule,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "loadbalancer/",
            Kind::TargetGroup => "targetgroup/",
            Kind::Listener => "listener/",
            Kind::Rule => "listener-rule/",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "load balancer",
            Kind::TargetGroup => "target group",
            Kind::Listener => "listener",
            Kind::Rule => "listener rule",
        }
    }

    fn parts(self) -> usize {
        match self {
            Kind::TargetGroup => 3,
            Kind::LoadBalancer => 4,
            Kind::Listener => 5,
            Kind::Rule => 6,
        }
    }

    /// The error of a call about one that is not there.
    pub fn not_found(self) -> Error {
        match self {
            Kind::LoadBalancer => errors::no_load_balancer(),
            Kind::TargetGroup => errors::no_target_group(),
            Kind::Listener => errors::no_listener(),
            Kind::Rule => errors::no_rule(),
        }
    }

    /// Checks an ARN of this kind: of the right form, and of this account and region.
    pub fn check(self, cx: &Cx, arn: &str) -> Result<(), Error> {
        let malformed = || errors::invalid(format!("'{arn}' is not a valid {} ARN", self.words()));
        if kind_of(arn) != Some(self) {
            return Err(malformed());
        }
        match scope_of(arn) {
            Some(scope) if scope == *cx.scope() => Ok(()),
            Some(_) => Err(self.not_found()),
            None => Err(malformed()),
        }
    }
}

/// What kind of thing an ARN names.
pub fn kind_of(arn: &str) -> Option<Kind> {
    let arn: Arn = arn.parse().ok()?;
    if arn.service() != "elasticloadbalancing" {
        return None;
    }
    let kinds = [Kind::LoadBalancer, Kind::TargetGroup, Kind::Rule, Kind::Listener];
    kinds.into_iter().find(|k| {
        arn.resource().starts_with(k.prefix())
            && arn.resource().split('/').count() == k.parts()
            && arn.resource().split('/').all(|part| !part.is_empty())
    })
}

/// The account and region of an ARN.
pub fn scope_of(arn: &str) -> Option<Scope> {
    let arn: Arn = arn.parse().ok()?;
    Some(Scope::new(arn.account(), arn.region()))
}

pub fn load_balancer(cx: &Cx, name: &str) -> String {
    cx.arn("elasticloadbalancing", &format!("loadbalancer/app/{name}/{}", cx.ids().hex(16)))
}

pub fn target_group(cx: &Cx, name: &str) -> String {
    cx.arn("elasticloadbalancing", &format!("targetgroup/{name}/{}", cx.ids().hex(16)))
}

/// A new listener of a load balancer.
pub fn listener(cx: &Cx, load_balancer: &str) -> String {
    format!("{}/{}", load_balancer.replacen(":loadbalancer/", ":listener/", 1), cx.ids().hex(16))
}

/// A new rule of a listener.
pub fn rule(cx: &Cx, listener: &str) -> String {
    format!("{}/{}", rules_of(listener), cx.ids().hex(16))
}

/// A listener's default rule, which is not kept as a rule.
pub fn default_rule(listener: &str) -> String {
    let id = listener.rsplit('/').next().unwrap_or_default();
    // Reversed, so that it is stable and different from the listener's own id.
    format!("{}/{}", rules_of(listener), id.chars().rev().collect::<String>())
}

fn rules_of(listener: &str) -> String {
    listener.replacen(":listener/", ":listener-rule/", 1)
}

/// How the ids of a listener's rules begin.
pub fn rules_prefix(listener: &str) -> String {
    rules_of(listener) + "/"
}

/// How the ids of all listeners of a load balancer begin.
pub fn listeners_prefix(load_balancer: &str) -> String {
    load_balancer.replacen(":loadbalancer/", ":listener/", 1) + "/"
}

/// How the ids of all rules of a load balancer begin.
pub fn all_rules_prefix(load_balancer: &str) -> String {
    load_balancer.replacen(":loadbalancer/", ":listener-rule/", 1) + "/"
}

/// The load balancer of a listener or rule.
pub fn load_balancer_of(arn: &str) -> Option<String> {
    let (head, resource) = match kind_of(arn)? {
        Kind::Listener => arn.split_once(":listener/")?,
        Kind::Rule => arn.split_once(":listener-rule/")?,
        Kind::LoadBalancer => return Some(arn.to_owned()),
        Kind::TargetGroup => return None,
    };
    let parts: Vec<&str> = resource.split('/').take(3).collect();
    Some(format!("{head}:loadbalancer/{}", parts.join("/")))
}

/// The listener of a rule.
pub fn listener_of(rule: &str) -> Option<String> {
    let (head, resource) = rule.split_once(":listener-rule/")?;
    let (listener, _) = resource.rsplit_once('/')?;
    Some(format!("{head}:listener/{listener}"))
}

/// What stands after the last colon and kind: `app/NAME/ID`, as metrics and interfaces name it.
pub fn full_name(arn: &str) -> &str {
    let resource = arn.rsplit(':').next().unwrap_or(arn);
    resource.strip_prefix("loadbalancer/").unwrap_or(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_from_names() {
        let lb = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188";
        let listener =
            "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2";
        let rule = default_rule(listener);
        assert_eq!(kind_of(&rule), Some(Kind::Rule));
        assert_eq!(load_balancer_of(listener).as_deref(), Some(lb));
        assert_eq!(load_balancer_of(&rule).as_deref(), Some(lb));
        assert_eq!(listener_of(&rule).as_deref(), Some(listener));
        assert!(listener.starts_with(&listeners_prefix(lb)) && rule.starts_with(&all_rules_prefix(lb)));
        assert!(rule.starts_with(&rules_prefix(listener)));
        assert_eq!(full_name(lb), "app/shop/50dc6c495c0c9188");
        for bad in [
            "shop",
            "arn:aws:ec2:us-east-1:1:loadbalancer/app/a/b",
            "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/a",
        ] {
            assert_eq!(kind_of(bad), None, "{bad}");
        }
    }
}
