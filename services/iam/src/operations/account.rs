//! The account as a whole: its alias and the count of what it has. Source: AWS IAM API Reference.

use crate::records::{Alias, Group, InstanceProfile, ManagedPolicy, Role, User};
use crate::{errors, listing};
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateAccountAlias: create_account_alias(CreateAccountAliasRequest)),
    operation!(ListAccountAliases: list_account_aliases(ListAccountAliasesRequest)),
    operation!(DeleteAccountAlias: delete_account_alias(DeleteAccountAliasRequest)),
    operation!(GetAccountSummary: get_account_summary(GetAccountSummaryRequest)),
];

/// An account has one alias at most; a new one takes the place of the old.
const ONLY: &str = "alias";

async fn create_account_alias(cx: &Cx, input: CreateAccountAliasRequest) -> Result<CreateAccountAliasResponse, Error> {
    let alias = input.account_alias;
    cx.store()
        .write(|tx| {
            let taken = |scope: &kiln_service_kit::Scope, other: &Alias| {
                scope.account != cx.scope().account && other.alias == alias
            };
            if tx.list_everywhere::<Alias>()?.iter().any(|(scope, _, other)| taken(scope, other)) {
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

/// What is there, and the quotas that are checked.
async fn get_account_summary(cx: &Cx, _: GetAccountSummaryRequest) -> Result<GetAccountSummaryResponse, Error> {
    let (store, scope) = (cx.store(), cx.global_scope());
    let users = store.list::<User>(&scope)?;
    let policies = store.list::<ManagedPolicy>(&scope)?;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let summary = [
        ("Users", count(users.len())),
        ("Groups", count(store.list::<Group>(&scope)?.len())),
        ("Roles", count(store.list::<Role>(&scope)?.len())),
        ("InstanceProfiles", count(store.list::<InstanceProfile>(&scope)?.len())),
        ("Policies", count(policies.len())),
        ("PolicyVersionsInUse", count(policies.iter().map(|(_, policy)| policy.versions.len()).sum())),
        ("AccountAccessKeysPresent", i32::from(cx.platform().home().account == cx.scope().account)),
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
