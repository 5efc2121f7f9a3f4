//! Inline and attached policies of users, groups and roles alike; the rows are in
//! `user_policies.rs`, `group_policies.rs` and `role_policies.rs`.

use crate::holders::{Holder, change, get};
use crate::managed::{self, own};
use crate::{documents, errors, listing};
use kiln_iam_shapes::AttachedPolicy;
use kiln_policy::DocumentKind;
use kiln_service_kit::{Cx, Error};

/// Managed policies attached to one user, group or role.
const ATTACHED: usize = 10;

pub async fn put_inline<H: Holder>(cx: &Cx, holder: &str, policy: String, document: String) -> Result<(), Error> {
    documents::check(&document, DocumentKind::Identity)?;
    change::<H>(cx, holder, |holder, _| {
        holder.permissions_mut().inline.insert(policy, document);
        let bytes: usize = holder.permissions().inline.values().map(|text| documents::size(text)).sum();
        if bytes > H::INLINE_BYTES {
            let (most, what, name) = (H::INLINE_BYTES, H::WHAT, holder.name());
            return Err(errors::limit(format!("Maximum policy size of {most} bytes exceeded for {what} {name}")));
        }
        Ok(())
    })
    .await?;
    Ok(())
}

fn no_such<H: Holder>(policy: &str) -> Error {
    errors::no_such(&format!("{} policy", H::WHAT), policy)
}

/// The holder's name and the document.
pub fn inline<H: Holder>(cx: &Cx, holder: &str, policy: &str) -> Result<(String, String), Error> {
    let holder = get::<H>(cx, holder)?;
    let document = holder.permissions().inline.get(policy).ok_or_else(|| no_such::<H>(policy))?;
    Ok((holder.name().to_owned(), documents::encoded(document)))
}

type Listing<T> = Result<(Vec<T>, Option<bool>, Option<String>), Error>;

pub fn inline_names<H: Holder>(cx: &Cx, holder: &str, marker: Option<&str>, max: Option<i32>) -> Listing<String> {
    let names: Vec<String> = get::<H>(cx, holder)?.permissions().inline.keys().cloned().collect();
    listing::page(names, |name| name, marker, max)
}

pub async fn remove_inline<H: Holder>(cx: &Cx, holder: &str, policy: &str) -> Result<(), Error> {
    let remove = |holder: &mut H| holder.permissions_mut().inline.remove(policy);
    change::<H>(cx, holder, |holder, _| remove(holder).map(|_| ()).ok_or_else(|| no_such::<H>(policy))).await?;
    Ok(())
}

/// Attaching twice is fine.
pub async fn attach<H: Holder>(cx: &Cx, holder: &str, arn: String) -> Result<(), Error> {
    if kiln_policy::managed::find(&arn).is_some_and(kiln_policy::managed::Managed::is_for_services) {
        let text = "Cannot attach a Service Role Policy to a Customer Role.";
        return Err(Error::sender("PolicyNotAttachable", text));
    }
    change::<H>(cx, holder, |holder, tx| {
        attachable(tx, cx, &arn)?;
        let attached = &mut holder.permissions_mut().attached;
        if !attached.contains(&arn) {
            if attached.len() == ATTACHED {
                return Err(errors::limit(format!("Cannot exceed quota for {}: {ATTACHED}", H::ATTACHED_QUOTA)));
            }
            attached.push(arn);
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Refuses a policy that is not there, or another account's.
pub fn attachable(tx: &kiln_service_kit::Tx<'_>, cx: &Cx, arn: &str) -> Result<(), Error> {
    let foreign = own(arn).is_some_and(|(account, _)| account != cx.account());
    match managed::find_in(tx, arn)? {
        Some(_) if !foreign => Ok(()),
        _ => Err(errors::not_attachable(arn)),
    }
}

pub async fn detach<H: Holder>(cx: &Cx, holder: &str, arn: &str) -> Result<(), Error> {
    change::<H>(cx, holder, |holder, _| {
        let attached = &mut holder.permissions_mut().attached;
        let before = attached.len();
        attached.retain(|each| each != arn);
        let missing = || errors::missing(format!("Policy {arn} was not found."));
        if attached.len() == before { Err(missing()) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

pub fn attached<H: Holder>(
    cx: &Cx,
    holder: &str,
    prefix: Option<String>,
    marker: Option<&str>,
    max: Option<i32>,
) -> Listing<AttachedPolicy> {
    let mut arns = get::<H>(cx, holder)?.permissions().attached.clone();
    if let Some(prefix) = prefix {
        // What follows `:policy` is path and name.
        let path = |arn: &String| arn.split_once(":policy").is_some_and(|(_, path)| path.starts_with(&prefix));
        arns.retain(path);
    }
    let (arns, is_truncated, marker) = listing::page(arns, |arn| arn, marker, max)?;
    let shown =
        |arn: String| AttachedPolicy { policy_name: arn.rsplit('/').next().map(str::to_owned), policy_arn: Some(arn) };
    Ok((arns.into_iter().map(shown).collect(), is_truncated, marker))
}
