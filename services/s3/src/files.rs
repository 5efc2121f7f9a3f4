//! The bytes of objects: files in the state directory, each sealed under a key of its own.
//!
//! ```text
//! body ─► s3/staging/ID (hashed and sealed on the way) ─► fsync ─► rename to s3/data/ID ─► the record
//! ```
//! A record is written only after the file it names is on the disk, and a file is removed only after
//! the record that named it is gone. A kiln that dies in between leaves a file that no record names;
//! the next one removes it ([`ObjectFiles::sweep`]).
//!
//! Sealed means AES-256 in counter mode, under a key made from the one in `s3.key` and the file's name:
//! what AWS calls SSE-S3, and does for every object. As there, it guards the disk, not the API. What is written under a
//! key of KMS lies in chunks under a data key instead ([`crate::chunks`]).

use crate::bucket_keys::BucketKeys;
use crate::chunks::{CHUNK, Place, Sealer};
use crate::errors;
use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use bytes::Bytes;
use ctr::Ctr128BE;
use futures_util::stream::{self, StreamExt};
use hmac::{Hmac, Mac};
use kiln_sealing::Key;
use kiln_service_kit::{ByteStream, Error, IdSource};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::io::{ErrorKind, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::records::Piece;

/// What is read of a file at a time.
const READ: usize = 256 << 10;

/// The files and their key; the server installs it as a part.
#[derive(Clone)]
pub struct ObjectFiles(Arc<Inner>);

struct Inner {
    staging: PathBuf,
    data: PathBuf,
    key: [u8; 32],
    held: Mutex<Held>,
    bucket_keys: BucketKeys,
}

/// What a file is sealed under.
#[derive(Clone)]
pub enum Seal {
    /// Kiln's own key.
    Own,
    /// A data key of KMS.
    DataKey(Key),
}

/// A file's cipher while it is written.
enum Writing {
    Own(Box<Ctr128BE<Aes256>>),
    DataKey(Sealer),
}

/// And while it is read.
enum Reading {
    Own(Box<Ctr128BE<Aes256>>),
    /// With the next byte's place among all the file's.
    DataKey {
        key: Key,
        at: u64,
        size: u64,
    },
}

/// Files that no record names, which stay for as long as somebody holds them.
#[derive(Default)]
struct Held {
    by: usize,
    later: Vec<String>,
}

/// See [`ObjectFiles::hold`].
pub struct Hold(Arc<Inner>);

impl Drop for Hold {
    fn drop(&mut self) {
        let later = {
            let mut held = self.0.held.lock();
            held.by -= 1;
            if held.by > 0 {
                return;
            }
            std::mem::take(&mut held.later)
        };
        for file in later {
            self.0.remove(&file, std::fs::remove_file(self.0.data.join(&file)));
        }
    }
}

impl Inner {
    fn remove(&self, file: &str, removed: std::io::Result<()>) {
        if let Err(error) = removed {
            tracing::warn!(%error, file, "cannot remove a file that no object has any more");
        }
    }
}

fn failed(doing: &str, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            errors::disk_full().because(format_args!("failed to {doing}"), error)
        }
        _ => Error::failed(doing, error),
    }
}

impl ObjectFiles {
    /// Where the key lies in a state directory.
    pub const KEY_FILE: &str = "s3.key";
    /// By which that key is known again: under another one objects would read as noise.
    const MARK_FILE: &str = "s3.key.mark";

    /// The files below a state directory; makes folders and key at the first start. `Err` is a line for
    /// the terminal.
    pub fn open(state_dir: &Path, ids: &IdSource) -> Result<Self, String> {
        let said = |what: &Path, error: std::io::Error| format!("failed to prepare {}: {error}", what.display());
        let (staging, data) = (state_dir.join("s3/staging"), state_dir.join("s3/data"));
        for folder in [&staging, &data] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| said(folder, e))?;
        }
        let (path, mark) = (state_dir.join(Self::KEY_FILE), state_dir.join(Self::MARK_FILE));
        let put_back = "put that one back, from a copy of the directory or a backup (kiln restore)";
        let key = match std::fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| format!("{} is damaged: {put_back}", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let objects = std::fs::read_dir(&data).map_err(|e| said(&data, e))?.next().is_some();
                if objects || mark.exists() {
                    return Err(format!(
                        "{} is missing, and objects are encrypted under it: {put_back}",
                        path.display()
                    ));
                }
                let key: [u8; 32] = ids.bytes(32).try_into().expect("32 bytes were asked for");
                write_key(&path, &key).map_err(|e| said(&path, e))?;
                key
            }
            Err(error) => return Err(said(&path, error)),
        };
        match std::fs::read(&mark) {
            Ok(text) if text == mark_of(&key) => {}
            Ok(_) => {
                return Err(format!("{} is not the key that objects are encrypted under: {put_back}", path.display()));
            }
            // The first start, or one after a kiln that made no marks.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                write_key(&mark, &mark_of(&key)).map_err(|e| said(&mark, e))?;
            }
            Err(error) => return Err(said(&mark, error)),
        }
        Ok(Self(Arc::new(Inner { staging, data, key, held: Mutex::default(), bucket_keys: BucketKeys::default() })))
    }

    /// Data keys that objects of a bucket share.
    pub fn bucket_keys(&self) -> &BucketKeys {
        &self.0.bucket_keys
    }

    fn cipher(&self, file: &str) -> Ctr128BE<Aes256> {
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&self.0.key).expect("HMAC takes keys of any length");
        let key = mac.chain_update(file).finalize().into_bytes();
        // Each key seals one file, so the counter may begin at zero.
        Ctr128BE::<Aes256>::new(&key, &[0; 16].into())
    }

    /// A new file to write to.
    pub async fn stage(&self, ids: &IdSource, seal: &Seal) -> Result<Staged, Error> {
        let name = ids.hex(32);
        let path = self.0.staging.join(&name);
        let file = tokio::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).await;
        let file = file.map_err(|e| failed("open a file for an object", e))?;
        let cipher = match seal {
            Seal::Own => Writing::Own(Box::new(self.cipher(&name))),
            Seal::DataKey(key) => Writing::DataKey(Sealer::new(key.clone(), ids)),
        };
        Ok(Staged { files: self.clone(), file: Some(file), cipher, name, path, size: 0, kept: false })
    }

    /// The bytes `from..to` of the pieces in a row.
    pub async fn read(&self, pieces: &[Piece], seal: &Seal, from: u64, to: u64) -> Result<ByteStream, Error> {
        let mut spans = vec![];
        let mut at = 0;
        for piece in pieces {
            let (start, end) = (from.max(at), to.min(at + piece.size));
            if start < end {
                spans.push(Wanted { piece: piece.clone(), seal: seal.clone(), from: start - at, length: end - start });
            }
            at += piece.size;
        }
        let mut spans = spans.into_iter();
        // Opened before the answer begins: an object that is removed meanwhile is still read.
        let open = match spans.next() {
            Some(span) => Some(self.open_piece(span).await?),
            None => None,
        };
        let start = (self.clone(), open, spans);
        Ok(stream::try_unfold(start, |(files, mut open, mut spans)| async move {
            loop {
                let Some(piece) = &mut open else { return Ok(None) };
                if let Some(data) = piece.next().await? {
                    return Ok(Some((data, (files, open, spans))));
                }
                open = match spans.next() {
                    Some(span) => Some(files.open_piece(span).await?),
                    None => None,
                };
            }
        })
        .boxed())
    }

    async fn open_piece(&self, wanted: Wanted) -> Result<OpenPiece, Error> {
        let Wanted { piece, seal, from, length } = wanted;
        let path = self.0.data.join(&piece.file);
        let mut file = tokio::fs::File::open(&path).await.map_err(|e| failed("open an object's file", e))?;
        let (start, cipher) = match seal {
            Seal::Own => {
                let mut cipher = self.cipher(&piece.file);
                cipher.seek(from);
                (from, Reading::Own(Box::new(cipher)))
            }
            Seal::DataKey(key) => {
                (Place::of(from, piece.size).at, Reading::DataKey { key, at: from, size: piece.size })
            }
        };
        file.seek(SeekFrom::Start(start)).await.map_err(|e| failed("read an object's file", e))?;
        Ok(OpenPiece { name: piece.file, file, cipher, left: length })
    }

    /// Removes files that no record names any more. One that cannot be removed is left for the next start.
    pub async fn remove(&self, pieces: &[Piece]) {
        for piece in pieces {
            {
                let mut held = self.0.held.lock();
                if held.by > 0 {
                    held.later.push(piece.file.clone());
                    continue;
                }
            }
            self.0.remove(&piece.file, tokio::fs::remove_file(self.0.data.join(&piece.file)).await);
        }
    }

    /// Keeps every file that a record names now, also when the record goes, until the hold is dropped: for
    /// copying them. What a kiln that dies meanwhile did not remove, the next one does.
    pub fn hold(&self) -> Hold {
        self.0.held.lock().by += 1;
        Hold(self.0.clone())
    }

    /// Removes what earlier kilns left behind: half-written files, and those that no record names.
    pub fn sweep(&self, named: &HashSet<String>) -> std::io::Result<usize> {
        let mut removed = 0;
        for (folder, all) in [(&self.0.staging, true), (&self.0.data, false)] {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if all || !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                    std::fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

fn mark_of(key: &[u8; 32]) -> Vec<u8> {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update("the key of a mark, and of no file").finalize().into_bytes().to_vec()
}

fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension("key.next");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    file.write_all(key)?;
    file.sync_all()?;
    std::fs::rename(&next, path)
}

/// Bytes of a file that are to be read.
struct Wanted {
    piece: Piece,
    seal: Seal,
    from: u64,
    length: u64,
}

struct OpenPiece {
    name: String,
    file: tokio::fs::File,
    cipher: Reading,
    left: u64,
}

impl OpenPiece {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let said = |e| failed("read an object's file", e);
        let data = match &mut self.cipher {
            Reading::Own(cipher) => {
                let mut data = vec![0; READ.min(usize::try_from(self.left).unwrap_or(READ))];
                let read = self.file.read(&mut data).await.map_err(said)?;
                if read == 0 {
                    return Err(Error::internal("an object's file is shorter than its record says"));
                }
                data.truncate(read);
                cipher.apply_keystream(&mut data);
                data
            }
            Reading::DataKey { key, at, size } => {
                let place = Place::of(*at, *size);
                let mut sealed = vec![0; place.on_disk];
                self.file.read_exact(&mut sealed).await.map_err(said)?;
                let mut data = place.open(key, &self.name, &sealed)?;
                // The first may begin, and the last end, in the middle of a chunk.
                let from = usize::try_from(*at).map_or(0, |at| at % CHUNK);
                data.drain(..from);
                data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                *at += data.len() as u64;
                data
            }
        };
        self.left -= data.len() as u64;
        Ok(Some(data.into()))
    }
}

/// A file on its way; removed when dropped, unless [`Staged::keep`] was called.
pub struct Staged {
    files: ObjectFiles,
    file: Option<tokio::fs::File>,
    cipher: Writing,
    name: String,
    path: PathBuf,
    size: u64,
    kept: bool,
}

impl Staged {
    /// Writes more.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let sealed = match &mut self.cipher {
            Writing::Own(cipher) => {
                let mut sealed = data.to_vec();
                cipher.apply_keystream(&mut sealed);
                sealed
            }
            Writing::DataKey(sealer) => sealer.more(&self.name, data),
        };
        self.size += data.len() as u64;
        let file = self.file.as_mut().ok_or_else(|| Error::internal("writing to a finished file"))?;
        file.write_all(&sealed).await.map_err(|e| failed("write an object's file", e))
    }

    /// Bytes written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Puts it on the disk, under the name a record may give.
    pub async fn finish(&mut self) -> Result<Piece, Error> {
        let said = |e| failed("write an object's file", e);
        let mut file = self.file.take().ok_or_else(|| Error::internal("finishing a file twice"))?;
        if let Writing::DataKey(sealer) = &mut self.cipher {
            file.write_all(&sealer.last(&self.name)).await.map_err(said)?;
        }
        file.flush().await.map_err(said)?;
        file.sync_all().await.map_err(said)?;
        let to = self.files.0.data.join(&self.name);
        tokio::fs::rename(&self.path, &to).await.map_err(said)?;
        self.path = to;
        let folder = tokio::fs::File::open(&self.files.0.data).await.map_err(said)?;
        folder.sync_all().await.map_err(said)?;
        Ok(Piece { file: self.name.clone(), size: self.size })
    }

    /// A record names it now.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, file = self.name, "cannot remove a file that no object has");
        }
    }
}
