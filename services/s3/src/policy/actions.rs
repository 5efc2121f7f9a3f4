//! The actions that a bucket policy can speak of, without `s3:` and in lower case, as actions are compared without regard
//! to case. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3": those with
//! the resource type `bucket` or `object`.

use kiln_service_kit::Glob;

/// What is done to objects.
const ON_OBJECTS: [&str; 34] = [
    "abortmultipartupload",
    "bypassgovernanceretention",
    "deleteobject",
    "deleteobjecttagging",
    "deleteobjectversion",
    "deleteobjectversiontagging",
    "getobject",
    "getobjectacl",
    "getobjectattributes",
    "getobjectlegalhold",
    "getobjectretention",
    "getobjecttagging",
    "getobjecttorrent",
    "getobjectversion",
    "getobjectversionacl",
    "getobjectversionattributes",
    "getobjectversionforreplication",
    "getobjectversiontagging",
    "getobjectversiontorrent",
    "initiatereplication",
    "listmultipartuploadparts",
    "objectowneroverridetobucketowner",
    "putobject",
    "putobjectacl",
    "putobjectlegalhold",
    "putobjectretention",
    "putobjecttagging",
    "putobjectversionacl",
    "putobjectversiontagging",
    "replicatedelete",
    "replicateobject",
    "replicatetags",
    "restoreobject",
    "updateobjectencryption",
];

/// What is done to buckets.
const ON_BUCKETS: [&str; 60] = [
    "createbucket",
    "createbucketmetadatatableconfiguration",
    "deletebucket",
    "deletebucketmetadatatableconfiguration",
    "deletebucketpolicy",
    "deletebucketwebsite",
    "getaccelerateconfiguration",
    "getanalyticsconfiguration",
    "getbucketabac",
    "getbucketacl",
    "getbucketcors",
    "getbucketlocation",
    "getbucketlogging",
    "getbucketmetadatatableconfiguration",
    "getbucketnotification",
    "getbucketobjectlockconfiguration",
    "getbucketownershipcontrols",
    "getbucketpolicy",
    "getbucketpolicystatus",
    "getbucketpublicaccessblock",
    "getbucketrequestpayment",
    "getbuckettagging",
    "getbucketversioning",
    "getbucketwebsite",
    "getencryptionconfiguration",
    "getintelligenttieringconfiguration",
    "getinventoryconfiguration",
    "getlifecycleconfiguration",
    "getmetricsconfiguration",
    "getreplicationconfiguration",
    "listbucket",
    "listbucketmultipartuploads",
    "listbucketversions",
    "listtagsforresource",
    "pausereplication",
    "putaccelerateconfiguration",
    "putanalyticsconfiguration",
    "putbucketabac",
    "putbucketacl",
    "putbucketcors",
    "putbucketlogging",
    "putbucketnotification",
    "putbucketobjectlockconfiguration",
    "putbucketownershipcontrols",
    "putbucketpolicy",
    "putbucketpublicaccessblock",
    "putbucketrequestpayment",
    "putbuckettagging",
    "putbucketversioning",
    "putbucketwebsite",
    "putencryptionconfiguration",
    "putintelligenttieringconfiguration",
    "putinventoryconfiguration",
    "putlifecycleconfiguration",
    "putmetricsconfiguration",
    "putreplicationconfiguration",
    "tagresource",
    "untagresource",
    "updatebucketmetadatainventorytableconfiguration",
    "updatebucketmetadatajournaltableconfiguration",
];

/// What a pattern of an action can be asked about.
pub struct Reach {
    pub buckets: bool,
    pub objects: bool,
}

/// Which kinds of things the actions are done to that a pattern matches; nothing where it matches none.
pub fn reach(pattern: &str) -> Option<Reach> {
    let lower = pattern.to_ascii_lowercase();
    let name = match lower.as_str() {
        "*" => "*",
        other => other.strip_prefix("s3:")?,
    };
    let glob = Glob::plain(name);
    let any = |all: &[&str]| all.iter().any(|action| glob.matches(action));
    let reach = Reach { buckets: any(&ON_BUCKETS), objects: any(&ON_OBJECTS) };
    (reach.buckets || reach.objects).then_some(reach)
}
