//! Listings of a bucket's objects: by prefix, rolled up at a delimiter, in pages.

use super::{bucket, quoted};
use crate::canonical::owner;
use crate::errors;
use crate::records::{Object as Record, within};
use crate::targets::{listed, of_bucket_by};
use crate::walk::{self, Asked, Walk};
use crate::words::plain_url;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Scope, Store, operation};
use std::ops::Bound;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListObjects: list_objects(ListObjectsRequest),
        on |cx, r| Ok::<_, Error>(listed(of_bucket_by(cx, &r.bucket, "s3:ListBucket")?, &r.prefix, &r.delimiter, r.max_keys))),
    operation!(ListObjectsV2: list_objects_v2(ListObjectsV2Request),
        on |cx, r| Ok::<_, Error>(listed(of_bucket_by(cx, &r.bucket, "s3:ListBucket")?, &r.prefix, &r.delimiter, r.max_keys))),
];

/// A delimiter that is one: an empty one is none, and not told.
pub fn delimiter(asked: &Option<String>) -> Option<&str> {
    asked.as_deref().filter(|delimiter| !delimiter.is_empty())
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
/// No more is taken than the page needs, and one thing to see whether there is more.
pub fn list<T>(
    all: impl IntoIterator<Item = Result<(Arc<str>, T), Error>>,
    asked: &Asked<'_>,
) -> Result<Listed<T>, Error> {
    let mut page = Listed { entries: vec![], prefixes: vec![], next: None };
    let mut last: Option<String> = None;
    if asked.most == 0 {
        return Ok(page);
    }
    for each in all {
        let (key, entry) = each?;
        if !key.starts_with(asked.prefix) || *key <= *asked.after {
            continue;
        }
        let common = asked.common(&key);
        // A page that ended with a common prefix goes on behind all that it stands for.
        if common.is_some_and(|common| common <= asked.after || page.prefixes.last().is_some_and(|p| p == common)) {
            continue;
        }
        if page.entries.len() + page.prefixes.len() == asked.most {
            page.next = last;
            return Ok(page);
        }
        last = Some(common.unwrap_or(&key).to_owned());
        match common {
            Some(common) => page.prefixes.push(common.to_owned()),
            None => page.entries.push((key.clone(), entry)),
        }
    }
    Ok(page)
}

/// A page of a bucket's objects.
fn page_of(store: &Store, scope: &Scope, asked: &Asked<'_>) -> Result<Listed<Arc<Record>>, Error> {
    let read = |from: Bound<&str>, limit: usize| walk::by_id(store, scope, from, limit);
    list(Walk::new(asked, false, read), asked)
}

/// Texts as the caller asked for them.
pub struct Encoding(pub bool);

impl Encoding {
    pub fn asked(encoding_type: Option<&str>) -> Self {
        Self(encoding_type == Some("url"))
    }

    pub fn of(&self, text: &str) -> String {
        if self.0 { plain_url(text) } else { text.to_owned() }
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
    let page = page_of(cx.store(), &within(&bucket.name), &asked)?;
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
    let page = page_of(cx.store(), &within(&bucket.name), &asked)?;
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
        let all = || keys.iter().map(|key| Ok((Arc::<str>::from(*key), ())));
        let (mut after, mut seen) = (String::new(), vec![]);
        loop {
            let page = list(all(), &Asked { delimiter: "/", after: &after, most: 2, ..Default::default() }).unwrap();
            seen.push((page.entries.iter().map(|(key, ())| key.to_string()).collect::<Vec<_>>(), page.prefixes));
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        let s = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        assert_eq!(seen, [(s(&["a"]), s(&["b/"])), (s(&["c"]), s(&["d/"])), (s(&["e"]), s(&[]))]);
        let inner = list(all(), &Asked { prefix: "b/", delimiter: "/", after: "b/1", most: 9 }).unwrap();
        assert_eq!(inner.entries.len(), 2);
        assert_eq!(list(all(), &Asked { most: 0, ..Default::default() }).unwrap().next, None);
    }

    /// A bucket's scope and a store that holds these keys in it.
    async fn holding(keys: impl Iterator<Item = String>) -> (Store, Scope) {
        let (store, scope) = (Store::in_memory(kiln_service_kit::Clock::system()), within("docs"));
        let object: Record = serde_json::from_value(serde_json::json!({
            "size": 1, "etag": "e", "modified": 0, "pieces": [], "parts": 0, "checksum": null, "tags": {},
            "described": crate::records::Described::default(),
        }))
        .unwrap();
        let put = store.write::<_, Error>(|tx| {
            for key in keys {
                tx.put(&scope, &key, object.clone())?;
            }
            Ok(())
        });
        put.await.unwrap();
        (store, scope)
    }

    #[tokio::test]
    async fn a_page_that_is_read_is_the_page_of_the_whole_list() {
        let keys = [
            "a",
            "a--b",
            "a--c",
            "b/",
            "b/1",
            "b/2/x",
            "b/2/y",
            "b0",
            "c/\u{10ffff}",
            "d",
            "\u{10ffff}/a",
            "\u{10ffff}/b",
        ];
        let (store, scope) = holding(keys.iter().map(|key| key.to_string())).await;
        let texts = keys.iter().copied().chain(["", "b", "a-", "b/2", "b/2/", "zz", "\u{10ffff}", "\u{10ffff}/"]);
        let texts: Vec<&str> = texts.collect();
        let shown = |page: Listed<Arc<Record>>| {
            let keys: Vec<_> = page.entries.into_iter().map(|(key, _)| key).collect();
            (keys, page.prefixes, page.next)
        };
        for prefix in &texts {
            for after in &texts {
                for delimiter in ["", "/", "--", "b"] {
                    for most in [0, 1, 2, 3, 20] {
                        let asked = Asked { prefix, delimiter, after, most };
                        let all = store.list::<Record>(&scope).unwrap().into_iter().map(Ok);
                        let wanted = list(all, &asked).unwrap();
                        let read = page_of(&store, &scope, &asked).unwrap();
                        assert_eq!(shown(read), shown(wanted), "{prefix:?} {after:?} {delimiter:?} {most}");
                    }
                }
            }
        }
    }

    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn a_page_reads_what_it_shows_however_large_the_bucket_is() {
        let keys = (0..10_000).map(|n| format!("{:02}/{:02}", n / 100, n % 100));
        let (store, scope) = holding(keys).await;
        let reads = |asked: &Asked<'_>, entries: usize, prefixes: usize| {
            let before = store.figures().records_read;
            let page = page_of(&store, &scope, asked).unwrap();
            assert_eq!((page.entries.len(), page.prefixes.len()), (entries, prefixes));
            store.figures().records_read - before
        };
        assert_eq!(reads(&Asked { after: "50/00", most: 10, ..Default::default() }, 10, 0), 11);
        assert_eq!(reads(&Asked { most: 1000, ..Default::default() }, 1000, 0), 1001);
        assert_eq!(reads(&Asked { delimiter: "/", most: 1000, ..Default::default() }, 0, 100), 100);
        let inside = reads(&Asked { prefix: "42/", delimiter: "/", after: "", most: 50 }, 50, 0);
        assert!(inside <= 100, "{inside} records read for 50");
    }
}
