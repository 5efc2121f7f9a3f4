//! Temporary credentials, put in front of the credentials that iam keeps: two services, each with
//! its own records, and one answer to the gateway.

use crate::records::{PURPOSE, Secrets, Session, everywhere};
use kiln_sealing::{Opened, RootKey};
use kiln_service_kit::{Access, Caller, Credential, Cx, Error, Grant, Platform, Scope, Store};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Puts itself in front of iam's answers.
pub fn start(platform: Arc<Platform>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    Box::pin(async move {
        let iam = platform.access().ok_or_else(|| Error::internal("sts was started before iam"))?;
        seal_all(&platform).await?;
        let store = platform.store().clone();
        let opened = Opened::new(platform.part()?, PURPOSE);
        platform.set_access(Arc::new(WithSessions { iam, store, opened, everywhere: everywhere() }));
        Ok(())
    })
}

/// Seals what an earlier version wrote open. Cut off, it goes on at the next start.
async fn seal_all(platform: &Platform) -> Result<(), Error> {
    let root = platform.part::<RootKey>()?;
    let all = platform.store().list::<Session>(&everywhere())?;
    if !all.iter().any(|(_, session)| matches!(session.secrets, Secrets::Open { .. })) {
        return Ok(());
    }
    platform
        .store()
        .write::<_, Error>(|tx| {
            for (id, session) in tx.list::<Session>(&everywhere())? {
                let Secrets::Open { secret, token } = &session.secrets else { continue };
                let secrets = Secrets::seal(&root, platform.ids(), &id, secret, token);
                tx.put(&everywhere(), &id, Session { secrets, ..(*session).clone() })?;
            }
            Ok(())
        })
        .await
}

struct WithSessions {
    iam: Arc<dyn Access>,
    store: Store,
    /// Both texts, with a space between them.
    opened: Opened,
    everywhere: Scope,
}

impl Access for WithSessions {
    fn credential(&self, access_key: &str) -> Result<Option<Credential>, Error> {
        if !access_key.starts_with("ASIA") {
            return self.iam.credential(access_key);
        }
        let found = self.store.get::<Session>(&self.everywhere, access_key)?;
        // With the user or role its sessions go: their keys are nobody's.
        let Some(session) = found else { return Ok(None) };
        if !self.iam.exists(&session.caller)? {
            return Ok(None);
        }
        let closed = || Error::internal(format!("the secret of session {access_key} does not open with root.key"));
        let (secret, token) = match &session.secrets {
            Secrets::Open { secret, token } => (secret.clone(), token.clone()),
            Secrets::Sealed { sealed } => {
                let both = self.opened.text(access_key, sealed).ok_or_else(closed)?;
                let (secret, token) = both.split_once(' ').ok_or_else(closed)?;
                (secret.to_owned(), token.to_owned())
            }
        };
        Ok(Some(Credential {
            secret,
            session_token: Some(token),
            expires: Some(session.expires),
            active: true,
            caller: session.caller.clone(),
        }))
    }

    fn exists(&self, caller: &Caller) -> Result<bool, Error> {
        self.iam.exists(caller)
    }

    fn names_somebody(&self, arn: &str) -> Result<bool, Error> {
        self.iam.names_somebody(arn)
    }

    fn used(&self, caller: &Caller, service: &str, region: &str) {
        self.iam.used(caller, service, region);
    }

    fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error> {
        self.iam.authorize(cx, grant)
    }
}
