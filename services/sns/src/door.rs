//! The links in messages: to confirm a subscription, to end one, and the certificate. Whoever has a link may use it, as in
//! AWS; it does that one thing. A token is 64 random characters of hexadecimal, a subscription's id a random UUID.

use crate::errors::invalid;
use crate::operations::{subscribe, subscriptions};
use crate::signer::{CERTIFICATE_KEPT, Signer};
use kiln_service_kit::{Arn, Caller, Cx, Error, Map, Platform, Scope, one_line};
use std::sync::Arc;

/// What a link is answered with: status, content type, body, and how many seconds it may be kept.
pub type Answer = (u16, &'static str, String, u64);

/// Answers a link: what stands behind [`DOOR_PATH`](crate::DOOR_PATH), and the query.
pub async fn answer(platform: &Arc<Platform>, path: &str, query: &Map<String>) -> Answer {
    match answered(platform, path, query).await {
        Ok(answer) => answer,
        Err(error) => {
            if error.status >= 500 {
                tracing::error!(error = error.chain(), "a link of sns was not answered");
            }
            (error.status, "text/plain; charset=utf-8", format!("{}: {}\n", error.code, error.message), 0)
        }
    }
}

async fn answered(platform: &Arc<Platform>, path: &str, query: &Map<String>) -> Result<Answer, Error> {
    if !path.is_empty() {
        let keys = platform.part::<Signer>()?.keys().await?;
        let missing = || Error::sender("NotFound", "There is no such certificate.").with_status(404);
        let found = (path == keys.name).then(|| keys.certificate.clone()).ok_or_else(missing)?;
        return Ok((200, "application/x-pem-file", found, CERTIFICATE_KEPT.as_secs()));
    }
    let given = |name: &str| query.get(name).map(String::as_str).ok_or_else(|| invalid(name));
    match given("Action")? {
        "ConfirmSubscription" => {
            let arn = given("TopicArn")?;
            let arn = subscribe::confirm(&nobody(platform, arn)?, arn, given("Token")?, false, false).await?;
            Ok(xml("ConfirmSubscription", &format!("<SubscriptionArn>{arn}</SubscriptionArn>")))
        }
        "Unsubscribe" => {
            let arn = given("SubscriptionArn")?;
            subscriptions::end(&nobody(platform, arn)?, arn, false).await?;
            Ok(xml("Unsubscribe", ""))
        }
        other => Err(Error::sender("InvalidAction", format!("no link does {}", one_line(other, 50)))),
    }
}

/// Somebody without a name, where the thing is.
fn nobody(platform: &Arc<Platform>, arn: &str) -> Result<Cx, Error> {
    let parsed: Arn = arn.parse().map_err(|_| invalid("TopicArn"))?;
    let scope = Scope::new(parsed.account(), parsed.region());
    let id = platform.ids().uuid();
    Ok(Cx::new(platform.clone(), scope, Caller::root(parsed.account()), &id))
}

fn xml(action: &str, inner: &str) -> Answer {
    let result = if inner.is_empty() { String::new() } else { format!("<{action}Result>{inner}</{action}Result>") };
    let body =
        format!("<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{result}</{action}Response>\n");
    (200, "text/xml", body, 0)
}
