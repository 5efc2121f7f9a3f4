//! The service through its public operations, judged by iam, on a store in memory.

mod access;
mod future;
mod grants;

use kiln_kms_shapes::*;
use kiln_sealing::RootKey;
use kiln_service_kit::*;
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";

/// The root user of [`ACCOUNT`], on a platform with iam.
async fn given() -> Cx {
    let clock = Clock::simulated(Timestamp(1_700_000_000_000));
    let ids = IdSource::seeded(1);
    let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, ids.clone())
        .service(kiln_iam::service())
        .service(crate::service())
        .home(Scope::new(ACCOUNT, "us-east-1"))
        .part(RootKey::new(&ids))
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.expect("started");
    }
    root(&platform, ACCOUNT)
}

fn root(platform: &Arc<Platform>, account: &str) -> Cx {
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test")
}

async fn key(cx: &Cx) -> String {
    let made = cx.call(CreateKeyRequest::default()).await.expect("made").key_metadata.expect("a key");
    made.key_id.expect("an id")
}

fn arn(account: &str, key: &str) -> String {
    format!("arn:aws:kms:us-east-1:{account}:key/{key}")
}

fn context(pairs: &[(&str, &str)]) -> Map<String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn encrypt(key: &str, text: &str) -> EncryptRequest {
    EncryptRequest { key_id: key.to_owned(), plaintext: Blob(text.into()), ..Default::default() }
}

async fn encrypted(cx: &Cx, key: &str, text: &str) -> Blob {
    cx.call(encrypt(key, text)).await.expect("encrypted").ciphertext_blob.expect("a ciphertext")
}

fn decrypt(blob: &Blob) -> DecryptRequest {
    DecryptRequest { ciphertext_blob: Some(blob.clone()), ..Default::default() }
}

async fn decrypted(cx: &Cx, blob: &Blob) -> String {
    let answer = cx.call(decrypt(blob)).await.expect("decrypted");
    String::from_utf8(answer.plaintext.expect("a plaintext").0).expect("text")
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

#[tokio::test]
async fn what_is_encrypted_is_decrypted_in_its_context_and_by_its_key_alone() {
    let cx = given().await;
    let (one, two) = (key(&cx).await, key(&cx).await);
    let request = EncryptRequest { encryption_context: context(&[("a", "1"), ("b", "2")]), ..encrypt(&one, "words") };
    let answer = cx.call(request).await.expect("encrypted");
    assert_eq!(answer.key_id, Some(arn(ACCOUNT, &one)));
    let blob = answer.ciphertext_blob.expect("a ciphertext");
    assert!(!blob.0.windows(5).any(|part| part == b"words"));

    let same = || DecryptRequest { encryption_context: context(&[("b", "2"), ("a", "1")]), ..decrypt(&blob) };
    let answer = cx.call(same()).await.expect("decrypted");
    assert_eq!((answer.plaintext, answer.key_id), (Some(Blob(b"words".to_vec())), Some(arn(ACCOUNT, &one))));
    assert_eq!(code(cx.call(decrypt(&blob)).await), "InvalidCiphertextException");
    let other = DecryptRequest { encryption_context: context(&[("a", "1"), ("b", "3")]), ..decrypt(&blob) };
    assert_eq!(code(cx.call(other).await), "InvalidCiphertextException");
    let other = DecryptRequest { key_id: Some(two.clone()), ..same() };
    assert_eq!(code(cx.call(other).await), "IncorrectKeyException");
    let mut damaged = blob.clone();
    *damaged.0.last_mut().expect("bytes") ^= 1;
    let other = DecryptRequest { ciphertext_blob: Some(damaged), ..same() };
    assert_eq!(code(cx.call(other).await), "InvalidCiphertextException");
    assert_eq!(code(cx.call(decrypt(&Blob(b"none".to_vec()))).await), "InvalidCiphertextException");

    let moved = ReEncryptRequest {
        ciphertext_blob: Some(blob.clone()),
        source_encryption_context: context(&[("a", "1"), ("b", "2")]),
        destination_key_id: two.clone(),
        ..Default::default()
    };
    let moved = cx.call(moved).await.expect("moved");
    assert_eq!((moved.source_key_id, moved.key_id), (Some(arn(ACCOUNT, &one)), Some(arn(ACCOUNT, &two))));
    assert_eq!(decrypted(&cx, &moved.ciphertext_blob.expect("a ciphertext")).await, "words");
}

#[tokio::test]
async fn a_data_key_comes_open_and_encrypted() {
    let cx = given().await;
    let id = key(&cx).await;
    let asked = GenerateDataKeyRequest { key_id: id.clone(), key_spec: Some("AES_256".into()), ..Default::default() };
    let answer = cx.call(asked).await.expect("made");
    let plaintext = answer.plaintext.expect("a key");
    assert_eq!(plaintext.0.len(), 32);
    let opened = cx.call(decrypt(&answer.ciphertext_blob.expect("a ciphertext"))).await.expect("decrypted");
    assert_eq!(opened.plaintext, Some(plaintext));
    let asked =
        GenerateDataKeyWithoutPlaintextRequest { key_id: id.clone(), number_of_bytes: Some(7), ..Default::default() };
    let blob = cx.call(asked).await.expect("made").ciphertext_blob.expect("a ciphertext");
    assert_eq!(cx.call(decrypt(&blob)).await.expect("decrypted").plaintext.expect("a key").0.len(), 7);
    let neither = GenerateDataKeyRequest { key_id: id.clone(), ..Default::default() };
    assert_eq!(code(cx.call(neither).await), "ValidationException");
    let both = GenerateDataKeyRequest {
        key_id: id,
        key_spec: Some("AES_128".into()),
        number_of_bytes: Some(16),
        ..Default::default()
    };
    assert_eq!(code(cx.call(both).await), "ValidationException");
    let random =
        cx.call(GenerateRandomRequest { number_of_bytes: Some(24), ..Default::default() }).await.expect("random");
    assert_eq!(random.plaintext.expect("bytes").0.len(), 24);
}

#[tokio::test]
async fn what_is_not_built_is_refused_by_name() {
    let cx = given().await;
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (CreateKeyRequest { key_spec: some("RSA_2048"), ..Default::default() }, "KeySpec RSA_2048"),
        (CreateKeyRequest { customer_master_key_spec: some("HMAC_256"), ..Default::default() }, "KeySpec HMAC_256"),
        (CreateKeyRequest { origin: some("EXTERNAL"), ..Default::default() }, "Origin EXTERNAL"),
        (CreateKeyRequest { multi_region: Some(true), ..Default::default() }, "MultiRegion"),
        (CreateKeyRequest { custom_key_store_id: some("cks-1"), ..Default::default() }, "CustomKeyStoreId"),
        (CreateKeyRequest { xks_key_id: some("x"), ..Default::default() }, "XksKeyId"),
    ];
    for (request, what) in cases {
        let error = cx.call(request).await.expect_err("not built");
        assert!(error.is("NotImplemented") && error.message.contains(what), "{error}");
    }
    assert!(cx.call(ListKeysRequest::default()).await.expect("listed").keys.is_empty(), "none was made");
    let wrong = CreateKeyRequest { key_usage: some("SIGN_VERIFY"), ..Default::default() };
    assert_eq!(code(cx.call(wrong).await), "ValidationException");
}

#[tokio::test]
async fn a_key_can_be_named_in_four_ways_and_an_alias_moves() {
    let cx = given().await;
    let (one, two) = (key(&cx).await, key(&cx).await);
    let alias = |name: &str, key: &str| CreateAliasRequest { alias_name: name.into(), target_key_id: key.into() };
    cx.call(alias("alias/shop", &one)).await.expect("made");
    assert_eq!(code(cx.call(alias("alias/shop", &two)).await), "AlreadyExistsException");
    assert_eq!(code(cx.call(alias("alias/aws/shop", &two)).await), "NotAuthorizedException");
    assert_eq!(code(cx.call(alias("shop", &two)).await), "ValidationException");
    assert_eq!(code(cx.call(alias("alias/other", "alias/shop")).await), "ValidationException");
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/shop");
    for name in [one.as_str(), &arn(ACCOUNT, &one), "alias/shop", &alias_arn] {
        assert_eq!(decrypted(&cx, &encrypted(&cx, name, "words").await).await, "words", "{name}");
    }
    let before = encrypted(&cx, "alias/shop", "before").await;
    cx.call(UpdateAliasRequest { alias_name: "alias/shop".into(), target_key_id: two.clone() }).await.expect("moved");
    let described = cx.call(DescribeKeyRequest { key_id: "alias/shop".into(), ..Default::default() }).await;
    assert_eq!(described.expect("described").key_metadata.expect("a key").key_id, Some(two.clone()));
    assert_eq!(decrypted(&cx, &before).await, "before", "a ciphertext names its key, not the alias");
    let of_two = ListAliasesRequest { key_id: Some(two), ..Default::default() };
    let listed = cx.call(of_two).await.expect("listed").aliases;
    assert_eq!(listed.iter().map(|a| a.alias_name.as_deref()).collect::<Vec<_>>(), [Some("alias/shop")]);
    cx.call(DeleteAliasRequest { alias_name: "alias/shop".into() }).await.expect("deleted");
    assert_eq!(code(cx.call(encrypt("alias/shop", "x")).await), "NotFoundException");
    assert_eq!(code(cx.call(DeleteAliasRequest { alias_name: "alias/shop".into() }).await), "NotFoundException");
    let elsewhere = encrypt(&format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{one}"), "x");
    assert_eq!(cx.call(elsewhere).await.expect_err("of another region").message, "Invalid arn eu-west-1");
    assert_eq!(code(cx.call(encrypt("no key", "x")).await), "NotFoundException");
}

/// Source: AWS KMS Developer Guide, "Key states of AWS KMS keys".
#[tokio::test(start_paused = true)]
async fn each_operation_keeps_to_the_table_of_key_states() {
    let cx = given().await;
    for pending in [false, true] {
        let id = key(&cx).await;
        let blob = encrypted(&cx, &id, "words").await;
        let alias = format!("alias/{pending}");
        cx.call(CreateAliasRequest { alias_name: alias.clone(), target_key_id: key(&cx).await }).await.expect("made");
        let key_id = || id.clone();
        let cancel = CancelKeyDeletionRequest { key_id: key_id() };
        assert_eq!(code(cx.call(cancel.clone()).await), "KMSInvalidStateException");
        if pending {
            let asked = ScheduleKeyDeletionRequest { key_id: key_id(), pending_window_in_days: Some(7) };
            let answer = cx.call(asked).await.expect("scheduled");
            assert_eq!(answer.deletion_date, Some(cx.now() + crate::records::in_days(7)));
        } else {
            cx.call(DisableKeyRequest { key_id: key_id() }).await.expect("disabled");
        }
        // What needs an enabled key.
        let state = if pending { "KMSInvalidStateException" } else { "DisabledException" };
        assert_eq!(code(cx.call(encrypt(&id, "x")).await), state);
        assert_eq!(code(cx.call(decrypt(&blob)).await), state);
        let data_key =
            GenerateDataKeyRequest { key_id: key_id(), key_spec: Some("AES_256".into()), ..Default::default() };
        assert_eq!(code(cx.call(data_key).await), state);
        let rotate = EnableKeyRotationRequest { key_id: key_id(), rotation_period_in_days: None };
        assert_eq!(code(cx.call(rotate).await), state);
        assert_eq!(code(cx.call(DisableKeyRotationRequest { key_id: key_id() }).await), state);
        assert_eq!(code(cx.call(RotateKeyOnDemandRequest { key_id: key_id() }).await), state);
        let grant = CreateGrantRequest {
            key_id: key_id(),
            grantee_principal: format!("arn:aws:iam::{ACCOUNT}:root"),
            operations: vec!["Decrypt".into()],
            ..Default::default()
        };
        assert_eq!(code(cx.call(grant).await), state);
        // What needs one that stays.
        let describe = UpdateKeyDescriptionRequest { key_id: key_id(), description: "d".into() };
        let tag =
            TagResourceRequest { key_id: key_id(), tags: vec![Tag { tag_key: "a".into(), tag_value: "b".into() }] };
        let to = UpdateAliasRequest { alias_name: alias.clone(), target_key_id: key_id() };
        let outcomes = [
            cx.call(describe).await.map(drop),
            cx.call(tag).await.map(drop),
            cx.call(UntagResourceRequest { key_id: key_id(), tag_keys: vec!["a".into()] }).await.map(drop),
            cx.call(to).await.map(drop),
            cx.call(CreateAliasRequest { alias_name: format!("{alias}-2"), target_key_id: key_id() }).await.map(drop),
            cx.call(DisableKeyRequest { key_id: key_id() }).await.map(drop),
        ];
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match pending {
                true => assert_eq!(code(outcome), "KMSInvalidStateException", "{at}"),
                false => assert!(outcome.is_ok(), "{at}: {outcome:?}"),
            }
        }
        // What needs none of it.
        let described =
            cx.call(DescribeKeyRequest { key_id: key_id(), ..Default::default() }).await.expect("described");
        let described = described.key_metadata.expect("a key");
        assert_eq!(described.key_state.as_deref(), Some(if pending { "PendingDeletion" } else { "Disabled" }));
        assert_eq!(described.enabled, Some(false));
        cx.call(GetKeyPolicyRequest { key_id: key_id(), policy_name: None }).await.expect("read");
        cx.call(GetKeyRotationStatusRequest { key_id: key_id() }).await.expect("read");
        if pending {
            assert_eq!(code(cx.call(EnableKeyRequest { key_id: key_id() }).await), "KMSInvalidStateException");
            let again = ScheduleKeyDeletionRequest { key_id: key_id(), pending_window_in_days: None };
            assert_eq!(code(cx.call(again).await), "KMSInvalidStateException");
            cx.call(cancel).await.expect("taken back");
            assert_eq!(code(cx.call(encrypt(&id, "x")).await), "DisabledException", "and is disabled then");
        }
        cx.call(EnableKeyRequest { key_id: key_id() }).await.expect("enabled");
        assert_eq!(decrypted(&cx, &blob).await, "words");
    }
    let id = key(&cx).await;
    for days in [6, 31] {
        let asked = ScheduleKeyDeletionRequest { key_id: id.clone(), pending_window_in_days: Some(days) };
        assert_eq!(code(cx.call(asked).await), "ValidationException", "{days}");
    }
}

#[tokio::test]
async fn tags_descriptions_and_pages() {
    let cx = given().await;
    let tag = |key: &str, value: &str| Tag { tag_key: key.into(), tag_value: value.into() };
    let made = CreateKeyRequest {
        description: Some("of the shop".into()),
        tags: vec![tag("a", "1"), tag("b", "2")],
        ..Default::default()
    };
    let id = cx.call(made).await.expect("made").key_metadata.expect("a key").key_id.expect("an id");
    cx.call(TagResourceRequest { key_id: id.clone(), tags: vec![tag("b", "3"), tag("c", "")] }).await.expect("tagged");
    cx.call(UntagResourceRequest { key_id: id.clone(), tag_keys: vec!["a".into()] }).await.expect("untagged");
    let page = |marker| ListResourceTagsRequest { key_id: id.clone(), limit: Some(1), marker };
    let first = cx.call(page(None)).await.expect("listed");
    assert_eq!((first.tags, first.truncated), (vec![tag("b", "3")], Some(true)));
    let last = cx.call(page(first.next_marker)).await.expect("listed");
    assert_eq!((last.tags, last.truncated), (vec![tag("c", "")], Some(false)));
    assert_eq!(code(cx.call(page(Some("nonsense".into()))).await), "InvalidMarkerException");
    let twice = TagResourceRequest { key_id: id.clone(), tags: vec![tag("d", "1"), tag("d", "2")] };
    assert_eq!(code(cx.call(twice).await), "TagException");
    let many = (0..50).map(|n| tag(&format!("t{n}"), "")).collect();
    assert_eq!(code(cx.call(TagResourceRequest { key_id: id.clone(), tags: many }).await), "LimitExceededException");
    let described = cx.call(DescribeKeyRequest { key_id: id, ..Default::default() }).await.expect("described");
    assert_eq!(described.key_metadata.expect("a key").description.as_deref(), Some("of the shop"));
}

#[tokio::test]
async fn a_dry_run_says_that_it_would_go_and_changes_nothing() {
    let cx = given().await;
    let id = key(&cx).await;
    let dry = EncryptRequest { dry_run: Some(true), ..encrypt(&id, "x") };
    assert_eq!(code(cx.call(dry).await), "DryRunOperationException");
    let grant = CreateGrantRequest {
        key_id: id.clone(),
        grantee_principal: format!("arn:aws:iam::{ACCOUNT}:root"),
        operations: vec!["Decrypt".into()],
        dry_run: Some(true),
        ..Default::default()
    };
    assert_eq!(code(cx.call(grant).await), "DryRunOperationException");
    assert!(
        cx.call(ListGrantsRequest { key_id: id.clone(), ..Default::default() })
            .await
            .expect("listed")
            .grants
            .is_empty()
    );
    cx.call(DisableKeyRequest { key_id: id.clone() }).await.expect("disabled");
    let dry = EncryptRequest { dry_run: Some(true), ..encrypt(&id, "x") };
    assert_eq!(code(cx.call(dry).await), "DisabledException", "as the call itself would say");
}

#[tokio::test]
async fn a_material_lies_sealed_and_opens_for_its_key_only() {
    let cx = given().await;
    let (one, two) = (key(&cx).await, key(&cx).await);
    let kept = |id: &str| cx.store().get::<crate::records::Key>(cx.scope(), id).expect("read").expect("there");
    let (one, two) = (kept(&one), kept(&two));
    let opened = crate::material::open(&cx, cx.scope(), &one, one.current()).expect("opens");
    let raw = serde_json::to_vec(&*one).expect("JSON");
    assert!(!raw.windows(32).any(|part| part == opened.bytes()));
    assert!(crate::material::open(&cx, cx.scope(), &two, one.current()).is_err());
    let elsewhere = Scope::new(OTHER, "us-east-1");
    assert!(crate::material::open(&cx, &elsewhere, &one, one.current()).is_err());
    assert_eq!(format!("{:?}", one.current()), format!("Material({})", one.current().id));
}
