//! What is kept of buckets, objects and uploads. The bytes themselves are files ([`crate::files`]); a
//! record names them.
//!
//! Buckets are one list for all accounts and regions, as their names are: each record says whose it is.
//! What is in a bucket is kept in a scope of the bucket's own, with the key as id, so that a listing
//! reads that bucket's rows alone, in the order of their keys.

use crate::checksum::Checksum;
use crate::cors;
use crate::lifecycle::{Lifecycle, Mark};
use crate::notifications::Rule;
use kiln_service_kit::{Keys, Record, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where buckets are kept.
pub fn all_buckets() -> Scope {
    Scope::new("s3", "")
}

/// Where a bucket's objects and uploads are kept.
pub fn within(bucket: &str) -> Scope {
    Scope::new("s3", bucket)
}

/// A bucket; its id is its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    /// The account it belongs to.
    pub owner: String,
    pub region: String,
    pub created: Timestamp,
    pub tags: BTreeMap<String, String>,
    /// Nothing until versions were kept for the first time.
    #[serde(default)]
    pub versioning: Option<Versioning>,
    /// Nothing once it was deleted.
    #[serde(default = "PublicAccess::of_a_new_bucket")]
    pub public_access: Option<PublicAccess>,
    /// Who may besides those whose own policies say so.
    #[serde(default)]
    pub policy: Option<BucketPolicy>,
    /// Whether objects under a key of KMS share data keys.
    #[serde(default)]
    pub bucket_key: bool,
    /// The key of KMS that objects are under where nobody says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsDefault>,
    /// Whose its objects are, where it has ownership controls.
    #[serde(default)]
    pub ownership: Ownership,
    /// Which pages of other origins may talk to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<cors::Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Who is told what of its objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Rule>,
    /// Whether its owner's bus is told all of it.
    #[serde(default)]
    pub event_bridge: bool,
    /// What was said of settings that Kiln has in one state only, for it to be told again.
    #[serde(default)]
    pub said: Said,
}

/// Whose the objects of a bucket are, and whether it has access control lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner's, without lists.
    #[default]
    Enforced,
    /// The bucket's owner's, where the writer says that they shall have all rights.
    Preferred,
    /// The writer's.
    Writer,
}

impl Ownership {
    pub fn named(name: &str) -> Option<Self> {
        [Self::Enforced, Self::Preferred, Self::Writer].into_iter().find(|known| known.name() == name)
    }

    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "BucketOwnerEnforced",
            Self::Preferred => "BucketOwnerPreferred",
            Self::Writer => "ObjectWriter",
        }
    }
}

/// The default encryption of a bucket by KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsDefault {
    /// As it was put; none: the key that AWS manages for S3.
    pub key: Option<String>,
}

/// What is kept of how bytes are sealed under a key of KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsSealed {
    /// The key's ARN.
    pub key: String,
    /// The data key as KMS opens it, in Base64.
    pub blob: String,
    /// The encryption context that KMS is to be told.
    pub context: BTreeMap<String, String>,
    /// That of it which the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub bucket_key: bool,
}

/// A bucket's policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BucketPolicy {
    /// As it was put.
    pub text: String,
    /// Whether it lets in everyone.
    pub public: bool,
}

/// Settings that were set to what holds anyway. AWS tells such from those that nobody ever set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// `MfaDelete` is `Disabled`.
    pub mfa_delete: bool,
    /// Acceleration is `Suspended`.
    pub acceleration: bool,
    /// Its ownership controls were deleted.
    pub no_ownership: bool,
}

/// Whether what is replaced or deleted is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    Enabled,
    Suspended,
}

impl Versioning {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Versioning::Enabled => "Enabled",
            Versioning::Suspended => "Suspended",
        }
    }
}

/// Which ways to make a bucket public are blocked. Of access control lists there is none here that would, so that
/// none needs to be; what was set of them is remembered and shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PublicAccess {
    pub block_acls: bool,
    pub ignore_acls: bool,
    /// No public policy is taken.
    pub block_policy: bool,
    /// A public policy lets nobody in but the bucket's account and services.
    pub restrict: bool,
}

impl PublicAccess {
    /// All of it is blocked.
    pub fn of_a_new_bucket() -> Option<Self> {
        Some(Self { block_acls: true, ignore_acls: true, block_policy: true, restrict: true })
    }
}

impl Bucket {
    /// Whether it has access control lists: unless its ownership controls say that it has none.
    pub fn has_lists(&self) -> bool {
        self.said.no_ownership || self.ownership != Ownership::Enforced
    }

    /// The key of buckets that have a lifecycle: [`Mark::TEXT`].
    pub const BY_LIFECYCLE: &'static str = "lifecycle";
}

impl Record for Bucket {
    const KIND: &'static str = "s3/bucket";
    const KEYS: &'static [&'static str] = &["owner", Bucket::BY_LIFECYCLE];
    fn keys(&self) -> Keys {
        let ruled = self.lifecycle.iter().map(|_| (Self::BY_LIFECYCLE, Mark::TEXT.to_owned()));
        [("owner", self.owner.clone())].into_iter().chain(ruled).collect()
    }
}

/// How far a bucket's lifecycle was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRun {
    /// For what is due by this midnight.
    pub midnight: Timestamp,
    /// The last key that was looked at.
    pub after: Option<String>,
    /// All keys were.
    pub keys_done: bool,
    /// And all uploads.
    pub done: bool,
}

impl LifecycleRun {
    /// There is one in a bucket.
    pub const ID: &'static str = "run";
}

impl Record for LifecycleRun {
    const KIND: &'static str = "s3/lifecycle-run";
}

/// What a caller says of an object beside its bytes, and reads back with them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Described {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<Timestamp>,
    /// `x-amz-meta-…`.
    pub metadata: BTreeMap<String, String>,
}

/// A file that holds a part of an object, or all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    pub file: String,
    pub size: u64,
}

/// An object; its id is its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object {
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Timestamp,
    pub pieces: Vec<Piece>,
    /// How many parts it was uploaded in; 0 when it came in one.
    pub parts: usize,
    pub described: Described,
    pub checksum: Option<Checksum>,
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub place: Place,
    /// The upload that it was made of, and its parts as they were: whoever completes that again, having
    /// missed the answer, gets it again.
    #[serde(default)]
    pub upload: Option<String>,
    #[serde(default)]
    pub made_of: Vec<MadeOf>,
    /// None: its files are sealed under Kiln's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsSealed>,
}

/// A part that an object was uploaded in; its size is that of the piece at the same place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeOf {
    pub number: i32,
    pub etag: String,
    /// Where the upload named an algorithm.
    pub checksum: Option<Checksum>,
}

impl Record for Object {
    const KIND: &'static str = "s3/object";
}

/// Which version of its key something is, and where in their row it stands: a later one has a higher
/// number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub version: String,
    pub number: i64,
}

/// The version of what was put while versions were not kept.
pub const NULL: &str = "null";

impl Default for Place {
    fn default() -> Self {
        Self { version: NULL.to_owned(), number: 0 }
    }
}

/// Stands where an object would, after a delete that kept its versions; its id is the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Marker {
    pub place: Place,
    pub modified: Timestamp,
}

impl Record for Marker {
    const KIND: &'static str = "s3/delete-marker";
}

/// A version that is not its key's latest any more; its id is [`version_id`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    pub key: String,
    pub what: Kept,
}

/// What a version is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kept {
    Object(Box<Object>),
    Marker(Marker),
}

impl Kept {
    pub fn place(&self) -> &Place {
        match self {
            Kept::Object(object) => &object.place,
            Kept::Marker(marker) => &marker.place,
        }
    }
}

impl Record for Version {
    const KIND: &'static str = "s3/version";
    const KEYS: &'static [&'static str] = &["key"];
    fn keys(&self) -> Keys {
        vec![("key", self.key.clone())]
    }
}

/// The id of a version: each key has a `null` of its own.
pub fn version_id(key: &str, version: &str) -> String {
    if version == NULL { format!("{NULL}/{key}") } else { version.to_owned() }
}

/// An upload in parts that is not complete; its id is the upload's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    pub key: String,
    pub initiated: Timestamp,
    pub initiator: String,
    pub described: Described,
    pub tags: BTreeMap<String, String>,
    /// The algorithm of its parts' checksums, and whether the whole is to have one of all its bytes.
    pub algorithm: Option<crate::checksum::Algorithm>,
    pub full_object: bool,
    /// As of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsSealed>,
}

impl Record for Upload {
    const KIND: &'static str = "s3/upload";
    const KEYS: &'static [&'static str] = &["key"];
    fn keys(&self) -> Keys {
        vec![("key", self.key.clone())]
    }
}

/// A part of an upload; its id is the upload's and its number with five digits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    pub piece: Piece,
    pub etag: String,
    pub modified: Timestamp,
    pub checksum: Option<Checksum>,
}

impl Record for Part {
    const KIND: &'static str = "s3/part";
}

/// The id of a part.
pub fn part_id(upload: &str, number: i32) -> String {
    format!("{upload}/{number:05}")
}
