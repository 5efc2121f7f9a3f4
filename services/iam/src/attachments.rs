//! What managed policies are attached to: found by looking at every user, group and role, since the
//! attachment is kept with them, where each decision needs it. Only listings and deletions ask.

use crate::records::{Group, Permissions, Role, User};
use kiln_service_kit::{Cx, Error, Record, Tx};
use std::collections::HashMap;
use std::sync::Arc;

/// How often a policy is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    pub attached: i32,
    pub boundaries: i32,
}

impl Uses {
    pub fn any(self) -> bool {
        self.attached + self.boundaries > 0
    }
}

/// A user, group or role that uses a policy.
pub struct Entity {
    /// `User`, `Group` or `Role`.
    pub kind: &'static str,
    pub name: String,
    pub id: String,
    pub path: String,
    /// Kind and name: the order of listings.
    pub order: String,
}

/// Visits everything that holds permissions; `list` reads one kind.
fn visit(
    users: &[Arc<User>],
    groups: &[Arc<Group>],
    roles: &[Arc<Role>],
    mut see: impl FnMut(&'static str, &str, &str, &str, &Permissions),
) {
    for user in users {
        see("User", &user.name, &user.id, &user.path, &user.permissions);
    }
    for group in groups {
        see("Group", &group.name, &group.id, &group.path, &group.permissions);
    }
    for role in roles {
        see("Role", &role.name, &role.id, &role.path, &role.permissions);
    }
}

fn values<R: Record>(rows: Vec<(Arc<str>, Arc<R>)>) -> Vec<Arc<R>> {
    rows.into_iter().map(|(_, record)| record).collect()
}

fn count(uses: &mut Uses, arn: &str, permissions: &Permissions) {
    uses.attached += i32::from(permissions.attached.iter().any(|each| each == arn));
    uses.boundaries += i32::from(permissions.boundary.as_deref() == Some(arn));
}

/// The uses of one policy.
pub fn of(cx: &Cx, arn: &str) -> Result<Uses, Error> {
    Ok(all(cx)?.get(arn).copied().unwrap_or_default())
}

/// The uses of one policy, inside a transaction.
pub fn of_in(tx: &Tx<'_>, cx: &Cx, arn: &str) -> Result<Uses, Error> {
    let scope = cx.global_scope();
    let (users, groups, roles) = (values(tx.list(&scope)?), values(tx.list(&scope)?), values(tx.list(&scope)?));
    let mut uses = Uses::default();
    visit(&users, &groups, &roles, |_, _, _, _, permissions| count(&mut uses, arn, permissions));
    Ok(uses)
}

/// The uses of all policies.
pub fn all(cx: &Cx) -> Result<HashMap<String, Uses>, Error> {
    let (store, scope) = (cx.store(), cx.global_scope());
    let (users, groups, roles) =
        (values(store.list(&scope)?), values(store.list(&scope)?), values(store.list(&scope)?));
    let mut uses: HashMap<String, Uses> = HashMap::new();
    visit(&users, &groups, &roles, |_, _, _, _, permissions| {
        for arn in &permissions.attached {
            uses.entry(arn.clone()).or_default().attached += 1;
        }
        if let Some(arn) = &permissions.boundary {
            uses.entry(arn.clone()).or_default().boundaries += 1;
        }
    });
    Ok(uses)
}

/// Who uses a policy; `usage` as in ListEntitiesForPolicy.
pub fn entities(cx: &Cx, arn: &str, usage: Option<&str>) -> Result<Vec<Entity>, Error> {
    let (store, scope) = (cx.store(), cx.global_scope());
    let (users, groups, roles) =
        (values(store.list(&scope)?), values(store.list(&scope)?), values(store.list(&scope)?));
    let mut found = vec![];
    visit(&users, &groups, &roles, |kind, name, id, path, permissions| {
        let mut uses = Uses::default();
        count(&mut uses, arn, permissions);
        let wanted = match usage {
            Some("PermissionsPolicy") => uses.attached > 0,
            Some("PermissionsBoundary") => uses.boundaries > 0,
            _ => uses.any(),
        };
        if wanted {
            let (name, id, path) = (name.to_owned(), id.to_owned(), path.to_owned());
            found.push(Entity { kind, order: format!("{kind}/{name}"), name, id, path });
        }
    });
    Ok(found)
}
