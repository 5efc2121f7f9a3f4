//! The key that messages are signed with, and its certificate. RSA of 2,048 bits, as SNS's; version 1 of the signature is
//! with SHA1, version 2 with SHA256. The key lies in a file of the state directory that its owner alone can read, and is
//! made when it is first needed. The certificate is made of it, always the same, and fetched from kiln itself.

use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Error, IdSource};
use rsa::pkcs1v15::{Signature, SigningKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{CryptoRng, RngCore};
use rsa::signature::{SignatureEncoding, Signer as _};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha1::Digest;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use x509_cert::builder::{Builder, CertificateBuilder, Profile};
use x509_cert::der::{DateTime, EncodePem};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

const BITS: usize = 2_048;

/// Signs messages, and knows where kiln answers; the server installs it as a part.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    /// None: the key lives as long as the platform.
    file: Option<PathBuf>,
    ids: IdSource,
    endpoint: String,
    keys: OnceCell<Arc<Keys>>,
}

/// A key with its certificate.
pub struct Keys {
    sha1: SigningKey<sha1::Sha1>,
    sha256: SigningKey<rsa::sha2::Sha256>,
    /// In PEM.
    pub certificate: String,
    /// What its URL ends with.
    pub name: String,
}

impl Signer {
    /// Where the key lies in a state directory.
    pub const FILE: &str = "sns.key";

    /// That of a state directory; `endpoint` is kiln's own URL, without a slash at its end.
    pub fn new(state_dir: Option<&Path>, ids: &IdSource, endpoint: &str) -> Self {
        Self(Arc::new(Inner {
            file: state_dir.map(|dir| dir.join(Self::FILE)),
            ids: ids.clone(),
            endpoint: endpoint.to_owned(),
            keys: OnceCell::new(),
        }))
    }

    /// Kiln's own URL.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The key, which is made now if there is none yet.
    ///
    /// # Errors
    /// It can be neither read nor made.
    pub async fn keys(&self) -> Result<Arc<Keys>, Error> {
        let (file, ids) = (self.0.file.clone(), self.0.ids.clone());
        let made = async || {
            // It takes a while to find two primes.
            let made = tokio::task::spawn_blocking(move || Keys::open(file.as_deref(), ids)).await;
            made.map_err(|e| Error::failed("make the key that messages are signed with", e))?.map(Arc::new)
        };
        self.0.keys.get_or_try_init(made).await.cloned()
    }
}

impl Keys {
    pub(crate) fn open(file: Option<&Path>, ids: IdSource) -> Result<Self, Error> {
        let failed = |doing: &str, e: Box<dyn std::error::Error + Send + Sync>| {
            Error::failed(format_args!("{doing} {}", Signer::FILE), e)
        };
        let there = match file.map(std::fs::read_to_string) {
            Some(Ok(text)) => Some(
                RsaPrivateKey::from_pkcs8_pem(&text).map_err(|e| failed("read the key in", e.to_string().into()))?,
            ),
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("read", error.into()));
            }
            _ => None,
        };
        let key = match there {
            Some(key) => key,
            None => {
                let key =
                    RsaPrivateKey::new(&mut Chance(ids), BITS).map_err(|e| failed("make", e.to_string().into()))?;
                if let Some(file) = file {
                    let text = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| failed("write", e.to_string().into()))?;
                    write(file, text.as_bytes()).map_err(|e| failed("write", e.into()))?;
                }
                key
            }
        };
        let certificate = certificate(&key).map_err(|e| failed("make a certificate of", e))?;
        let public = RsaPublicKey::from(&key).to_public_key_der().map_err(|e| failed("read", e.to_string().into()))?;
        let digest = rsa::sha2::Sha256::digest(public.as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            sha1: SigningKey::new(key.clone()),
            sha256: SigningKey::new(key),
            certificate,
            name: format!("SimpleNotificationService-{hex}.pem"),
        })
    }

    /// Signs a text, in the version asked for; Base64.
    pub fn sign(&self, version: &str, text: &str) -> Result<String, Error> {
        let signed: Result<Signature, _> = match version {
            "1" => self.sha1.try_sign(text.as_bytes()),
            "2" => self.sha256.try_sign(text.as_bytes()),
            other => return Err(Error::internal(format!("there is no signature version {other}"))),
        };
        let signed = signed.map_err(|e| Error::internal(format!("failed to sign a message: {e}")))?;
        Ok(STANDARD.encode(signed.to_bytes()))
    }
}

/// Its own, for a time in which nobody has to make another.
fn certificate(key: &RsaPrivateKey) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let public = SubjectPublicKeyInfoOwned::from_key(RsaPublicKey::from(key))?;
    let (from, to) = (DateTime::new(2025, 1, 1, 0, 0, 0)?, DateTime::new(2049, 1, 1, 0, 0, 0)?);
    let time = |at: DateTime| Time::try_from(at.to_system_time());
    let validity = Validity { not_before: time(from)?, not_after: time(to)? };
    let name = Name::from_str("CN=sns.amazonaws.com,O=kiln")?;
    let signer = SigningKey::<rsa::sha2::Sha256>::new(key.clone());
    let builder = CertificateBuilder::new(Profile::Root, SerialNumber::from(1u32), validity, name, public, &signer)?;
    let made = builder.build::<Signature>()?;
    Ok(made.to_pem(LineEnding::LF)?)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension("key.next");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&next, path)
}

/// The platform's chance, in the words of the key's maker.
struct Chance(IdSource);

impl RngCore for Chance {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, to: &mut [u8]) {
        to.copy_from_slice(&self.0.bytes(to.len()));
    }
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

/// It is a cipher's output, seeded by the operating system.
impl CryptoRng for Chance {}

/// How long a program may keep the certificate; it never changes under its name.
pub const CERTIFICATE_KEPT: Duration = Duration::from_secs(24 * 3_600);
