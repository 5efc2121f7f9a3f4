//! What is taken for a policy of a bucket, and in which words another is refused.

use super::statement::{Statement, invalid_principal, read, syntax};
use super::{actions, keys, public};
use crate::arn::bucket_arn;
use crate::errors::malformed_policy;
use crate::records::BucketPolicy;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error, Glob};
use serde_json::Value as Json;

/// The longest policy, without the white space between its words. Source: Amazon S3 User Guide, "Bucket policies":
/// 20 KB.
const LONGEST: usize = 20 * 1024;

/// The policy that a text is, for the bucket of that name.
pub fn check(cx: &Cx, bucket: &str, text: &str) -> Result<BucketPolicy, Error> {
    let statements = read(text)?;
    // It was read: it is JSON.
    let compact = serde_json::from_str::<Json>(text).map_err(|_| syntax())?.to_string();
    if compact.len() > LONGEST {
        return Err(malformed_policy("Policy exceeds the maximum allowed document size."));
    }
    for statement in &statements {
        principals(cx, statement)?;
        of_bucket(cx, bucket, statement)?;
        for condition in &statement.conditions {
            keys::check(condition)?;
        }
    }
    keys::check_variables(&compact)?;
    // What is left is for who decides by it to say: a policy that does not read would let nobody in ever.
    Document::parse(text, DocumentKind::Resource).map_err(|wrong| match &*wrong.message {
        "Syntax errors in policy." => syntax(),
        other => malformed_policy(other),
    })?;
    Ok(BucketPolicy { text: text.to_owned(), public: public::is_public(&statements) })
}

/// Whoever is named must be there, and be of a kind that anybody here can be of.
fn principals(cx: &Cx, statement: &Statement) -> Result<(), Error> {
    for (kind, who) in &statement.principals {
        match kind.as_str() {
            "AWS" if who == "*" => {}
            "AWS" if is_account(who) => {}
            "AWS" => {
                let access = cx.platform().access();
                let access = access.ok_or_else(|| Error::internal("nobody of this platform knows principals"))?;
                if !access.names_somebody(who)? {
                    return Err(invalid_principal());
                }
            }
            "Service" if is_service(who) => {}
            "CanonicalUser" | "Federated" => return Err(Error::not_built(format!("s3: a principal of kind {kind}"))),
            _ => return Err(invalid_principal()),
        }
    }
    Ok(())
}

fn is_account(text: &str) -> bool {
    let arn = |text: &str| {
        let rest = kiln_service_kit::regions::global_part(text, "iam").map(str::to_owned)?;
        rest.strip_suffix(":root").map(str::to_owned)
    };
    let account = arn(text).unwrap_or_else(|| text.to_owned());
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_service(text: &str) -> bool {
    let name = [".amazonaws.com", ".amazonaws.com.cn"].into_iter().find_map(|suffix| text.strip_suffix(suffix));
    let letters = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    name.is_some_and(|name| !name.is_empty() && letters(name))
}

/// It speaks of this bucket and what is in it, by actions that can be done to what it speaks of.
fn of_bucket(cx: &Cx, bucket: &str, statement: &Statement) -> Result<(), Error> {
    let start = bucket_arn(cx, "");
    let (mut buckets, mut objects) = (false, false);
    for resource in &statement.resources {
        let named = resource.strip_prefix(&start).filter(|named| !named.is_empty());
        let named = named.ok_or_else(|| malformed_policy("Policy has invalid resource"))?;
        let (name, key) = match named.split_once('/') {
            Some((name, key)) => (name, Some(key)),
            None => (named, None),
        };
        // What a variable stands for is not known yet.
        if !name.contains("${") && !Glob::plain(name).matches(bucket) {
            return Err(malformed_policy("Policy has invalid resource"));
        }
        buckets |= key.is_none();
        objects |= key.is_some() || name.ends_with('*');
    }
    for action in &statement.actions {
        let reach = actions::reach(action).ok_or_else(|| malformed_policy("Policy has invalid action"))?;
        let applies = reach.buckets && buckets || reach.objects && objects;
        if !applies && !statement.not_actions && !statement.not_resources {
            return Err(malformed_policy("Action does not apply to any resource(s) in statement"));
        }
    }
    Ok(())
}
