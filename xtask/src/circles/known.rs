//! Circles that stand, and why. The list must only shrink: an entry whose circle is not of just these
//! files any more fails the check.

/// The files of one, or the folders (with a `/` at the end) that it is in; and why it stands.
pub type Known = (&'static [&'static str], &'static str);

pub const KNOWN: &[Known] = &[(
    &[
        "service-kit/src/access.rs",
        "service-kit/src/controller.rs",
        "service-kit/src/cx.rs",
        "service-kit/src/operation.rs",
        "service-kit/src/platform.rs",
        "service-kit/src/resource.rs",
        "service-kit/src/rest.rs",
        "service-kit/src/roll.rs",
        "service-kit/src/service.rs",
        "service-kit/src/target.rs",
    ],
    "one subject: what a service is made of takes a `Cx`, and a `Cx` reaches every service by its public \
        operations; docs/decisions/0018 says what cutting it would cost",
)];
