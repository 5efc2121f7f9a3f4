//! Decides what is answered. No I/O: what needs another service or a random token is named and
//! done by the listener.

use super::tokens::{MOST_SECONDS, Presented};
use super::tree;
use super::world::World;
use base64::Engine;
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

/// The versions AWS has, besides `latest`. Each shows the categories that were there then.
const VERSIONS: &[&str] = &[
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-08-24",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-07-09",
    "2022-09-24",
    "2024-04-11",
];

/// The first version with dynamic data.
const DYNAMIC_SINCE: &str = "2009-04-04";

/// A request, as far as the service looks at it.
pub struct Asked<'a> {
    pub method: &'a str,
    /// Percent-encoded, without a query.
    pub path: &'a str,
    pub token: Presented,
    /// The header that asks for a token's life.
    pub ttl: Option<&'a str>,
    /// Whether a proxy passed it on.
    pub forwarded: bool,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Text(String),
    Json(Json),
    Bytes(Vec<u8>),
    /// Make a token that lives so long.
    NewToken {
        seconds: u64,
    },
    /// The name of the role in the instance profile.
    RoleName,
    /// Credentials of the role, if that is the profile's.
    Credentials {
        role: String,
    },
    /// The state its Auto Scaling group is bringing it to.
    TargetLifecycleState,
    /// Whether the instance profile can be used, and since when.
    ProfileInfo,
    Refused(u16),
}

/// The whole service.
pub fn answer(world: &World, asked: &Asked<'_>) -> Answer {
    if !world.instance.metadata.enabled {
        return Answer::Refused(403);
    }
    let Ok(path) = percent_decode_str(asked.path).decode_utf8() else { return Answer::Refused(400) };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (asked.method, parts.as_slice()) {
        ("PUT", ["latest", "api", "token"]) => return new_token(asked),
        (_, ["latest", "api", "token"]) => return Answer::Refused(405),
        ("GET" | "HEAD", _) => {}
        _ => return Answer::Refused(405),
    }
    match asked.token {
        Presented::Invalid => return Answer::Refused(401),
        Presented::Absent if world.instance.metadata.tokens_required => return Answer::Refused(401),
        Presented::Absent | Presented::Valid { .. } => {}
    }
    match parts.as_slice() {
        [] => Answer::Text(format!("{}\nlatest", VERSIONS.join("\n"))),
        [version, rest @ ..] if *version == "latest" || VERSIONS.contains(version) => read(world, version, rest),
        _ => Answer::Refused(404),
    }
}

/// AWS gives no token to a request that a proxy passed on: an open proxy on the machine must not
/// hand the instance's role to strangers.
fn new_token(asked: &Asked<'_>) -> Answer {
    if asked.forwarded {
        return Answer::Refused(403);
    }
    match asked.ttl.and_then(|ttl| ttl.trim().parse::<u64>().ok()) {
        Some(seconds @ 1..=MOST_SECONDS) => Answer::NewToken { seconds },
        _ => Answer::Refused(400),
    }
}

fn read(world: &World, version: &str, parts: &[&str]) -> Answer {
    let instance = &world.instance;
    let has_profile = instance.profile.is_some();
    let has_dynamic = version >= DYNAMIC_SINCE;
    match parts {
        [] => {
            let mut names = vec!["meta-data"];
            names.splice(0..0, has_dynamic.then_some("dynamic"));
            names.extend(instance.user_data.is_some().then_some("user-data"));
            Answer::Text(names.join("\n"))
        }
        ["dynamic", ..] if !has_dynamic => Answer::Refused(404),
        // Those that are not plain leaves of the tree below.
        ["meta-data", "iam" | "autoscaling", ..] if !tree::is_in(version, &format!("{}/", parts[1])) => {
            Answer::Refused(404)
        }
        ["user-data"] => match &instance.user_data {
            None => Answer::Refused(404),
            Some(data) => match base64::engine::general_purpose::STANDARD.decode(data.trim()) {
                Ok(bytes) => Answer::Bytes(bytes),
                Err(_) => Answer::Refused(500),
            },
        },
        ["dynamic"] => Answer::Text("instance-identity/".to_owned()),
        // Signatures (pkcs7, signature, rsa2048) are not built and so not listed.
        ["dynamic", "instance-identity"] => Answer::Text("document".to_owned()),
        ["dynamic", "instance-identity", "document"] => Answer::Json(document(world)),
        ["meta-data", "public-keys"] if !instance.ssh_keys.is_empty() => {
            Answer::Text(format!("0={}", instance.key_name.as_deref().unwrap_or_default()))
        }
        ["meta-data", "iam", "info"] if has_profile => Answer::ProfileInfo,
        ["meta-data", "iam", "security-credentials"] if has_profile => Answer::RoleName,
        ["meta-data", "iam", "security-credentials", role] if has_profile => {
            Answer::Credentials { role: (*role).to_owned() }
        }
        ["meta-data", "autoscaling", "target-lifecycle-state"] if world.in_a_group => Answer::TargetLifecycleState,
        ["meta-data", path @ ..] => {
            let mut leaves = tree::leaves(world);
            leaves.retain(|leaf, _| tree::is_in(version, leaf));
            let path = path.join("/");
            match leaves.get(&path) {
                Some(text) => Answer::Text(text.clone()),
                None => tree::listing(&leaves, &path).map_or(Answer::Refused(404), Answer::Text),
            }
        }
        _ => Answer::Refused(404),
    }
}

fn document(world: &World) -> Json {
    let instance = &world.instance;
    json!({
        "accountId": world.scope.account.to_string(),
        "architecture": instance.architecture,
        "availabilityZone": instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.image.to_string(),
        "instanceId": instance.id.to_string(),
        "instanceType": instance.instance_type,
        "kernelId": null,
        "pendingTime": instance.launch_time.iso8601(),
        "privateIp": instance.ip.to_string(),
        "ramdiskId": null,
        "region": world.scope.region.to_string(),
        "version": "2017-09-30",
    })
}
