//! Who is calling. *Enforced*: the signature is verified against the access key's secret. *Open*:
//! any credentials do, and an access key id of exactly twelve digits is the account id.

use crate::name::Call;
use crate::pages;
use http::request::Parts;
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::{Caller, CallerKind, Credential, Platform};
use kiln_signing::{Body, ChunkSignatures, Claim, Family, Payload, RequestParts, SigError, UrlClaim, Verifier};
use time::OffsetDateTime;

/// A caller and the region the request is for.
pub struct Who {
    pub caller: Caller,
    pub region: String,
    /// What checks the chunks of a body that comes in signed ones.
    pub chunks: Option<ChunkSignatures>,
}

/// Verifies signatures; remembers derived keys.
#[derive(Default)]
pub struct Authenticator {
    verifier: Verifier,
}

impl Authenticator {
    pub fn new() -> Self {
        Self { verifier: Verifier::new() }
    }

    /// Names the caller, or refuses in the words of the service's family.
    pub(crate) fn authenticate(
        &self,
        platform: &Platform,
        call: &Call,
        head: &Parts,
        body: Body<'_>,
    ) -> Result<Who, Error> {
        let request = parts(head, body);
        let family = family(call);
        if platform.is_open() {
            pages::refuse(head, &call.operation)?;
            let claim = kiln_signing::parse(&request).ok().map(|claim| (claim.access_key_id, claim.region));
            return open(platform, call.model.signing_name, claim);
        }
        let (claim, credential) = self.signer(platform, &request, call.model.signing_name, family)?;
        let streamed = matches!(claim.payload, Payload::Streaming(_));
        let chunks = streamed.then(|| self.verifier.chunk_signatures(&claim, &credential.secret));
        let mut caller = credential.caller;
        caller.access_key = claim.access_key_id;
        tell_of_use(platform, &caller, call.model.signing_name, &claim.region);
        Ok(Who { caller, region: claim.region, chunks })
    }

    /// Lets in the root user of this kiln's own account, who has signed for a service named `name`: for what
    /// is no call of AWS's. In open mode, where any keys do, nobody has proven to be that.
    ///
    /// # Errors
    /// Why the caller is not taken for root.
    pub fn require_root(&self, platform: &Platform, name: &str, head: &Parts) -> Result<(), Error> {
        let denied = || Error::sender("AccessDenied", "Only the root user may ask for this.").with_status(403);
        if platform.is_open() {
            return Err(denied());
        }
        let (_, credential) = self.signer(platform, &parts(head, Body::Bytes(b"")), name, Family::Json)?;
        let caller = credential.caller;
        let is_root = caller.kind == CallerKind::Root && *caller.account == *platform.home().account;
        if is_root { Ok(()) } else { Err(denied()) }
    }

    /// The claim of a request that was signed for the service `name`, and the credential that it was signed with.
    fn signer(
        &self,
        platform: &Platform,
        request: &RequestParts<'_>,
        name: &str,
        family: Family,
    ) -> Result<(Claim, Credential), Error> {
        let refuse = |error: SigError| refusal(error, family);
        let claim = kiln_signing::parse(request).map_err(refuse)?;
        claim.expect_scope(name, None).map_err(refuse)?;
        let credential = credential(platform, &claim.access_key_id, claim.session_token.as_deref(), family)?;
        self.verifier.verify(&claim, request, &credential.secret, time(platform)?).map_err(refuse)?;
        check_end(platform, &credential, family)?;
        Ok((claim, credential))
    }

    /// Names the caller of a URL that was presigned with version 2 of the signature, which only the
    /// service with rules of its own takes.
    /// `resource` is the path with the bucket in it. Such a URL names no region.
    pub(crate) fn authenticate_url(
        &self,
        platform: &Platform,
        call: &Call,
        head: &Parts,
        resource: &str,
    ) -> Option<Result<Who, Error>> {
        let request = parts(head, Body::NotRead);
        let claim = UrlClaim::parse(&request)?;
        let judge = || {
            if platform.is_open() {
                pages::refuse(head, &call.operation)?;
                return open(
                    platform,
                    call.model.signing_name,
                    claim.ok().map(|claim| (claim.access_key_id, String::new())),
                );
            }
            let refuse = |error: SigError| refusal(error, Family::S3);
            let claim = claim.map_err(refuse)?;
            let credential = credential(platform, &claim.access_key_id, claim.session_token.as_deref(), Family::S3)?;
            claim.verify(&request, resource, &credential.secret, time(platform)?).map_err(refuse)?;
            check_end(platform, &credential, Family::S3)?;
            let mut caller = credential.caller;
            caller.access_key = claim.access_key_id;
            tell_of_use(platform, &caller, call.model.signing_name, &platform.home().region);
            Ok(Who { caller, region: String::new(), chunks: None })
        };
        Some(judge())
    }
}

fn parts<'h>(head: &'h Parts, body: Body<'h>) -> RequestParts<'h> {
    RequestParts {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        headers: &head.headers,
        authority: head.uri.authority().map(|a| a.as_str()),
        body,
    }
}

/// The active access key of that id, whose token is this one.
fn credential(platform: &Platform, id: &str, token: Option<&str>, family: Family) -> Result<Credential, Error> {
    let access = platform.access().ok_or_else(|| Error::internal("no service keeps access keys"))?;
    match access.credential(id)? {
        // Also a token where none belongs: a long-term key has none.
        Some(credential) if credential.active && credential.session_token.as_deref() == token => Ok(credential),
        _ => Err(refusal(SigError::InvalidClientTokenId, family)),
    }
}

fn tell_of_use(platform: &Platform, caller: &Caller, service: &str, region: &str) {
    if let Some(access) = platform.access() {
        access.used(caller, service, region);
    }
}

fn time(platform: &Platform) -> Result<OffsetDateTime, Error> {
    let now = platform.clock().now();
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.0) * 1_000_000)
        .map_err(|e| Error::failed("read the clock", e))
}

fn check_end(platform: &Platform, credential: &Credential, family: Family) -> Result<(), Error> {
    match credential.expires.is_some_and(|end| end <= platform.clock().now()) {
        true => Err(refusal(SigError::ExpiredToken, family)),
        false => Ok(()),
    }
}

/// A key that this platform gave out is its owner's in open mode too: who assumed a role in another
/// account works in that account.
fn open(platform: &Platform, service: &str, claim: Option<(String, String)>) -> Result<Who, Error> {
    let home = platform.home();
    let (key, region) = match claim {
        Some(claim) => claim,
        None => (String::new(), home.region.to_string()),
    };
    let is_account = key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit());
    let known = match platform.access() {
        Some(access) if !is_account => access.credential(&key)?.map(|credential| credential.caller),
        _ => None,
    };
    let is_known = known.is_some();
    let mut caller = known.unwrap_or_else(|| Caller::root(if is_account { &key } else { &home.account }));
    caller.access_key = key;
    if is_known {
        tell_of_use(platform, &caller, service, if region.is_empty() { &home.region } else { &region });
    }
    Ok(Who { caller, region, chunks: None })
}

fn family(call: &Call) -> Family {
    match call.protocol {
        Protocol::Query => Family::Query,
        Protocol::Ec2 => Family::Ec2,
        Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => Family::Json,
        Protocol::RestJson => Family::RestJson,
        Protocol::RestXml if call.model.bare_errors => Family::S3,
        // Route 53 and CloudFront: the codes and the frame of query services.
        Protocol::RestXml => Family::Query,
    }
}

/// A signature for a region that AWS does not have. S3 says it in its own words, with the right one.
pub fn no_such_region(region: &str, call: &Call) -> Error {
    let text = format!("Credential should be scoped to a valid region, not '{region}'.");
    refusal(SigError::WrongScope(text), family(call))
}

fn refusal(error: SigError, family: Family) -> Error {
    let answer = error.answer(family);
    let refused = Error::sender(answer.code, answer.message).with_status(answer.status);
    match (error, family) {
        (SigError::PayloadMarker(marker), Family::S3) => {
            refused.with("ArgumentName", "x-amz-content-sha256").with("ArgumentValue", marker)
        }
        // What stands behind the word may be a password.
        (SigError::UnsupportedAlgorithm(_), Family::S3) if refused.is("InvalidArgument") => {
            refused.with("ArgumentName", "Authorization")
        }
        _ => refused,
    }
}
