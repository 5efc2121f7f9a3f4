use super::{ALLOW_ALL, EC2_TRUST, code, platform, refused, root};
use kiln_iam_shapes::*;
use kiln_service_kit::{Caller, Cx, Scope};

fn create(name: &str) -> CreatePolicyRequest {
    CreatePolicyRequest { policy_name: name.to_owned(), policy_document: ALLOW_ALL.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn versions_come_and_go_up_to_five() {
    let platform = platform().await;
    let cx = root(&platform);
    let policy = cx.call(create("p")).await.expect("made").policy.expect("a policy");
    let arn = || policy.arn.clone().expect("an arn");
    assert_eq!(arn(), "arn:aws:iam::111122223333:policy/p");
    let add = |set_as_default| CreatePolicyVersionRequest {
        policy_arn: arn(),
        policy_document: ALLOW_ALL.to_owned(),
        set_as_default,
    };
    for _ in 0..3 {
        cx.call(add(None)).await.expect("made");
    }
    let fifth = cx.call(add(Some(true))).await.expect("made").policy_version.expect("a version");
    assert_eq!((fifth.version_id.as_deref(), fifth.is_default_version), (Some("v5"), Some(true)));
    assert_eq!(code(cx.call(add(None)).await), "LimitExceeded");
    let delete = |v: &str| DeletePolicyVersionRequest { policy_arn: arn(), version_id: v.to_owned() };
    assert_eq!(
        refused(cx.call(delete("v5")).await),
        ("DeleteConflict".to_owned(), "Cannot delete the default version of a policy.".to_owned())
    );
    cx.call(delete("v1")).await.expect("deleted");
    // Numbers are not given twice.
    let sixth = cx.call(add(None)).await.expect("made").policy_version.expect("a version");
    assert_eq!(sixth.version_id.as_deref(), Some("v6"));
    let list = ListPolicyVersionsRequest { policy_arn: arn(), ..Default::default() };
    let ids: Vec<_> = cx.call(list).await.expect("listed").versions.into_iter().filter_map(|v| v.version_id).collect();
    assert_eq!(ids, ["v6", "v5", "v4", "v3", "v2"]);
    assert_eq!(code(cx.call(DeletePolicyRequest { policy_arn: arn() }).await), "DeleteConflict");
}

#[tokio::test]
async fn attached_policies_count_and_cannot_be_deleted() {
    let platform = platform().await;
    let cx = root(&platform);
    let arn = cx.call(create("p")).await.expect("made").policy.and_then(|p| p.arn).expect("an arn");
    let role = CreateRoleRequest {
        role_name: "r".to_owned(),
        assume_role_policy_document: EC2_TRUST.to_owned(),
        permissions_boundary: Some(arn.clone()),
        ..Default::default()
    };
    cx.call(role).await.expect("made");
    cx.call(AttachRolePolicyRequest { role_name: "r".to_owned(), policy_arn: arn.clone() }).await.expect("attached");
    let shown = cx.call(GetPolicyRequest { policy_arn: arn.clone() }).await.expect("there").policy.expect("a policy");
    assert_eq!((shown.attachment_count, shown.permissions_boundary_usage_count), (Some(1), Some(1)));
    let entities = ListEntitiesForPolicyRequest { policy_arn: arn.clone(), ..Default::default() };
    let roles = cx.call(entities).await.expect("listed").policy_roles;
    assert_eq!(roles.into_iter().filter_map(|r| r.role_name).collect::<Vec<_>>(), ["r"]);
    assert_eq!(
        refused(cx.call(DeletePolicyRequest { policy_arn: arn.clone() }).await),
        ("DeleteConflict".to_owned(), "Cannot delete a policy attached to entities.".to_owned())
    );
    let nowhere = AttachRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_arn: "arn:aws:iam::111122223333:policy/nowhere".to_owned(),
    };
    assert_eq!(code(cx.call(nowhere).await), "NoSuchEntity");
    let local = ListPoliciesRequest { scope: Some("Local".to_owned()), ..Default::default() };
    assert_eq!(cx.call(local).await.expect("listed").policies.len(), 1);
    let attached = ListPoliciesRequest { only_attached: Some(true), ..Default::default() };
    assert_eq!(cx.call(attached).await.expect("listed").policies.len(), 1);
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let platform = platform().await;
    let cx = root(&platform);
    let with = |text: &str| CreatePolicyRequest { policy_document: text.to_owned(), ..create("p") };
    assert_eq!(code(cx.call(with("{")).await), "MalformedPolicyDocument");
    assert_eq!(code(cx.call(with(EC2_TRUST)).await), "MalformedPolicyDocument");
    let long = ALLOW_ALL.replace("\"*\"}", &format!("\"arn:aws:s3:::{}\"}}", "x".repeat(6_200)));
    assert_eq!(
        refused(cx.call(with(&long)).await),
        ("LimitExceeded".to_owned(), "Cannot exceed quota for PolicySize: 6144".to_owned())
    );
    let aws = CreatePolicyVersionRequest {
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
        policy_document: ALLOW_ALL.to_owned(),
        set_as_default: None,
    };
    assert_eq!(code(cx.call(aws).await), "InvalidInput");
}

#[tokio::test]
async fn a_simulation_decides_as_a_call_would() {
    let platform = platform().await;
    let cx = root(&platform);
    cx.call(CreateUserRequest { user_name: "ann".to_owned(), ..Default::default() }).await.expect("made");
    let put = PutUserPolicyRequest {
        user_name: "ann".to_owned(),
        policy_name: "p".to_owned(),
        policy_document: r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}/*"},
            {"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}"#
            .to_owned(),
    };
    cx.call(put).await.expect("put");
    let ask = SimulatePrincipalPolicyRequest {
        policy_source_arn: "arn:aws:iam::111122223333:user/ann".to_owned(),
        action_names: vec!["s3:GetObject".to_owned(), "s3:DeleteObject".to_owned()],
        resource_arns: vec!["arn:aws:s3:::ann/x".to_owned(), "arn:aws:s3:::bob/x".to_owned()],
        ..Default::default()
    };
    let results = cx.call(ask).await.expect("simulated").evaluation_results;
    let decisions: Vec<_> = results.iter().filter_map(|r| r.eval_decision.as_deref()).collect();
    assert_eq!(decisions, ["allowed", "implicitDeny", "explicitDeny", "explicitDeny"]);
    assert_eq!(results[0].matched_statements[0].source_policy_id.as_deref(), Some("p"));
}

#[tokio::test]
async fn all_of_awss_policies_are_there() {
    let platform = platform().await;
    let cx = root(&platform);
    let (mut names, mut marker) = (vec![], None);
    loop {
        let list =
            ListPoliciesRequest { scope: Some("AWS".to_owned()), max_items: Some(1_000), marker, ..Default::default() };
        let page = cx.call(list).await.expect("listed");
        names.extend(page.policies.into_iter().filter_map(|policy| policy.arn));
        marker = page.marker;
        if page.is_truncated != Some(true) {
            break;
        }
    }
    assert!(names.len() > 1_400 && names.is_sorted(), "{}", names.len());
    let below = ListPoliciesRequest { path_prefix: Some("/job-function/".to_owned()), ..Default::default() };
    let below = cx.call(below).await.expect("listed").policies;
    assert!(below.iter().any(|policy| policy.policy_name.as_deref() == Some("Billing")), "{below:?}");
    assert!(below.iter().all(|policy| policy.path.as_deref() == Some("/job-function/")));

    let policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned();
    let shown = cx.call(GetPolicyRequest { policy_arn: policy_arn.clone() }).await.expect("there").policy;
    let shown = shown.expect("a policy");
    assert!(shown.create_date < shown.update_date && shown.create_date.is_some(), "{shown:?}");
    let version_id = shown.default_version_id.expect("a version");
    let asked = GetPolicyVersionRequest { policy_arn: policy_arn.clone(), version_id: version_id.clone() };
    let version = cx.call(asked).await.expect("there").policy_version.expect("a version");
    assert!(version.document.expect("a document").contains("s3%3AGet%2A"));
    let versions = ListPolicyVersionsRequest { policy_arn: policy_arn.clone(), ..Default::default() };
    let versions = cx.call(versions).await.expect("listed").versions;
    assert_eq!(versions.iter().map(|v| v.version_id.clone()).collect::<Vec<_>>(), [Some(version_id)]);

    cx.call(CreateUserRequest { user_name: "ann".to_owned(), ..Default::default() }).await.expect("made");
    let attach = |arn: &str| AttachUserPolicyRequest { user_name: "ann".to_owned(), policy_arn: arn.to_owned() };
    cx.call(attach(&policy_arn)).await.expect("attached");
    let decided = async |action: &str| {
        let ask = SimulatePrincipalPolicyRequest {
            policy_source_arn: "arn:aws:iam::111122223333:user/ann".to_owned(),
            action_names: vec![action.to_owned()],
            ..Default::default()
        };
        cx.call(ask).await.expect("simulated").evaluation_results.remove(0).eval_decision.expect("decided")
    };
    assert_eq!((&*decided("s3:GetObject").await, &*decided("s3:PutObject").await), ("allowed", "implicitDeny"));
    assert_eq!(code(cx.call(attach("arn:aws:iam::aws:policy/Nowhere")).await), "NoSuchEntity");
    let for_services = "arn:aws:iam::aws:policy/aws-service-role/AutoScalingServiceRolePolicy";
    assert_eq!(code(cx.call(attach(for_services)).await), "PolicyNotAttachable");
}

#[tokio::test]
async fn a_policy_is_its_accounts_whatever_it_is_called() {
    let platform = platform().await;
    let scope = Scope::new("999988887777", "us-east-1");
    let theirs = Cx::new(platform.clone(), scope, Caller::root("999988887777"), "req");
    let ours = root(&platform);
    let arn = theirs.call(create("named-111122223333")).await.expect("made").policy.and_then(|p| p.arn);
    let arn = arn.expect("an arn");
    assert!(arn.contains("999988887777"), "{arn}");
    let add = CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: ALLOW_ALL.to_owned(),
        set_as_default: Some(true),
    };
    assert_eq!(code(ours.call(add).await), "NoSuchEntity");
    assert_eq!(code(ours.call(DeletePolicyRequest { policy_arn: arn }).await), "NoSuchEntity");
}

#[tokio::test]
async fn a_description_is_told_by_getting_the_policy_only() {
    let platform = platform().await;
    let cx = root(&platform);
    let described = CreatePolicyRequest { description: Some("for all".to_owned()), ..create("p") };
    let made = cx.call(described).await.expect("made").policy.expect("a policy");
    assert_eq!(made.description, None);
    let got = cx.call(GetPolicyRequest { policy_arn: made.arn.expect("an arn") }).await.expect("there");
    assert_eq!(got.policy.and_then(|p| p.description).as_deref(), Some("for all"));
}

#[tokio::test]
async fn a_simulation_names_the_keys_it_was_not_given() {
    let platform = platform().await;
    let cx = root(&platform);
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}/*","Condition":
        {"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:RequestTag/team":"a"}}}]}"#;
    let entry = |key: &str, value: &str| ContextEntry {
        context_key_name: Some(key.to_owned()),
        context_key_values: vec![value.to_owned()],
        ..Default::default()
    };
    let ask = |resources: &[&str], context: Vec<ContextEntry>| SimulateCustomPolicyRequest {
        policy_input_list: vec![text.to_owned()],
        action_names: vec!["s3:GetObject".to_owned()],
        resource_arns: resources.iter().map(|each| (*each).to_owned()).collect(),
        context_entries: context,
        ..Default::default()
    };
    let one = async |request: SimulateCustomPolicyRequest| {
        cx.call(request).await.expect("simulated").evaluation_results.remove(0)
    };
    let bare = one(ask(&[], vec![])).await;
    assert_eq!(bare.missing_context_values, ["aws:SourceIp", "aws:RequestTag/team", "aws:username"]);
    assert!(bare.resource_specific_results.is_empty());
    let some = vec![entry("AWS:sourceip", "10.1.2.3"), entry("aws:username", "ann")];
    let named = one(ask(&["arn:aws:s3:::ann/x"], some.clone())).await;
    assert_eq!((named.missing_context_values.len(), named.eval_decision.as_deref()), (0, Some("implicitDeny")));
    assert_eq!(named.resource_specific_results[0].missing_context_values, ["aws:RequestTag/team"]);
    let all = some.into_iter().chain([entry("aws:RequestTag/team", "a")]).collect();
    let named = one(ask(&["arn:aws:s3:::ann/x"], all)).await;
    let specific = &named.resource_specific_results[0];
    assert_eq!(specific.eval_resource_decision.as_deref(), Some("allowed"));
    assert_eq!(specific.missing_context_values.len(), 0);
}

/// AWS's documents have the types and `InvalidInput`, not its words.
#[tokio::test]
async fn the_values_of_a_simulation_are_of_the_type_they_are_said_to_have() {
    let platform = platform().await;
    let cx = root(&platform);
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*",
        "Condition":{"NumericLessThan":{"s3:max-keys":"10"}}}]}"#;
    let ask = async |kind: &str, values: &[&str]| {
        let entry = ContextEntry {
            context_key_name: Some("s3:max-keys".to_owned()),
            context_key_type: Some(kind.to_owned()),
            context_key_values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let request = SimulateCustomPolicyRequest {
            policy_input_list: vec![text.to_owned()],
            action_names: vec!["s3:ListBucket".to_owned()],
            context_entries: vec![entry],
            ..Default::default()
        };
        cx.call(request).await
    };
    let decided = async |kind: &str, values: &[&str]| {
        ask(kind, values).await.expect("simulated").evaluation_results.remove(0).eval_decision.expect("a decision")
    };
    assert_eq!(decided("numeric", &["5"]).await, "allowed");
    assert_eq!(decided("string", &["many"]).await, "implicitDeny");
    for (kind, values) in [
        ("stringList", &["a", "b"][..]),
        ("numericList", &["5", "1.5"]),
        ("boolean", &["true"]),
        ("ip", &["10.0.0.1"]),
        ("ipList", &["10.0.0.0/8", "::1"]),
        ("binary", &["aGk="]),
        ("date", &["2019-04-25T11:00:00Z"]),
        ("dateList", &["1556190000"]),
    ] {
        ask(kind, values).await.expect(kind);
    }
    for (kind, values, why) in [
        ("numeric", &["many"][..], "\"many\" is not of type numeric"),
        ("numericList", &["5", "x"], "\"x\" is not of type numericList"),
        ("numeric", &["5", "6"], "2 values are not one of type numeric"),
        ("boolean", &["1"], "\"1\" is not of type boolean"),
        ("ip", &["10.0.0"], "\"10.0.0\" is not of type ip"),
        ("binary", &["?"], "\"?\" is not of type binary"),
        ("date", &["today"], "\"today\" is not of type date"),
    ] {
        let told = ("InvalidInput".to_owned(), format!("Context key s3:max-keys: {why}."));
        assert_eq!(refused(ask(kind, values).await), told);
    }
    assert_eq!(code(ask("number", &["5"]).await), "ValidationError");
}

#[tokio::test]
async fn the_summary_has_all_that_aws_tells_and_its_quotas_hold() {
    let platform = platform().await;
    let cx = root(&platform);
    let summary = cx.call(GetAccountSummaryRequest {}).await.expect("counted").summary_map;
    let keys = [
        "Users",
        "UsersQuota",
        "Groups",
        "GroupsQuota",
        "ServerCertificates",
        "ServerCertificatesQuota",
        "UserPolicySizeQuota",
        "GroupPolicySizeQuota",
        "GroupsPerUserQuota",
        "SigningCertificatesPerUserQuota",
        "AccessKeysPerUserQuota",
        "MFADevices",
        "MFADevicesInUse",
        "AccountMFAEnabled",
        "AccountAccessKeysPresent",
        "AccountPasswordPresent",
        "AccountSigningCertificatesPresent",
        "AttachedPoliciesPerGroupQuota",
        "AttachedPoliciesPerRoleQuota",
        "AttachedPoliciesPerUserQuota",
        "Policies",
        "PoliciesQuota",
        "PolicySizeQuota",
        "PolicyVersionsInUse",
        "PolicyVersionsInUseQuota",
        "VersionsPerPolicyQuota",
        "GlobalEndpointTokenVersion",
        "AssumeRolePolicySizeQuota",
        "InstanceProfiles",
        "InstanceProfilesQuota",
        "Providers",
        "RolePolicySizeQuota",
        "Roles",
        "RolesQuota",
    ];
    for key in keys {
        assert!(summary.contains_key(key), "{key}");
    }
    assert_eq!(summary.len(), keys.len());
    let group = |n: i32| CreateGroupRequest { group_name: format!("g{n}"), path: None };
    for n in 0..summary["GroupsQuota"] {
        cx.call(group(n)).await.expect("made");
    }
    assert_eq!(
        refused(cx.call(group(-1)).await),
        ("LimitExceeded".to_owned(), "Cannot exceed quota for GroupsPerAccount: 300".to_owned())
    );
}

#[tokio::test]
async fn service_linked_roles_and_the_account_s_alias() {
    let platform = platform().await;
    let cx = root(&platform);
    let create =
        |service: &str| CreateServiceLinkedRoleRequest { aws_service_name: service.to_owned(), ..Default::default() };
    let role = cx.call(create("autoscaling.amazonaws.com")).await.expect("made").role.expect("a role");
    let arn = "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    assert_eq!(role.arn.as_deref(), Some(arn));
    assert_eq!(code(cx.call(create("autoscaling.amazonaws.com")).await), "InvalidInput");
    assert_eq!(code(cx.call(create("nowhere.amazonaws.com")).await), "NotImplemented");
    let role_name = || "AWSServiceRoleForAutoScaling".to_owned();
    assert_eq!(code(cx.call(DeleteRoleRequest { role_name: role_name() }).await), "UnmodifiableEntity");
    let task = cx.call(DeleteServiceLinkedRoleRequest { role_name: role_name() }).await.expect("deleted");
    let deletion_task_id = task.deletion_task_id.expect("a task");
    let status = cx.call(GetServiceLinkedRoleDeletionStatusRequest { deletion_task_id }).await.expect("known");
    assert_eq!(status.status.as_deref(), Some("SUCCEEDED"));

    cx.call(CreateAccountAliasRequest { account_alias: "acme".to_owned() }).await.expect("made");
    let aliases = cx.call(ListAccountAliasesRequest::default()).await.expect("listed").account_aliases;
    assert_eq!(aliases, ["acme"]);
    assert_eq!(code(cx.call(DeleteAccountAliasRequest { account_alias: "other".to_owned() }).await), "NoSuchEntity");
    let summary = cx.call(GetAccountSummaryRequest {}).await.expect("counted").summary_map;
    assert_eq!(summary.get("Roles"), Some(&0));
}

#[tokio::test]
async fn the_policies_of_another_account_are_not_ones_own_whatever_their_names() {
    let platform = platform().await;
    let other = Cx::new(platform.clone(), Scope::new("444455556666", "us-east-1"), Caller::root("444455556666"), "r");
    let policy = other.call(create("like-111122223333")).await.expect("made").policy.expect("a policy");
    let policy_arn = policy.arn.expect("an ARN");
    let cx = root(&platform);
    let add = CreatePolicyVersionRequest {
        policy_arn: policy_arn.clone(),
        policy_document: ALLOW_ALL.to_owned(),
        set_as_default: Some(true),
    };
    assert_eq!(code(cx.call(add.clone()).await), "NoSuchEntity");
    assert_eq!(code(cx.call(DeletePolicyRequest { policy_arn }).await), "NoSuchEntity");
    other.call(add).await.expect("its own account may");
}
