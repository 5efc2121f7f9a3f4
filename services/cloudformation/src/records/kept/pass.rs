//! Passes JSON from a reader on to a writer, piece by piece: no tree is made on the way.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use std::cell::Cell;
use std::fmt;

/// Writes what `from` reads.
pub fn on<'de, D: Deserializer<'de>, S: Serializer>(from: D, to: S) -> Result<S::Ok, D::Error> {
    from.deserialize_any(To(to))
}

/// The writer, told what is read.
struct To<S>(S);

macro_rules! pass_on {
    ($($visit:ident($($value:ident: $type:ty)?) = $serialize:ident;)*) => {
        $(fn $visit<E: Error>(self $(, $value: $type)?) -> Result<S::Ok, E> {
            self.0.$serialize($($value)?).map_err(E::custom)
        })*
    };
}

impl<'de, S: Serializer> Visitor<'de> for To<S> {
    type Value = S::Ok;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    pass_on! {
        visit_unit() = serialize_unit;
        visit_bool(value: bool) = serialize_bool;
        visit_i64(value: i64) = serialize_i64;
        visit_u64(value: u64) = serialize_u64;
        visit_f64(value: f64) = serialize_f64;
        visit_str(value: &str) = serialize_str;
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<S::Ok, A::Error> {
        let mut seq = self.0.serialize_seq(items.size_hint()).map_err(A::Error::custom)?;
        while items.next_element_seed(Item(&mut seq))?.is_some() {}
        seq.end().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<S::Ok, A::Error> {
        let mut map = self.0.serialize_map(members.size_hint()).map_err(A::Error::custom)?;
        while members.next_key_seed(Key(&mut map))?.is_some() {
            members.next_value_seed(Member(&mut map))?;
        }
        map.end().map_err(A::Error::custom)
    }
}

/// Writes one item of a list, the key of a map's member, or its value.
struct Item<'a, S>(&'a mut S);
struct Key<'a, S>(&'a mut S);
struct Member<'a, S>(&'a mut S);

macro_rules! seeds {
    ($($seed:ident: $kind:ident.$serialize:ident;)*) => {
        $(impl<'de, S: $kind> DeserializeSeed<'de> for $seed<'_, S> {
            type Value = ();
            fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
                self.0.$serialize(&Read(Cell::new(Some(from)))).map_err(D::Error::custom)
            }
        })*
    };
}

seeds! {
    Item: SerializeSeq.serialize_element;
    Key: SerializeMap.serialize_key;
    Member: SerializeMap.serialize_value;
}

/// What is still to be read, as a value to write.
struct Read<D>(Cell<Option<D>>);

impl<'de, D: Deserializer<'de>> Serialize for Read<D> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let from = self.0.take().ok_or_else(|| S::Error::custom("JSON is read once"))?;
        on(from, to).map_err(S::Error::custom)
    }
}
