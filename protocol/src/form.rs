//! `Name.member.1.Key=value` pairs as a tree, and the walk that query and ec2 share.
//!
//! The pairs are sorted once, segment by segment; a place in the tree is then a slice of them, and
//! a structure looks at each of its keys once. (Asking for every possible key instead, as a simple
//! decoder does, takes quadratic time with 10,000 keys.)

use crate::bounds::{Budget, MAX_DEPTH, MAX_FORM_ITEMS, MAX_FORM_KEY_BYTES, MAX_FORM_KEYS};
use crate::scalar::{self, NotA};
use crate::{Error, Kind, Map, Member, StructShape, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// How one of the two protocols differs from the other.
pub(crate) trait Dialect {
    /// Whether lists stand without a `member` level even if the table has one.
    const ALWAYS_FLAT: bool;
    /// Whether an empty number, flag or time is as good as none.
    const EMPTY_IS_NONE: bool;
    /// A value of the wrong type, e.g. `12x` for a number; `key` is its full key.
    fn wrong_type(key: &str, text: &str, what: NotA) -> Error;
    /// Structure where there is none: `what` says it.
    fn malformed(key: &str, what: &str) -> Error;
    /// A key no member has.
    fn unknown(key: &str) -> Result<(), Error>;
}

/// One decoded pair.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Keys of the protocols themselves and of presigned requests; no operation's members.
fn is_envelope(segment: &str) -> bool {
    matches!(
        segment,
        "Action"
            | "Version"
            | "AWSAccessKeyId"
            | "Signature"
            | "SignatureMethod"
            | "SignatureVersion"
            | "SecurityToken"
            | "Timestamp"
            | "Expires"
            | "AUTHPARAMS"
    ) || segment.get(..6).is_some_and(|s| s.eq_ignore_ascii_case("x-amz-"))
}

/// Decodes a form by a structure's table.
pub(crate) fn decode<D: Dialect>(form: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    let mut pairs: Vec<Pair> = Vec::new();
    for pair in form_urlencoded::parse(form) {
        if pairs.len() >= MAX_FORM_KEYS {
            return Err(D::malformed("", "The request has too many parameters"));
        }
        if pair.0.len() > MAX_FORM_KEY_BYTES {
            return Err(D::malformed("", "A parameter name of the request is too long"));
        }
        pairs.push(pair);
    }
    // Stable: of two pairs with one key the last stays last, and counts.
    pairs.sort_by(|a, b| by_segments(&a.0, &b.0));
    let walk = Walk::<D> { budget: Budget::new(), dialect: std::marker::PhantomData };
    walk.structure(Node { pairs: &pairs, at: 0, depth: 0 }, shape)
}

/// Like comparing the lists of segments: the dot sorts before everything else.
fn by_segments(a: &str, b: &str) -> Ordering {
    let rank = |b: u8| if b == b'.' { 0 } else { u16::from(b) + 1 };
    match a.bytes().zip(b.bytes()).find(|(a, b)| a != b) {
        Some((a, b)) => rank(a).cmp(&rank(b)),
        None => a.len().cmp(&b.len()),
    }
}

/// A place in the tree: the pairs whose keys begin alike.
#[derive(Clone, Copy)]
struct Node<'a> {
    pairs: &'a [Pair<'a>],
    /// Bytes of the key consumed so far, the dot after them included.
    at: usize,
    depth: u32,
}

impl<'a> Node<'a> {
    /// The value standing at this very place.
    fn text(&self) -> Option<&'a str> {
        self.pairs.iter().take_while(|(k, _)| k.len() < self.at).last().map(|(_, v)| v.as_ref())
    }

    /// The full key of this place.
    fn key(&self) -> &'a str {
        self.pairs.first().map_or("", |(k, _)| k[..self.at.saturating_sub(1).min(k.len())].as_ref())
    }

    /// The places below, with their segment.
    fn children(self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let mut rest = self.pairs;
        while let Some(((k, _), tail)) = rest.split_first()
            && k.len() < self.at
        {
            rest = tail;
        }
        std::iter::from_fn(move || {
            let (first, _) = rest.first()?;
            let segment = segment(first, self.at);
            let same = rest.partition_point(|(k, _)| crate::form::segment(k, self.at) == segment);
            let (pairs, tail) = rest.split_at(same);
            rest = tail;
            Some((segment, Node { pairs, at: self.at + segment.len() + 1, depth: self.depth + 1 }))
        })
    }

    /// Whether there is anything but an empty value here. Clients write an empty list or
    /// structure as `Names=`.
    fn only_empty(&self) -> bool {
        self.pairs.iter().all(|(k, v)| k.len() < self.at && v.is_empty())
    }
}

/// The segment of a key that begins at a byte.
fn segment(key: &str, at: usize) -> &str {
    let rest = &key[at..];
    rest.find('.').map_or(rest, |dot| &rest[..dot])
}

struct Walk<D> {
    budget: Budget,
    dialect: std::marker::PhantomData<D>,
}

impl<D: Dialect> Walk<D> {
    fn pay(&self, count: usize) -> Result<(), Error> {
        self.budget.take(count).map_err(|_| D::malformed("", "The request holds too many values"))
    }

    fn structure(&self, node: Node, shape: &'static StructShape) -> Result<Value, Error> {
        self.pay(shape.members.len())?;
        if node.text().is_some_and(|t| !t.is_empty()) && node.at > 0 {
            return Err(D::malformed(node.key(), "Unexpected simple value where a structure was expected"));
        }
        let mut members = vec![Value::Absent; shape.members.len()];
        for (segment, child) in node.children() {
            match shape.members.iter().position(|m| m.key == segment) {
                Some(at) => members[at] = self.member(child, &shape.members[at])?,
                None if node.depth == 0 && is_envelope(segment) => {}
                None => D::unknown(child.key())?,
            }
        }
        Ok(Value::Struct(members))
    }

    fn member(&self, node: Node, member: &'static Member) -> Result<Value, Error> {
        self.value(node, &(member.kind)(), member.flattened, member.item, member.map_names)
    }

    fn value(&self, node: Node, kind: &Kind, flat: bool, item: &str, map_names: (&str, &str)) -> Result<Value, Error> {
        if node.depth > MAX_DEPTH {
            return Err(D::malformed("", "The request is nested too deeply"));
        }
        match kind {
            Kind::Struct(shape) => self.structure(node, shape),
            Kind::List(of) => self.list(node, &of(), flat || D::ALWAYS_FLAT, item, map_names),
            Kind::Map(of) => self.map(node, &of(), flat, map_names),
            _ => match node.text() {
                Some("") if D::EMPTY_IS_NONE && !matches!(kind, Kind::Text | Kind::Blob) => Ok(Value::Absent),
                Some(text) if node.children().next().is_none() => {
                    scalar::read(text, kind).map_err(|what| D::wrong_type(node.key(), text, what))
                }
                _ => Err(D::malformed(node.key(), "Unexpected complex element termination")),
            },
        }
    }

    /// The numbered places of a list or map, in the order of their numbers; gaps do not matter.
    fn numbered<'a>(&self, node: Node<'a>) -> Result<Vec<(u32, Node<'a>)>, Error> {
        let mut items = Vec::new();
        for (segment, child) in node.children() {
            let number = match segment.parse::<u32>() {
                Ok(number) if segment.bytes().all(|b| b.is_ascii_digit()) => number,
                _ => return Err(D::malformed(child.key(), "Unexpected list element termination")),
            };
            if items.len() >= MAX_FORM_ITEMS {
                return Err(D::malformed(node.key(), "A list of the request has too many items"));
            }
            items.push((number, child));
        }
        items.sort_by_key(|(number, _)| *number);
        Ok(items)
    }

    /// The one level (`member`, `entry`) between a list or map and its numbers.
    fn wrapped<'a>(&self, node: Node<'a>, names: &[&str]) -> Result<Option<Node<'a>>, Error> {
        let mut found = None;
        for (segment, child) in node.children() {
            if !names.contains(&segment) {
                D::unknown(child.key())?;
            } else if found.is_none() {
                found = Some(child);
            }
        }
        Ok(found)
    }

    fn list(&self, node: Node, of: &Kind, flat: bool, item: &str, map_names: (&str, &str)) -> Result<Value, Error> {
        if node.only_empty() {
            return Ok(Value::List(vec![]));
        }
        if node.text().is_some_and(|t| !t.is_empty()) {
            return Err(D::malformed(node.key(), "Top level element may not be treated as a list"));
        }
        let Some(node) = (if flat { Some(node) } else { self.wrapped(node, &[item, "member"])? }) else {
            return Ok(Value::Absent);
        };
        let numbered = self.numbered(node)?;
        self.pay(numbered.len())?;
        let items = numbered.into_iter().map(|(_, node)| self.value(node, of, false, "member", map_names));
        items.collect::<Result<_, _>>().map(Value::List)
    }

    fn map(&self, node: Node, of: &Kind, flat: bool, names: (&str, &str)) -> Result<Value, Error> {
        if node.only_empty() {
            return Ok(Value::Map(Map::new()));
        }
        if node.text().is_some_and(|t| !t.is_empty()) {
            return Err(D::malformed(node.key(), "Top level element may not be treated as a map"));
        }
        let Some(node) = (if flat { Some(node) } else { self.wrapped(node, &["entry"])? }) else {
            return Ok(Value::Absent);
        };
        let mut map = Map::new();
        for (_, entry) in self.numbered(node)? {
            self.pay(2)?;
            let (mut key, mut value) = (None, Value::Absent);
            for (segment, child) in entry.children() {
                if segment == names.0 {
                    key = child.text();
                } else if segment == names.1 {
                    value = self.value(child, of, false, "member", ("key", "value"))?;
                } else {
                    D::unknown(child.key())?;
                }
            }
            let Some(key) = key else {
                return Err(D::malformed(entry.key(), "A map entry of the request has no key"));
            };
            map.insert(key.to_owned(), value);
        }
        Ok(Value::Map(map))
    }
}
