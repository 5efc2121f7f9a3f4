//! The parameter store through its public operations, on a store in memory.

use crate::SealingKey;
use kiln_service_kit::*;
use kiln_ssm_shapes::*;
use std::sync::Arc;

fn given() -> Cx {
    let clock = Clock::system();
    let ids = IdSource::seeded(1);
    let platform: Arc<Platform> = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids.clone())
        .part(SealingKey::new(&ids))
        .part(kiln_sealing::RootKey::new(&ids))
        .service(kiln_kms::service())
        .service(crate::service())
        // Whom KMS lets in is told with a real client.
        .open(true)
        .build();
    Cx::new(platform, Scope::new("000000000000", "us-east-1"), Caller::root("000000000000"), "test")
}

fn put(name: &str, value: &str) -> PutParameterRequest {
    PutParameterRequest { name: name.into(), value: value.into(), r#type: Some("String".into()), ..Default::default() }
}

fn overwrite(name: &str, value: &str) -> PutParameterRequest {
    PutParameterRequest { overwrite: Some(true), r#type: None, ..put(name, value) }
}

async fn get(cx: &Cx, name: &str) -> Result<Parameter, Error> {
    let answer = cx.call(GetParameterRequest { name: name.into(), with_decryption: Some(true) }).await?;
    Ok(answer.parameter.expect("an answer has a parameter"))
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

#[tokio::test]
async fn versions_labels_and_selectors() {
    let cx = given();
    assert_eq!(cx.call(put("/app/x", "one")).await.unwrap().version, Some(1));
    assert_eq!(code(cx.call(put("/app/x", "two")).await), "ParameterAlreadyExists");
    assert_eq!(cx.call(overwrite("/app/x", "two")).await.unwrap().version, Some(2));
    let label = |version, label: &str| LabelParameterVersionRequest {
        name: "/app/x".into(),
        parameter_version: version,
        labels: vec![label.into()],
    };
    cx.call(label(Some(1), "good")).await.unwrap();
    assert_eq!(cx.call(label(None, "aws-no")).await.unwrap().invalid_labels, ["aws-no"]);
    assert_eq!(get(&cx, "/app/x").await.unwrap().value.as_deref(), Some("two"));
    assert_eq!(get(&cx, "/app/x:1").await.unwrap().value.as_deref(), Some("one"));
    let labelled = get(&cx, "/app/x:good").await.unwrap();
    assert_eq!((labelled.version, labelled.selector.as_deref()), (Some(1), Some(":good")));
    let arn = labelled.arn.unwrap();
    assert_eq!(arn, "arn:aws:ssm:us-east-1:000000000000:parameter/app/x");
    assert_eq!(get(&cx, &arn).await.unwrap().version, Some(2));
    assert_eq!(code(get(&cx, "/app/x:9").await), "ParameterVersionNotFound");
    cx.call(label(None, "good")).await.unwrap();
    let history = GetParameterHistoryRequest { name: "/app/x".into(), ..Default::default() };
    let labels: Vec<_> = cx.call(history).await.unwrap().parameters.into_iter().map(|p| p.labels).collect();
    assert_eq!(labels, [vec![], vec!["good".to_owned()]], "a label moves");
}

#[tokio::test]
async fn the_oldest_version_goes_unless_it_is_labelled() {
    let cx = given();
    cx.call(put("x", "1")).await.unwrap();
    for n in 2..=101 {
        cx.call(overwrite("x", &n.to_string())).await.unwrap();
    }
    assert_eq!(code(get(&cx, "x:1").await), "ParameterVersionNotFound");
    let labels = vec!["keep".to_owned()];
    cx.call(LabelParameterVersionRequest { name: "x".into(), parameter_version: Some(2), labels }).await.unwrap();
    assert_eq!(code(cx.call(overwrite("x", "102")).await), "ParameterMaxVersionLimitExceeded");
    assert_eq!(get(&cx, "x").await.unwrap().version, Some(101), "nothing was changed");
}

#[tokio::test]
async fn secrets_are_sealed_and_opened_only_when_asked() {
    let cx = given();
    cx.call(PutParameterRequest { r#type: Some("SecureString".into()), ..put("/s", "hunter2") }).await.unwrap();
    let kept = cx.store().get::<crate::records::Parameter>(cx.scope(), "/s").unwrap().unwrap();
    assert!(!serde_json::to_string(&*kept).unwrap().contains("hunter2"));
    assert!(!format!("{kept:?}").contains("hunter2"));
    let closed = cx.call(GetParameterRequest { name: "/s".into(), with_decryption: None }).await.unwrap();
    assert_ne!(closed.parameter.unwrap().value.as_deref(), Some("hunter2"));
    assert_eq!(get(&cx, "/s").await.unwrap().value.as_deref(), Some("hunter2"));
    let other = PutParameterRequest { r#type: Some("String".into()), overwrite: Some(true), ..put("/s", "x") };
    assert_eq!(code(cx.call(other).await), "HierarchyTypeMismatchException");
}

#[tokio::test]
async fn what_was_sealed_before_there_was_kms_is_read_and_becomes_kms_s_when_it_is_written() {
    use crate::records::{Parameter as Kept, Stored, Version};
    let cx = given();
    let sealed = cx.part::<SealingKey>().unwrap().seal(cx.ids(), "/s", "hunter2").unwrap();
    let sealed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sealed);
    let version = Version {
        version: 1,
        kind: "SecureString".into(),
        value: Stored::Sealed(sealed),
        key_id: Some("alias/aws/ssm".into()),
        description: None,
        allowed_pattern: None,
        tier: "Standard".into(),
        data_type: "text".into(),
        modified: cx.now(),
        modified_by: String::new(),
        labels: vec![],
    };
    let old = Kept { name: "/s".into(), versions: vec![version], tags: Default::default() };
    cx.store().write::<_, Error>(|tx| Ok(tx.put(cx.scope(), "/s", old)?)).await.unwrap();
    assert_eq!(get(&cx, "/s").await.unwrap().value.as_deref(), Some("hunter2"));
    cx.call(overwrite("/s", "hunter3")).await.unwrap();
    assert_eq!(get(&cx, "/s").await.unwrap().value.as_deref(), Some("hunter3"));
    assert_eq!(get(&cx, "/s:1").await.unwrap().value.as_deref(), Some("hunter2"));
    let kept = cx.store().get::<Kept>(cx.scope(), "/s").unwrap().unwrap();
    assert!(matches!(kept.latest().value, Stored::Encrypted(_)));
}

#[tokio::test]
async fn a_secret_has_the_key_that_it_is_given_and_a_long_one_a_data_key() {
    let cx = given();
    let made = cx.call(kiln_kms_shapes::CreateKeyRequest::default()).await.unwrap().key_metadata.unwrap();
    let secret = |name: &str, value: &str, key: &Option<String>| PutParameterRequest {
        r#type: Some("SecureString".into()),
        key_id: key.clone(),
        tier: Some("Intelligent-Tiering".into()),
        ..put(name, value)
    };
    let long = "x".repeat(8000);
    cx.call(secret("/short", "hunter2", &made.key_id)).await.unwrap();
    assert_eq!(cx.call(secret("/long", &long, &made.arn)).await.unwrap().tier.as_deref(), Some("Advanced"));
    let kept = cx.store().get::<crate::records::Parameter>(cx.scope(), "/long").unwrap().unwrap();
    assert!(!serde_json::to_string(&*kept).unwrap().contains("xxxx"));
    assert_eq!(get(&cx, "/long").await.unwrap().value, Some(long));
    assert_eq!(get(&cx, "/short").await.unwrap().value.as_deref(), Some("hunter2"));
    let id = made.key_id.clone().unwrap();
    cx.call(kiln_kms_shapes::DisableKeyRequest { key_id: id }).await.unwrap();
    for name in ["/short", "/long"] {
        assert_eq!(code(get(&cx, name).await), "InvalidKeyId", "{name}");
    }
    assert_eq!(code(cx.call(secret("/new", "x", &made.key_id)).await), "InvalidKeyId");
    assert_eq!(code(cx.call(secret("/new", "x", &Some("alias/none".into()))).await), "InvalidKeyId");
    assert_eq!(code(get(&cx, "/new").await), "ParameterNotFound", "nothing was written");
    let plain = PutParameterRequest { key_id: made.key_id, ..put("/plain", "x") };
    assert_eq!(code(cx.call(plain).await), "ValidationException");
}

#[tokio::test]
async fn values_are_checked() {
    let cx = given();
    let large = "x".repeat(5000);
    assert_eq!(code(cx.call(put("a", &large)).await), "ValidationException");
    let tiered = PutParameterRequest { tier: Some("Intelligent-Tiering".into()), ..put("a", &large) };
    assert_eq!(cx.call(tiered).await.unwrap().tier.as_deref(), Some("Advanced"));
    let back = PutParameterRequest { tier: Some("Standard".into()), ..overwrite("a", "x") };
    assert_eq!(code(cx.call(back).await), "ValidationException");
    let pattern = |value| PutParameterRequest { allowed_pattern: Some(r"^\d+$".into()), ..put("n", value) };
    assert_eq!(code(cx.call(pattern("x")).await), "ParameterPatternMismatchException");
    cx.call(pattern("12")).await.unwrap();
    assert_eq!(code(cx.call(PutParameterRequest { r#type: None, ..put("t", "x") }).await), "ValidationException");
    let policies = PutParameterRequest { policies: Some(r#"[{"Type":"Expiration"}]"#.into()), ..put("p", "x") };
    assert_eq!(code(cx.call(policies).await), "NotImplemented");
}

#[tokio::test]
async fn paths_filters_and_pages() {
    let cx = given();
    for name in ["/a/one", "/a/two", "/a/deep/three", "/b/four", "five"] {
        cx.call(put(name, name)).await.unwrap();
    }
    let by_path = |recursive, token| GetParametersByPathRequest {
        path: "/a".into(),
        recursive: Some(recursive),
        max_results: Some(2),
        next_token: token,
        ..Default::default()
    };
    let names = |parameters: Vec<Parameter>| parameters.into_iter().filter_map(|p| p.name).collect::<Vec<_>>();
    assert_eq!(names(cx.call(by_path(false, None)).await.unwrap().parameters), ["/a/one", "/a/two"]);
    let first = cx.call(by_path(true, None)).await.unwrap();
    assert_eq!(names(first.parameters), ["/a/deep/three", "/a/one"]);
    assert_eq!(names(cx.call(by_path(true, first.next_token)).await.unwrap().parameters), ["/a/two"]);
    assert_eq!(code(cx.call(by_path(true, Some("nonsense".into()))).await), "InvalidNextToken");

    let tag = Tag { key: "team".into(), value: "red".into() };
    cx.call(AddTagsToResourceRequest {
        resource_type: "Parameter".into(),
        resource_id: "/b/four".into(),
        tags: vec![tag],
    })
    .await
    .unwrap();
    let describe = |key: &str, option: Option<&str>, values: &[&str]| DescribeParametersRequest {
        parameter_filters: vec![ParameterStringFilter {
            key: key.into(),
            option: option.map(str::to_owned),
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        }],
        ..Default::default()
    };
    for (request, expected) in [
        (describe("tag:team", None, &["red"]), vec!["/b/four"]),
        (describe("Name", Some("BeginsWith"), &["/a/"]), vec!["/a/deep/three", "/a/one", "/a/two"]),
        (describe("Path", Some("OneLevel"), &["/"]), vec!["five"]),
        (describe("Type", None, &["SecureString"]), vec![]),
    ] {
        let found = cx.call(request.clone()).await.unwrap().parameters;
        assert_eq!(found.into_iter().filter_map(|p| p.name).collect::<Vec<_>>(), expected, "{request:?}");
    }
    assert_eq!(code(cx.call(describe("Label", None, &["x"])).await), "InvalidFilterKey");
}

#[tokio::test]
async fn several_at_once_tell_the_missing() {
    let cx = given();
    cx.call(put("/x", "1")).await.unwrap();
    let names = vec!["/x".to_owned(), "/y".to_owned()];
    let got = cx.call(GetParametersRequest { names: names.clone(), with_decryption: None }).await.unwrap();
    assert_eq!((got.parameters.len(), got.invalid_parameters), (1, vec!["/y".to_owned()]));
    let gone = cx.call(DeleteParametersRequest { names }).await.unwrap();
    assert_eq!((gone.deleted_parameters, gone.invalid_parameters), (vec!["/x".to_owned()], vec!["/y".to_owned()]));
    assert_eq!(code(cx.call(DeleteParameterRequest { name: "/x".into() }).await), "ParameterNotFound");
}

#[tokio::test]
async fn a_name_of_one_level_is_one_parameter_with_and_without_its_slash() {
    let cx = given();
    cx.call(put("x", "one")).await.unwrap();
    assert_eq!(code(cx.call(put("/x", "two")).await), "ParameterAlreadyExists");
    assert_eq!(cx.call(overwrite("/x", "two")).await.unwrap().version, Some(2));
    for name in ["x", "/x", "arn:aws:ssm:us-east-1:000000000000:parameter/x"] {
        let found = get(&cx, name).await.unwrap();
        // AWS's documents do not say which name is told: it is the one it was made with.
        assert_eq!((found.name.as_deref(), found.value.as_deref()), (Some("x"), Some("two")), "{name}");
    }
    cx.call(PutParameterRequest { r#type: Some("SecureString".into()), ..put("/s", "hunter2") }).await.unwrap();
    cx.call(overwrite("s", "hunter3")).await.unwrap();
    assert_eq!(get(&cx, "s").await.unwrap().value.as_deref(), Some("hunter3"), "sealed under its own name");
    let both = GetParametersRequest { names: vec!["/x".into(), "x".into()], with_decryption: None };
    assert_eq!(cx.call(both).await.unwrap().parameters.len(), 1);
    cx.call(DeleteParameterRequest { name: "/x".into() }).await.unwrap();
    assert_eq!(code(get(&cx, "x").await), "ParameterNotFound");
    cx.call(put("/a/x", "1")).await.unwrap();
    assert_eq!(code(get(&cx, "a/x").await), "ParameterNotFound", "a hierarchy begins with its slash");
}

#[tokio::test]
async fn several_are_told_in_order_and_once() {
    let cx = given();
    for name in ["/b", "/a", "/c"] {
        cx.call(put(name, name)).await.unwrap();
    }
    let names = ["/c", "/b", "/no", "/a", "/b", "/b:1", "no way", "/no", "/a:7"];
    let names = names.map(str::to_owned).to_vec();
    let got = cx.call(GetParametersRequest { names, with_decryption: None }).await.unwrap();
    let told = |p: &Parameter| format!("{}{}", p.name.as_deref().unwrap(), p.selector.as_deref().unwrap_or(""));
    assert_eq!(got.parameters.iter().map(told).collect::<Vec<_>>(), ["/a", "/b", "/b:1", "/c"]);
    assert_eq!(got.invalid_parameters, ["/a:7", "/no", "no way"]);
    let names = ["/b", "/b", "/c:1", "no way"].map(str::to_owned).to_vec();
    let gone = cx.call(DeleteParametersRequest { names }).await.unwrap();
    assert_eq!(
        (gone.deleted_parameters, gone.invalid_parameters),
        (vec!["/b".into()], vec!["/c:1".into(), "no way".into()])
    );
    assert_eq!(code(cx.call(DeleteParameterRequest { name: "/c:1".into() }).await), "ParameterNotFound");
    assert_eq!(get(&cx, "/c").await.unwrap().version, Some(1), "a version alone is not deleted, nor all for its sake");
}

#[tokio::test]
async fn values_do_not_stand_for_others() {
    let cx = given();
    for bad in ["{{ssm:other}}", "a {{x}} b", "{{}}", "{{\n}}"] {
        for kind in ["String", "SecureString", "StringList"] {
            let refused = cx.call(PutParameterRequest { r#type: Some(kind.into()), ..put("/x", bad) }).await;
            let refused = refused.expect_err("nested");
            assert_eq!(
                refused.to_string(),
                "ValidationException: Parameter value can't nest another parameter. Do not use \"{{}}\" in the value."
            );
        }
    }
    for good in ["{x}", "{{", "}}", "}}{{", "{ {x} }"] {
        cx.call(PutParameterRequest { overwrite: Some(true), ..put("/x", good) }).await.unwrap();
    }
}

#[tokio::test]
async fn filters_are_refused_in_awss_words() {
    let cx = given();
    let filter = |key: &str, option: Option<&str>, values: &[&str]| ParameterStringFilter {
        key: key.into(),
        option: option.map(str::to_owned),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
    };
    let path = r#"Filters for common parameters can't be prefixed with "aws" or "ssm" (case-insensitive)."#;
    for (filters, expected) in [
        (vec![filter("Label", None, &["x"])], "InvalidFilterKey: The following filter key is not valid: Label."),
        (
            vec![filter("Name", None, &[])],
            "InvalidFilterValue: The following filter values are missing : null for filter key Name.",
        ),
        (
            vec![filter("Name", None, &["a"]), filter("Name", None, &["b"])],
            "InvalidFilterKey: The following filter is duplicated in the request: Name.",
        ),
        (
            vec![filter("Path", Some("Equals"), &["/a"])],
            "InvalidFilterOption: The following filter option is not valid: Equals. Valid options include: [Recursive, OneLevel].",
        ),
        (vec![filter("Path", None, &["/AWS/x"])], &format!("ValidationException: {path}")),
        (vec![filter("Path", None, &["/ssm"])], &format!("ValidationException: {path}")),
        (
            vec![filter("Path", None, &["a"])],
            "ValidationException: The parameter doesn't meet the parameter name requirements.",
        ),
        (
            vec![filter("Path", None, &["/a//b"])],
            "ValidationException: The parameter doesn't meet the parameter name requirements.",
        ),
        (
            vec![filter("Tier", None, &["Gold"])],
            "InvalidFilterOption: The following filter value is not valid: Gold. Valid values include: [Standard, Advanced, Intelligent-Tiering].",
        ),
        (
            vec![filter("Type", None, &["Text"])],
            "InvalidFilterOption: The following filter value is not valid: Text. Valid values include: [String, StringList, SecureString].",
        ),
        (
            vec![filter("Type", Some("Contains"), &["String"])],
            "InvalidFilterOption: The following filter option is not valid: Contains. Valid options include: [BeginsWith, Equals].",
        ),
    ] {
        let request = DescribeParametersRequest { parameter_filters: filters.clone(), ..Default::default() };
        let refused = cx.call(request).await.expect_err("refused").to_string();
        assert!(refused.starts_with(expected), "{filters:?}: {refused}");
    }
    let by_path =
        |filters| GetParametersByPathRequest { path: "/a".into(), parameter_filters: filters, ..Default::default() };
    for key in ["Name", "Path", "Tier", "DataType", "tag:a"] {
        assert_eq!(code(cx.call(by_path(vec![filter(key, None, &["/x"])])).await), "InvalidFilterKey", "{key}");
    }
    assert_eq!(code(cx.call(by_path(vec![filter("Label", Some("BeginsWith"), &["x"])])).await), "InvalidFilterOption");
    for path in ["a", "/a//b", "/ssm/x", "/a b"] {
        let request = GetParametersByPathRequest { path: path.into(), ..Default::default() };
        assert_eq!(code(cx.call(request).await), "ValidationException", "{path}");
    }
}
