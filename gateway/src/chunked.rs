//! A body on its way in: taken piece by piece, unwrapped where it comes in signed chunks
//! (`Content-Encoding: aws-chunked`), and held against the digest that its head promised.
//!
//! ```text
//! 400;chunk-signature=…\r\n  1,024 bytes  \r\n      (the signature only where chunks are signed)
//! 0;chunk-signature=…\r\n
//! x-amz-checksum-crc32:…\r\n                        (trailing headers, where the head announced them)
//! x-amz-trailer-signature:…\r\n
//! \r\n
//! ```
//!
//! Bytes go on before their chunk's signature is known to be right; an error at the end takes all of
//! them back, since whoever reads keeps nothing of a body that did not end well.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kiln_protocol::Error;
use kiln_service_kit::{BodyFault, ByteStream, RestRules, Streams};
use kiln_signing::{ChunkSignatures, SigError};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// The longest line of a chunk's head or of a trailing header.
const LONGEST_LINE: usize = 4 << 10;
/// Trailing headers of one body.
const MOST_TRAILERS: usize = 16;

/// How a body comes, as `x-amz-content-sha256` says.
pub enum Form {
    /// As it is; its digest where that was promised.
    Plain(Option<[u8; 32]>),
    /// In chunks; signed ones where there is something to check them with.
    Chunked { signed: bool, trailers: bool, signatures: Option<Box<ChunkSignatures>>, length: Option<u64> },
}

/// The body's own bytes. A client that sends nothing for `patience` is given up. The words of refusals are `rules`'.
pub fn read(
    rules: &'static dyn RestRules,
    body: Incoming,
    form: Form,
    patience: Duration,
    streams: Arc<Streams>,
) -> ByteStream {
    let source = Source { rules, body, patience };
    match form {
        Form::Plain(promised) => {
            let start = (source, Sha256::new(), promised);
            stream::try_unfold(start, |(mut source, mut hash, promised)| async move {
                match (source.next().await?, promised) {
                    (Some(data), promised) => {
                        if promised.is_some() {
                            hash.update(&data);
                        }
                        Ok(Some((data, (source, hash, promised))))
                    }
                    (None, Some(promised)) if <[u8; 32]>::from(hash.finalize()) != promised => {
                        Err(source.rules.refused_signature(SigError::BodyMismatch))
                    }
                    (None, _) => Ok(None),
                }
            })
            .boxed()
        }
        Form::Chunked { signed, trailers, signatures, length } => {
            let decoder = Decoder {
                source,
                buffer: BytesMut::new(),
                left: 0,
                hash: Sha256::new(),
                signature: None,
                decoded: 0,
                signed,
                trailers,
                signatures,
                length,
                streams,
            };
            stream::try_unfold(
                decoder,
                |mut decoder| async move { Ok(decoder.next().await?.map(|data| (data, decoder))) },
            )
            .boxed()
        }
    }
}

struct Source {
    rules: &'static dyn RestRules,
    body: Incoming,
    patience: Duration,
}

impl Source {
    fn incomplete(&self) -> Error {
        self.rules.bad_body(BodyFault::Incomplete)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Ok(frame) = tokio::time::timeout(self.patience, self.body.frame()).await else {
                return Err(self.rules.bad_body(BodyFault::TimedOut));
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a request body broke off");
                    return Err(self.incomplete());
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

struct Decoder {
    source: Source,
    buffer: BytesMut,
    /// Bytes that the chunk in hand still has.
    left: u64,
    hash: Sha256,
    /// Of the chunk in hand.
    signature: Option<String>,
    decoded: u64,
    signed: bool,
    trailers: bool,
    signatures: Option<Box<ChunkSignatures>>,
    /// `x-amz-decoded-content-length`.
    length: Option<u64>,
    streams: Arc<Streams>,
}

impl Decoder {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.left == 0 && !self.head().await? {
            return Ok(None);
        }
        if self.buffer.is_empty() {
            self.more().await?;
        }
        let take = self.buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let data = self.buffer.split_to(take).freeze();
        self.left -= take as u64;
        self.decoded += take as u64;
        if self.signatures.is_some() {
            self.hash.update(&data);
        }
        if self.left == 0 {
            if !self.line().await?.is_empty() {
                return Err(self.source.incomplete());
            }
            self.verify()?;
        }
        Ok(Some(data))
    }

    /// Reads a chunk's head; whether there is data after it.
    async fn head(&mut self) -> Result<bool, Error> {
        let line = self.line().await?;
        let (size, extension) = line.split_once(';').unwrap_or((&line, ""));
        self.left = u64::from_str_radix(size.trim(), 16).map_err(|_| self.source.incomplete())?;
        self.signature = extension.trim().strip_prefix("chunk-signature=").map(str::to_owned);
        if self.signed && self.signature.is_none() {
            return Err(self.source.incomplete());
        }
        if self.left > 0 {
            return Ok(true);
        }
        self.verify()?;
        self.end().await?;
        Ok(false)
    }

    fn verify(&mut self) -> Result<(), Error> {
        let hash = std::mem::take(&mut self.hash).finalize().into();
        match (&mut self.signatures, &self.signature) {
            (Some(signatures), Some(signature)) => {
                signatures.chunk(signature, hash).map_err(|why| self.source.rules.refused_signature(why))
            }
            _ => Ok(()),
        }
    }

    /// After the last chunk: trailing headers, their signature, and nothing more.
    async fn end(&mut self) -> Result<(), Error> {
        let (mut headers, mut signature, mut count) = (String::new(), None, 0);
        loop {
            let line = match self.line().await {
                Ok(line) => line,
                // Some clients leave the last empty line out.
                Err(_) if self.buffer.is_empty() => break,
                Err(error) => return Err(error),
            };
            let Some((name, value)) = line.split_once(':') else { break };
            count += 1;
            if count > MOST_TRAILERS {
                return Err(self.source.incomplete());
            }
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            if name == "x-amz-trailer-signature" {
                signature = Some(value);
            } else if self.trailers {
                headers += &format!("{name}:{value}\n");
                self.streams.add_trailer(name, value);
            } else {
                // Nothing in the head says that any come.
                return Err(self.source.incomplete());
            }
        }
        if let (Some(signatures), true) = (&mut self.signatures, self.trailers) {
            let refused = |why| self.source.rules.refused_signature(why);
            let signature = signature.ok_or_else(|| refused(SigError::SignatureDoesNotMatch))?;
            signatures.trailers(&signature, headers.as_bytes()).map_err(refused)?;
        }
        match self.length {
            Some(length) if length != self.decoded => Err(self.source.incomplete()),
            _ => Ok(()),
        }
    }

    async fn more(&mut self) -> Result<(), Error> {
        let data = self.source.next().await?.ok_or_else(|| self.source.incomplete())?;
        self.buffer.extend_from_slice(&data);
        Ok(())
    }

    /// A line without its end.
    async fn line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end + 2);
                return String::from_utf8(line[..end].to_vec()).map_err(|_| self.source.incomplete());
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(self.source.incomplete());
            }
            self.more().await?;
        }
    }
}
