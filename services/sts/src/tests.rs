//! Temporary credentials as they lie in the database.

use crate::records::{Session, everywhere};
use kiln_sealing::RootKey;
use kiln_service_kit::*;
use kiln_sts_shapes::GetSessionTokenRequest;
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";

async fn started(store: &Store, ids: &IdSource, root: &RootKey) -> Arc<Platform> {
    let platform = PlatformBuilder::new(store.clone(), Clock::system(), ids.clone())
        .service(kiln_iam::service())
        .service(crate::service())
        .home(Scope::new(ACCOUNT, "us-east-1"))
        .part(root.clone())
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.expect("started");
    }
    platform
}

fn kept(store: &Store) -> String {
    let all = store.list::<Session>(&everywhere()).expect("read");
    all.iter().map(|(_, session)| serde_json::to_string(&**session).expect("JSON")).collect()
}

fn known(platform: &Platform, key: &str) -> Credential {
    platform.access().expect("iam").credential(key).expect("read").expect("known")
}

#[tokio::test]
async fn a_session_is_sealed_and_what_was_open_is_sealed_at_the_next_start() {
    let (store, ids) = (Store::in_memory(Clock::system()), IdSource::seeded(1));
    let root = RootKey::new(&ids);
    let platform = started(&store, &ids, &root).await;
    let cx = Cx::new(platform.clone(), Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "test");
    let made = cx.call(GetSessionTokenRequest::default()).await.expect("made").credentials.expect("credentials");
    let (secret, token) = (made.secret_access_key.expect("a secret"), made.session_token.expect("a token"));
    let found = known(&platform, &made.access_key_id.expect("a key"));
    assert_eq!((&found.secret, found.session_token.as_ref()), (&secret, Some(&token)));
    assert!(!kept(&store).contains(&secret) && !kept(&store).contains(&token));

    let (_, open) = store.list::<Session>(&everywhere()).expect("read").remove(0);
    let mut json = serde_json::to_value(&*open).expect("JSON");
    let members = json.as_object_mut().expect("an object");
    members.remove("sealed");
    members.insert("secret".to_owned(), "hunter2".into());
    members.insert("token".to_owned(), "hunter3".into());
    members.insert("access_key".to_owned(), "ASIAOPEN".into());
    let session: Session = serde_json::from_value(json).expect("as an earlier version wrote it");
    store.write::<_, StoreError>(|tx| tx.put(&everywhere(), "ASIAOPEN", session)).await.expect("put");
    assert!(kept(&store).contains("hunter2"));
    let next = started(&store, &ids, &root).await;
    let found = known(&next, "ASIAOPEN");
    assert_eq!((found.secret.as_str(), found.session_token.as_deref()), ("hunter2", Some("hunter3")));
    assert!(!kept(&store).contains("hunter"), "{}", kept(&store));
}
