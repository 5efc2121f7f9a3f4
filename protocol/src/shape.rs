//! What a shape is: a static table of members that codecs and the validator walk.

use crate::Value;

/// The kind of a value. Lists, maps and structures point on, so recursion costs nothing.
#[derive(Clone, Copy)]
pub enum Kind {
    Bool,
    /// Both integer and long; the typed side checks the width.
    Int,
    Float,
    Text,
    /// base64 in text protocols.
    Blob,
    Time,
    List(fn() -> Kind),
    /// Keys are text.
    Map(fn() -> Kind),
    Struct(&'static StructShape),
}

/// What the model demands of one value.
#[derive(Clone, Copy)]
pub struct Limits {
    pub required: bool,
    /// Least value of a number, least length of a text (characters), list, map or blob (bytes).
    pub min: Option<i64>,
    /// Greatest value or length.
    pub max: Option<i64>,
    /// A regular expression the whole text must match.
    pub pattern: Option<&'static str>,
    /// The values an enumeration allows; empty for no enumeration.
    pub one_of: &'static [&'static str],
}

impl Limits {
    /// No demand at all.
    pub const NONE: Limits = Limits { required: false, min: None, max: None, pattern: None, one_of: &[] };
}

/// Where a member travels; all but `Body` matter to the REST protocols only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Header(&'static str),
    /// A header name prefix; the member is a map.
    Headers(&'static str),
    Query(&'static str),
    Uri(&'static str),
    StatusCode,
    /// The member is the whole body.
    Payload,
}

/// How a timestamp is written where it differs from the protocol's own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    Protocol,
    Iso8601,
    Epoch,
    Http,
}

/// One member of a structure.
#[derive(Clone, Copy)]
pub struct Member {
    /// The member's name in the model: the JSON name, and the name validation messages use (with
    /// a small first letter).
    pub name: &'static str,
    /// Its key in a query or ec2 request, e.g. `InstanceId`.
    pub key: &'static str,
    /// Its element in an XML answer, e.g. `instancesSet`.
    pub element: &'static str,
    /// The element of one list item in XML (`member`, `item`, …) and in query requests
    /// (`Names.member.1`).
    pub item: &'static str,
    /// Lists: items stand where the list would, with no wrapper (`Name.1`, repeated elements).
    pub flattened: bool,
    /// Element or key names of a map's `entry`, key and value.
    pub map_names: (&'static str, &'static str),
    pub kind: fn() -> Kind,
    pub limits: Limits,
    /// What is demanded of each item of a list, or each value of a map.
    pub item_limits: Limits,
    pub location: Location,
    pub time: TimeFormat,
    /// An idempotency token: clients fill it in, it may be missing on the wire.
    pub token: bool,
    /// AWS leaves the list or map out of an answer when there is nothing in it.
    pub omits_empty: bool,
    /// An empty text is a value of its own here, where EC2 takes it for none elsewhere.
    pub keeps_empty: bool,
    /// Never to be logged.
    pub sensitive: bool,
}

/// Begins a member for the `shape!` macro, which fills in its kind.
pub const fn member(name: &'static str) -> Member {
    Member {
        name,
        key: name,
        element: name,
        item: "member",
        flattened: false,
        map_names: ("key", "value"),
        kind: || Kind::Text,
        limits: Limits::NONE,
        item_limits: Limits::NONE,
        location: Location::Body,
        time: TimeFormat::Protocol,
        token: false,
        omits_empty: false,
        keeps_empty: false,
        sensitive: false,
    }
}

impl Member {
    /// Key in query and ec2 requests.
    pub const fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }
    /// Element in XML answers.
    pub const fn element(mut self, element: &'static str) -> Self {
        self.element = element;
        self
    }
    /// Both key and element.
    pub const fn named(self, name: &'static str) -> Self {
        self.key(name).element(name)
    }
    /// Name of one list item.
    pub const fn item(mut self, item: &'static str) -> Self {
        self.item = item;
        self
    }
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }
    pub const fn map_names(mut self, key: &'static str, value: &'static str) -> Self {
        self.map_names = (key, value);
        self
    }
    pub const fn required(mut self) -> Self {
        self.limits.required = true;
        self
    }
    pub const fn min(mut self, min: i64) -> Self {
        self.limits.min = Some(min);
        self
    }
    pub const fn max(mut self, max: i64) -> Self {
        self.limits.max = Some(max);
        self
    }
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.limits.pattern = Some(pattern);
        self
    }
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.limits.one_of = values;
        self
    }
    pub const fn item_min(mut self, min: i64) -> Self {
        self.item_limits.min = Some(min);
        self
    }
    pub const fn item_max(mut self, max: i64) -> Self {
        self.item_limits.max = Some(max);
        self
    }
    pub const fn item_pattern(mut self, pattern: &'static str) -> Self {
        self.item_limits.pattern = Some(pattern);
        self
    }
    pub const fn item_one_of(mut self, values: &'static [&'static str]) -> Self {
        self.item_limits.one_of = values;
        self
    }
    pub const fn location(mut self, location: Location) -> Self {
        self.location = location;
        self
    }
    pub const fn time(mut self, time: TimeFormat) -> Self {
        self.time = time;
        self
    }
    pub const fn token(mut self) -> Self {
        self.token = true;
        self
    }
    pub const fn omits_empty(mut self) -> Self {
        self.omits_empty = true;
        self
    }
    pub const fn keeps_empty(mut self) -> Self {
        self.keeps_empty = true;
        self
    }
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

impl Member {
    /// Whether an answer says nothing of this member.
    pub(crate) fn is_left_out(&self, value: &Value) -> bool {
        match value {
            Value::Absent => true,
            Value::List(items) => self.omits_empty && items.is_empty(),
            Value::Map(entries) => self.omits_empty && entries.is_empty(),
            _ => false,
        }
    }
}

/// A structure: its name in the model and its members, in order.
pub struct StructShape {
    pub name: &'static str,
    /// The root element of an XML answer, where it is not called as the structure is.
    pub root: Option<&'static str>,
    pub members: &'static [Member],
}

impl StructShape {
    /// Position and description of the member of that model name.
    pub fn find(&self, name: &str) -> Option<(usize, &'static Member)> {
        self.members.iter().enumerate().find(|(_, m)| m.name == name)
    }
}
