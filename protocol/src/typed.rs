//! From neutral values to plain structs and back: the [`Shape`] trait and the `shape!` macro.

use crate::{Blob, Error, Kind, Map, StructShape, Value};
use kiln_clock::Timestamp;

/// A type that a model describes.
pub trait Shape: Clone {
    /// Its kind in shape tables.
    fn kind() -> Kind;
    /// From a decoded value. Fails with `SerializationException` when the kind differs.
    fn from_value(value: Value) -> Result<Self, Error>;
    /// To a value for encoding.
    fn into_value(self) -> Value;
}

/// A structure of a model.
pub trait StructTyped: Shape {
    /// Its table.
    const SHAPE: &'static StructShape;
}

#[doc(hidden)]
pub fn wrong(what: &str) -> Error {
    Error::sender("SerializationException", format!("expected {what}"))
}

macro_rules! scalar {
    ($t:ty, $kind:ident, $what:literal) => {
        impl Shape for $t {
            fn kind() -> Kind {
                Kind::$kind
            }
            fn from_value(value: Value) -> Result<Self, Error> {
                match value {
                    Value::$kind(x) => x.try_into().map_err(|_| wrong($what)),
                    _ => Err(wrong($what)),
                }
            }
            fn into_value(self) -> Value {
                Value::$kind(self.into())
            }
        }
    };
}
scalar!(String, Text, "a string");
scalar!(i32, Int, "a 32-bit integer");
scalar!(i64, Int, "an integer");
scalar!(f64, Float, "a number");
scalar!(bool, Bool, "a boolean");
scalar!(Timestamp, Time, "a timestamp");

impl Shape for Blob {
    fn kind() -> Kind {
        Kind::Blob
    }
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Blob(b) => Ok(Blob(b)),
            _ => Err(wrong("binary data")),
        }
    }
    fn into_value(self) -> Value {
        Value::Blob(self.0)
    }
}

impl<T: Shape> Shape for Option<T> {
    fn kind() -> Kind {
        T::kind()
    }
    fn from_value(value: Value) -> Result<Self, Error> {
        if value.is_absent() { Ok(None) } else { T::from_value(value).map(Some) }
    }
    fn into_value(self) -> Value {
        self.map_or(Value::Absent, T::into_value)
    }
}

impl<T: Shape> Shape for Box<T> {
    fn kind() -> Kind {
        T::kind()
    }
    fn from_value(value: Value) -> Result<Self, Error> {
        T::from_value(value).map(Box::new)
    }
    fn into_value(self) -> Value {
        (*self).into_value()
    }
}

/// A missing list reads as an empty one; an empty one is written (clients expect the key).
impl<T: Shape> Shape for Vec<T> {
    fn kind() -> Kind {
        Kind::List(T::kind)
    }
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Absent => Ok(vec![]),
            Value::List(l) => l.into_iter().map(T::from_value).collect(),
            _ => Err(wrong("a list")),
        }
    }
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: Shape> Shape for Map<T> {
    fn kind() -> Kind {
        Kind::Map(T::kind)
    }
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Absent => Ok(Map::new()),
            Value::Map(m) => m.into_iter().map(|(k, v)| Ok((k, T::from_value(v)?))).collect(),
            _ => Err(wrong("a map")),
        }
    }
    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(k, v)| (k, v.into_value())).collect())
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! root {
    () => {
        None
    };
    ($root:literal) => {
        Some($root)
    };
}

/// A structure and its table, written down once.
///
/// ```
/// use kiln_protocol::{member, shape};
/// shape! {
///     pub struct CreateQueueRequest {
///         queue_name: String = member("QueueName").required().min(1).max(80),
///         tags: Vec<String> = member("Tags").item("item"),
///     }
/// }
/// ```
#[macro_export]
macro_rules! shape {
    ($($(#[$doc:meta])* pub struct $name:ident $(as $root:literal)? { $($field:ident: $ty:ty = $member:expr),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name { $(pub $field: $ty),* }
        impl $crate::Shape for $name {
            fn kind() -> $crate::Kind { $crate::Kind::Struct(<Self as $crate::StructTyped>::SHAPE) }
            fn from_value(value: $crate::Value) -> Result<Self, $crate::Error> {
                let $crate::Value::Struct(members) = value else { return Err($crate::wrong("a structure")) };
                #[allow(unused_mut, unused_variables)]
                let mut members = members.into_iter();
                Ok(Self { $($field: $crate::Shape::from_value(members.next().unwrap_or($crate::Value::Absent))?),* })
            }
            fn into_value(self) -> $crate::Value {
                $crate::Value::Struct(vec![$($crate::Shape::into_value(self.$field)),*])
            }
        }
        impl $crate::StructTyped for $name {
            const SHAPE: &'static $crate::StructShape = &$crate::StructShape {
                name: stringify!($name),
                root: $crate::root!($($root)?),
                members: &[$($crate::Member { kind: <$ty as $crate::Shape>::kind, ..$member }),*],
            };
        }
    )* };
}
