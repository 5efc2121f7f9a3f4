//! Listings of a bucket's objects: by prefix, rolled up at a delimiter, in pages.

use super::{bucket, owner, quoted};
use crate::errors;
use crate::records::{Object as Record, within};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListObjects: list_objects(ListObjectsRequest)),
    operation!(ListObjectsV2: list_objects_v2(ListObjectsV2Request)),
];

/// What stays as it is where `encoding-type=url` was asked for.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// A key as a URL has it.
pub fn plain_url(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string()
}

/// A delimiter that is one: an empty one is none, and not told.
pub fn delimiter(asked: &Option<String>) -> Option<&str> {
    asked.as_deref().filter(|delimiter| !delimiter.is_empty())
}

/// What a listing is asked for.
#[derive(Default)]
pub struct Asked<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Only what comes after this key or common prefix.
    pub after: &'a str,
    pub most: usize,
}

/// A page of a listing.
#[derive(Debug, PartialEq)]
pub struct Listed<T> {
    pub entries: Vec<(Arc<str>, T)>,
    pub prefixes: Vec<String>,
    /// The last thing of the page, where there is more after it.
    pub next: Option<String>,
}

/// A page of what has keys, which must be in order. What lies behind the delimiter counts as one.
pub fn list<T>(all: impl IntoIterator<Item = (Arc<str>, T)>, asked: &Asked<'_>) -> Listed<T> {
    let mut page = Listed { entries: vec![], prefixes: vec![], next: None };
    let mut last: Option<String> = None;
    if asked.most == 0 {
        return page;
    }
    for (key, entry) in all {
        let Some(rest) = key.strip_prefix(asked.prefix).filter(|_| *key > *asked.after) else { continue };
        let end = Some(asked.delimiter).filter(|d| !d.is_empty()).and_then(|d| rest.find(d).map(|at| at + d.len()));
        let common = end.map(|end| &key[..asked.prefix.len() + end]);
        // A page that ended with a common prefix goes on behind all that it stands for.
        if common.is_some_and(|common| common <= asked.after || page.prefixes.last().is_some_and(|p| p == common)) {
            continue;
        }
        if page.entries.len() + page.prefixes.len() == asked.most {
            page.next = last;
            return page;
        }
        last = Some(common.unwrap_or(&key).to_owned());
        match common {
            Some(common) => page.prefixes.push(common.to_owned()),
            None => page.entries.push((key.clone(), entry)),
        }
    }
    page
}

/// Texts as the caller asked for them.
pub struct Encoding(pub bool);

impl Encoding {
    pub fn asked(encoding_type: Option<&str>) -> Self {
        Self(encoding_type == Some("url"))
    }

    pub fn of(&self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() }
    }

    pub fn prefixes(&self, prefixes: &[String]) -> Vec<CommonPrefix> {
        prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(self.of(prefix)) }).collect()
    }
}

/// `max-keys` and its kin: never more than a thousand.
pub fn most(name: &'static str, asked: Option<i32>) -> Result<usize, Error> {
    match asked {
        None => Ok(1000),
        Some(n) => usize::try_from(n).map(|n| n.min(1000)).map_err(|_| {
            // One of them under another name than the caller gave it.
            let text = crate::words::not_a_count(if name == "max-keys" { "maxKeys" } else { name });
            errors::invalid_argument(name, &n.to_string(), &text)
        }),
    }
}

fn contents(page: &Listed<Arc<Record>>, encoding: &Encoding, owned: Option<Owner>) -> Vec<Object> {
    let one = |(key, object): &(Arc<str>, Arc<Record>)| Object {
        key: Some(encoding.of(key)),
        last_modified: Some(object.modified),
        e_tag: Some(quoted(&object.etag)),
        checksum_algorithm: object.checksum.iter().map(|checksum| checksum.algorithm.name().to_owned()).collect(),
        checksum_type: object.checksum.as_ref().map(|checksum| checksum.kind().to_owned()),
        size: i64::try_from(object.size).ok(),
        storage_class: Some("STANDARD".to_owned()),
        owner: owned.clone(),
        restore_status: None,
    };
    page.entries.iter().map(one).collect()
}

async fn list_objects(cx: &Cx, input: ListObjectsRequest) -> Result<ListObjectsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let most = most("max-keys", input.max_keys)?;
    let asked = Asked {
        prefix: input.prefix.as_deref().unwrap_or(""),
        delimiter: input.delimiter.as_deref().unwrap_or(""),
        after: input.marker.as_deref().unwrap_or(""),
        most,
    };
    let page = list(cx.store().list::<Record>(&within(&bucket.name))?, &asked);
    let encoding = Encoding::asked(input.encoding_type.as_deref());
    Ok(ListObjectsResponse {
        is_truncated: Some(page.next.is_some()),
        marker: Some(encoding.of(asked.after)),
        // Only with a delimiter; otherwise the last key says it.
        next_marker: page.next.as_deref().filter(|_| !asked.delimiter.is_empty()).map(|next| encoding.of(next)),
        contents: contents(&page, &encoding, Some(owner(&bucket.owner))),
        name: Some(bucket.name.clone()),
        prefix: Some(encoding.of(asked.prefix)),
        delimiter: delimiter(&input.delimiter).map(|delimiter| encoding.of(delimiter)),
        max_keys: Some(most as i32),
        common_prefixes: encoding.prefixes(&page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

async fn list_objects_v2(cx: &Cx, input: ListObjectsV2Request) -> Result<ListObjectsV2Response, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let most = most("max-keys", input.max_keys)?;
    let token = input.continuation_token.as_deref().map(|token| {
        let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| text.strip_prefix("k1:").map(str::to_owned)).ok_or_else(|| {
            errors::invalid_argument("continuation-token", token, "The continuation token provided is incorrect")
        })
    });
    let token = token.transpose()?;
    let asked = Asked {
        prefix: input.prefix.as_deref().unwrap_or(""),
        delimiter: input.delimiter.as_deref().unwrap_or(""),
        after: token.as_deref().or(input.start_after.as_deref()).unwrap_or(""),
        most,
    };
    let page = list(cx.store().list::<Record>(&within(&bucket.name))?, &asked);
    let encoding = Encoding::asked(input.encoding_type.as_deref());
    let owned = (input.fetch_owner == Some(true)).then(|| owner(&bucket.owner));
    Ok(ListObjectsV2Response {
        is_truncated: Some(page.next.is_some()),
        contents: contents(&page, &encoding, owned),
        name: Some(bucket.name.clone()),
        prefix: Some(encoding.of(asked.prefix)),
        delimiter: delimiter(&input.delimiter).map(|delimiter| encoding.of(delimiter)),
        max_keys: Some(most as i32),
        common_prefixes: encoding.prefixes(&page.prefixes),
        encoding_type: input.encoding_type.clone(),
        key_count: Some((page.entries.len() + page.prefixes.len()) as i32),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next.map(|next| URL_SAFE_NO_PAD.encode(format!("k1:{next}"))),
        start_after: input.start_after.as_deref().filter(|_| token.is_none()).map(|after| encoding.of(after)),
        request_charged: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_roll_up_and_follow_each_other() {
        let keys = ["a", "b/1", "b/2", "b/3", "c", "d/x", "e"];
        let all = || keys.iter().map(|key| (Arc::<str>::from(*key), ()));
        let (mut after, mut seen) = (String::new(), vec![]);
        loop {
            let page = list(all(), &Asked { delimiter: "/", after: &after, most: 2, ..Default::default() });
            seen.push((page.entries.iter().map(|(key, ())| key.to_string()).collect::<Vec<_>>(), page.prefixes));
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        let s = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        assert_eq!(seen, [(s(&["a"]), s(&["b/"])), (s(&["c"]), s(&["d/"])), (s(&["e"]), s(&[]))]);
        let inner = list(all(), &Asked { prefix: "b/", delimiter: "/", after: "b/1", most: 9 });
        assert_eq!(inner.entries.len(), 2);
        assert_eq!(list(all(), &Asked { most: 0, ..Default::default() }).next, None);
    }
}
