//! Who is calling. *Enforced*: the signature is verified against the access key's secret. *Open*:
//! any credentials do, and an access key id of exactly twelve digits is the account id.

use crate::name::Call;
use crate::pages;
use http::request::Parts;
use kiln_protocol::{Error, Protocol};
use kiln_service_kit::{Caller, CallerKind, Credential, OtherSignature, Platform, RestRules};
use kiln_signing::{Body, ChunkSignatures, Claim, Family, Payload, RequestParts, SigError, Verifier};
use time::OffsetDateTime;

/// A caller and the region the request is for.
pub struct Who {
    pub caller: Caller,
    pub region: String,
    /// What checks the chunks of a body that comes in signed ones.
    pub chunks: Option<ChunkSignatures>,
}

/// Whose words a signature is refused in.
#[derive(Clone, Copy)]
pub enum Words {
    /// Those that the services of a protocol share.
    Family(Family),
    /// Those of a service with rules of its own.
    Rules(&'static dyn RestRules),
}

impl Words {
    /// Of a call to a service without rules of its own.
    pub fn of(protocol: Protocol) -> Self {
        Self::Family(match protocol {
            // Route 53 and CloudFront: the codes and the frame of query services.
            Protocol::Query | Protocol::RestXml => Family::Query,
            Protocol::Ec2 => Family::Ec2,
            Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => Family::Json,
            Protocol::RestJson => Family::RestJson,
        })
    }

    fn refuse(self, why: SigError) -> Error {
        match self {
            Self::Rules(rules) => rules.refused_signature(why),
            Self::Family(family) => {
                let answer = why.answer(family);
                Error::sender(answer.code, answer.message).with_status(answer.status)
            }
        }
    }
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

    /// Names the caller, or refuses in these words.
    pub(crate) fn authenticate(
        &self,
        platform: &Platform,
        call: &Call,
        head: &Parts,
        body: Body<'_>,
        words: Words,
    ) -> Result<Who, Error> {
        let request = parts(head, body);
        if platform.is_open() {
            pages::refuse(head, &call.operation)?;
            let claim = kiln_signing::parse(&request).ok().map(|claim| (claim.access_key_id, claim.region));
            return open(platform, call.model.signing_name, claim);
        }
        let (claim, credential) = self.signer(platform, &request, call.model.signing_name, words)?;
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
        let (_, credential) =
            self.signer(platform, &parts(head, Body::Bytes(b"")), name, Words::Family(Family::Json))?;
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
        words: Words,
    ) -> Result<(Claim, Credential), Error> {
        let refuse = |why: SigError| words.refuse(why);
        let claim = kiln_signing::parse(request).map_err(refuse)?;
        claim.expect_scope(name, None).map_err(refuse)?;
        let credential = credential(platform, &claim.access_key_id, claim.session_token.as_deref(), words)?;
        self.verifier.verify(&claim, request, &credential.secret, time(platform)?).map_err(refuse)?;
        check_end(platform, &credential, words)?;
        Ok((claim, credential))
    }

    /// Names the caller by a signature that is not of version 4, which only a service with rules of its own takes. It
    /// names no region.
    pub(crate) fn authenticate_otherwise(
        &self,
        platform: &Platform,
        call: &Call,
        head: &Parts,
        signed: Result<Box<dyn OtherSignature>, Error>,
        words: Words,
    ) -> Result<Who, Error> {
        if platform.is_open() {
            pages::refuse(head, &call.operation)?;
            let claim = signed.ok().map(|signed| (signed.access_key_id().to_owned(), String::new()));
            return open(platform, call.model.signing_name, claim);
        }
        let signed = signed?;
        let credential = credential(platform, signed.access_key_id(), signed.session_token(), words)?;
        signed.verify(&credential.secret, platform.clock().now())?;
        check_end(platform, &credential, words)?;
        let mut caller = credential.caller;
        caller.access_key = signed.access_key_id().to_owned();
        tell_of_use(platform, &caller, call.model.signing_name, &platform.home().region);
        Ok(Who { caller, region: String::new(), chunks: None })
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
fn credential(platform: &Platform, id: &str, token: Option<&str>, words: Words) -> Result<Credential, Error> {
    let access = platform.access().ok_or_else(|| Error::internal("no service keeps access keys"))?;
    match access.credential(id)? {
        // Also a token where none belongs: a long-term key has none.
        Some(credential) if credential.active && credential.session_token.as_deref() == token => Ok(credential),
        _ => Err(words.refuse(SigError::InvalidClientTokenId)),
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

fn check_end(platform: &Platform, credential: &Credential, words: Words) -> Result<(), Error> {
    match credential.expires.is_some_and(|end| end <= platform.clock().now()) {
        true => Err(words.refuse(SigError::ExpiredToken)),
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

/// A signature for a region that AWS does not have.
pub fn no_such_region(region: &str, words: Words) -> Error {
    words.refuse(SigError::WrongScope(format!("Credential should be scoped to a valid region, not '{region}'.")))
}
