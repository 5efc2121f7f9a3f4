//! The account as a whole: its alias and the count of what it has. Source: AWS IAM API Reference.

use crate::records::{Alias, Group, InstanceProfile, ManagedPolicy, Role, User};
use crate::{errors, listing};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, Record, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateAccountAlias: create_account_alias(CreateAccountAliasRequest), on everything),
    operation!(ListAccountAliases: list_account_aliases(ListAccountAliasesRequest), on everything),
    operation!(DeleteAccountAlias: delete_account_alias(DeleteAccountAliasRequest), on everything),
    operation!(GetAccountSummary: get_account_summary(GetAccountSummaryRequest), on everything),
];

/// An account has one alias at most; a new one takes the place of the old.
const ONLY: &str = "alias";

async fn create_account_alias(cx: &Cx, input: CreateAccountAliasRequest) -> Result<CreateAccountAliasResponse, Error> {
    let alias = input.account_alias;
    cx.store()
        .write(|tx| {
            let same = tx.by_key_everywhere::<Alias>("alias", &alias)?;
            if same.iter().any(|(scope, _, _)| scope.account != cx.scope().account) {
                let text = format!("The account alias {alias} already exists.");
                return Err(Error::sender("EntityAlreadyExists", text).with_status(409));
            }
            tx.put(&cx.global_scope(), ONLY, Alias { alias: alias.clone() })?;
            Ok(())
        })
        .await?;
    Ok(CreateAccountAliasResponse {})
}

async fn list_account_aliases(cx: &Cx, input: ListAccountAliasesRequest) -> Result<ListAccountAliasesResponse, Error> {
    let found = cx.store().get::<Alias>(&cx.global_scope(), ONLY)?;
    let all: Vec<String> = found.iter().map(|alias| alias.alias.clone()).collect();
    let (account_aliases, is_truncated, marker) =
        listing::page(all, |alias| alias, input.marker.as_deref(), input.max_items)?;
    Ok(ListAccountAliasesResponse { account_aliases, is_truncated, marker })
}

async fn delete_account_alias(cx: &Cx, input: DeleteAccountAliasRequest) -> Result<DeleteAccountAliasResponse, Error> {
    cx.store()
        .write(|tx| {
            let found = tx.get::<Alias>(&cx.global_scope(), ONLY)?;
            if found.is_none_or(|found| found.alias != input.account_alias) {
                let text = format!("The account alias {} cannot be found.", input.account_alias);
                return Err(errors::missing(text));
            }
            tx.delete::<Alias>(&cx.global_scope(), ONLY);
            Ok(())
        })
        .await?;
    Ok(DeleteAccountAliasResponse {})
}

/// A kind of thing that an account can have so many of. Source: AWS IAM User Guide, "IAM and AWS STS
/// quotas".
pub trait Counted: Record {
    const QUOTA: usize;
    /// The quota, as AWS calls it.
    const NAMED: &'static str;
}

macro_rules! counted {
    ($($kind:ty: $quota:literal $name:literal),*) => { $(
        impl Counted for $kind {
            const QUOTA: usize = $quota;
            const NAMED: &'static str = $name;
        }
    )* };
}
counted!(
    User: 5_000 "UsersPerAccount",
    Group: 300 "GroupsPerAccount",
    Role: 1_000 "RolesPerAccount",
    InstanceProfile: 1_000 "InstanceProfilesPerAccount",
    ManagedPolicy: 1_500 "PoliciesPerAccount"
);

/// Refuses one more than the account can have.
pub fn check_room<R: Counted>(tx: &Tx<'_>, cx: &Cx) -> Result<(), Error> {
    match tx.count::<R>(&cx.global_scope()) < R::QUOTA {
        true => Ok(()),
        false => Err(errors::limit(format!("Cannot exceed quota for {}: {}", R::NAMED, R::QUOTA))),
    }
}

/// What is there and what there may be: all that AWS tells. Of what Kiln has none of (MFA devices,
/// certificates, passwords, identity providers) the count is zero.
async fn get_account_summary(cx: &Cx, _: GetAccountSummaryRequest) -> Result<GetAccountSummaryResponse, Error> {
    let (store, scope) = (cx.store(), cx.global_scope());
    let policies = store.list::<ManagedPolicy>(&scope)?;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let summary = [
        ("Users", count(store.list::<User>(&scope)?.len())),
        ("UsersQuota", count(User::QUOTA)),
        ("Groups", count(store.list::<Group>(&scope)?.len())),
        ("GroupsQuota", count(Group::QUOTA)),
        ("Roles", count(store.list::<Role>(&scope)?.len())),
        ("RolesQuota", count(Role::QUOTA)),
        ("InstanceProfiles", count(store.list::<InstanceProfile>(&scope)?.len())),
        ("InstanceProfilesQuota", count(InstanceProfile::QUOTA)),
        ("Policies", count(policies.len())),
        ("PoliciesQuota", count(ManagedPolicy::QUOTA)),
        ("PolicyVersionsInUse", count(policies.iter().map(|(_, policy)| policy.versions.len()).sum())),
        // More than 1,500 policies × 5 versions can be.
        ("PolicyVersionsInUseQuota", 10_000),
        ("AccountAccessKeysPresent", i32::from(cx.platform().home().account == cx.scope().account)),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("Providers", 0),
        ("ServerCertificates", 0),
        ("ServerCertificatesQuota", 20),
        ("SigningCertificatesPerUserQuota", 2),
        ("GlobalEndpointTokenVersion", 1),
        ("AccessKeysPerUserQuota", 2),
        ("GroupsPerUserQuota", 10),
        ("VersionsPerPolicyQuota", 5),
        ("PolicySizeQuota", 6_144),
        ("UserPolicySizeQuota", 2_048),
        ("GroupPolicySizeQuota", 5_120),
        ("RolePolicySizeQuota", 10_240),
        ("AssumeRolePolicySizeQuota", 2_048),
        ("AttachedPoliciesPerUserQuota", 10),
        ("AttachedPoliciesPerGroupQuota", 10),
        ("AttachedPoliciesPerRoleQuota", 10),
    ];
    let summary_map: Map<i32> = summary.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    Ok(GetAccountSummaryResponse { summary_map })
}
