//! AWS's managed policies, all of them, as they were when the data beside this file was written
//! (`scripts/managed_policies.py` says where it is from). AWS revises them from time to time; the
//! version that is the default then is the only one known.
//!
//! The documents are 2.7 MB of JSON, of which an account uses a handful: they are kept packed in
//! parts of some fifty, and a part is unpacked when one of its documents is asked for first. The
//! index is text that is used where it lies.

use crate::{Document, DocumentKind};
use std::io::Read;
use std::sync::{Arc, LazyLock, OnceLock};

const INDEX: &str = include_str!("index.txt");
const DOCUMENTS: &[u8] = include_bytes!("documents.bin");

/// What the ARNs of AWS's policies begin with.
const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// A managed policy of AWS's.
#[derive(Debug)]
pub struct Managed {
    /// Path and name, without the first slash: `service-role/AWSLambdaRole`.
    full_name: &'static str,
    /// The default version, such as `v3`.
    pub version: &'static str,
    /// When AWS made it, in seconds since 1970.
    pub created: i64,
    /// When AWS made its default version.
    pub updated: i64,
    /// Its part of [`DOCUMENTS`], and where it lies in what that unpacks to.
    packed: &'static [u8],
    from: usize,
    length: usize,
    document: OnceLock<String>,
    parsed: OnceLock<Arc<Document>>,
}

impl Managed {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.full_name.rsplit('/').next().unwrap_or(self.full_name)
    }

    /// `/`, `/service-role/`, `/job-function/` …
    pub fn path(&self) -> String {
        format!("/{}", self.full_name.strip_suffix(self.name()).unwrap_or(""))
    }

    /// `arn:aws:iam::aws:policy/…`.
    pub fn arn(&self) -> String {
        format!("{PREFIX}{}", self.full_name)
    }

    /// Whether only service-linked roles can have it.
    pub fn is_for_services(&self) -> bool {
        self.full_name.starts_with("aws-service-role/")
    }

    /// What it says.
    pub fn document(&self) -> &str {
        self.document.get_or_init(|| {
            let mut unpacked = String::new();
            let read = flate2::read::ZlibDecoder::new(self.packed).read_to_string(&mut unpacked);
            read.expect("the committed data unpacks: a test reads all of it");
            unpacked[self.from..self.from + self.length].to_owned()
        })
    }
}

impl Managed {
    /// What it says, read: decisions ask for it at every call.
    pub fn parsed(&self) -> Arc<Document> {
        let read = || Document::kept(self.document(), DocumentKind::Identity);
        let parsed = || Arc::new(read().expect("AWS's own policies are policies: a test reads all of them"));
        self.parsed.get_or_init(parsed).clone()
    }
}

/// All of them, by path and name.
pub static ALL: LazyLock<Vec<Managed>> = LazyLock::new(|| {
    let (mut all, mut rest, mut packed, mut from) = (Vec::new(), DOCUMENTS, DOCUMENTS, 0);
    for line in INDEX.lines() {
        let mut words = line.split(' ');
        let mut next = || words.next().expect("the committed index has its columns: a test reads all of it");
        let number = |text: &str| text.parse::<i64>().expect("the committed index has numbers");
        let first = next();
        if first == "chunk" {
            (packed, rest) = rest.split_at(number(next()) as usize);
            from = 0;
            continue;
        }
        let (version, created, updated, length) = (next(), number(next()), number(next()), number(next()) as usize);
        all.push(Managed {
            full_name: first,
            version,
            created,
            updated,
            packed,
            from,
            length,
            document: OnceLock::new(),
            parsed: OnceLock::new(),
        });
        from += length;
    }
    all
});

/// The managed policy with this ARN.
pub fn find(arn: &str) -> Option<&'static Managed> {
    let name = arn.strip_prefix(PREFIX)?;
    let at = ALL.binary_search_by(|managed| managed.full_name.cmp(name)).ok()?;
    Some(&ALL[at])
}
