//! The URL of a wait condition handle, and what comes in by it.
//!
//! AWS gives a presigned URL of an S3 object and reads what was put there. Kiln's URL leads to the
//! API's own port, at the address that every network of machines has for it; whoever is elsewhere puts
//! to the same path at kiln's endpoint. The signature in it is a random text that only this handle has.
//! Unlike S3, which takes anything, a signal that CloudFormation could not read is refused.
//!
//! Source: AWS CloudFormation User Guide, "Create wait conditions in a CloudFormation template".

use crate::records::{WaitHandle, WaitSignal};
use kiln_service_kit::{Error, Platform, Scope, StoreError};
use serde_json::Value as Json;

/// Where the paths of handles begin.
pub const PATH: &str = "/cloudformation-waitcondition/";
/// Kiln's API as machines reach it.
const FROM_MACHINES: &str = "http://169.254.169.254:4566";
/// Signals that one handle keeps: ten groups of the largest usual size.
const MOST_SIGNALS: usize = 1000;

/// A handle as its URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleUrl {
    pub scope: Scope,
    /// The handle's id in the store.
    pub handle: String,
    pub signature: String,
}

impl HandleUrl {
    /// The URL that `Ref` gives.
    pub fn text(&self) -> String {
        let Self { scope, handle, signature } = self;
        format!("{FROM_MACHINES}{PATH}{}/{}/{handle}?Signature={signature}", scope.region, scope.account)
    }

    /// Reads a URL, or its path with query.
    pub fn read(text: &str) -> Option<HandleUrl> {
        let (_, rest) = text.split_once(PATH)?;
        let (path, query) = rest.split_once('?')?;
        let mut parts = path.split('/');
        let (region, account, handle) = (parts.next()?, parts.next()?, parts.next()?);
        let signature = query.split('&').find_map(|pair| pair.strip_prefix("Signature="))?;
        let complete = parts.next().is_none() && ![region, account, handle, signature].contains(&"");
        complete.then(|| HandleUrl {
            scope: Scope::new(account, region),
            handle: handle.to_owned(),
            signature: signature.to_owned(),
        })
    }
}

/// Takes a signal that was put to a handle's URL.
///
/// # Errors
/// 403 `AccessDenied` if there is no such handle or its signature is another, 400 if the body is no
/// signal or its id was used for another one.
pub async fn signal(platform: &Platform, url: &str, body: &[u8]) -> Result<(), Error> {
    let denied = || Error::sender("AccessDenied", "There is no wait condition handle with this URL.").with_status(403);
    let url = HandleUrl::read(url).ok_or_else(denied)?;
    let (id, signal) = read_signal(body)?;
    platform
        .store()
        .write::<_, Error>(|tx| {
            let known = tx.get::<WaitHandle>(&url.scope, &url.handle)?.filter(|known| known.signature == url.signature);
            let mut handle = (*known.ok_or_else(denied)?).clone();
            match handle.signals.get(&id) {
                Some(before) if *before == signal => return Ok(()),
                Some(_) => return Err(malformed(format!("a signal with UniqueId {id} was already received"))),
                None if handle.signals.len() >= MOST_SIGNALS => {
                    return Err(malformed(format!("this handle has {MOST_SIGNALS} signals already")));
                }
                None => {}
            }
            handle.signals.insert(id, signal);
            tx.put(&url.scope, &url.handle, handle)?;
            Ok(())
        })
        .await
}

fn malformed(why: String) -> Error {
    Error::sender("MalformedSignal", format!("The signal is not taken: {why}."))
}

/// `{"Status": "SUCCESS", "Reason": "…", "UniqueId": "…", "Data": "…"}`; all four are required.
fn read_signal(body: &[u8]) -> Result<(String, WaitSignal), Error> {
    let json: Json = serde_json::from_slice(body).map_err(|e| malformed(format!("it is not JSON ({e})")))?;
    let text = |name: &str| match json.get(name) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(malformed(format!("{name} must be a string"))),
        None => Err(malformed(format!("{name} is missing"))),
    };
    let success = match text("Status")?.as_str() {
        "SUCCESS" => true,
        "FAILURE" => false,
        _ => return Err(malformed("Status must be SUCCESS or FAILURE".to_owned())),
    };
    let id = text("UniqueId")?;
    if id.is_empty() {
        return Err(malformed("UniqueId is empty".to_owned()));
    }
    Ok((id, WaitSignal { success, reason: text("Reason")?, data: text("Data")? }))
}

/// The handle of a URL, if there is one.
pub fn find(platform: &Platform, url: &HandleUrl) -> Result<Option<std::sync::Arc<WaitHandle>>, StoreError> {
    let found = platform.store().get::<WaitHandle>(&url.scope, &url.handle)?;
    Ok(found.filter(|handle| handle.signature == url.signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_was_written() {
        let url =
            HandleUrl { scope: Scope::new("000000000000", "us-east-1"), handle: "h-1".into(), signature: "abc".into() };
        let text = url.text();
        assert_eq!(
            text,
            "http://169.254.169.254:4566/cloudformation-waitcondition/us-east-1/000000000000/h-1?Signature=abc"
        );
        assert_eq!(HandleUrl::read(&text), Some(url.clone()));
        assert_eq!(HandleUrl::read(text.strip_prefix("http://169.254.169.254:4566").unwrap()), Some(url));
        for wrong in
            ["", "/cloudformation-waitcondition/us-east-1/0/h", "/cloudformation-waitcondition/a/b/c/d?Signature=x"]
        {
            assert_eq!(HandleUrl::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_signal_has_all_four_members() {
        let whole = br#"{"Status": "SUCCESS", "Reason": "up", "UniqueId": "one", "Data": "d"}"#;
        let (id, signal) = read_signal(whole).unwrap();
        assert_eq!((id.as_str(), signal.success, signal.data.as_str()), ("one", true, "d"));
        for (body, expected) in [
            ("", "not JSON"),
            ("[]", "Status is missing"),
            (r#"{"Status": "OK"}"#, "SUCCESS or FAILURE"),
            (r#"{"Status": "FAILURE", "UniqueId": ""}"#, "UniqueId is empty"),
            (r#"{"Status": "FAILURE", "UniqueId": "1", "Reason": 2}"#, "Reason must be a string"),
            (r#"{"Status": "FAILURE", "UniqueId": "1", "Reason": ""}"#, "Data is missing"),
        ] {
            let error = read_signal(body.as_bytes()).expect_err(body);
            assert!(error.message.contains(expected), "{}", error.message);
        }
    }
}
