//! Users, groups and roles are alike in holding permissions: what they share is written once, here
//! and in `operations/permissions.rs`.

use crate::errors;
use crate::records::{Group, Permissions, Role, User, key};
use kiln_service_kit::{Cx, Error, Record, Tx};

/// Something that policies are attached to.
pub trait Holder: Record {
    /// As messages call it.
    const WHAT: &'static str;
    /// All inline policies together may be so long, without white space.
    const INLINE_BYTES: usize;
    /// The quota of attached policies, as AWS calls it.
    const ATTACHED_QUOTA: &'static str;
    fn name(&self) -> &str;
    fn permissions(&self) -> &Permissions;
    fn permissions_mut(&mut self) -> &mut Permissions;
}

macro_rules! holder {
    ($kind:ty, $what:literal, $bytes:literal, $quota:literal) => {
        impl Holder for $kind {
            const WHAT: &'static str = $what;
            const INLINE_BYTES: usize = $bytes;
            const ATTACHED_QUOTA: &'static str = $quota;
            fn name(&self) -> &str {
                &self.name
            }
            fn permissions(&self) -> &Permissions {
                &self.permissions
            }
            fn permissions_mut(&mut self) -> &mut Permissions {
                &mut self.permissions
            }
        }
    };
}
// Source of the quotas: AWS IAM User Guide, "IAM and AWS STS quotas".
holder!(User, "user", 2_048, "PoliciesPerUser");
holder!(Group, "group", 5_120, "PoliciesPerGroup");
holder!(Role, "role", 10_240, "PoliciesPerRole");

/// The thing of that name, inside a transaction.
pub fn find<H: Holder>(tx: &Tx<'_>, cx: &Cx, name: &str) -> Result<H, Error> {
    let found = tx.get::<H>(&cx.global_scope(), &key(name))?;
    found.map(|holder| (*holder).clone()).ok_or_else(|| errors::no_such(H::WHAT, name))
}

/// The thing of that name.
pub fn get<H: Holder>(cx: &Cx, name: &str) -> Result<H, Error> {
    let found = cx.store().get::<H>(&cx.global_scope(), &key(name))?;
    found.map(|holder| (*holder).clone()).ok_or_else(|| errors::no_such(H::WHAT, name))
}

/// Changes it in one transaction.
pub async fn change<H: Holder>(
    cx: &Cx,
    name: &str,
    change: impl FnOnce(&mut H, &Tx<'_>) -> Result<(), Error>,
) -> Result<H, Error> {
    cx.store()
        .write(|tx| {
            let mut holder = find::<H>(tx, cx, name)?;
            change(&mut holder, tx)?;
            tx.put_if_changed(&cx.global_scope(), &key(name), holder.clone())?;
            Ok::<_, Error>(holder)
        })
        .await
}
