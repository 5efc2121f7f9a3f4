//! Temporary credentials, put in front of the credentials that iam keeps: two services, each with
//! its own records, and one answer to the gateway.

use crate::records::{Session, everywhere};
use kiln_service_kit::{Access, Caller, Credential, Cx, Error, Grant, Platform, Scope, Store};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Puts itself in front of iam's answers.
pub fn start(platform: Arc<Platform>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    Box::pin(async move {
        let iam = platform.access().ok_or_else(|| Error::internal("sts was started before iam"))?;
        let store = platform.store().clone();
        platform.set_access(Arc::new(WithSessions { iam, store, everywhere: everywhere() }));
        Ok(())
    })
}

struct WithSessions {
    iam: Arc<dyn Access>,
    store: Store,
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
        Ok(Some(Credential {
            secret: session.secret.clone(),
            session_token: Some(session.token.clone()),
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
